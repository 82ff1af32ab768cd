package graph

import (
	"fmt"
	"testing"
)

func TestElementwise(t *testing.T) {
	for _, op := range []Op{ReLU{}, Sigmoid{}, Tanh{}, SiLU{}, GELU{}, GELU{Tanh: true}, Reshape{}, Reshape{Shape: []int{3, -1}},
		Softmax{}, Softmax{Axis: -1}, Softmax{Axis: 1}, GlobalAveragePool{}} {
		t.Run(fmt.Sprintf("%T%v", op, op), func(t *testing.T) {
			for _, batch := range batches {
				for _, behind := range bothWays {
					n := newNet(t, uint64(batch), 3, 2, 5)
					n.apply(op, n.inner(behind))
					n.check(mode{}, apart(n.src, batch*30))
				}
			}
		})
	}
}

// TestInPlace puts operators behind others, so that their places are shared.
func TestInPlace(t *testing.T) {
	for _, batch := range batches {
		n := newNet(t, uint64(batch), 4, 3)
		v := n.apply(Affine{}, n.g.Input(), n.param(4), n.param(4))
		v = n.apply(Tanh{}, v)
		v = n.apply(Affine{}, v, n.param(4), n.param(4))
		v = n.apply(SiLU{}, v)
		v = n.apply(Reshape{}, v)
		v = n.apply(Sigmoid{}, v)
		n.apply(Gemm{Alpha: .5, Beta: 2}, v, n.param(12, 5), n.param(5))
		n.check(mode{}, uniform(n.src, batch*12))
	}
}

func TestValuesUsedTwice(t *testing.T) {
	for _, batch := range batches {
		n := newNet(t, uint64(batch), 4, 3)
		x := n.g.Input()
		a := n.apply(Tanh{}, x)
		b := n.apply(Mul{}, a, a) // the same value twice in one node
		c := n.apply(Add{}, b, a)
		d := n.apply(Mul{}, c, x) // the input at several places
		e := n.apply(Add{}, x, x)
		f := n.apply(Sigmoid{}, e)
		n.apply(Add{}, d, f)
		n.check(mode{}, uniform(n.src, batch*12))

		n = newNet(t, uint64(batch), 4, 3) // and nowhere else
		n.apply(Mul{}, n.inner(true), n.inner(true))
		n.apply(Mul{}, n.out, n.out)
		n.check(mode{}, uniform(n.src, batch*12))
	}
}

func TestTiedParameters(t *testing.T) {
	for _, batch := range batches {
		n := newNet(t, uint64(batch), 6)
		w := n.param(6, 6)
		v := n.apply(Linear(), n.g.Input(), w)
		v = n.apply(Tanh{}, v)
		v = n.apply(Linear(), v, w)
		n.apply(Gemm{Alpha: 1}, v, w)
		n.check(mode{}, uniform(n.src, batch*6))
	}
}

func TestBroadcast(t *testing.T) {
	for _, op := range []Op{Add{}, Mul{}} {
		for _, shape := range [][]int{{3, 1, 1}, {1, 3, 1, 1}, {4, 5}, {5}, {1}, {}, {3, 4, 5}, {3, 1, 5}} {
			for _, batch := range batches {
				n := newNet(t, uint64(batch), 3, 4, 5)
				n.apply(op, n.g.Input(), n.param(shape...))
				n.check(mode{}, uniform(n.src, batch*60))

				n = newNet(t, uint64(batch), 3, 4, 5) // the parameter first
				n.apply(op, n.param(shape...), n.apply(Tanh{}, n.g.Input()))
				n.check(mode{}, uniform(n.src, batch*60))
			}
		}
		for _, batch := range batches { // squeeze and excite
			n := newNet(t, uint64(batch), 3, 4, 5)
			x := n.apply(Tanh{}, n.g.Input())
			s := n.apply(Sigmoid{}, n.apply(GlobalAveragePool{}, x))
			n.apply(op, s, x)
			n.apply(op, x, s)
			n.check(mode{}, uniform(n.src, batch*60))
		}
	}
}

func TestConcat(t *testing.T) {
	for axis := range 3 {
		for _, batch := range batches {
			n := newNet(t, uint64(batch), 2, 3, 4)
			a := n.apply(Tanh{}, n.g.Input())
			b := n.apply(Sigmoid{}, a)
			n.apply(Concat{Axis: axis}, a, b, n.g.Input(), a)
			n.check(mode{}, uniform(n.src, batch*24))
		}
	}
}

func TestGemm(t *testing.T) {
	for _, op := range []Gemm{Linear(), {Alpha: -.5, Beta: 3}, {TransB: true, Alpha: 2}} {
		for _, batch := range batches {
			for _, dims := range [][2]int{{1, 1}, {7, 3}, {33, 17}, {300, 257}} { // the last is wide
				n := newNet(t, uint64(batch), dims[0])
				shape := []int{dims[0], dims[1]}
				if op.TransB {
					shape = []int{dims[1], dims[0]}
				}
				n.apply(op, n.apply(Tanh{}, n.g.Input()), n.param(shape...), n.param(dims[1]))
				n.check(mode{}, uniform(n.src, batch*dims[0]))
			}
		}
	}
}

func TestBatchNorm(t *testing.T) {
	for _, train := range []bool{false, true} {
		for _, batch := range []int{1, 2, 5, 6, 20, 21} {
			for _, shape := range [][]int{{3, 4, 5}, {2, 7}, {4}} {
				if train && batch < 5 && len(shape) == 1 {
					continue // two rows normalize to ±1: a derivative near 0
				}
				n := newNet(t, uint64(batch), shape...)
				c := shape[0]
				in := []Value{n.inner(batch%2 == 0), n.param(c), n.param(c), n.param(c), n.param(c)}
				for i, w := range n.params[len(n.params)-1] {
					n.params[len(n.params)-1][i] = w*w + .5
				}
				n.apply(Tanh{}, n.apply(BatchNorm{Epsilon: 1e-5, Momentum: .1}, in...))
				n.check(mode{train: train}, uniform(n.src, batch*size(shape)))
			}
		}
	}
}

func TestDropout(t *testing.T) {
	for _, train := range []bool{false, true} {
		for _, batch := range batches {
			n := newNet(t, uint64(batch), 40)
			v := n.apply(Tanh{}, n.g.Input())
			v = n.apply(Dropout{Rate: .3}, v)
			n.apply(Dropout{Rate: .5}, v)
			n.check(mode{train, 7}, uniform(n.src, batch*40))
		}
	}
}

func TestDropoutRateAndScale(t *testing.T) {
	n := newNet(t, 1, 1000)
	n.apply(Dropout{Rate: .3}, n.g.Input())
	x := make([]float32, 50*1000)
	for i := range x {
		x[i] = 1
	}
	y := n.forward(mode{true, 1}, x, nil)
	zeros := 0
	for _, v := range y {
		switch v {
		case 0:
			zeros++
		case 1 / .7:
		default:
			t.Fatalf("dropout gives %v", v)
		}
	}
	// 50,000 draws: the standard deviation of the share is .00205; five of them.
	if share := float64(zeros) / float64(len(y)); share < .29 || share > .31 {
		t.Errorf("share of zeros is %v, want .3", share)
	}
	if z := n.forward(mode{true, 2}, x, nil); dot(z, y) > 0.55*float64(len(y))/.49 {
		t.Error("another seed gives nearly the same mask")
	}
	for i := 1; i < 50; i++ {
		if dot(y[:1000], y[i*1000:(i+1)*1000]) > 600/.49 {
			t.Errorf("rows 0 and %d have nearly the same mask", i)
		}
	}
}
