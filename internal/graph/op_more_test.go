package graph

import (
	"fmt"
	"math"
	"testing"
)

// TestMaps compares every function's derivative with differences, away from
// kinks.
func TestMaps(t *testing.T) {
	positive := []Map{Log(), Sqrt(), Power(1.7), Power(-.5), Reciprocal()}
	for i, op := range append(positive, Exp(), Abs(), Erf(), Sin(), Cos(), Clip(-1.00125, 1.56125), LeakyReLU(.1), ThresholdedReLU(.56125),
		ELU(1.5, 1, 1), ELU(1.67, 1.05, 1), ELU(.7, 1, .7), HardSigmoid(.2, .5), HardSwish(), Softplus(), Softsign(), Mish(),
		Power(2), Power(3), Scale(-1.5, .3)) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for _, batch := range batches {
				n := newNet(t, uint64(batch), 3, 7)
				n.apply(op, n.g.Input())
				x := apart(n.src, batch*21)
				for k := range x {
					x[k] = float32(math.Mod(float64(x[k]), 4)) + .03
					if i < len(positive) {
						x[k] = float32(math.Abs(float64(x[k]))) + .5
					}
				}
				n.check(mode{}, x)
			}
		})
	}
}

// TestPairs covers both orders of parameter and activation and broadcasting.
func TestPairs(t *testing.T) {
	for i, op := range []Pair{Sub(), Div(), Pow(), Max(), Min(), PReLU()} {
		for _, shape := range [][]int{{3, 1, 1}, {1, 3, 1, 1}, {5}, {}, {3, 4, 5}} {
			t.Run(fmt.Sprint(i, shape), func(t *testing.T) {
				for _, batch := range []int{1, 5} {
					n := newNet(t, uint64(batch), 3, 4, 5)
					w := n.param(shape...)
					positive(n.params[0])
					n.apply(op, n.g.Input(), w)
					x := uniform(n.src, batch*60)
					if i < 3 {
						positive(x)
					} else {
						away(x, n.params[0])
					}
					n.check(mode{}, x)
					if i == 5 {
						continue // the slope is the second input
					}
					n.apply(op, w, n.apply(Scale(1, 0), n.g.Input()))
					n.check(mode{}, x)
					n.apply(op, n.g.Input(), n.apply(Scale(.9, .3), n.g.Input())) // nothing broadcast
					if i < 3 {
						n.check(mode{}, x)
					}
				}
			})
		}
	}
}

func positive(x []float32) {
	for i := range x {
		x[i] = x[i]*x[i] + .7
	}
}

// away moves numbers of [-1, 1) out of reach of those of p, which are at least
// .7, and of 0.
func away(x, p []float32) {
	for i := range x {
		switch {
		case i%3 == 0:
			x[i] += 3.5
		case x[i] >= 0:
			x[i] = x[i]/2 + .1
		default:
			x[i] -= .1
		}
	}
}

func TestTake(t *testing.T) {
	for _, batch := range batches {
		n := newNet(t, uint64(batch), 3, 4)
		index := []int32{0, 1, 2, -1, -1, 5, 5, 5, 11, 9, 7, 0, 4, 8, 3}
		op, err := NewTake([]int{3, 4}, []int{5, 3}, index, .5)
		if err != nil {
			t.Fatal(err)
		}
		n.apply(op, n.g.Input())
		x := uniform(n.src, batch*12)
		y := n.forward(mode{}, x, nil)
		for i := range y {
			want := float32(.5)
			if k := index[i%15]; k >= 0 {
				want = x[i/15*12+int(k)]
			}
			if y[i] != want {
				t.Fatalf("element %d is %v, want %v", i, y[i], want)
			}
		}
		v := n.apply(op, n.param(3, 4)) // a parameter, repeated for every sample
		n.apply(Mul{}, v, n.apply(op, n.g.Input()))
		n.check(mode{}, x)
	}
	if _, err := NewTake([]int{2}, []int{1}, []int32{2}, 0); err == nil {
		t.Error("a table beyond the input is accepted")
	}
}

func TestReduce(t *testing.T) {
	for kind := ReduceSum; kind <= ReduceLogSumExp; kind++ {
		for _, axes := range [][]int{{0}, {1}, {2}, {0, 2}, {0, 1, 2}, {}} {
			t.Run(fmt.Sprint(kind, axes), func(t *testing.T) {
				for _, batch := range []int{1, 5} {
					n := newNet(t, uint64(batch), 3, 2, 4)
					op, err := NewReduce(kind, []int{3, 2, 4}, axes)
					if err != nil {
						t.Fatal(err)
					}
					n.apply(op, n.g.Input())
					x := apart(n.src, batch*24)
					for i := range x {
						if x[i] /= 2; kind == ReduceLogSum || kind == ReduceProd {
							x[i] = 1 + float32(i%7)/4
						}
					}
					n.check(mode{}, x)
				}
			})
		}
	}
}

func TestRows(t *testing.T) {
	for _, op := range []Rows{{Linear()}, {Gemm{Alpha: -.5, Beta: 3}}} {
		for _, batch := range batches {
			for _, dims := range [][2]int{{7, 3}, {300, 257}} { // the last is wide
				n := newNet(t, uint64(batch), 2, 3, dims[0])
				shape := []int{dims[0], dims[1]}
				if op.TransB {
					shape = []int{dims[1], dims[0]}
				}
				n.apply(op, n.apply(Tanh{}, n.g.Input()), n.param(shape...), n.param(dims[1]))
				n.check(mode{}, uniform(n.src, batch*6*dims[0]))
			}
		}
	}
}

func TestMatMul(t *testing.T) {
	for _, batch := range batches {
		for _, second := range [][]int{{3, 4, 5}, {1, 4, 5}} {
			n := newNet(t, uint64(batch), 3, 2, 4)
			a := n.apply(Tanh{}, n.g.Input())
			n.apply(MatMul{}, a, n.param(second...))
			n.check(mode{}, uniform(n.src, batch*24))
			n.apply(MatMul{}, n.param(1, 3, 2), a)
			n.check(mode{}, uniform(n.src, batch*24))
			b := n.apply(Reshape{Shape: []int{3, 4, 2}}, a)
			n.apply(MatMul{}, a, b)
			n.check(mode{}, uniform(n.src, batch*24))
			b = n.apply(Reshape{Shape: []int{1, 4, 6}}, a) // broadcast over the first axis
			n.apply(MatMul{}, a, b)
			n.check(mode{}, uniform(n.src, batch*24))
		}
	}
}

func TestNorms(t *testing.T) {
	for _, batch := range batches {
		for _, op := range []Op{Standardize{Epsilon: 1e-5}, LogSoftmax{}, LRN{Size: 3, Alpha: .5, Beta: .75, Bias: 1}, LRN{Size: 4, Alpha: .3, Beta: .5, Bias: 2}} {
			n := newNet(t, uint64(batch), 5, 6)
			n.apply(op, n.apply(Tanh{}, n.g.Input()))
			n.check(mode{}, uniform(n.src, batch*30))
		}
	}
}

func TestResampleAndSelect(t *testing.T) {
	for _, batch := range batches {
		n := newNet(t, uint64(batch), 2, 3, 4)
		op := Resample{Axis: 1, Index: [][]int{{0, 1}, {1, 2}, {2, 2}, {0, 2}}, Weight: [][]float64{{.3, .7}, {1, -.5}, {.2, .2}, {.5, .5}}}
		a := n.apply(op, n.g.Input())
		b := n.apply(Tanh{}, a)
		first := make([]bool, 32)
		for i := range first {
			first[i] = i%3 == 0
		}
		n.apply(Select{First: first}, a, b)
		n.check(mode{}, uniform(n.src, batch*24))
	}
}

// TestConvTranspose covers even and odd kernels, groups, dilation and extra
// rows.
func TestConvTranspose(t *testing.T) {
	for _, tc := range []struct {
		op   ConvTranspose
		w    []int
		want []int
	}{
		{ConvTranspose{}, []int{4, 3, 3, 3}, []int{3, 7, 6}},
		{ConvTranspose{Window: Window{Stride: [2]int{2, 2}}}, []int{4, 3, 2, 2}, []int{3, 10, 8}},
		{ConvTranspose{Window: Window{Stride: [2]int{2, 3}, Pad: [4]int{1, 1, 1, 0}}, Extra: [2]int{1, 2}}, []int{4, 2, 3, 4}, []int{2, 10, 14}},
		{ConvTranspose{Window: Window{Dilation: [2]int{2, 1}, Pad: [4]int{0, 1, 2, 0}}, Group: 2}, []int{4, 3, 3, 2}, []int{6, 7, 4}},
		{ConvTranspose{Window: Window{Stride: [2]int{8, 8}}}, []int{4, 1, 8, 8}, []int{1, 40, 32}},
	} {
		for _, batch := range batches {
			n := newNet(t, uint64(batch), 4, 5, 4)
			v := n.apply(tc.op, n.apply(Tanh{}, n.g.Input()), n.param(tc.w...), n.param(tc.want[0]))
			if got := n.g.Shape(v); fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Fatalf("output of shape %v, want %v", got, tc.want)
			}
			n.check(mode{}, uniform(n.src, batch*80))
		}
	}
}

// TestViews uses one parameter in two shapes: the gradients add up.
func TestViews(t *testing.T) {
	for _, batch := range batches {
		n := newNet(t, uint64(batch), 6)
		w := n.param(6, 4)
		flat, err := n.g.View(w, 4, 6)
		if err != nil {
			t.Fatal(err)
		}
		v := n.apply(Gemm{Alpha: 1}, n.g.Input(), w)
		n.apply(Gemm{Alpha: 1}, n.apply(Tanh{}, v), flat)
		n.check(mode{}, uniform(n.src, batch*6))
		if _, err := n.g.View(w, 5); err == nil {
			t.Error("a view of another size is accepted")
		}
	}
}

// TestMapValues compares functions with numbers computed by hand or, for erf, mish
// and softplus, by mpmath.
func TestMapValues(t *testing.T) {
	for i, tc := range []struct {
		op      Map
		x, want float64
	}{
		{LeakyReLU(.1), -2, -.2}, {LeakyReLU(.1), 3, 3}, {ThresholdedReLU(1), 1, 0}, {ThresholdedReLU(1), 1.5, 1.5},
		{ELU(2, 1, 1), -1, -1.2642411176571153}, {ELU(2, 3, 1), 2, 6}, {ELU(.5, 1, .5), -1, -.43233235838169365},
		{HardSigmoid(.2, .5), 1, .7}, {HardSigmoid(.2, .5), 9, 1}, {HardSwish(), 1, 2. / 3}, {HardSwish(), -4, 0},
		{Softplus(), 0, .6931471805599453}, {Softplus(), 1000, 1000}, {Softsign(), -3, -.75}, {Mish(), 1, .8650983882673103},
		{Erf(), .5, .5204998778130465}, {Clip(-1, 2), 5, 2}, {Clip(3, 2), 0, 2}, {Power(3), -2, -8}, {Scale(2, 1), 3, 7}, {Reciprocal(), 4, .25},
	} {
		if got := tc.op.Value(tc.x); math.Abs(got-tc.want) > 1e-12 {
			t.Errorf("case %d: f(%v) = %v, want %v", i, tc.x, got, tc.want)
		}
	}
}
