package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// comparisons make masks of activations. A mask has no gradient, and needs none
// where it only chooses between values or switches them off; PyTorch does the same.
var comparisons = map[string]graph.CompareKind{
	"Less": graph.Less, "LessOrEqual": graph.LessOrEqual, "Greater": graph.Greater, "GreaterOrEqual": graph.GreaterOrEqual,
	"Equal": graph.Equal, "And": graph.And, "Or": graph.Or, "Xor": graph.Xor,
}

// buildComparison compares activations with each other or with constants. Weights
// that only comparisons read have no gradient and are not trained (see trace).
func buildComparison(b *builder, n *node) ([]value, error) {
	if len(n.in) != 2 {
		return nil, fmt.Errorf("%w: %d inputs, want 2", ErrFormat, len(n.in))
	}
	c, err := b.align(n, false, 0, 1)
	if err != nil {
		return nil, err
	}
	return b.mask(n, c, graph.Compare{Kind: comparisons[n.op]}, c.in...)
}

// buildNot compares with zero.
func buildNot(b *builder, n *node) ([]value, error) {
	return b.compareWithZero(n, graph.Equal)
}

// compareWithZero makes a mask of one input.
func (b *builder) compareWithZero(n *node, kind graph.CompareKind) ([]value, error) {
	d, err := b.rowwise(n, 0)
	if err != nil {
		return nil, err
	}
	zero, err := b.hidden(number(typeFloat, 0))
	if err != nil {
		return nil, err
	}
	z, err := b.weightAs(zero.w, []int{1})
	if err != nil {
		return nil, err
	}
	return b.mask(n, common{view: d.view, axis: d.axis, outer: d.outer}, graph.Compare{Kind: kind}, d.v, z)
}

// mask adds a comparison, whose result must only mask other values.
func (b *builder) mask(n *node, c common, op graph.Compare, in ...graph.Value) ([]value, error) {
	if !b.masksOnly(n.out[0]) {
		return nil, fmt.Errorf("%w: the result %q is used for more than to choose or to switch off", ErrGradient, n.out[0])
	}
	return result(b.aligned(n, op, c, in...))
}

// keepsMask are operators whose result is as much a mask as their input.
var keepsMask = []string{"Identity", "Cast", "Not", "And", "Or", "Xor", "Unsqueeze", "Squeeze", "Reshape", "Flatten", "Expand", "Transpose", "Slice", "Gather", "Concat", "ReduceSum", "Clip", "Max"}

// masksOnly tells whether all readers of a tensor are masked by it: it is a
// condition of Where, or a factor or divisor, perhaps after operators that
// leave it a mask. Answers are kept, so that long chains are asked about once.
func (b *builder) masksOnly(name string) bool {
	only, asked := b.masks[name]
	if !asked {
		only = b.asksReaders(name)
		b.masks[name] = only
	}
	return only
}

// asksReaders is masksOnly without the answers that are known.
func (b *builder) asksReaders(name string) bool {
	readers := b.f.readers[name]
	for _, i := range readers {
		r := b.f.graph.nodes[i]
		switch {
		case !b.needed[i] || r.op == "Mul" || r.op == "Div" && r.input(0) != name || r.op == "Where" && r.input(0) == name && !slices.Contains(r.in[1:], name):
		case r.op == "Add" || r.op == "Sub":
			other := slices.ContainsFunc(r.in, func(s string) bool { return s != name && b.f.varies(s) })
			if !other && !b.masksOnly(r.out[0]) {
				return false
			}
		case slices.Contains(keepsMask, r.op) && len(r.out) > 0:
			if !b.masksOnly(r.out[0]) {
				return false
			}
		default:
			return false
		}
	}
	return len(readers) > 0 && !slices.Contains(b.logits, name)
}

// buildWhere chooses by a constant condition, or by a mask.
func buildWhere(b *builder, n *node) ([]value, error) {
	c, err := b.commonView(n, []int{0, 1, 2})
	if err != nil {
		return nil, err
	}
	if v := b.values[n.in[0]]; v.d != nil {
		if c, err = b.alignTo(n, c, true, 0, 1, 2); err != nil {
			return nil, err
		}
		return result(b.aligned(n, graph.Choose{}, c, c.in...))
	}
	cond, err := b.constant(n, 0)
	if err == nil {
		c, err = b.alignTo(n, c, true, 1, 2)
	}
	if err != nil {
		return nil, err
	}
	if cond, err = b.spread(cond, c.view); err != nil {
		return nil, err
	}
	if err := b.memory(len(cond.v)); err != nil {
		return nil, err
	}
	v, err := cond.plain()
	first := make([]bool, len(v))
	for i, x := range v {
		first[i] = x != 0
	}
	if err != nil {
		return nil, err
	}
	return result(b.aligned(n, graph.Select{First: first}, c, c.in...))
}
