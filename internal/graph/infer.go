package graph

import (
	"fmt"
	"slices"
)

// arity returns an error unless there are low to high inputs and the first has
// a batch axis.
func arity(in []Arg, low, high int) error {
	if len(in) < low || len(in) > high {
		return fmt.Errorf("%d inputs, want %d to %d", len(in), low, high)
	}
	if in[0].Param {
		return fmt.Errorf("the first input is a parameter")
	}
	return nil
}

// wantParam returns an error unless input i is a parameter of the given shape.
func wantParam(in []Arg, i int, shape ...int) error {
	if !in[i].Param || !slices.Equal(in[i].Shape, shape) {
		return fmt.Errorf("input %d is %v (parameter: %t), want a parameter of shape %v", i, in[i].Shape, in[i].Param, shape)
	}
	return nil
}
