package graph

import (
	"fmt"
	"slices"
)

// Select takes, at every position of a sample, the element of its first input
// where First is set and of its second elsewhere. Both inputs have batch axis
// and shape in common.
type Select struct{ First []bool }

// Infer implements Op.
func (op Select) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 2, 2); err != nil {
		return nil, err
	}
	if in[1].Param || !slices.Equal(in[0].Shape, in[1].Shape) || size(in[0].Shape) != len(op.First) {
		return nil, fmt.Errorf("inputs %v and %v for %d choices", in[0], in[1], len(op.First))
	}
	return in[0].Shape, nil
}

// Reads implements Op.
func (Select) Reads([]bool, bool) ([]bool, bool) { return none(2), false }

// Forward implements Op.
func (op Select) Forward(c *Call) {
	for i := range c.Out {
		if op.First[i%len(op.First)] {
			c.Out[i] = c.In[0][i]
		} else {
			c.Out[i] = c.In[1][i]
		}
	}
}

// VJP implements Op.
func (op Select) VJP(c *Call) {
	for k, dx := range c.DIn {
		if dx == nil {
			continue
		}
		c.Clear(k)
		for i, v := range c.DOut {
			if op.First[i%len(op.First)] == (k == 0) {
				dx[i] += v
			}
		}
	}
}
