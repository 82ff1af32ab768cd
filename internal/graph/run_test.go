package graph

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// probe is Tanh with a matrix, and notes what it is asked for.
type probe struct {
	Gemm
	vjp, dx, dw *atomic.Int64
	at          func()
}

func newProbe() probe {
	return probe{Gemm: Linear(), vjp: new(atomic.Int64), dx: new(atomic.Int64), dw: new(atomic.Int64)}
}

func (p probe) Forward(c *Call) {
	if p.at != nil {
		p.at()
	}
	p.Gemm.Forward(c)
}

func (p probe) VJP(c *Call) {
	p.vjp.Add(1)
	if c.DIn[0] != nil {
		p.dx.Add(1)
	}
	if c.DIn[1] != nil {
		p.dw.Add(1)
	}
	p.Gemm.VJP(c)
}

// pass runs a request forward and backward with unit cotangents.
func (n *net) pass(ctx context.Context, req Request, in Inputs) error {
	n.t.Helper()
	r, err := n.cache.Get(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer n.cache.Put(r)
	if err := r.Forward(ctx, in); err != nil || !req.Grad {
		return err
	}
	for i := range req.Taps {
		c := r.Cotangent(i)
		for k := range c {
			c[k]++
		}
	}
	return r.Backward()
}

func TestNothingUnwantedIsComputed(t *testing.T) {
	n := newNet(t, 1, 4)
	probes := []probe{newProbe(), newProbe(), newProbe()}
	v := n.g.Input()
	var mid Value
	for i, p := range probes {
		v = n.apply(Tanh{}, n.apply(p, v, n.param(4, 4)))
		if i == 1 {
			mid = v
		}
	}
	x := uniform(n.src, 12)
	for _, c := range []struct {
		name     string
		input    bool
		params   []bool
		tap      Value
		vjp      [3]bool // of each probe: called at all, for x, for w
		dx, dw   [3]bool
		gradient int
	}{
		{name: "input", input: true, tap: v, vjp: [3]bool{true, true, true}, dx: [3]bool{true, true, true}},
		{name: "last parameter", params: []bool{false, false, true}, tap: v, vjp: [3]bool{false, false, true}, dw: [3]bool{false, false, true}},
		{name: "middle parameter", params: []bool{false, true, false}, tap: v, vjp: [3]bool{false, true, true}, dx: [3]bool{false, false, true}, dw: [3]bool{false, true, false}},
		{name: "first parameter, middle tap", params: []bool{true, false, true}, tap: mid, vjp: [3]bool{true, true, false}, dx: [3]bool{false, true, false}, dw: [3]bool{true, false, false}},
		{name: "nothing", tap: v},
	} {
		for _, p := range probes {
			p.vjp.Store(0)
			p.dx.Store(0)
			p.dw.Store(0)
		}
		dp := [][]float32{make([]float32, 16), make([]float32, 16), make([]float32, 16)}
		in := Inputs{X: x, Params: n.params, DX: make([]float32, 12), DP: dp}
		if err := n.pass(context.Background(), Request{Batch: 3, Taps: []Value{c.tap}, Grad: true, Input: c.input, Params: c.params}, in); err != nil {
			t.Fatal(err)
		}
		for i, p := range probes {
			if (p.vjp.Load() > 0) != c.vjp[i] || (p.dx.Load() > 0) != c.dx[i] || (p.dw.Load() > 0) != c.dw[i] {
				t.Errorf("%s: layer %d: VJP called %d times, for x %d, for w %d", c.name, i, p.vjp.Load(), p.dx.Load(), p.dw.Load())
			}
		}
	}
}

func TestInferenceKeepsNothing(t *testing.T) {
	n := mixed(t)
	last := []Value{n.out}
	all := none(n.g.Params())
	for i := range all {
		all[i] = true
	}
	length := func(req Request) int {
		p, err := n.g.compile(req)
		if err != nil {
			t.Fatal(err)
		}
		return p.batchLen
	}
	infer := length(Request{Batch: 64, Taps: last})
	input := length(Request{Batch: 64, Taps: last, Grad: true, Input: true})
	train := length(Request{Batch: 64, Taps: last, Grad: true, Input: true, Train: true, Params: all})
	if infer != 0 || input >= train {
		t.Errorf("kept for the batch: %d elements in inference, %d for input gradients, %d in training", infer, input, train)
	}
}

// mixed is a small residual net with every kind of phase.
func mixed(t *testing.T) *net {
	n := newNet(t, 5, 2, 7, 6)
	x := n.g.Input()
	conv := Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}
	norm := func(v Value) Value {
		c := n.g.Shape(v)[0]
		in := []Value{v, n.param(c), n.param(c), n.param(c), n.param(c)}
		for i, w := range n.params[len(n.params)-1] {
			n.params[len(n.params)-1][i] = w*w + .5
		}
		return n.apply(BatchNorm{Epsilon: 1e-5, Momentum: .1}, in...)
	}
	a := n.apply(ReLU{}, norm(n.apply(conv, x, n.param(4, 2, 3, 3))))
	b := n.apply(ReLU{}, norm(n.apply(conv, a, n.param(4, 4, 3, 3), n.param(4))))
	b = norm(n.apply(conv, b, n.param(4, 4, 3, 3)))
	v := n.apply(ReLU{}, n.apply(Add{}, b, a))
	v = n.apply(MaxPool{Window: Window{Stride: [2]int{2, 2}}, Kernel: [2]int{2, 2}}, v)
	v = n.apply(Dropout{Rate: .25}, n.apply(Reshape{}, v))
	n.apply(Linear(), v, n.param(3, 36), n.param(3))
	return n
}

func TestRowsAtEveryBatchSize(t *testing.T) {
	n := mixed(t)
	x := uniform(n.src, 70*84)
	single := n.forward(mode{}, x[:84], n.params)
	for batch := 1; batch <= 70; batch += 1 + batch/12 {
		y := n.forward(mode{}, x[:batch*84], n.params)
		for i, v := range single {
			if math.Abs(float64(v-y[i])) > 1e-5 {
				t.Fatalf("batch %d: row 0 is %v, alone %v", batch, y[:3], single)
			}
		}
		last := n.forward(mode{}, x[(batch-1)*84:batch*84], n.params)
		for i, v := range last {
			if math.Abs(float64(v-y[(batch-1)*3+i])) > 1e-5 {
				t.Fatalf("batch %d: last row is %v, alone %v", batch, y[(batch-1)*3:], last)
			}
		}
	}
}

// TestTrainingBits compares a whole training pass at GOMAXPROCS 1, 2 and 4 and
// its gradient with differences in a smooth direction: of the last bias, on
// which nothing has a kink.
func TestTrainingBits(t *testing.T) {
	n := mixed(t)
	for _, batch := range []int{2, 8, 33} {
		x, cot := uniform(n.src, batch*84), uniform(n.src, batch*3)
		_, _, dp := n.sameBits(mode{true, 3}, x, cot)
		bias := dp[len(dp)-1]
		for j := range 3 {
			want := 0.0
			for i := range batch {
				want += float64(cot[i*3+j])
			}
			if math.Abs(want-float64(bias[j])) > 1e-5*float64(batch) {
				t.Errorf("batch %d: gradient of bias %d is %v, want %v", batch, j, bias[j], want)
			}
		}
	}
}

func TestSeveralTaps(t *testing.T) {
	n := newNet(t, 1, 5)
	a := n.apply(Tanh{}, n.g.Input())
	b := n.apply(Sigmoid{}, a)
	c := n.apply(Mul{}, b, a)
	d := n.apply(Reshape{Shape: []int{5, 1}}, c)
	n.apply(Tanh{}, n.apply(Reshape{}, d))
	x := uniform(n.src, 15)
	taps := []Value{a, c, d, a, n.out}
	run := func(taps []Value) []float32 {
		dx := make([]float32, len(x))
		if err := n.pass(context.Background(), Request{Batch: 3, Taps: taps, Grad: true, Input: true}, Inputs{X: x, DX: dx}); err != nil {
			t.Fatal(err)
		}
		return dx
	}
	sum := make([]float32, len(x))
	for _, v := range taps {
		for i, g := range run([]Value{v}) {
			sum[i] += g
		}
	}
	for i, g := range run(taps) {
		if math.Abs(float64(g-sum[i])) > 1e-5 {
			t.Fatalf("gradient through all taps is %v, the sum of those through one %v", g, sum[i])
		}
	}
	out := [][]float32{make([]float32, 15), make([]float32, 15), make([]float32, 15)}
	if err := n.pass(context.Background(), Request{Batch: 3, Taps: []Value{c, a, c}}, Inputs{X: x, Out: out}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out[0], out[2]) || slices.Equal(out[0], out[1]) || out[0][0] == 0 {
		t.Errorf("the same tap twice gives %v and %v", out[0], out[2])
	}
}

func TestCancellation(t *testing.T) {
	n := newNet(t, 1, 4)
	ctx, cancel := context.WithCancel(context.Background())
	p := newProbe()
	p.at = cancel
	after := newProbe()
	reached := new(atomic.Int64)
	after.at = func() { reached.Add(1) }
	v := n.apply(p, n.g.Input(), n.param(4, 4))
	for range 10 {
		v = n.apply(Tanh{}, v)
	}
	n.apply(after, v, n.param(4, 4))
	err := n.pass(ctx, Request{Batch: 3, Taps: []Value{n.out}}, Inputs{X: uniform(n.src, 12), Params: n.params, Out: [][]float32{make([]float32, 12)}})
	if !errors.Is(err, context.Canceled) || reached.Load() != 0 {
		t.Errorf("error is %v; %d pieces of the last node ran", err, reached.Load())
	}
}

// raced is set under the race detector, which makes pools forget.
var raced bool

func TestNoAllocationInAStep(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	n := mixed(t)
	const batch = 16
	all := none(n.g.Params())
	dp := make([][]float32, len(all))
	for i := range all {
		all[i], dp[i] = true, make([]float32, len(n.params[i]))
	}
	taps := []Value{n.out}
	in := Inputs{X: uniform(n.src, batch*84), Params: n.params, Seed: 1, DX: make([]float32, batch*84), DP: dp, Out: [][]float32{make([]float32, batch*3)}}
	ctx := context.Background()
	for name, req := range map[string]Request{
		"infer": {Batch: batch, Taps: taps},
		"input": {Batch: batch, Taps: taps, Grad: true, Input: true},
		"train": {Batch: batch, Taps: taps, Grad: true, Input: true, Train: true, Params: all},
	} {
		allocs := testing.AllocsPerRun(50, func() {
			if err := n.pass(ctx, req, in); err != nil {
				t.Error(err)
			}
		})
		if allocs >= 1 { // a collection may empty a pool now and then
			t.Errorf("%s: %v allocations a step", name, allocs)
		}
	}
}

func TestConcurrentRuns(t *testing.T) {
	n := mixed(t)
	x := uniform(n.src, 20*84)
	want := n.forward(mode{}, x, n.params)
	var wg sync.WaitGroup
	for range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 5 {
				r, err := n.cache.Get(Request{Batch: 20, Taps: []Value{n.out}})
				if err != nil {
					t.Error(err)
					return
				}
				y := make([]float32, len(want))
				if err := r.Forward(context.Background(), Inputs{X: x, Params: n.params, Out: [][]float32{y}}); err != nil {
					t.Error(err)
				}
				n.cache.Put(r)
				if !slices.Equal(y, want) {
					t.Error("other bits on several goroutines")
				}
			}
		}()
	}
	wg.Wait()
}

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

// TestRunningStatistics compares with the definition.
func TestRunningStatistics(t *testing.T) {
	n := newNet(t, 1, 2, 3)
	n.apply(BatchNorm{Epsilon: 1e-5, Momentum: .1}, n.g.Input(), n.param(2), n.param(2), n.param(2), n.param(2))
	const batch = 21
	x := uniform(n.src, batch*6)
	for i := range x {
		x[i] += 1000 // moments must not cancel
	}
	r, err := n.cache.Get(Request{Batch: batch, Taps: []Value{n.out}, Train: true})
	if err != nil {
		t.Fatal(err)
	}
	old := []float32{n.params[2][0], n.params[3][0]}
	if err := r.Forward(context.Background(), Inputs{X: x, Params: n.params, Out: [][]float32{make([]float32, len(x))}}); err != nil {
		t.Fatal(err)
	}
	r.Commit()
	var mean, dev float64
	for i := range batch {
		for k := range 3 {
			mean += float64(x[i*6+k]) / (3 * batch)
		}
	}
	for i := range batch {
		for k := range 3 {
			d := float64(x[i*6+k]) - mean
			dev += d * d / (3*batch - 1)
		}
	}
	for i, want := range []float64{.9*float64(old[0]) + .1*mean, .9*float64(old[1]) + .1*dev} {
		if got := float64(n.params[2+i][0]); math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Errorf("running statistic %d is %v, want %v", i, got, want)
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
