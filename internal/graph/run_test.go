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

// TestInferenceKeepsLittle allows, in inference, what passes from one division
// of the batch to another: here the input of the linear layers.
func TestInferenceKeepsLittle(t *testing.T) {
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
	if crosses := 64 * 4 * 42; infer > crosses || input >= train {
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

// TestGroupsOfSeveralSizes has values so large that fewer samples pass through
// the first segment together than through the others; gradients are compared
// with those of every sample alone.
func TestGroupsOfSeveralSizes(t *testing.T) {
	n := newNet(t, 1, 1, 64, 64)
	v := n.apply(Conv{Window: Window{Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}}}, n.g.Input(), n.param(4, 1, 3, 3))
	v = n.apply(Tanh{}, v)
	v = n.apply(AveragePool{Window: Window{Stride: [2]int{8, 8}}, Kernel: [2]int{8, 8}}, v)
	n.apply(Linear(), n.apply(Reshape{}, n.apply(Tanh{}, v)), n.param(2, 256))
	const batch = 50
	p, err := n.g.compile(Request{Batch: batch, Taps: []Value{n.out}, Grad: true, Input: true, Params: []bool{true, true}})
	if err != nil {
		t.Fatal(err)
	}
	if s := p.forward; len(s) < 2 || s[0].sub >= s[len(s)-1].sub {
		t.Fatalf("segments %+v do not differ in the samples of a group", s)
	}
	x, cot := uniform(n.src, batch*4096), uniform(n.src, batch*2)
	y, dx, dp := n.sameBits(mode{}, x, cot)
	sum := [][]float32{make([]float32, len(dp[0])), make([]float32, len(dp[1]))}
	for i := range batch {
		y1, dx1, dp1 := n.gradient(mode{}, x[i*4096:(i+1)*4096], cot[i*2:i*2+2])
		for k, pair := range [][2][]float32{{y[i*2 : i*2+2], y1}, {dx[i*4096 : (i+1)*4096], dx1}} {
			for j, v := range pair[1] {
				if math.Abs(float64(v-pair[0][j])) > 1e-5 {
					t.Fatalf("row %d: result %d is %v in the batch and %v alone", i, k, pair[0][j], v)
				}
			}
		}
		accumulate(false, sum[0], dp1[0])
		accumulate(false, sum[1], dp1[1])
	}
	for k := range sum {
		for j, v := range sum[k] {
			if math.Abs(float64(v-dp[k][j])) > 1e-4*(1+math.Abs(float64(v))) {
				t.Fatalf("gradient of parameter %d is %v, the sum of the samples' %v", k, dp[k][j], v)
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

// quitter is a Gemm whose weight gradient falls into many pieces, the first of
// which cancels the context.
type quitter struct {
	Gemm
	cancel context.CancelFunc
	ran    *atomic.Int64
}

const quitterPieces = 1000

func (q quitter) WideItems(any, []Arg) int { return quitterPieces }

func (q quitter) WideVJP(*Call, int) {
	q.ran.Add(1)
	q.cancel()
}

// The pieces of one large gradient look at the context: only those that were
// running when it was canceled are finished.
func TestCancellationBetweenPieces(t *testing.T) {
	n := newNet(t, 1, 4)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	q := quitter{cancel: cancel, ran: new(atomic.Int64)}
	n.apply(q, n.g.Input(), n.param(4, 4))
	dp := [][]float32{make([]float32, 16)}
	err := n.pass(ctx, Request{Batch: 3, Taps: []Value{n.out}, Grad: true, Params: []bool{true}},
		Inputs{X: uniform(n.src, 12), Params: n.params, DP: dp})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	if ran := q.ran.Load(); ran == 0 || ran > int64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%d of %d pieces ran after the context was canceled", ran, quitterPieces)
	}
}
