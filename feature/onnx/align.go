package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// The graph broadcasts one sample at a time and does not know of a batch axis. ONNX
// broadcasts whole tensors, in which the batch may be any axis, and may be missing in
// weights. Both agree once all inputs have the same rank, the same batch axis, and length
// 1 there where they have no batch: that is what align sees to, or it refuses.

// common is the layout of several values that broadcast together.
type common struct {
	in    []graph.Value
	view  []int
	axis  int
	outer int
}

// aligned adds a node on values in one layout.
func (b *builder) aligned(n *node, op graph.Op, c common, in ...graph.Value) (dyn, error) {
	d, err := b.apply(n, op, c.view, c.axis, in...)
	d.outer = c.outer
	return d, err
}

// align brings values into one layout, so that the graph's broadcasting, which
// goes sample by sample, is that of ONNX. With full, the values also get the
// common shape.
func (b *builder) align(n *node, full bool, index ...int) (common, error) {
	c, err := b.commonView(n, index)
	if err != nil {
		return c, err
	}
	return b.alignTo(n, c, full, index...)
}

// alignTo brings values into the given layout.
func (b *builder) alignTo(n *node, c common, full bool, index ...int) (common, error) {
	lift := !slices.ContainsFunc(index, func(i int) bool { return b.values[n.in[i]].d != nil })
	for _, i := range index {
		v, err := b.operand(n, i, c, lift || full)
		lift = false
		if err == nil && full {
			v, err = b.widen(n, v, c)
		}
		if err != nil {
			return c, err
		}
		c.in = append(c.in, v)
	}
	return c, nil
}

// sample returns the shape of one sample of a value with the given view in the
// layout.
func (c common) sample(view []int) []int {
	for len(view) < len(c.view) {
		view = slices.Insert(slices.Clone(view), 0, 1)
	}
	if c.axis == 0 && c.view[0] == 1 {
		view = view[1:]
	}
	return view
}

// commonView computes the shape and batch axis of the result.
func (b *builder) commonView(n *node, index []int) (common, error) {
	c := common{axis: -1}
	rank := 0
	for _, i := range index {
		if !n.has(i) {
			return c, fmt.Errorf("%w: input %d is missing", ErrFormat, i)
		}
		view, _ := b.shapeOf(n, i)
		rank = max(rank, len(view))
	}
	part := 0
	for _, i := range index {
		view, axis := b.shapeOf(n, i)
		if axis >= 0 {
			at := axis + rank - len(view)
			outer := max(b.values[n.in[i]].d.outer, 1)
			if c.axis >= 0 && (at != c.axis || view[axis] != part || outer != c.outer) {
				return c, fmt.Errorf("%w: the inputs have their batch on different axes", ErrUnsupported)
			}
			c.axis, part, c.outer = at, view[axis], outer
		}
		var err error
		if c.view, err = broadcast(c.view, view); err != nil {
			return c, err
		}
	}
	for _, i := range index {
		view, axis := b.shapeOf(n, i)
		if c.axis >= 0 && axis < 0 && axisOf(view, rank, c.axis) != 1 {
			return c, fmt.Errorf("%w: input %d of shape %v varies along the batch axis", ErrUnsupported, i, view)
		}
	}
	return c, b.room(c.view)
}

// operand returns input i, shaped for the layout: as a weight, unless it is an
// activation or lift is set.
func (b *builder) operand(n *node, i int, c common, lift bool) (graph.Value, error) {
	if b.values[n.in[i]].d == nil && !lift {
		p, err := b.weightInput(n, i)
		if err != nil {
			return 0, err
		}
		if !p.moved() {
			return b.weightOf(p)
		}
	}
	d, err := b.rowwise(n, i)
	if err != nil {
		return 0, err
	}
	return b.as(d.v, c.sample(d.view))
}

// widen repeats an aligned value to the common shape.
func (b *builder) widen(n *node, v graph.Value, c common) (graph.Value, error) {
	shape, want := b.g.Shape(v), canon(c.view, c.axis)
	if slices.Equal(shape, want) {
		return v, nil
	}
	offs := make([][]int32, len(want))
	for k, s := range stride(shape) {
		if shape[k] == 1 {
			s = 0
		}
		offs[k] = steps(want[k], s)
	}
	d, err := b.table(n, v, offs, c.view, c.axis, 0)
	return d.v, err
}
