package graph

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

// moved puts the axes of v in another order.
func (n *net) moved(v Value, perm ...int) Value {
	n.t.Helper()
	shape := n.g.Shape(v)
	out, index := make([]int, len(perm)), []int32{0}
	step := strides(shape)
	for i, p := range perm {
		out[i] = shape[p]
		index = spread(index, shape[p], step[p])
	}
	op, err := NewTake(shape, out, index, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.apply(op, v)
}

// part takes entry i of the first axis, which stays with length 1.
func (n *net) part(v Value, i int) Value {
	shape := slices.Clone(n.g.Shape(v))
	block := size(shape[1:])
	index := make([]int32, block)
	for k := range index {
		index[k] = int32(i*block + k)
	}
	op, err := NewTake(n.g.Shape(v), append([]int{1}, shape[1:]...), index, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.apply(op, v)
}

func (n *net) shaped(v Value, shape ...int) Value { return n.apply(Reshape{Shape: shape}, v) }

// rows multiplies by a parameter and adds another.
func (n *net) rows(v Value, m int) Value {
	k := last(n.g.Shape(v))
	return n.apply(Add{}, n.apply(Rows{Gemm{Alpha: 1}}, v, n.param(k, m)), n.param(m))
}

// keys is rows without what is added: the softmax does not depend on that, and its
// differences are nothing but rounding errors.
func (n *net) keys(v Value) Value { return n.apply(Rows{Gemm{Alpha: 1}}, v, n.param(12, 12)) }

// soft is the softmax over rows of the scores of heads of l×m.
func (n *net) soft(scores Value, m int) Value {
	shape := n.g.Shape(scores)
	return n.shaped(n.apply(Softmax{Axis: -1}, n.shaped(scores, -1, m)), shape...)
}

// The samples have 7 rows of 12; there are 3 heads of width 4.
var attentions = []spelling{
	{"one product for all three", "Rows attention", func(n *net, x Value) Value {
		all := n.moved(n.shaped(n.rows(x, 36), 7, 3, 3, 4), 1, 2, 0, 3)
		q, k, v := n.shaped(n.part(all, 0), 3, 7, 4), n.shaped(n.part(all, 1), 3, 7, 4), n.shaped(n.part(all, 2), 3, 7, 4)
		p := n.soft(n.apply(Scale(.5, 0), n.apply(MatMul{}, n.shaped(q, 1, 3, 7, 4), n.shaped(n.moved(k, 0, 2, 1), 1, 3, 4, 7))), 7)
		y := n.apply(MatMul{}, p, n.shaped(v, 1, 3, 7, 4))
		return n.shaped(n.moved(n.shaped(y, 3, 7, 4), 1, 0, 2), 7, 12)
	}},
	{"three products, scale before", "Rows Rows Rows attention", func(n *net, x Value) Value {
		head := func(v Value) Value { return n.moved(n.shaped(n.rows(v, 12), 7, 3, 4), 1, 0, 2) }
		q, k := n.apply(Scale(.7, 0), head(x)), n.moved(n.apply(Scale(.7, 0), n.moved(n.shaped(n.keys(x), 7, 3, 4), 1, 0, 2)), 0, 2, 1)
		y := n.apply(MatMul{}, n.soft(n.apply(MatMul{}, q, k), 7), head(x))
		return n.moved(y, 1, 0, 2)
	}},
	{"scale before the heads, keys transposed at once", "Rows Rows Rows attention", func(n *net, x Value) Value {
		q := n.moved(n.shaped(n.apply(Scale(.5, 0), n.rows(x, 12)), 7, 3, 4), 1, 0, 2)
		k := n.moved(n.shaped(n.keys(x), 7, 3, 4), 1, 2, 0)
		v := n.moved(n.shaped(n.rows(x, 12), 7, 3, 4), 1, 0, 2)
		return n.apply(MatMul{}, n.soft(n.apply(MatMul{}, q, k), 7), v)
	}},
	{"one head of the input itself", "Tanh attention", func(n *net, x Value) Value {
		x = n.apply(Tanh{}, x)
		p := n.apply(Softmax{Axis: -1}, n.apply(Scale(.3, 0), n.apply(MatMul{}, x, n.moved(x, 1, 0))))
		return n.apply(MatMul{}, p, x)
	}},
	{"heads in columns", "Tanh attention", func(n *net, x Value) Value {
		x = n.apply(Tanh{}, n.shaped(x, 3, 4, 7)) // each head is stored transposed
		q := n.moved(x, 0, 2, 1)
		return n.apply(MatMul{}, n.soft(n.apply(MatMul{}, q, x), 7), q)
	}},
	{"queries in reverse", "Tanh Take attention", func(n *net, x Value) Value {
		x = n.apply(Tanh{}, x)
		var starts []int32
		for i := range 7 {
			starts = append(starts, int32(72-12*i))
		}
		op, err := NewTake([]int{7, 12}, []int{7, 12}, spread(starts, 12, 1), 0)
		if err != nil {
			n.t.Fatal(err)
		}
		return n.apply(MatMul{}, n.soft(n.apply(MatMul{}, n.apply(op, x), n.moved(x, 1, 0)), 7), x)
	}},
	{"biases by head and by window, dropout", "Tanh attention", func(n *net, x Value) Value {
		x = n.moved(n.shaped(n.apply(Tanh{}, x), 7, 3, 4), 1, 0, 2)
		s := n.apply(Add{}, n.apply(Scale(.5, 0), n.apply(MatMul{}, x, n.moved(x, 0, 2, 1))), n.param(1, 3, 7, 7))
		s = n.apply(Add{}, n.param(1, 7, 7), n.shaped(s, 1, 3, 7, 7))
		s = n.apply(Add{}, s, n.param(7))
		return n.apply(MatMul{}, n.apply(Dropout{Rate: .5}, n.soft(n.shaped(s, 3, 7, 7), 7)), x)
	}},
	{"a computed mask of the keys", "Tanh Take Take Tanh attention", func(n *net, x Value) Value {
		mask := n.shaped(n.part(n.moved(n.apply(Tanh{}, x), 1, 0), 0), 1, 1, 7)
		x = n.moved(n.shaped(n.apply(Tanh{}, x), 7, 3, 4), 1, 0, 2)
		s := n.apply(Add{}, mask, n.apply(MatMul{}, x, n.moved(x, 0, 2, 1)))
		return n.apply(MatMul{}, n.soft(s, 7), x)
	}},
	{"fewer queries than keys", "Tanh attention", func(n *net, x Value) Value {
		x = n.apply(Tanh{}, x)
		q := n.part(x, 2)
		return n.apply(MatMul{}, n.soft(n.apply(Scale(2, 0), n.apply(MatMul{}, q, n.moved(x, 1, 0))), 7), x)
	}},
}

func TestRecognizeAttention(t *testing.T) {
	for _, s := range attentions {
		t.Run(s.name, func(t *testing.T) {
			for _, batch := range batches {
				n := newNet(t, uint64(batch), 7, 12)
				s.build(n, n.g.Input())
				x := uniform(n.src, batch*84)
				fused := n.agree(x, 5e-5)
				if got := fused.operators(); !slices.Equal(got, strings.Fields(s.want)) {
					t.Fatalf("operators %v, want %s", got, s.want)
				}
				n.check(mode{}, x)
				n.checkFewer(x)
			}
		})
	}
}

// checkFewer checks the gradient where only some gradients are wanted: those of the
// input alone have the bits that they have beside others.
func (n *net) checkFewer(x []float32) {
	n.t.Helper()
	batch := len(x) / n.g.Size(0)
	cot := uniform(n.src, batch*n.g.Size(n.out))
	fused, _ := n.both(batch)
	_, grads := n.runOnce(fused, x, cot)
	for i, v := range n.inputGradient(mode{}, x, cot) {
		if math.Abs(float64(v-grads[0][i])) > 1e-5*(1+norm(grads[0])) {
			n.t.Fatalf("input gradient %d is %v alone, %v beside others", i, v, grads[0][i])
		}
	}
}

func TestAttentionNotRecognized(t *testing.T) {
	for _, s := range []spelling{
		{"softmax over another axis", "", func(n *net, x Value) Value {
			p := n.apply(Softmax{Axis: 0}, n.apply(MatMul{}, x, n.moved(x, 1, 0)))
			return n.apply(MatMul{}, p, x)
		}},
		{"weights read elsewhere", "", func(n *net, x Value) Value {
			p := n.apply(Softmax{Axis: -1}, n.apply(MatMul{}, x, n.moved(x, 1, 0)))
			return n.apply(Add{}, n.apply(MatMul{}, p, x), n.apply(MatMul{}, n.apply(Tanh{}, p), x))
		}},
		{"one head of keys for all", "", func(n *net, x Value) Value {
			q := n.moved(n.shaped(x, 7, 3, 4), 1, 0, 2)
			k := n.shaped(n.part(q, 0), 1, 7, 4)
			return n.apply(MatMul{}, n.soft(n.apply(MatMul{}, q, n.moved(k, 0, 2, 1)), 7), q)
		}},
		{"a parameter as values", "", func(n *net, x Value) Value {
			p := n.apply(Softmax{Axis: -1}, n.apply(MatMul{}, x, n.moved(x, 1, 0)))
			return n.apply(MatMul{}, p, n.param(7, 5))
		}},
		{"scores with a number added", "", func(n *net, x Value) Value {
			p := n.apply(Softmax{Axis: -1}, n.apply(Scale(1, 2), n.apply(MatMul{}, x, n.moved(x, 1, 0))))
			return n.apply(MatMul{}, p, x)
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			n := newNet(t, 3, 7, 12)
			s.build(n, n.apply(Tanh{}, n.g.Input()))
			x := uniform(n.src, 2*84)
			if got := n.agree(x, 5e-5).operators(); slices.Contains(got, "attention") {
				t.Errorf("operators %v", got)
			}
			n.check(mode{}, x)
		})
	}
}

// A NaN in one sample makes that sample's rows NaN, and no other sample's; an
// infinite score gives NaN, as softmax does.
func TestAttentionSpecialValues(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		n := newNet(t, 5, 7, 12)
		x := n.shaped(n.g.Input(), 7, 12)
		n.apply(MatMul{}, n.soft(n.apply(MatMul{}, x, n.moved(x, 1, 0)), 7), x)
		in := uniform(n.src, 3*84)
		in[84+5] = float32(bad)
		y := n.forward(mode{}, in, n.params)
		for i, v := range y {
			if sick := i/84 == 1; (v != v) != sick && !(sick && i%12 != 5) {
				t.Fatalf("%v: element %d is %v", bad, i, v)
			}
		}
	}
}

// A step of layer norm, attention and GELU allocates nothing.
func TestTransformerAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	n := newNet(t, 6, 7, 12)
	x := n.apply(Tanh{}, n.g.Input())
	x = n.apply(Add{}, n.apply(Mul{}, n.apply(Standardize{Epsilon: 1e-3}, x), n.param(12)), n.param(12))
	x = attentions[0].build(n, x)
	x = n.apply(Div(), n.half(n.apply(Mul{}, x, n.erfGate(x))), n.param(7, 1))
	n.out = n.apply(Sub(), x, n.mean(x))
	fused, _ := n.both(4)
	in, cot := uniform(n.src, 4*84), uniform(n.src, 4*84)
	dx, grads := make([]float32, len(in)), [][]float32{}
	for _, w := range n.params {
		grads = append(grads, make([]float32, len(w)))
	}
	r := runOf(fused)
	step := func() {
		if err := r.Forward(context.Background(), Inputs{X: in, Params: n.params, DX: dx, DP: grads}); err != nil {
			t.Fatal(err)
		}
		copy(r.Cotangent(0), cot)
		if err := r.Backward(); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if got := testing.AllocsPerRun(20, step); got >= 1 {
		t.Errorf("%v allocations a step", got)
	}
}

// Convolutions over patches side by side, behind which the patches become rows: with
// rows and columns of the image that no window sees, few output channels, and
// gradients of some inputs alone.
func TestPatches(t *testing.T) {
	for _, channels := range []int{1, 8} {
		for _, bias := range bothWays {
			for _, batch := range batches {
				n := newNet(t, uint64(batch), 3, 9, 10)
				in := []Value{n.inner(batch == 2), n.param(channels, 3, 4, 3)}
				if bias {
					in = append(in, n.param(channels))
				}
				conv := n.apply(Conv{Window: Window{Stride: [2]int{4, 3}}}, in...)
				n.moved(n.shaped(conv, channels, 6), 1, 0)
				x := uniform(n.src, batch*270)
				got := n.agree(x, 1e-5).operators()
				if got[len(got)-1] != "patches" {
					t.Fatalf("operators %v", got)
				}
				n.check(mode{}, x)
				n.checkFewer(x)
			}
		}
	}
	n := newNet(t, 1, 3, 9, 10) // windows that overlap
	conv := n.apply(Conv{Window: Window{Stride: [2]int{3, 3}}}, n.g.Input(), n.param(8, 3, 4, 3))
	n.moved(n.shaped(conv, 8, 6), 1, 0)
	if got := n.agree(uniform(n.src, 270), 1e-5).operators(); got[0] != "Conv" {
		t.Errorf("operators %v", got)
	}
}

// Large linear layers and attentions of one sample are divided, and have the bits
// that they have among other samples.
func TestSplitRows(t *testing.T) {
	for _, bias := range bothWays {
		n := newNet(t, 3, 130, 96)
		head := func(v Value) Value { return n.moved(n.shaped(v, 130, 6, 16), 1, 0, 2) }
		x := n.apply(Rows{Gemm{Alpha: 1}}, n.g.Input(), n.param(96, 96))
		if bias {
			x = n.apply(Add{}, x, n.param(96))
		}
		q := head(x)
		n.moved(n.apply(MatMul{}, n.soft(n.apply(MatMul{}, q, n.moved(q, 0, 2, 1)), 130), q), 1, 0, 2)
		req := Request{Batch: 1, Taps: []Value{n.out}}
		n.g.prepare()
		if got := n.g.fuse(req).program(req).operators(); !slices.Equal(got, []string{"rowPieces", "headPieces"}) {
			t.Fatalf("operators %v", got)
		}
		in := uniform(n.src, 2*130*96)
		both := n.forward(mode{}, in, n.params)
		alone := slices.Concat(n.forward(mode{}, in[:130*96], n.params), n.forward(mode{}, in[130*96:], n.params))
		if !slices.Equal(both, alone) {
			t.Error("other bits alone")
		}
	}
}
