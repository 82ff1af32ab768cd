package graph

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Affine scales and shifts every channel (axis 0 of a sample): x·scale + shift.
// Inputs: x, and the parameters scale and shift.
type Affine struct{}

// Infer implements Op.
func (Affine) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 3, 3); err != nil {
		return nil, err
	}
	if len(in[0].Shape) == 0 {
		return nil, fmt.Errorf("samples have no axis")
	}
	for i := 1; i < 3; i++ {
		if err := wantParam(in, i, in[0].Shape[0]); err != nil {
			return nil, err
		}
	}
	return in[0].Shape, nil
}

// InPlace implements InPlacer.
func (Affine) InPlace() {}

// Reads implements Op.
func (Affine) Reads(want []bool, _ bool) ([]bool, bool) {
	return []bool{want[1], want[0], false}, false
}

// Forward implements Op.
func (Affine) Forward(c *Call) {
	planes(c, func(ch, lo, hi int) {
		kernel.ScaleShift(c.Out[lo:hi], c.In[0][lo:hi], c.In[1][ch], c.In[2][ch])
	})
}

// VJP implements Op.
func (Affine) VJP(c *Call) {
	planes(c, func(ch, lo, hi int) {
		dy := c.DOut[lo:hi]
		if c.DIn[1] != nil {
			c.DIn[1][ch] += float32(kernel.Dot32(dy, c.In[0][lo:hi]))
		}
		if c.DIn[2] != nil {
			c.DIn[2][ch] += float32(kernel.Sum32(dy))
		}
		if c.DIn[0] != nil { // last: it may be in the place of dy
			addScaled(c.Fresh[0], c.DIn[0][lo:hi], dy, c.In[1][ch])
		}
	})
}
