package graph

import (
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/internal/rng"
)

func TestPlaceNeverOverlaps(t *testing.T) {
	src := rng.Stream(1, t.Name())
	for range 200 {
		var spans []*span
		sum := 0
		for range 1 + src.IntN(30) {
			a, b := src.IntN(20), src.IntN(20)
			s := &span{first: min(a, b), last: max(a, b), size: 1 + src.IntN(50)}
			spans = append(spans, s)
			sum += s.size
		}
		total := place(spans)
		if total > sum {
			t.Fatalf("%d spans take %d, one after the other %d", len(spans), total, sum)
		}
		for i, s := range spans {
			if s.offset < 0 || s.offset+s.size > total {
				t.Fatalf("span %+v outside %d", *s, total)
			}
			for _, o := range spans[:i] {
				if s.first <= o.last && o.first <= s.last && s.offset < o.offset+o.size && o.offset < s.offset+s.size {
					t.Fatalf("%+v and %+v overlap", *s, *o)
				}
			}
		}
	}
}

func TestApplyRefusesWhatDoesNotFit(t *testing.T) {
	n := newNet(t, 1, 3, 8, 8)
	x, w, b := n.g.Input(), n.param(4, 3, 3, 3), n.param(4)
	flat := n.apply(Reshape{}, x)
	for i, c := range []struct {
		op Op
		in []Value
	}{
		{ReLU{}, nil}, {ReLU{}, []Value{w}}, {ReLU{}, []Value{x, x}},
		{Conv{}, []Value{flat, w}}, {Conv{}, []Value{x, b}}, {Conv{}, []Value{x, w, w}}, {Conv{Group: 2}, []Value{x, w}}, {Conv{Group: -1}, []Value{x, w}},
		{Conv{Window: Window{Dilation: [2]int{5, 5}}}, []Value{x, w}}, {Conv{Window: Window{Stride: [2]int{-1, 1}}}, []Value{x, w}},
		{Conv{Window: Window{Pad: [4]int{-1, 0, 0, 0}}}, []Value{x, w}}, {Conv{}, []Value{x, x}},
		{Linear(), []Value{x, w}}, {Linear(), []Value{flat, n.param(5, 100)}},
		{BatchNorm{Epsilon: 1e-5}, []Value{x, b, b, b, b}}, {BatchNorm{}, []Value{x, b, b, b, b}}, {Affine{}, []Value{x, b, b}},
		{Add{}, []Value{x, flat}}, {Add{}, []Value{w, b}}, {Mul{}, []Value{x, b}},
		{Reshape{Shape: []int{5, -1}}, []Value{x}}, {Reshape{Shape: []int{-1, -1}}, []Value{x}}, {Reshape{Shape: []int{0}}, []Value{x}},
		{Concat{Axis: 3}, []Value{x, x}}, {Concat{}, []Value{x, flat}}, {Concat{}, nil},
		{Dropout{Rate: 1}, []Value{x}}, {Dropout{Rate: math.NaN()}, []Value{x}}, {Softmax{Axis: 3}, []Value{x}},
		{MaxPool{Kernel: [2]int{9, 9}}, []Value{x}}, {MaxPool{}, []Value{x}}, {AveragePool{Window: Window{Pad: [4]int{2, 0, 0, 0}}, Kernel: [2]int{2, 2}}, []Value{x}},
		{GlobalAveragePool{}, []Value{flat}},
	} {
		if _, err := n.g.Apply("bad", c.op, c.in...); err == nil {
			t.Errorf("case %d: %T %+v accepts %v", i, c.op, c.op, c.in)
		}
	}
	for _, shape := range [][]int{{0}, {-1}, {1 << 20, 1 << 20}, {1 << 62, 4}} {
		if _, err := n.g.Param(shape...); err == nil {
			t.Errorf("accepts a parameter of shape %v", shape)
		}
	}
	for _, req := range []Request{{}, {Batch: 1, Taps: []Value{x}}, {Batch: 1, Taps: []Value{-1}}, {Batch: 1, Taps: []Value{99}}, {Batch: 1, Taps: []Value{flat}, Params: []bool{true}}} {
		if _, err := n.cache.Get(req); err == nil {
			t.Errorf("accepts the request %+v", req)
		}
	}
}
