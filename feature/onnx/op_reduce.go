package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// Reductions keep the batch axis out. The axes are an attribute in older operator sets and
// an input in newer ones, and the change came in two steps.

// reductions are operators on axes, with the operator set from which the axes
// are an input.
var reductions = map[string]struct {
	kind  graph.ReduceKind
	since int
}{
	"ReduceSum": {graph.ReduceSum, 13}, "ReduceMean": {graph.ReduceMean, 18}, "ReduceMax": {graph.ReduceMax, 18},
	"ReduceMin": {graph.ReduceMin, 18}, "ReduceProd": {graph.ReduceProd, 18}, "ReduceL1": {graph.ReduceL1, 18},
	"ReduceL2": {graph.ReduceL2, 18}, "ReduceSumSquare": {graph.ReduceSumSquare, 18}, "ReduceLogSum": {graph.ReduceLogSum, 18},
	"ReduceLogSumExp": {graph.ReduceLogSumExp, 18},
}

// buildReduce reads the axes, which became an input in operator set 13 for sums and 18
// for the others. Without axes, all are reduced, unless the file says that none is.
func buildReduce(b *builder, n *node) ([]value, error) {
	r := reductions[n.op]
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	axes, given, err := b.axesOf(n, 1, r.since)
	if err == nil {
		axes, err = inRange(axes, len(d.view))
	}
	if err != nil {
		return nil, err
	}
	if !given || len(axes) == 0 {
		if n.int("noop_with_empty_axes", 0) != 0 {
			return result(b.copyOf(n, d))
		}
		axes = axes[:0]
		for i := range d.view {
			axes = append(axes, i)
		}
	}
	if err := d.offBatch(axes...); err != nil {
		return nil, err
	}
	return b.reduce(n, d, r.kind, axes)
}

// newReduce is graph.NewReduce, whose tables are counted.
func (b *builder) newReduce(kind graph.ReduceKind, view, axes []int) (graph.Op, error) {
	if err := b.memory(4 * sizeOf(view)); err != nil {
		return nil, err
	}
	group := 1
	for _, a := range axes {
		group *= view[a]
	}
	if kind == graph.ReduceProd { // its gradient multiplies all others for each
		if b.work += float64(sizeOf(view)) * float64(group); b.work > float64(b.opt.MaxWork) {
			return nil, fmt.Errorf("%w: products of %d elements (Options.MaxWork)", ErrLimit, group)
		}
	}
	return graph.NewReduce(kind, view, axes)
}

// reduce reduces axes other than the batch's. graph.Reduce keeps them with length 1;
// where they are dropped, the result has another shape with the same elements.
func (b *builder) reduce(n *node, d dyn, kind graph.ReduceKind, axes []int) ([]value, error) {
	op, err := b.newReduce(kind, d.view, axes)
	if err != nil {
		return nil, err
	}
	x, err := b.as(d.v, d.view)
	if err != nil {
		return nil, err
	}
	kept, squeezed, axis := slices.Clone(d.view), []int(nil), -1
	for i := range d.view {
		if i == d.axis {
			axis = len(squeezed)
		}
		if slices.Contains(axes, i) {
			kept[i] = 1
		} else {
			squeezed = append(squeezed, d.view[i])
		}
	}
	if n.int("keepdims", 1) != 0 {
		return result(b.apply(n, op, kept, d.axis, x))
	}
	return result(b.apply(n, op, squeezed, axis, x))
}
