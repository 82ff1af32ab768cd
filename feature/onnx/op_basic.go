package onnx

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// buildConstant reads a Constant node. Tensors of floating point with more than one
// element may be weights, as all those of Paddle's exports are: whether they are
// is seen by what reads them (see foldable and trace).
func buildConstant(b *builder, n *node) ([]value, error) {
	k := konst{typ: typeFloat}
	if len(n.attrs) != 1 { // which one counts would be a guess
		return nil, fmt.Errorf("%w: a constant has %d attributes, want one value", ErrFormat, len(n.attrs))
	}
	for name, a := range n.attrs {
		switch name {
		case "value":
			if a.t == nil {
				return nil, fmt.Errorf("%w: no value", ErrFormat)
			}
			if isFloat(a.t.typ) && a.t.size > 1 {
				w := b.weightFor(a.t, n.out[0])
				w.constant = true
				return []value{{p: &param{w: w, shape: a.t.dims}}}, nil
			}
			var err error
			if k, err = b.read(a.t); err != nil {
				return nil, err
			}
		case "value_float":
			k.v = []term{{c: float64(a.f)}}
		case "value_int":
			k.typ, k.v = typeInt64, []term{{c: float64(a.i)}}
		case "value_floats":
			k.shape = []int{len(a.floats)}
			for _, v := range a.floats {
				k.v = append(k.v, term{c: float64(v)})
			}
		case "value_ints":
			k.typ, k.shape = typeInt64, []int{len(a.ints)}
			for _, v := range a.ints {
				k.v = append(k.v, term{c: float64(v)})
			}
		default:
			return nil, fmt.Errorf("%w: constant with attribute %q", ErrUnsupported, name)
		}
	}
	if k.v == nil && sizeOf(k.shape) != 0 {
		return nil, fmt.Errorf("%w: constant without value", ErrFormat)
	}
	return []value{{k: &k}}, b.memory(termBytes * len(k.v))
}

// buildIdentity passes its input on. An initializer under another name is the
// same parameter.
func buildIdentity(b *builder, n *node) ([]value, error) {
	v := b.values[n.in[0]]
	if v.p != nil && n.op == "Identity" {
		v.p.w.names = append(v.p.w.names, n.out[0])
	}
	if v.d != nil {
		return result(b.copyOf(n, *v.d))
	}
	return []value{v}, nil
}

// copyOf returns the value under a new handle, so that it can be tapped.
func (b *builder) copyOf(n *node, d dyn) (dyn, error) {
	return b.alike(n, graph.Reshape{Shape: canon(d.view, d.axis)}, d)
}

// alike applies an elementwise operator.
func (b *builder) alike(n *node, op graph.Op, d dyn) (dyn, error) {
	out, err := b.apply(n, op, d.view, d.axis, d.v)
	out.outer = d.outer
	return out, err
}

// buildDropout keeps the operator, which does nothing in evaluation: training mode is
// an argument of GradMode, and the file's training flag does not count.
func buildDropout(b *builder, n *node) ([]value, error) {
	d, err := b.rowwise(n, 0)
	if err != nil {
		return nil, err
	}
	rate := n.float("ratio", .5)
	if b.f.opset >= 12 {
		if rate, err = b.scalar(n, 1, .5); err != nil {
			return nil, err
		}
	}
	return result(b.alike(n, graph.Dropout{Rate: rate}, d))
}

// buildCast passes floating point on as it is: activations are float32 here, whatever
// the file has. A cast to bool makes a mask; one to integers has no gradient.
func buildCast(b *builder, n *node) ([]value, error) {
	to := n.int("to", 0)
	if to == typeBool && b.values[n.in[0]].d != nil {
		return b.compareWithZero(n, graph.Or) // x or nothing
	}
	if !isFloat(to) {
		return nil, fmt.Errorf("%w: activations are cast to %s", ErrGradient, typeName(to))
	}
	return buildIdentity(b, n)
}

// buildShape is the shape of an activation or a weight. It is a constant, in which the
// batch size is an unknown.
func buildShape(b *builder, n *node) ([]value, error) {
	view, axis := b.shapeOf(n, 0)
	k, err := shapeSlice(n, dyn{view: view, axis: axis}.dims())
	return []value{{k: &k}}, err
}

// buildSize is the product of what buildShape returns.
func buildSize(b *builder, n *node) ([]value, error) {
	view, axis := b.shapeOf(n, 0)
	total := term{c: 1}
	for _, t := range (dyn{view: view, axis: axis}).dims() {
		total, _ = total.mul(t) // one of them depends on the batch at most
	}
	return []value{{k: &konst{typ: typeInt64, v: []term{total}}}}, nil
}

// mapped describes an elementwise operator with one input.
type mapped struct {
	since int
	op    func(b *builder, n *node) (graph.Op, error)
}

// always returns an operator without attributes.
func always(op graph.Op) func(*builder, *node) (graph.Op, error) {
	return func(*builder, *node) (graph.Op, error) { return op, nil }
}

// shaped returns an operator with number attributes, given with their defaults.
func shaped(f func(v []float64) graph.Op, names []string, defaults ...float64) func(*builder, *node) (graph.Op, error) {
	return func(_ *builder, n *node) (graph.Op, error) {
		v := make([]float64, len(defaults))
		for i, d := range defaults {
			v[i] = n.float(names[i], d)
		}
		return f(v), checkFinite(v...)
	}
}

// The constants of SELU: Klambauer and others, arXiv 1706.02515, as ONNX
// writes them.
const (
	seluAlpha = 1.67326319217681884765625
	seluGamma = 1.05070102214813232421875
)

var maps = map[string]mapped{
	"Relu": {op: always(graph.ReLU{})}, "Sigmoid": {op: always(graph.Sigmoid{})}, "Tanh": {op: always(graph.Tanh{})},
	"Exp": {op: always(graph.Exp())}, "Log": {op: always(graph.Log())}, "Sqrt": {op: always(graph.Sqrt())}, "Abs": {op: always(graph.Abs())},
	"Neg": {op: always(graph.Scale(-1, 0))}, "Reciprocal": {op: always(graph.Reciprocal())}, "Erf": {since: 9, op: always(graph.Erf())},
	"Sin": {op: always(graph.Sin())}, "Cos": {op: always(graph.Cos())}, "Softplus": {op: always(graph.Softplus())},
	"Softsign": {op: always(graph.Softsign())}, "HardSwish": {since: 14, op: always(graph.HardSwish())}, "Mish": {since: 18, op: always(graph.Mish())},
	"LeakyRelu":       {op: shaped(func(v []float64) graph.Op { return graph.LeakyReLU(v[0]) }, []string{"alpha"}, .01)},
	"ThresholdedRelu": {since: 10, op: shaped(func(v []float64) graph.Op { return graph.ThresholdedReLU(v[0]) }, []string{"alpha"}, 1)},
	"Elu":             {op: shaped(func(v []float64) graph.Op { return graph.ELU(v[0], 1, 1) }, []string{"alpha"}, 1)},
	"Celu":            {since: 12, op: shaped(func(v []float64) graph.Op { return graph.ELU(v[0], 1, v[0]) }, []string{"alpha"}, 1)},
	"Selu":            {op: shaped(func(v []float64) graph.Op { return graph.ELU(v[0], v[1], 1) }, []string{"alpha", "gamma"}, seluAlpha, seluGamma)},
	"HardSigmoid":     {op: shaped(func(v []float64) graph.Op { return graph.HardSigmoid(v[0], v[1]) }, []string{"alpha", "beta"}, .2, .5)},
	"Gelu": {since: 20, op: func(_ *builder, n *node) (graph.Op, error) {
		return graph.GELU{Tanh: n.text("approximate", "none") == "tanh"}, nil
	}},
	"Clip": {op: clip},
}

// clip reads limits from attributes or, since operator set 11, from inputs, which must
// be known when the file is read: their gradients are not wanted.
func clip(b *builder, n *node) (graph.Op, error) {
	lo, hi := n.float("min", math.Inf(-1)), n.float("max", math.Inf(1))
	if b.f.opset >= 11 {
		var err error
		if lo, err = b.scalar(n, 1, math.Inf(-1)); err != nil {
			return nil, err
		}
		if hi, err = b.scalar(n, 2, math.Inf(1)); err != nil {
			return nil, err
		}
	}
	return graph.Clip(lo, hi), nil
}

// buildMap adds an elementwise operator. It works in any layout of samples, for which
// rowwise is enough.
func buildMap(b *builder, n *node) ([]value, error) {
	op, err := maps[n.op].op(b, n)
	if err != nil {
		return nil, err
	}
	d, err := b.rowwise(n, 0)
	if err != nil {
		return nil, err
	}
	return result(b.alike(n, op, d))
}
