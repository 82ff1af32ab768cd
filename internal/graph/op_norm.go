package graph

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Standardize subtracts from every row (the last axis) its mean and divides by
// √(variance + Epsilon), with the biased variance: the core of layer, instance
// and group normalization.
type Standardize struct {
	elementwise
	Epsilon float64
}

// Infer implements Op.
func (op Standardize) Infer(in []Arg) ([]int, error) {
	if !(op.Epsilon > 0) {
		return nil, fmt.Errorf("epsilon %v", op.Epsilon)
	}
	out, err := op.elementwise.Infer(in)
	if err == nil && len(out) == 0 {
		return nil, fmt.Errorf("samples have no axis")
	}
	return out, err
}

// Reads implements Op.
func (Standardize) Reads([]bool, bool) ([]bool, bool) { return []bool{true}, false }

// Forward implements Op.
func (op Standardize) Forward(c *Call) {
	n := c.OutShape[len(c.OutShape)-1]
	for lo := 0; lo < len(c.Out); lo += n {
		x := c.In[0][lo : lo+n]
		s := kernel.RowStats(x, op.Epsilon)
		kernel.Normalize(c.Out[lo:lo+n], x, float32(s.Mean), float32(s.Inv), 0)
	}
}

// VJP implements Op: dx = inv·(dy − mean(dy) − x̂·mean(dy·x̂)).
func (op Standardize) VJP(c *Call) {
	n := c.OutShape[len(c.OutShape)-1]
	for lo := 0; lo < len(c.DOut); lo += n {
		x, dy := c.In[0][lo:lo+n], c.DOut[lo:lo+n]
		s := kernel.RowStats(x, op.Epsilon)
		sum, dot := kernel.NormalizeSums(dy, x)
		dot -= float64(s.Mean * sum)
		normVJP(c.Fresh[0], c.DIn[0][lo:lo+n], dy, x, float32(s.Mean), float32(s.Inv),
			float32(-s.Inv*s.Inv*s.Inv*dot/float64(n)), float32(-s.Inv*sum/float64(n)))
	}
}

// layerNorm is Standardize, times a scale and plus a shift for each element of a row.
// Inputs: x, and the parameters scale and shift, in any shape.
type layerNorm struct{ Standardize }

// Reads implements Op.
func (layerNorm) Reads(want []bool, _ bool) ([]bool, bool) {
	return []bool{true, want[0], false}, false
}

// Forward implements Op.
func (op layerNorm) Forward(c *Call) {
	n := len(c.In[1])
	for lo := 0; lo < len(c.Out); lo += n {
		x := c.In[0][lo : lo+n]
		kernel.NormRow(c.Out[lo:lo+n], x, c.In[1], c.In[2], kernel.RowStats(x, op.Epsilon))
	}
}

// VJP implements Op.
func (op layerNorm) VJP(c *Call) {
	n := len(c.In[1])
	for lo := 0; lo < len(c.DOut); lo += n {
		x, dy := c.In[0][lo:lo+n], c.DOut[lo:lo+n]
		s := kernel.RowStats(x, op.Epsilon)
		op.params(c, dy, x, s)
		switch { // last: the gradient of x may be in the place of dy
		case c.DIn[0] == nil:
		case c.Fresh[0]:
			kernel.NormRowGrad(c.DIn[0][lo:lo+n], dy, x, c.In[1], s)
		default:
			part := c.Scratch[:n]
			kernel.NormRowGrad(part, dy, x, c.In[1], s)
			kernel.Add32(c.DIn[0][lo:lo+n], c.DIn[0][lo:lo+n], part)
		}
	}
}

// params adds the gradients of scale and shift of one row.
func (layerNorm) params(c *Call, dy, x []float32, s kernel.RowNorm) {
	n := len(dy)
	switch scale, shift := c.DIn[1], c.DIn[2]; {
	case scale != nil && shift != nil:
		kernel.NormRowParams(scale, shift, dy, x, s)
	case scale != nil:
		kernel.NormRowParams(scale, c.Scratch[n:2*n], dy, x, s)
	case shift != nil:
		kernel.Add32(shift, shift, dy)
	}
}

// Scratch implements Scratcher.
func (layerNorm) Scratch(_ any, in []Arg, _ []int, _ int) int { return 2 * size(in[1].Shape) }

// LogSoftmax is the logarithm of softmax along the last axis.
type LogSoftmax struct{ fromOutput }

// Forward implements Op.
func (LogSoftmax) Forward(c *Call) {
	n := lastAxis(c.OutShape)
	for lo := 0; lo < len(c.Out); lo += n {
		x := c.In[0][lo : lo+n]
		top := math.Inf(-1)
		for _, v := range x {
			top = max(top, float64(v))
		}
		total := 0.0
		for _, v := range x {
			total += math.Exp(float64(v) - top)
		}
		lse := top + math.Log(total)
		for i, v := range x {
			c.Out[lo+i] = float32(float64(v) - lse)
		}
	}
}

// VJP implements Op: dx = dy − exp(y)·Σ dy.
func (LogSoftmax) VJP(c *Call) {
	n := lastAxis(c.OutShape)
	for lo := 0; lo < len(c.Out); lo += n {
		dy := c.DOut[lo : lo+n]
		total := kernel.Sum32(dy)
		for i := range dy {
			d := float32(float64(dy[i]) - math.Exp(float64(c.Out[lo+i]))*total)
			if !c.Fresh[0] {
				d += c.DIn[0][lo+i]
			}
			c.DIn[0][lo+i] = d
		}
	}
}

func lastAxis(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}
