package graph

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// awayFrom0 moves numbers out of [-.5, .5], for divisors.
func (n *net) awayFrom0(v Value) Value {
	return n.apply(Scale(1, 1.5), n.apply(Sigmoid{}, v))
}

// smaller returns a value of the given shape, which divides that of the input by
// means.
func (n *net) smaller(shape []int) Value {
	x := n.apply(Tanh{}, n.g.Input())
	var axes []int
	for i, d := range n.g.Shape(x) {
		if shape[i] == 1 && d > 1 {
			axes = append(axes, i)
		}
	}
	op, err := NewReduce(ReduceSum, n.g.Shape(x), axes)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.apply(op, x)
}

var broadcasters = []struct {
	op    Op
	value func(a, b float64) float64
}{
	{Add{}, func(a, b float64) float64 { return a + b }},
	{Mul{}, func(a, b float64) float64 { return a * b }},
	{Sub(), func(a, b float64) float64 { return a - b }},
	{Div(), func(a, b float64) float64 { return a / b }},
	{PReLU(), func(a, b float64) float64 {
		if a < 0 {
			return a * b
		}
		return a
	}},
}

// Axes that are trailing, leading, in the middle, missing, several of these, and
// runs longer than a chunk of scratch, in both orders, of values and parameters.
func TestBroadcastShapes(t *testing.T) {
	shapes := [][]int{{1, 1, 1}, {3, 1, 1}, {1, 4, 1}, {1, 1, 5}, {3, 4, 1}, {1, 4, 5}, {3, 1, 5}, {3, 4, 5}}
	for _, b := range broadcasters {
		for _, shape := range shapes {
			for _, swap := range bothWays {
				for _, batch := range []int{1, 5} {
					t.Run(fmt.Sprintf("%T %v swapped %v batch %d", b.op, shape, swap, batch), func(t *testing.T) {
						n := newNet(t, uint64(batch), 3, 4, 5)
						u, v := n.apply(Tanh{}, n.g.Input()), n.awayFrom0(n.smaller(shape))
						if swap {
							u, v = n.awayFrom0(v), n.awayFrom0(u)
						}
						n.apply(b.op, u, v)
						n.check(mode{}, apart(n.src, batch*60))
						n.checkValues(u, v, b.value, uniform(n.src, batch*60))
						n = newNet(t, uint64(batch)+12, 3, 4, 5)
						u, v = n.apply(Tanh{}, n.g.Input()), n.param(shape...)
						for i := range n.params[0] {
							n.params[0][i] += float32(math.Copysign(1.5, float64(n.params[0][i])))
						}
						if swap {
							u, v = v, n.awayFrom0(u)
						}
						n.apply(b.op, u, v)
						n.check(mode{}, apart(n.src, batch*60))
						n.checkValues(u, v, b.value, uniform(n.src, batch*60))
					})
				}
			}
		}
	}
}

func TestBroadcastLongRuns(t *testing.T) {
	for _, b := range broadcasters {
		for _, shape := range [][]int{{2, 1}, {1, 1}, {1, 2500}, {2, 2500}} {
			n := newNet(t, 7, 2, 2500)
			u, v := n.apply(Tanh{}, n.g.Input()), n.awayFrom0(n.smaller(shape))
			n.apply(b.op, u, v)
			n.apply(b.op, n.awayFrom0(v), n.awayFrom0(n.out))
			x := uniform(n.src, 3*5000)
			for i := range x { // away from the kink of PReLU
				x[i] += float32(math.Copysign(4*step, float64(x[i])))
			}
			n.check(mode{}, x)
		}
	}
}

// checkValues compares the output with the definition.
func (n *net) checkValues(u, v Value, value func(a, b float64) float64, x []float32) {
	n.t.Helper()
	batch := len(x) / n.g.Size(0)
	y := n.forward(mode{}, x, n.params)
	a, b := n.valueOf(u, x), n.valueOf(v, x)
	shape := n.g.Shape(n.out)
	for i, got := range y {
		s, rest := i/size(shape), i%size(shape)
		want := value(float64(a[n.at(u, s, rest, shape)]), float64(b[n.at(v, s, rest, shape)]))
		if math.Abs(float64(got)-want) > 1e-6*(1+math.Abs(want)) {
			n.t.Fatalf("batch %d, element %d is %v, want %v", batch, i, got, want)
		}
	}
}

// valueOf returns a value, or a parameter.
func (n *net) valueOf(v Value, x []float32) []float32 {
	if i := n.g.ParamIndex(v); i >= 0 {
		return n.params[i]
	}
	out := n.out
	defer func() { n.out = out }()
	n.out = v
	return slices.Clone(n.forward(mode{}, x, n.params))
}

// at returns the place in v of element i of sample s of a result of the given shape.
func (n *net) at(v Value, s, i int, shape []int) int {
	at, step := 0, 1
	own := n.g.Shape(v)
	for k := len(shape) - 1; k >= 0; k-- {
		at += i % shape[k] % own[k] * step
		step *= own[k]
		i /= shape[k]
	}
	if n.g.ParamIndex(v) >= 0 {
		return at
	}
	return s*size(own) + at
}

// NaN and infinities go through as IEEE arithmetic has them.
func TestBroadcastSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	special := []float32{nan, inf, -inf, 0, 1, -2}
	for _, b := range broadcasters {
		for _, width := range []int{1, 6, 19} {
			n := newNet(t, 1, 6, width)
			p := n.param(6, 1)
			copy(n.params[0], special)
			n.apply(b.op, n.g.Input(), p)
			x := make([]float32, 6*width)
			for i := range x {
				x[i] = special[i%6]
			}
			for i, got := range n.forward(mode{}, x, n.params) {
				want := float32(b.value(float64(x[i]), float64(special[i/width])))
				if got != want && !(got != got && want != want) {
					t.Fatalf("%T of %v and %v is %v, want %v", b.op, x[i], special[i/width], got, want)
				}
			}
		}
	}
}

// Sums over one axis or several, by rows, by columns, more of them than fit on the
// stack, and by neither, are those of the definition.
func TestReduceValues(t *testing.T) {
	for _, shape := range [][]int{{3, 2, 4}, {2, 3, 700}, {1, 5, 1}} {
		for _, axes := range [][]int{{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}} {
			n := newNet(t, 2, shape...)
			op, err := NewReduce(ReduceMean, shape, axes)
			if err != nil {
				t.Fatal(err)
			}
			y := n.apply(op, n.apply(Scale(1, 0), n.g.Input()))
			x := uniform(n.src, 2*size(shape))
			want := make([]float64, 2*n.g.Size(y))
			for i, v := range x {
				s, rest := i/size(shape), i%size(shape)
				want[n.at(y, s, rest, shape)] += float64(v) / float64(len(op.group))
			}
			for i, got := range n.forward(mode{}, x, n.params) {
				if math.Abs(float64(got)-want[i]) > 1e-6 {
					t.Fatalf("%v over %v: element %d is %v, want %v", shape, axes, i, got, want[i])
				}
			}
			n.check(mode{}, x)
		}
	}
}
