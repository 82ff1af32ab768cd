package graph

import (
	"math"
	"runtime"
	"slices"
	"testing"
)

// TestSplitConvolutions compares one sample alone with the same among others,
// at several GOMAXPROCS.
func TestSplitConvolutions(t *testing.T) {
	for _, stride := range []int{1, 2} {
		n := newNet(t, 1, 8, 48, 40)
		pad := [4]int{1, 1, 1, 1}
		x := n.apply(ReLU{}, n.bound(n.apply(Conv{Window: Window{Pad: pad}}, n.g.Input(), n.param(64, 8, 3, 3), n.param(64))))
		y := n.apply(ReLU{}, n.bound(n.apply(Conv{Window: Window{Pad: pad, Stride: [2]int{stride, 1}}}, x, n.param(256, 64, 3, 3))))
		y = n.bound(n.apply(Conv{}, y, n.param(70, 256, 1, 1), n.param(70)))
		y = n.apply(Clip(-.5, .5), n.apply(Conv{Window: Window{Pad: [4]int{3, 3, 3, 3}}, Group: 70}, y, n.param(70, 1, 7, 7), n.param(70)))
		n.apply(Tanh{}, y)
		p, err := n.g.compile(Request{Batch: 1, Taps: []Value{n.out}})
		if err != nil {
			t.Fatal(err)
		}
		split := 0
		for _, s := range p.forward {
			if s.phases[0].kind == splitPhase {
				split++
			}
		}
		if split != 4 {
			t.Errorf("%d convolutions are divided, want 4", split)
		}
		in := uniform(n.src, 2*8*48*40)
		want := n.forward(mode{}, in, n.params)
		var first []float32
		for _, procs := range []int{1, 2, 3, 4, 7} {
			old := runtime.GOMAXPROCS(procs)
			got := n.forward(mode{}, in[:len(in)/2], n.params)
			runtime.GOMAXPROCS(old)
			for i, v := range got {
				if !(math.Abs(float64(v-want[i])) <= 1e-5) {
					t.Fatalf("stride %d: output %d is %v alone, %v in a batch", stride, i, v, want[i])
				}
			}
			if first == nil {
				first = got
			}
			if !slices.Equal(first, got) {
				t.Fatalf("other bits at GOMAXPROCS %d", procs)
			}
		}
	}
}
