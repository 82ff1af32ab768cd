package graph

import (
	"fmt"
	"slices"
)

// Reshape gives every sample another shape of the same size. One axis may be
// -1: what is left. An empty Shape flattens a sample to one axis.
type Reshape struct {
	elementwise
	Shape []int
}

// Infer implements Op.
func (op Reshape) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	n := size(in[0].Shape)
	if len(op.Shape) == 0 {
		return []int{n}, nil
	}
	out, rest, open := slices.Clone(op.Shape), 1, -1
	for i, d := range out {
		switch {
		case d == -1 && open < 0:
			open = i
		case d < 1 || d > maxSize/rest:
			return nil, fmt.Errorf("no shape: %v", op.Shape)
		default:
			rest *= d
		}
	}
	if open >= 0 {
		out[open] = n / rest
		rest *= out[open]
	}
	if rest != n {
		return nil, fmt.Errorf("samples of shape %v do not fit %v", in[0].Shape, op.Shape)
	}
	return out, nil
}

// Reads implements Op.
func (Reshape) Reads([]bool, bool) ([]bool, bool) { return none(1), false }

// Forward implements Op.
func (Reshape) Forward(c *Call) { copy(c.Out, c.In[0]) }

// VJP implements Op.
func (Reshape) VJP(c *Call) { accumulate(c.Fresh[0], c.DIn[0], c.DOut) }

// Concat joins its inputs along an axis of a sample: 0 is the first one after
// the batch.
type Concat struct{ Axis int }

// Infer implements Op.
func (op Concat) Infer(in []Arg) ([]int, error) {
	if len(in) == 0 {
		return nil, fmt.Errorf("no inputs")
	}
	out := slices.Clone(in[0].Shape)
	if op.Axis < 0 || op.Axis >= len(out) {
		return nil, fmt.Errorf("axis %d of samples of shape %v", op.Axis, out)
	}
	for i, a := range in {
		if a.Param || len(a.Shape) != len(out) {
			return nil, fmt.Errorf("input %d is %v (parameter: %t), input 0 is %v", i, a.Shape, a.Param, out)
		}
		for k, d := range a.Shape {
			if k != op.Axis && d != out[k] {
				return nil, fmt.Errorf("input %d is %v, input 0 is %v", i, a.Shape, in[0].Shape)
			}
		}
		if i > 0 {
			out[op.Axis] += a.Shape[op.Axis]
		}
	}
	return out, nil
}

// Reads implements Op.
func (op Concat) Reads(want []bool, _ bool) ([]bool, bool) { return none(len(want)), false }

// Forward implements Op.
func (op Concat) Forward(c *Call) {
	op.each(c, func(k, out, in, n int) { copy(c.Out[out:out+n], c.In[k][in:in+n]) })
}

// VJP implements Op.
func (op Concat) VJP(c *Call) {
	op.each(c, func(k, out, in, n int) {
		if c.DIn[k] != nil {
			accumulate(c.Fresh[k], c.DIn[k][in:in+n], c.DOut[out:out+n])
		}
	})
}

// each calls f for every contiguous piece, of n elements, of every input.
func (op Concat) each(c *Call, f func(k, out, in, n int)) {
	outer := c.N * size(c.OutShape[:op.Axis])
	inner := size(c.OutShape[op.Axis+1:])
	row := inner * c.OutShape[op.Axis]
	at := 0
	for k, shape := range c.Shape {
		n := inner * shape[op.Axis]
		for i := range outer {
			f(k, i*row+at, i*n, n)
		}
		at += n
	}
}
