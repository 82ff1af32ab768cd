package graph

import (
	"fmt"
	"slices"
)

// Resample replaces an axis of a sample by weighted sums along it: output i is
// Σₜ Weight[i][t]·x[Index[i][t]]. Linear and cubic resizing are of this kind, one
// axis after the other.
type Resample struct {
	Axis   int
	Index  [][]int
	Weight [][]float64
}

// Infer implements Op.
func (op Resample) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	if op.Axis < 0 || op.Axis >= len(in[0].Shape) || len(op.Index) != len(op.Weight) {
		return nil, fmt.Errorf("axis %d of samples of shape %v", op.Axis, in[0].Shape)
	}
	for i, taps := range op.Index {
		if len(taps) != len(op.Weight[i]) {
			return nil, fmt.Errorf("output %d has %d places and %d weights", i, len(taps), len(op.Weight[i]))
		}
		for _, k := range taps {
			if k < 0 || k >= in[0].Shape[op.Axis] {
				return nil, fmt.Errorf("output %d reads element %d of shape %v, axis %d", i, k, in[0].Shape, op.Axis)
			}
		}
	}
	out := slices.Clone(in[0].Shape)
	out[op.Axis] = len(op.Index)
	return out, nil
}

// Reads implements Op.
func (Resample) Reads([]bool, bool) ([]bool, bool) { return none(1), false }

// each calls f for every tap of every line of inner elements.
func (op Resample) each(c *Call, f func(out, in, inner int, first bool, w float32)) {
	inner := size(c.OutShape[op.Axis+1:])
	n, m := c.Shape[0][op.Axis], len(op.Index)
	for o := range c.N * size(c.OutShape[:op.Axis]) {
		for i, taps := range op.Index {
			for t, k := range taps {
				f((o*m+i)*inner, (o*n+k)*inner, inner, t == 0, float32(op.Weight[i][t]))
			}
		}
	}
}

// Forward implements Op.
func (op Resample) Forward(c *Call) {
	op.each(c, func(out, in, inner int, first bool, w float32) {
		addScaled(first, c.Out[out:out+inner], c.In[0][in:in+inner], w)
	})
}

// VJP implements Op.
func (op Resample) VJP(c *Call) {
	c.Clear(0)
	op.each(c, func(out, in, inner int, _ bool, w float32) {
		addScaled(false, c.DIn[0][in:in+inner], c.DOut[out:out+inner], w)
	})
}
