package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// pairs are operators on two inputs that broadcast, or on any number of them,
// taken two by two.
var pairs = map[string]graph.Op{
	"Add": graph.Add{}, "Mul": graph.Mul{}, "Sub": graph.Sub(), "Div": graph.Div(), "Pow": graph.Pow(),
	"Max": graph.Max(), "Min": graph.Min(), "Sum": graph.Add{}, "Mean": graph.Add{},
}

// variadic are the pairs that take any number of inputs.
var variadic = []string{"Max", "Min", "Sum", "Mean"}

// buildPair adds an elementwise operator of two inputs or more. A single constant
// number becomes an attribute, which spares the broadcast.
func buildPair(b *builder, n *node) ([]value, error) {
	if !slices.Contains(variadic, n.op) {
		if len(n.in) != 2 || !n.has(0) || !n.has(1) {
			return nil, fmt.Errorf("%w: %d inputs, want 2", ErrFormat, len(n.in))
		}
		if v, ok, err := b.withNumber(n); ok || err != nil {
			return v, err
		}
	}
	d, err := b.fold(n, pairs[n.op])
	if err == nil && n.op == "Mean" {
		d, err = b.alike(n, graph.Scale(1/float64(len(n.in)), 0), d)
	}
	return result(d, err)
}

// fold applies op to the inputs from left to right.
func (b *builder) fold(n *node, op graph.Op) (dyn, error) {
	if len(n.in) == 1 {
		d, err := b.rowwise(n, 0)
		if err != nil {
			return d, err
		}
		return b.copyOf(n, d)
	}
	var d dyn
	pair := &node{name: n.name, op: n.op, in: slices.Clone(n.in[:1]), out: n.out, number: n.number}
	for i := range n.in[1:] {
		pair.in = []string{pair.in[0], n.in[i+1]}
		c, err := b.align(pair, false, 0, 1)
		if err != nil {
			return d, err
		}
		if d, err = b.aligned(n, op, c, c.in...); err != nil {
			return d, err
		}
		// No tensor has this name: they are not empty and hold no zero byte.
		pair.in[0] = fmt.Sprintf("\x00%d.%d", n.number, i)
		b.values[pair.in[0]] = value{d: &dyn{d.v, d.view, d.axis, d.outer}}
	}
	return d, nil
}

// withNumber handles an activation and a single constant number without
// broadcasting: a·x + b, or a power.
func (b *builder) withNumber(n *node) ([]value, bool, error) {
	at := slices.IndexFunc(n.in, func(name string) bool { return b.values[name].d != nil })
	if at < 0 {
		return nil, false, nil
	}
	d := *b.values[n.in[at]].d
	view, _ := b.shapeOf(n, 1-at)
	v := b.values[n.in[1-at]]
	if v.d != nil || sizeOf(view) != 1 || len(view) > len(d.view) {
		return nil, false, nil
	}
	number, err := b.scalar(n, 1-at, 0)
	if err != nil {
		return nil, false, err
	}
	op := scalarOp(n.op, number, at == 0)
	if op == nil {
		return nil, false, nil
	}
	out, err := result(b.alike(n, op, d))
	return out, true, err
}

// scalarOp returns x ∘ v, or v ∘ x where first is not set, or nil.
func scalarOp(name string, v float64, first bool) graph.Op {
	switch {
	case name == "Add":
		return graph.Scale(1, v)
	case name == "Mul":
		return graph.Scale(v, 0)
	case name == "Sub" && first:
		return graph.Scale(1, -v)
	case name == "Sub":
		return graph.Scale(-1, v)
	case name == "Div" && first && v != 0:
		return graph.Scale(1/v, 0)
	case name == "Pow" && first:
		return graph.Power(v)
	}
	return nil
}

// buildPRelu has one-way broadcasting: the slope must fit the input.
func buildPRelu(b *builder, n *node) ([]value, error) {
	view, _ := b.shapeOf(n, 0)
	c, err := b.align(n, false, 0, 1)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(c.view, view) {
		return nil, fmt.Errorf("%w: slope does not broadcast to %v", ErrFormat, view)
	}
	return result(b.aligned(n, graph.PReLU(), c, c.in...))
}
