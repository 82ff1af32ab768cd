package graph

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// spelling is a chain as an exporter writes it, over samples of 6×8 rows, and the
// operator that stands for it in a plan.
type spelling struct {
	name, want string
	build      func(n *net, x Value) Value
}

// mean and centered are links of layer normalization.
func (n *net) mean(x Value) Value {
	shape := n.g.Shape(x)
	op, err := NewReduce(ReduceMean, shape, []int{len(shape) - 1})
	if err != nil {
		n.t.Fatal(err)
	}
	return n.apply(op, x)
}

func (n *net) centered(x Value) Value { return n.apply(Sub(), x, n.mean(x)) }

// viewed puts x through two reshapes, as files with a batch axis in the middle do.
func (n *net) viewed(x Value) Value {
	shape := n.g.Shape(x)
	return n.apply(Reshape{Shape: slices.Clone(shape)}, n.apply(Reshape{Shape: append([]int{1}, shape...)}, x))
}

var norms = []spelling{
	{"root of the square", "layerNorm", func(n *net, x Value) Value {
		c := n.centered(x)
		d := n.apply(Sqrt(), n.apply(Scale(1, 1e-3), n.mean(n.apply(Power(2), c))))
		return n.apply(Add{}, n.apply(Mul{}, n.apply(Div(), c, d), n.param(8)), n.param(8))
	}},
	{"product with itself, reciprocal", "layerNorm", func(n *net, x Value) Value {
		c := n.centered(x)
		d := n.apply(Reciprocal(), n.apply(Sqrt(), n.apply(Scale(1, 1e-3), n.mean(n.apply(Mul{}, c, c)))))
		return n.apply(Add{}, n.param(8), n.apply(Mul{}, n.param(8), n.apply(Mul{}, d, c)))
	}},
	{"power of a half, two differences", "layerNorm", func(n *net, x Value) Value {
		m := n.mean(x)
		d := n.apply(Power(.5), n.apply(Scale(1, 1e-3), n.mean(n.apply(Power(2), n.apply(Sub(), x, m)))))
		return n.apply(Add{}, n.apply(Mul{}, n.apply(Div(), n.apply(Sub(), x, m), d), n.param(1, 8)), n.param(1, 8))
	}},
	{"power of minus a half", "layerNorm", func(n *net, x Value) Value {
		c := n.centered(x)
		d := n.apply(Power(-.5), n.apply(Scale(1, 1e-3), n.mean(n.apply(Mul{}, c, c))))
		return n.apply(Add{}, n.apply(Mul{}, n.apply(Mul{}, c, d), n.param(8)), n.param(8))
	}},
	{"reshapes between", "layerNorm", func(n *net, x Value) Value {
		c := n.centered(x)
		d := n.apply(Sqrt(), n.viewed(n.apply(Scale(1, 1e-3), n.mean(n.viewed(n.apply(Power(2), c))))))
		return n.apply(Add{}, n.apply(Mul{}, n.viewed(n.apply(Div(), c, d)), n.param(8)), n.param(8))
	}},
	{"without scale and shift", "Standardize", func(n *net, x Value) Value {
		c := n.centered(x)
		return n.apply(Div(), c, n.apply(Sqrt(), n.apply(Scale(1, 1e-3), n.mean(n.apply(Power(2), c)))))
	}},
	{"one operator", "layerNorm", func(n *net, x Value) Value {
		return n.apply(Add{}, n.apply(Mul{}, n.apply(Standardize{Epsilon: 1e-3}, x), n.param(8)), n.param(8))
	}},
}

func (n *net) half(x Value) Value { return n.apply(Scale(.5, 0), x) }

func (n *net) erfGate(x Value) Value {
	return n.apply(Scale(1, 1), n.apply(Erf(), n.apply(Scale(1/float64(float32(math.Sqrt2)), 0), x)))
}

// tanhGate is 1 + tanh(√(2/π)·v).
func (n *net) tanhGate(v Value) Value {
	return n.apply(Scale(1, 1), n.apply(Tanh{}, n.apply(Scale(float64(float32(math.Sqrt(2/math.Pi))), 0), v)))
}

var gates = []spelling{
	{"gelu, half last", "GELU", func(n *net, x Value) Value { return n.half(n.apply(Mul{}, x, n.erfGate(x))) }},
	{"gelu, half first", "GELU", func(n *net, x Value) Value { return n.apply(Mul{}, n.half(x), n.erfGate(x)) }},
	{"gelu, half of the gate", "GELU", func(n *net, x Value) Value { return n.apply(Mul{}, n.half(n.erfGate(x)), x) }},
	{"gelu of a multiple", "GELU", func(n *net, x Value) Value {
		x = n.apply(Scale(3, 0), x)
		return n.half(n.apply(Mul{}, x, n.viewed(n.erfGate(x))))
	}},
	{"tanh gelu, cube", "GELU", func(n *net, x Value) Value {
		inner := n.apply(Add{}, x, n.apply(Scale(.044715, 0), n.apply(Power(3), x)))
		return n.apply(Mul{}, n.half(x), n.tanhGate(inner))
	}},
	{"tanh gelu, products", "GELU", func(n *net, x Value) Value {
		cube := n.apply(Mul{}, n.apply(Mul{}, x, x), x)
		inner := n.apply(Add{}, n.apply(Scale(.044715, 0), cube), x)
		return n.half(n.apply(Mul{}, x, n.tanhGate(inner)))
	}},
	{"tanh gelu, factored", "GELU", func(n *net, x Value) Value {
		inner := n.apply(Mul{}, x, n.apply(Scale(.044715, 1), n.apply(Mul{}, x, x)))
		return n.apply(Mul{}, n.half(x), n.tanhGate(inner))
	}},
	{"silu", "SiLU", func(n *net, x Value) Value { return n.apply(Mul{}, x, n.apply(Sigmoid{}, x)) }},
	{"silu, gate first", "SiLU", func(n *net, x Value) Value { return n.apply(Mul{}, n.apply(Sigmoid{}, x), x) }},
	{"hard swish by hard sigmoid", "Map", func(n *net, x Value) Value { return n.apply(Mul{}, x, n.apply(HardSigmoid(1./6, .5), x)) }},
	{"hard swish by clip", "Map", func(n *net, x Value) Value {
		return n.apply(Scale(1./6, 0), n.apply(Mul{}, x, n.apply(Clip(0, 6), n.apply(Scale(1, 3), x))))
	}},
	{"hard swish, gate divided", "Map", func(n *net, x Value) Value {
		return n.apply(Mul{}, x, n.apply(Scale(1./6, 0), n.apply(Clip(0, 6), n.apply(Scale(1, 3), x))))
	}},
	{"hard sigmoid by clip", "Map", func(n *net, x Value) Value {
		return n.apply(Scale(1./6, 0), n.apply(Clip(0, 6), n.apply(Scale(1, 3), x)))
	}},
	{"bias", "Rows", func(n *net, x Value) Value {
		return n.apply(Add{}, n.param(9), n.apply(Rows{Gemm{Alpha: 1}}, x, n.param(8, 9)))
	}},
}

// runOf returns a run of a program that shares no memory.
func runOf(p *program) *Run {
	r := newRun(p)
	r.memory = &memory{}
	r.memory.fit(p)
	return r
}

// both returns the program of a plan for all gradients, and that of the graph as
// it was built.
func (n *net) both(batch int) (fused, plain *program) {
	want := make([]bool, len(n.params))
	for i := range want {
		want[i] = true
	}
	req := Request{Batch: batch, Taps: []Value{n.out}, Grad: true, Input: true, Params: want}
	n.g.prepare()
	return n.g.fuse(req).program(req), n.g.program(req)
}

// runOnce returns the output and the gradients of one run.
func (n *net) runOnce(p *program, x, cot []float32) (y []float32, grads [][]float32) {
	n.t.Helper()
	dx := make([]float32, len(x))
	grads = [][]float32{dx}
	for _, w := range n.params {
		grads = append(grads, make([]float32, len(w)))
	}
	r := runOf(p)
	if err := r.Forward(context.Background(), Inputs{X: x, Params: n.params, DX: dx, DP: grads[1:]}); err != nil {
		n.t.Fatal(err)
	}
	y = slices.Clone(r.Value(0))
	copy(r.Cotangent(0), cot)
	if err := r.Backward(); err != nil {
		n.t.Fatal(err)
	}
	return y, grads
}

// operators returns the names of the operators of a program, reshapes left out.
func (p *program) operators() []string {
	var names []string
	for _, i := range p.order {
		if _, ok := p.nodes[i].op.(Reshape); !ok {
			name := fmt.Sprintf("%T", p.nodes[i].op)
			names = append(names, name[strings.LastIndex(name, ".")+1:])
		}
	}
	return names
}

// agree compares the plan with the graph as it was built: outputs and gradients
// within some roundings of float32, where kinks do not part them.
func (n *net) agree(x []float32, tol float64) (fused *program) {
	n.t.Helper()
	batch := len(x) / n.g.Size(0)
	fused, plain := n.both(batch)
	cot := uniform(n.src, batch*n.g.Size(n.out))
	y, grads := n.runOnce(fused, x, cot)
	want, wantGrads := n.runOnce(plain, x, cot)
	for k, g := range append(grads, y) {
		w := append(wantGrads, want)[k]
		limit := tol * (1 + norm(w)/math.Sqrt(float64(len(w))))
		for i, v := range g {
			if !(math.Abs(float64(v)-float64(w[i])) <= limit) {
				n.t.Fatalf("array %d of %d, element %d: %v, without recognition %v", k, len(grads)+1, i, v, w[i])
			}
		}
	}
	return fused
}

// kinkless moves numbers away from the bends of HardSwish at ±3.
func kinkless(x []float32) {
	for i, v := range x {
		if x[i] = 4 * v; math.Abs(math.Abs(float64(x[i]))-3) < .2 {
			x[i] = .1
		}
	}
}

// Every spelling becomes one operator, whose values and gradients are those of the
// chain, and whose gradients are those of differences.
func TestRecognize(t *testing.T) {
	for _, s := range append(slices.Clone(norms), gates...) {
		t.Run(s.name, func(t *testing.T) {
			for _, batch := range batches {
				for _, behind := range bothWays {
					n := newNet(t, uint64(batch), 6, 8)
					s.build(n, n.inner(behind))
					x := uniform(n.src, batch*48)
					kinkless(x)
					fused := n.agree(x, 2e-5)
					got := fused.operators()
					if behind {
						got = got[1:]
					}
					if s.name == "gelu of a multiple" {
						got = got[1:]
					}
					if !slices.Equal(got, []string{s.want}) {
						t.Fatalf("operators %v, want %s", got, s.want)
					}
					n.check(mode{}, x)
				}
			}
		})
	}
}

// What looks like a chain but is not stays as it is.
func TestNotRecognized(t *testing.T) {
	for _, s := range []spelling{
		{"mean over another axis", "layerNorm Standardize", func(n *net, x Value) Value {
			op, _ := NewReduce(ReduceMean, []int{6, 8}, []int{0})
			c := n.apply(Sub(), x, n.apply(op, x))
			return n.apply(Div(), c, n.apply(Sqrt(), n.apply(Scale(1, 1e-3), n.mean(n.apply(Power(2), c)))))
		}},
		{"variance of something else", "layerNorm Standardize", func(n *net, x Value) Value {
			c := n.centered(n.apply(Tanh{}, x))
			return n.apply(Div(), n.centered(x), n.apply(Sqrt(), n.apply(Scale(1, 1e-3), n.mean(n.apply(Power(2), c)))))
		}},
		{"epsilon in a multiple", "layerNorm Standardize", func(n *net, x Value) Value {
			c := n.centered(x)
			return n.apply(Div(), c, n.apply(Sqrt(), n.apply(Scale(2, 1e-3), n.mean(n.apply(Power(2), c)))))
		}},
		{"fourth power", "layerNorm Standardize", func(n *net, x Value) Value {
			c := n.centered(x)
			return n.apply(Div(), c, n.apply(Sqrt(), n.apply(Scale(1, 1e-3), n.mean(n.apply(Power(4), c)))))
		}},
		{"scale by rows", "layerNorm", func(n *net, x Value) Value {
			return n.apply(Add{}, n.apply(Mul{}, n.apply(Standardize{Epsilon: 1e-3}, x), n.param(6, 1)), n.param(8))
		}},
		{"erf of another multiple", "GELU", func(n *net, x Value) Value {
			return n.half(n.apply(Mul{}, x, n.apply(Scale(1, 1), n.apply(Erf(), n.apply(Scale(.7, 0), x)))))
		}},
		{"gelu without its half", "GELU", func(n *net, x Value) Value { return n.apply(Mul{}, x, n.erfGate(x)) }},
		{"tanh without the cube", "GELU", func(n *net, x Value) Value { return n.apply(Mul{}, n.half(x), n.tanhGate(x)) }},
		{"gate of another value", "SiLU", func(n *net, x Value) Value {
			return n.apply(Mul{}, x, n.apply(Sigmoid{}, n.apply(Tanh{}, x)))
		}},
		{"outer product", "SiLU", func(n *net, x Value) Value {
			a, b := n.apply(Reshape{Shape: []int{48, 1}}, x), n.apply(Reshape{Shape: []int{1, 48}}, x)
			return n.apply(Mul{}, a, n.apply(Sigmoid{}, b))
		}},
		{"bias by rows", "", func(n *net, x Value) Value {
			return n.apply(Add{}, n.param(6, 1), n.apply(Rows{Gemm{Alpha: 1}}, x, n.param(8, 9)))
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			n := newNet(t, 3, 6, 8)
			s.build(n, n.inner(true))
			x := uniform(n.src, 2*48)
			fused := n.agree(x, 2e-5)
			_, plain := n.both(2)
			for _, name := range fused.operators() {
				if name != "Standardize" && slices.Contains(strings.Fields(s.want), name) {
					t.Errorf("operators %v", fused.operators())
				}
			}
			if s.want == "" && len(fused.operators()) != len(plain.operators()) {
				t.Errorf("operators %v of %v", fused.operators(), plain.operators())
			}
			n.check(mode{}, x)
		})
	}
}

// Values in the middle of a chain are there for whoever taps them, and their
// cotangents count.
func TestTapsInsideChains(t *testing.T) {
	for _, s := range append(slices.Clone(norms), gates...) {
		n := newNet(t, 4, 6, 8)
		s.build(n, n.inner(true))
		src := rand.New(rand.NewPCG(1, 2))
		nodes := n.g.Nodes()
		taps := []Value{n.out, nodes[src.IntN(len(nodes))].Out, nodes[src.IntN(len(nodes))].Out}
		req := Request{Batch: 2, Taps: taps, Grad: true, Input: true}
		n.g.prepare()
		x := uniform(n.src, 96)
		var grads [2][]float32
		for i, p := range []*program{n.g.fuse(req).program(req), n.g.program(req)} {
			grads[i] = make([]float32, len(x))
			r := runOf(p)
			if err := r.Forward(context.Background(), Inputs{X: x, Params: n.params, DX: grads[i]}); err != nil {
				t.Fatal(err)
			}
			for k := range taps {
				for j := range r.Cotangent(k) {
					r.Cotangent(k)[j] += float32(j%5 - 2)
				}
			}
			if err := r.Backward(); err != nil {
				t.Fatal(err)
			}
		}
		for i, v := range grads[0] {
			if math.Abs(float64(v-grads[1][i])) > 2e-5*(1+norm(grads[1])) {
				t.Fatalf("%s: gradient %d is %v, without recognition %v", s.name, i, v, grads[1][i])
			}
		}
	}
}

// NaN and infinities come out where the chain would let them come out.
func TestRecognizedSpecialValues(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, s := range slices.Concat(norms, gates, attentions) {
		for _, bad := range []float32{float32(math.NaN()), inf, -inf} {
			shape := []int{6, 8}
			if slices.ContainsFunc(attentions, func(a spelling) bool { return a.name == s.name }) {
				shape = []int{7, 12}
			}
			n := newNet(t, 9, shape...)
			s.build(n, n.apply(Scale(1, 0), n.g.Input()))
			x := uniform(n.src, 3*size(shape))
			x[size(shape)+2*shape[1]+3] = bad
			fused, plain := n.both(3)
			cot := uniform(n.src, 3*n.g.Size(n.out))
			y, _ := n.runOnce(fused, x, cot)
			want, _ := n.runOnce(plain, x, cot)
			for i, v := range y {
				w := want[i]
				if same := v == w || v != v && w != w || math.Abs(float64(v-w)) < 1e-4; !same {
					t.Fatalf("%s of %v: element %d is %v, without recognition %v", s.name, bad, i, v, w)
				}
			}
		}
	}
}
