package distance_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
)

// oneByOne hides that a distance can be evaluated from a pool.
func oneByOne(d distance.Distance) distance.Distance { return distance.Func(d.Eval) }

func twoSample(t *testing.T, s distance.TwoSample, x, y distance.Sample, bx, by []int) *distance.TwoSampleResult {
	t.Helper()
	r, err := s.Test(context.Background(), x, y, bx, by)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTwoSampleGolden compares with all divisions of the fixed points below,
// enumerated by itertools.combinations in numpy with cdist of scipy: of 5+7
// points, 792 divisions, the share whose distance is at least the observed one.
func TestTwoSampleGolden(t *testing.T) {
	x, y := goldenPair()
	x.W, y.W = nil, nil
	for _, tt := range []struct {
		name        string
		d           distance.Distance
		observed, p float64
	}{
		{"energy", distance.MMD{Kernel: distance.Energy{}}, 0.8017572890453177, 184. / 792},
		{"Gaussian, unbiased", distance.MMD{Kernel: distance.Gaussian{Sigma: .7}, Unbiased: true}, 0.1867458246629436, 91. / 792},
	} {
		for _, d := range []distance.Distance{tt.d, oneByOne(tt.d)} {
			r := twoSample(t, distance.TwoSample{D: d, Permutations: 4000, Seed: 3}, x, y, nil, nil)
			within(t, tt.name+" observed", r.Observed, tt.observed, 1e-12)
			within(t, tt.name+" p", r.P, tt.p, 4*math.Sqrt(tt.p*(1-tt.p)/4000)+1./4000)
			if r.Arrangements != 792 || r.Blocks != 12 || r.Permutations != 4000 || r.Seed != 3 {
				t.Errorf("%s: %+v", tt.name, r)
			}
			within(t, tt.name+" standard error", r.StandardError, math.Sqrt(r.P*(1-r.P)/4001), 1e-15)
		}
	}
}

// TestTwoSamplePooled: a pool gives the distances that Eval gives.
func TestTwoSamplePooled(t *testing.T) {
	x, y := normal(1, 14, 3, 0), normal(2, 9, 3, .2)
	for _, d := range []distance.Distance{
		distance.MMD{}, distance.MMD{Unbiased: true}, distance.MMD{Kernel: distance.Energy{}}, distance.MMD{Kernel: distance.Linear{}},
		distance.MMD{Kernel: distance.Polynomial{}, Unbiased: true}, distance.MMD{Kernel: distance.Laplacian{L1: true}},
	} {
		a := twoSample(t, distance.TwoSample{D: d, Permutations: 300}, x, y, nil, nil)
		b := twoSample(t, distance.TwoSample{D: oneByOne(d), Permutations: 300}, x, y, nil, nil)
		within(t, "P", a.P, b.P, 0)
		within(t, "Observed", a.Observed, value(t, d, x, y), 1e-12)
		within(t, "Mean", a.Mean, b.Mean, 1e-12*(1+math.Abs(b.Mean)))
		within(t, "Deviation", a.Deviation, b.Deviation, 1e-12*(1+b.Deviation))
	}
}

// persons returns n persons with k photos each, around a point of the person's
// own, and the person of each photo.
func persons(seed uint64, n, k int, between, within, shift float64) (distance.Sample, []int) {
	centers, noise := normal(seed, n, 2, 0), normal(seed+1000000, n*k, 2, 0)
	blocks := make([]int, n*k)
	for i := range n * k {
		blocks[i] = int(seed)*1000 + i/k
		for j, v := range centers.Row(i / k) {
			noise.Row(i)[j] = between*v + within*noise.Row(i)[j] + shift
		}
	}
	return noise, blocks
}

// rejections returns how often p ≤ level among 400 pairs of samples.
func rejections(t *testing.T, s distance.TwoSample, blocks bool, levels []float64, draw func(i int) (x, y distance.Sample, bx, by []int)) []float64 {
	t.Helper()
	const tries = 400
	s.Permutations = 99
	share := make([]float64, len(levels))
	for i := range tries {
		x, y, bx, by := draw(i)
		if !blocks {
			bx, by = nil, nil
		}
		s.Seed = uint64(i)
		r := twoSample(t, s, x, y, bx, by)
		for k, a := range levels {
			if r.P <= a+1e-12 {
				share[k] += 1. / tries
			}
		}
	}
	return share
}

// TestTwoSampleLevel: P(p ≤ α) = α under the hypothesis at each α that 99
// divisions can show, within four standard errors, also where photos of one
// person are alike, provided that they stay together, and within classes.
func TestTwoSampleLevel(t *testing.T) {
	levels := []float64{.05, .1, .25, .5, .75, .9}
	clustered := func(i int) (x, y distance.Sample, bx, by []int) {
		x, bx = persons(uint64(2*i+1), 8, 3, 1, .3, 0)
		y, by = persons(uint64(2*i+2), 6, 3, 1, .3, 0)
		return x, y, bx, by
	}
	classes := func(i int) (x, y distance.Sample, bx, by []int) {
		x, y = normal(uint64(2*i+1), 16, 2, 0), normal(uint64(2*i+2), 16, 2, 0)
		for s, z := range []*distance.Sample{&x, &y} {
			z.Labels = make([]int, z.N)
			for r := range z.N {
				if r < 4+8*s { // classes far apart, in unequal shares
					z.Labels[r] = 1
					z.Row(r)[0] += 5
				}
			}
		}
		return x, y, nil, nil
	}
	for name, tt := range map[string]struct {
		s      distance.TwoSample
		blocks bool
		draw   func(i int) (x, y distance.Sample, bx, by []int)
		honest bool
	}{
		"blocks":               {distance.TwoSample{}, true, clustered, true},
		"blocks taken apart":   {distance.TwoSample{}, false, clustered, false},
		"strata":               {distance.TwoSample{Stratified: true}, false, classes, true},
		"strata not respected": {distance.TwoSample{}, false, classes, false},
		"any distance":         {distance.TwoSample{D: distance.CORAL{}}, true, clustered, true},
	} {
		got := rejections(t, tt.s, tt.blocks, levels, tt.draw)
		for k, a := range levels {
			if tt.honest && math.Abs(got[k]-a) > 4*math.Sqrt(a*(1-a)/400) {
				t.Errorf("%s: p ≤ %v in a share of %v", name, a, got[k])
			}
		}
		if !tt.honest && got[0] < .15 {
			t.Errorf("%s: p ≤ .05 in a share of %v only, want far more: the test cannot tell", name, got[0])
		}
	}
}

// TestTwoSamplePower: the share of p ≤ .05 for normal samples of 15 and 15 points
// in two dimensions, shifted by .6, is what numpy finds in 2000 draws with 99
// permutations each: 0.466 (standard error .011).
func TestTwoSamplePower(t *testing.T) {
	got := rejections(t, distance.TwoSample{}, false, []float64{.05}, func(i int) (x, y distance.Sample, bx, by []int) {
		return normal(uint64(2*i+1), 15, 2, 0), normal(uint64(2*i+2), 15, 2, .6), nil, nil
	})
	within(t, "power", got[0], 0.466, 4*math.Sqrt(.25/400+.25/2000))
}

// TestTwoSampleNeverZero: the observed division counts, so that p is 1/20 at least
// with 19 others, and 1 where all distances are equal.
func TestTwoSampleNeverZero(t *testing.T) {
	x, y := normal(1, 20, 2, 0), normal(2, 20, 2, 100)
	for _, d := range []distance.Distance{nil, distance.EMD{}} {
		within(t, "apart", twoSample(t, distance.TwoSample{D: d, Permutations: 19}, x, y, nil, nil).P, 1./20, 0)
	}
	x, y = column(1, 3, 3, 3), column(1, 3, 3)
	r := twoSample(t, distance.TwoSample{Permutations: 19}, x, y, nil, nil)
	within(t, "equal points", r.P, 1, 0)
	within(t, "equal points: error", r.StandardError, 0, 0)
}

// TestTwoSampleErrors: what cannot be tested is refused, with the reason.
func TestTwoSampleErrors(t *testing.T) {
	x, y := normal(1, 4, 2, 0), normal(2, 4, 2, 0)
	weighted, labeled, other, mixed := x, x, y, y
	weighted.W = []float64{.25, .25, .25, .25}
	labeled.Labels, other.Labels = []int{0, 0, 0, 0}, []int{1, 1, 1, 1}
	mixed.Labels = []int{1, 0, 1, 1}
	far := normal(1, 4, 2, 0)
	far.X[0] = 1e200
	for name, tt := range map[string]struct {
		s      distance.TwoSample
		x, y   distance.Sample
		bx, by []int
		want   error
	}{
		"person on both sides": {distance.TwoSample{}, x, y, []int{1, 1, 2, 2}, []int{3, 3, 2, 4}, distance.ErrParameter},
		"length of blocks":     {distance.TwoSample{}, x, y, []int{1, 1, 2}, []int{3, 3, 4, 4}, distance.ErrShape},
		"one division":         {distance.TwoSample{Stratified: true}, labeled, other, nil, nil, distance.ErrParameter},
		"no labels":            {distance.TwoSample{Stratified: true}, labeled, y, nil, nil, distance.ErrShape},
		"block of two classes": {distance.TwoSample{Stratified: true}, labeled, mixed, nil, []int{5, 5, 6, 7}, distance.ErrParameter},
		"weights":              {distance.TwoSample{}, weighted, y, nil, nil, distance.ErrWeights},
		"order":                {distance.TwoSample{D: distance.MMD{LinearTime: true}}, x, y, nil, nil, distance.ErrParameter},
		"negative":             {distance.TwoSample{Permutations: -1}, x, y, nil, nil, distance.ErrParameter},
		"one row a side":       {distance.TwoSample{D: distance.MMD{Unbiased: true}}, x, y, []int{1, 2, 2, 2}, []int{4, 4, 4, 4}, distance.ErrShape},
		"bandwidth":            {distance.TwoSample{D: distance.MMD{Kernel: distance.Gaussian{Sigma: -1}}}, x, y, nil, nil, distance.ErrParameter},
		"overflow":             {distance.TwoSample{}, far, y, nil, nil, distance.ErrNotFinite},
		"not converged":        {distance.TwoSample{D: distance.Sinkhorn{MaxIter: 1, NewtonAfter: -1, Epsilon: 1e-3}, Permutations: 9}, x, y, nil, nil, distance.ErrNotConverged},
	} {
		r, err := tt.s.Test(context.Background(), tt.x, tt.y, tt.bx, tt.by)
		if !errors.Is(err, tt.want) || (r != nil) != (tt.want == distance.ErrNotConverged) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	stops := distance.Func(func(ws *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
		cancel()
		calls++
		return 0, nil
	})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if _, err := (distance.TwoSample{D: stops}).Test(ctx, x, y, nil, nil); !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("cancelled: %v after %d divisions", err, calls)
	}
}

// TestTwoSampleSameResult: at any GOMAXPROCS, with warm starts too.
func TestTwoSampleSameResult(t *testing.T) {
	x, y := normal(1, 12, 3, 0), normal(2, 9, 3, .4)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, d := range []distance.Distance{nil, distance.Sinkhorn{WarmStart: true}, distance.EMD{}} {
		var first distance.TwoSampleResult
		for i, procs := range []int{1, 2, 4} {
			runtime.GOMAXPROCS(procs)
			r := twoSample(t, distance.TwoSample{D: d, Permutations: 50, Seed: 7}, x, y, nil, nil)
			if i == 0 {
				first = *r
			}
			if *r != first {
				t.Errorf("%T, GOMAXPROCS %d: %+v, want %+v", d, procs, *r, first)
			}
		}
	}
}
