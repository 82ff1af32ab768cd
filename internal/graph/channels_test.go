package graph

import "testing"

// TestMulByChannel covers the product of squeeze-and-excitation: one number a
// channel and sample, in front of and behind other users of both inputs.
func TestMulByChannel(t *testing.T) {
	for _, batch := range batches {
		for _, behind := range []bool{false, true} {
			n := newNet(t, uint64(batch), 3, 4, 5)
			x := n.inner(behind)
			s := n.apply(Sigmoid{}, n.apply(GlobalAveragePool{}, x))
			y := n.apply(Mul{}, x, s)
			if behind { // both inputs have another reader
				y = n.apply(Add{}, n.apply(Add{}, y, x), s)
			}
			n.apply(Tanh{}, y)
			n.check(mode{}, uniform(n.src, batch*60))
		}
	}
}

func TestDropWholeSamples(t *testing.T) {
	for _, batch := range batches {
		n := newNet(t, uint64(batch), 6, 2)
		v := n.apply(Tanh{}, n.g.Input())
		n.apply(Add{}, n.apply(Dropout{Rate: .4, Whole: true}, v), v)
		n.check(mode{true, 7}, uniform(n.src, batch*12))
	}
	n := newNet(t, 1, 10)
	n.apply(Dropout{Rate: .25, Whole: true}, n.g.Input())
	x := make([]float32, 4000*10)
	for i := range x {
		x[i] = 1
	}
	y := n.forward(mode{true, 1}, x, nil)
	dropped := 0
	for i := 0; i < len(y); i += 10 {
		for _, v := range y[i : i+10] {
			if v != y[i] || v != 0 && v != float32(1/.75) {
				t.Fatalf("sample %d is %v", i/10, y[i:i+10])
			}
		}
		if y[i] == 0 {
			dropped++
		}
	}
	// 4000 draws: the standard deviation is 27; five of them.
	if dropped < 865 || dropped > 1135 {
		t.Errorf("%d of 4000 samples dropped, want about 1000", dropped)
	}
}
