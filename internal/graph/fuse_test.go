package graph

import (
	"context"
	"math"
	"slices"
	"testing"
)

// inputGradient returns the gradient in the input alone, which lets a plan fold
// batch norm into convolutions.
func (n *net) inputGradient(m mode, x, cot []float32) []float32 {
	n.t.Helper()
	batch := len(x) / n.g.Size(0)
	r, err := n.cache.Get(Request{Batch: batch, Taps: []Value{n.out}, Train: m.train, Grad: true, Input: true})
	if err != nil {
		n.t.Fatal(err)
	}
	defer n.cache.Put(r)
	dx := make([]float32, len(x))
	if err := r.Forward(context.Background(), Inputs{X: x, Params: n.params, Seed: m.seed, DX: dx}); err != nil {
		n.t.Fatal(err)
	}
	copy(r.Cotangent(0), cot)
	if err := r.Backward(); err != nil {
		n.t.Fatal(err)
	}
	return dx
}

// bound adds a batch norm with positive variances.
func (n *net) bound(x Value) Value {
	c := n.g.Shape(x)[0]
	v := n.apply(BatchNorm{Epsilon: 1e-5, Momentum: .1}, x, n.param(c), n.param(c), n.param(c), n.param(c))
	for i, w := range n.params[len(n.params)-1] {
		n.params[len(n.params)-1][i] = w*w + .5
	}
	return v
}

// chains are networks whose plans fuse nodes, over 4×6×5 inputs.
var chains = map[string]func(n *net, x Value) Value{
	"conv norm": func(n *net, x Value) Value {
		return n.bound(n.apply(Conv{}, x, n.param(3, 4, 2, 3)))
	},
	"conv bias norm relu": func(n *net, x Value) Value {
		return n.apply(ReLU{}, n.bound(n.apply(Conv{Window: Window{Stride: [2]int{2, 1}, Pad: [4]int{1, 1, 1, 1}}, Group: 2}, x, n.param(6, 2, 3, 3), n.param(6))))
	},
	"depthwise": func(n *net, x Value) Value {
		return n.apply(ReLU{}, n.bound(n.apply(Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}, Group: 4}, x, n.param(8, 1, 3, 3), n.param(8))))
	},
	"depthwise norm": func(n *net, x Value) Value {
		return n.bound(n.apply(Conv{Group: 4}, x, n.param(4, 1, 3, 3)))
	},
	"two readers": func(n *net, x Value) Value {
		y := n.apply(ReLU{}, n.bound(n.apply(Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, x, n.param(4, 4, 3, 3))))
		return n.apply(ReLU{}, n.apply(Add{}, n.bound(n.apply(Conv{}, y, n.param(4, 4, 1, 1))), x))
	},
	"norm relu": func(n *net, x Value) Value {
		return n.apply(Add{}, n.apply(ReLU{}, n.bound(x)), x)
	},
	"sum of itself": func(n *net, x Value) Value {
		return n.apply(ReLU{}, n.apply(Add{}, x, x))
	},
	"conv relu": func(n *net, x Value) Value {
		return n.apply(ReLU{}, n.apply(Conv{Window: Window{Stride: [2]int{2, 1}}, Group: 2}, x, n.param(6, 2, 2, 3)))
	},
	"conv bias relu": func(n *net, x Value) Value {
		return n.apply(ReLU{}, n.apply(Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, x, n.param(5, 4, 3, 3), n.param(5)))
	},
	"depthwise relu": func(n *net, x Value) Value {
		return n.apply(ReLU{}, n.apply(Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}, Group: 4}, x, n.param(8, 1, 3, 3), n.param(8)))
	},
	"conv clip": func(n *net, x Value) Value {
		return n.apply(Clip(-.25, .5), n.apply(Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, x, n.param(5, 4, 3, 3), n.param(5)))
	},
	"depthwise clip": func(n *net, x Value) Value {
		return n.apply(Clip(0, .5), n.apply(Conv{Window: Window{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}, Group: 4}, x, n.param(4, 1, 3, 3), n.param(4)))
	},
	"depthwise norm clip": func(n *net, x Value) Value {
		return n.apply(Clip(0, 1), n.bound(n.apply(Conv{Window: Window{Pad: [4]int{2, 2, 2, 2}}, Group: 4}, x, n.param(4, 1, 5, 5))))
	},
	"winograd clip": func(n *net, x Value) Value {
		x = n.apply(Conv{}, x, n.param(24, 4, 1, 1))
		return n.apply(Clip(-.5, .5), n.apply(Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, x, n.param(24, 24, 3, 3)))
	},
	"winograd": func(n *net, x Value) Value {
		x = n.apply(Conv{}, x, n.param(24, 4, 1, 1))
		return n.apply(ReLU{}, n.bound(n.apply(Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, x, n.param(24, 24, 3, 3))))
	},
}

// TestFusion compares plans that fold parameters with those that want their
// gradients, and the latter with the same nodes unfused: every value is tapped,
// so that it has more than one reader.
func TestFusion(t *testing.T) {
	for name, build := range chains {
		for _, train := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				n := newNet(t, 5, 4, 6, 5)
				build(n, n.apply(Tanh{}, n.g.Input()))
				n.apply(Tanh{}, n.out)
				m := mode{train: train}
				x := uniform(n.src, 3*120)
				cot := uniform(n.src, 3*n.g.Size(n.out))
				_, dx, dp := n.sameBits(m, x, cot)
				near(t, "dx, nothing else wanted", n.inputGradient(m, x, cot), dx)
				apartY, apartX, apartP := n.unfused(m, x, cot)
				near(t, "outputs", n.forward(m, x, n.params), apartY)
				near(t, "dx", dx, apartX)
				for i := range dp {
					near(t, "parameter", dp[i], apartP[i])
				}
			})
		}
	}
}

// unfused is gradient by a plan in which every value is tapped.
func (n *net) unfused(m mode, x, cot []float32) (y, dx []float32, dp [][]float32) {
	n.t.Helper()
	q := Request{Batch: len(x) / n.g.Size(0), Train: m.train, Grad: true, Input: true}
	for _, nd := range n.g.nodes {
		q.Taps = append(q.Taps, nd.out)
	}
	for _, p := range n.params {
		q.Params = append(q.Params, true)
		dp = append(dp, make([]float32, len(p)))
	}
	r, err := n.cache.Get(q)
	if err != nil {
		n.t.Fatal(err)
	}
	defer n.cache.Put(r)
	dx = make([]float32, len(x))
	if err := r.Forward(context.Background(), Inputs{X: x, Params: n.params, Seed: m.seed, DX: dx, DP: dp}); err != nil {
		n.t.Fatal(err)
	}
	last := len(q.Taps) - 1
	y = append(y, r.Value(last)...)
	copy(r.Cotangent(last), cot)
	if err := r.Backward(); err != nil {
		n.t.Fatal(err)
	}
	return y, dx, dp
}

// near allows 2e-4 of the root mean square: float32 through a few layers.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	scale := norm(want)/math.Sqrt(float64(len(want))) + 1e-2
	for i, v := range want {
		if d := math.Abs(float64(got[i] - v)); !(d <= 2e-4*scale) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], v)
		}
	}
}

// TestFusedNodes checks that fusion happens, and only where nobody else reads.
func TestFusedNodes(t *testing.T) {
	n := newNet(t, 1, 4, 6, 5)
	x := n.g.Input()
	conv := n.apply(Conv{}, x, n.param(4, 4, 1, 1))
	relu := n.apply(ReLU{}, n.bound(conv))
	sum := n.apply(ReLU{}, n.apply(Add{}, relu, x))
	all := make([]bool, len(n.params))
	for i := range all {
		all[i] = true
	}
	for _, c := range []struct {
		q    Request
		want []Op // of relu and sum
	}{
		{Request{Taps: []Value{sum}}, []Op{convNorm{}, addReLU{}}},
		{Request{Taps: []Value{sum}, Grad: true, Input: true, Params: none(len(all))}, []Op{convNorm{}, addReLU{}}},
		{Request{Taps: []Value{sum}, Grad: true, Params: all}, []Op{normReLU{}, addReLU{}}},
		{Request{Taps: []Value{sum}, Train: true}, []Op{normReLU{}, addReLU{}}},
		{Request{Taps: []Value{sum, conv}}, []Op{normReLU{}, addReLU{}}},
	} {
		f := n.g.fuse(c.q)
		for i, v := range []Value{relu, sum} {
			op := f.nodes[n.g.values[v].index].op
			if !sameType(op, c.want[i]) {
				t.Errorf("request %+v: node is %T, want %T", c.q, op, c.want[i])
			}
		}
	}
}

// Limits join the convolution before them unless WideVJP computes gradients of its
// parameters.
func TestFusedLimits(t *testing.T) {
	for _, wide := range []bool{false, true} {
		n := newNet(t, 1, 4, 6, 5)
		channels := 4
		if wide {
			channels = wideElements / 4
		}
		x := n.apply(Conv{}, n.g.Input(), n.param(channels, 4, 1, 1), n.param(channels))
		limited := n.apply(ReLU{}, x)
		for _, q := range []Request{
			{Taps: []Value{limited}},
			{Taps: []Value{limited}, Grad: true, Input: true},
			{Taps: []Value{limited}, Grad: true, Input: true, Params: []bool{false, false}, Train: true},
			{Taps: []Value{limited}, Grad: true, Params: []bool{false, true}},
		} {
			n.g.prepare()
			want := !wide || !slices.Contains(q.Params, true)
			if _, fused := n.g.fuse(q).nodes[n.g.values[limited].index].op.(convLimits); fused != want {
				t.Errorf("wide %v, request %+v: fused is %v", wide, q, fused)
			}
		}
	}
}

func sameType(a, b Op) bool {
	switch a.(type) {
	case convNorm:
		_, ok := b.(convNorm)
		return ok
	case normReLU:
		_, ok := b.(normReLU)
		return ok
	case addReLU:
		_, ok := b.(addReLU)
		return ok
	}
	return false
}
