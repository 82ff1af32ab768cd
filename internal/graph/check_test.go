package graph

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// net is a graph with values for its parameters: what a test of gradients
// needs.
type net struct {
	t      *testing.T
	g      *Graph
	cache  *Cache
	params [][]float32
	out    Value
	src    *rand.Rand
}

func newNet(t *testing.T, seed uint64, input ...int) *net {
	t.Helper()
	g, err := New(input)
	if err != nil {
		t.Fatal(err)
	}
	return &net{t: t, g: g, cache: NewCache(g), src: rng.Stream(seed, t.Name())}
}

// param adds a parameter drawn from [-1, 1).
func (n *net) param(shape ...int) Value {
	n.t.Helper()
	v, err := n.g.Param(shape...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.params = append(n.params, uniform(n.src, size(shape)))
	return v
}

func (n *net) apply(op Op, in ...Value) Value {
	n.t.Helper()
	v, err := n.g.Apply("test", op, in...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.out = v
	return v
}

// inner returns the input, or where behind is set twice the input: the result of
// a node, whose gradient has a place of its own and is not the caller's.
func (n *net) inner(behind bool) Value {
	if !behind {
		return n.g.Input()
	}
	return n.apply(Add{}, n.g.Input(), n.g.Input())
}

func uniform(src *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = src.Float32()*2 - 1
	}
	return x
}

// mode is how a net is run.
type mode struct {
	train bool
	seed  uint64
}

// forward returns the output for batch samples in evaluation (by a plan
// without gradients) or, in training, by a plan with.
func (n *net) forward(m mode, x []float32, params [][]float32) []float32 {
	n.t.Helper()
	batch := len(x) / n.g.Size(0)
	r, err := n.cache.Get(Request{Batch: batch, Taps: []Value{n.out}, Train: m.train})
	if err != nil {
		n.t.Fatal(err)
	}
	defer n.cache.Put(r)
	y := make([]float32, batch*n.g.Size(n.out))
	if err := r.Forward(context.Background(), Inputs{X: x, Params: params, Seed: m.seed, Out: [][]float32{y}}); err != nil {
		n.t.Fatal(err)
	}
	return y
}

// gradient returns the output and Jᵀ·cot in the input and all parameters.
func (n *net) gradient(m mode, x []float32, cot []float32) (y, dx []float32, dp [][]float32) {
	n.t.Helper()
	batch := len(x) / n.g.Size(0)
	want := make([]bool, len(n.params))
	for i, p := range n.params {
		want[i] = true
		dp = append(dp, make([]float32, len(p)))
	}
	dx = make([]float32, len(x))
	for i := range dx {
		dx[i] = 1 // gradients are added
	}
	r, err := n.cache.Get(Request{Batch: batch, Taps: []Value{n.out}, Train: m.train, Grad: true, Input: true, Params: want})
	if err != nil {
		n.t.Fatal(err)
	}
	defer n.cache.Put(r)
	if err := r.Forward(context.Background(), Inputs{X: x, Params: n.params, Seed: m.seed, DX: dx, DP: dp}); err != nil {
		n.t.Fatal(err)
	}
	y = slices.Clone(r.Value(0))
	copy(r.Cotangent(0), cot)
	if err := r.Backward(); err != nil {
		n.t.Fatal(err)
	}
	for i := range dx {
		dx[i]--
	}
	return y, dx, dp
}

func dot(x, y []float32) float64 {
	var s float64
	for i, v := range x {
		s += float64(v) * float64(y[i])
	}
	return s
}

func norm(x []float32) float64 { return math.Sqrt(dot(x, x)) }

func shifted(x, dir []float32, h float64) []float32 {
	y := slices.Clone(x)
	for i := range y {
		y[i] += float32(h * float64(dir[i]))
	}
	return y
}

// tolerance of check: the central difference of step h has an error of order
// h²·f”' and the rounding of float32 outputs (2⁻²⁴) divided by h; h = 2⁻⁶
// gives about 2e-4 and 4e-6 of the outputs' size. A wrong term is of order 1.
const (
	step      = 1.0 / 64
	tolerance = 2e-3
)

// check compares gradients at x with central differences in a random direction
// of the input and of each parameter, at GOMAXPROCS 1, 2 and 4, whose bits must
// be the same. It scales the tolerance by ‖cot‖·‖Jv‖, so that it is the adjoint
// identity ⟨Jv, cot⟩ = ⟨v, Jᵀcot⟩ with Jv by differences.
func (n *net) check(m mode, x []float32) {
	n.t.Helper()
	batch := len(x) / n.g.Size(0)
	cot := uniform(n.src, batch*n.g.Size(n.out))
	y, dx, dp := n.sameBits(m, x, cot)
	plain := n.forward(m, x, n.params)
	for i, v := range plain {
		if d := math.Abs(float64(v - y[i])); d > 1e-5*(1+math.Abs(float64(v))) {
			n.t.Fatalf("output %d is %v without and %v with gradients", i, v, y[i])
		}
	}
	v := uniform(n.src, len(x))
	hi, lo := n.forward(m, shifted(x, v, step), n.params), n.forward(m, shifted(x, v, -step), n.params)
	n.compare("input", cot, hi, lo, dot(dx, v))
	for i := range n.params {
		v := uniform(n.src, len(n.params[i]))
		up, down := slices.Clone(n.params), slices.Clone(n.params)
		up[i], down[i] = shifted(n.params[i], v, step), shifted(n.params[i], v, -step)
		hi, lo := n.forward(m, x, up), n.forward(m, x, down)
		n.compare("parameter", cot, hi, lo, dot(dp[i], v))
	}
}

func (n *net) compare(what string, cot, hi, lo []float32, got float64) {
	n.t.Helper()
	jv := make([]float32, len(hi))
	for i := range jv {
		jv[i] = (hi[i] - lo[i]) / (2 * step)
	}
	want := dot(jv, cot)
	if scale := norm(jv)*norm(cot) + 1e-3; math.Abs(want-got) > tolerance*scale || got != got {
		n.t.Errorf("%s: ⟨Jv, w⟩ = %g by differences, ⟨v, Jᵀw⟩ = %g (scale %g)", what, want, got, scale)
	}
}

// sameBits runs gradient at GOMAXPROCS 1, 2 and 4 and fails unless the bits
// agree.
func (n *net) sameBits(m mode, x, cot []float32) (y, dx []float32, dp [][]float32) {
	n.t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	y, dx, dp = n.gradient(m, x, cot)
	for _, procs := range []int{2, 4} {
		runtime.GOMAXPROCS(procs)
		y2, dx2, dp2 := n.gradient(m, x, cot)
		if !slices.Equal(y, y2) || !slices.Equal(dx, dx2) {
			n.t.Fatalf("other bits at GOMAXPROCS %d", procs)
		}
		for i := range dp {
			if !slices.Equal(dp[i], dp2[i]) {
				n.t.Fatalf("other bits in parameter %d at GOMAXPROCS %d", i, procs)
			}
		}
	}
	return y, dx, dp
}

// apart returns n numbers in random order whose distances from one another and
// from 0 are at least 4·step, so that no difference crosses a kink.
func apart(src *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i, k := range src.Perm(n) {
		v := k - n/2
		if v >= 0 {
			v++
		}
		x[i] = float32(v) * 4 * step
	}
	return x
}

var batches = []int{1, 2, 19}

var bothWays = []bool{false, true}
