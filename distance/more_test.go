package distance_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

func TestClassConditional(t *testing.T) {
	d := distance.ClassConditional{D: distance.EMD{Cost: distance.SqEuclidean{}}}
	x, y := normal(1, 6, 3, 0), normal(2, 7, 3, 1)
	x.Labels, y.Labels = []int{3, 1, 3, 2, 1, 3}, []int{1, 3, 1, 4, 3, 1, 3}
	ws := new(distance.Workspace)
	got, err := d.Eval(ws, nil, nil, x, y)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(s distance.Sample, ix ...int) distance.Sample {
		var out [][]float64
		for _, i := range ix {
			out = append(out, s.Row(i))
		}
		return distance.FromRows(out)
	}
	want := 3./6*value(t, d.D, rows(x, 0, 2, 5), rows(y, 1, 4, 6)) + 2./6*value(t, d.D, rows(x, 1, 4), rows(y, 0, 2, 5))
	within(t, "by hand", got, want, 1e-12)
	within(t, "skipped mass", ws.Stats.SkippedMass, 1./6, 1e-15)
	y.Labels = make([]int, 7)
	if _, err := d.Eval(ws, nil, nil, x, y); !errors.Is(err, distance.ErrParameter) {
		t.Errorf("no common class: %v", err)
	}
}

// sameDim makes a Distance of h.
func sameDim(h distance.HSIC) distance.Func {
	return func(ws *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
		if err := distance.Check(gx, gy, x, y); err != nil {
			return 0, err
		}
		return h.EvalPaired(ws, gx, gy, x, y)
	}
}

func TestHSIC(t *testing.T) {
	laws := distance.Properties{Paired: true, EqualN: true, MinN: 2, Symmetric: true, Nonnegative: true, Translation: true}
	for _, h := range []distance.HSIC{
		{X: distance.Gaussian{Sigma: 1}, Y: distance.Gaussian{Sigma: 1}},
		{X: distance.Energy{}, Y: distance.Energy{}},
		{X: distance.Laplacian{Sigma: 2, L1: true}, Y: distance.Laplacian{Sigma: 2, L1: true}},
	} {
		if err := distancetest.Check(sameDim(h), distancetest.Options{Properties: &laws}); err != nil {
			t.Errorf("%+v: %v", h, err)
		}
	}
	x, other := normal(1, 60, 2, 0), normal(2, 60, 3, 0)
	same, err1 := distance.HSIC{}.EvalPaired(nil, nil, nil, x, x)
	apart, err2 := distance.HSIC{}.EvalPaired(nil, nil, nil, x, other)
	if err1 != nil || err2 != nil || same < 5*apart {
		t.Errorf("of a sample with itself %v, with an independent one %v; %v %v", same, apart, err1, err2)
	}
}

func TestNumeric(t *testing.T) {
	exact := distance.MMD{Kernel: distance.Linear{}}
	d := distance.Numeric(func(x, y distance.Sample) (float64, error) { return exact.Eval(nil, nil, nil, x, y) })
	x, y := normal(1, 5, 3, 0), normal(2, 4, 3, 1)
	_, gx, gy := evalAll(t, d, x, y)
	_, wx, wy := evalAll(t, exact, x, y)
	if e := max(maxDiff(gx, wx), maxDiff(gy, wy)); e > 1e-9 {
		t.Errorf("gradients differ by %v", e)
	}
}

func TestByName(t *testing.T) {
	x, y := normal(1, 8, 3, 0), normal(2, 8, 3, 1)
	for text, want := range map[string]distance.Distance{
		"sinkhorn":                           distance.Sinkhorn{},
		"sinkhorn:euclidean:eps=.3:tol=1e-9": distance.Sinkhorn{Cost: distance.Euclidean{}, Epsilon: .3, Tol: 1e-9},
		"divergence:sqeuclidean:warm":        distance.Sinkhorn{Cost: distance.SqEuclidean{}, Debiased: true},
		"sharp:eps=.2":                       distance.Sinkhorn{Epsilon: .2, Sharp: true},
		"unbalanced:rho=.5":                  distance.Sinkhorn{Rho: .5},
		"emd:sqeuclidean:root":               distance.Root{D: distance.EMD{Cost: distance.SqEuclidean{}}},
		"mmd:sigma=2:unbiased":               distance.MMD{Kernel: distance.Gaussian{Sigma: 2}, Unbiased: true},
		"energy":                             distance.MMD{Kernel: distance.Energy{}},
		"kid":                                distance.MMD{Kernel: distance.Polynomial{}, Unbiased: true},
		"laplacian:lineartime":               distance.MMD{Kernel: distance.Laplacian{}, LinearTime: true},
		"rq:sigma=1":                         distance.MMD{Kernel: distance.RationalQuadratic{Sigma: 1}},
		"imq":                                distance.MMD{Kernel: distance.RationalQuadratic{Alpha: .5}},
		"linear":                             distance.MMD{Kernel: distance.Linear{}},
		"fourier:features=8:seed=3":          distance.RandomFourier{Features: 8, Seed: 3},
		"sliced:p=1:l=7":                     distance.SlicedWasserstein{P: 1, L: 7},
		"maxsliced":                          distance.SlicedWasserstein{Max: true},
		"bures:ddof=1":                       distance.Bures{DDof: 1},
		"coral":                              distance.CORAL{},
		"fid":                                distance.Bures{DDof: 1},
		"fid:root":                           distance.Root{D: distance.Bures{DDof: 1}},
		"kid:subsets=5:size=4:seed=2":        distance.Subsets{Count: 5, Size: 4, Seed: 2},
		"partial:sqeuclidean:share=.5":       distance.Partial{Cost: distance.SqEuclidean{}, Share: .5},
		"partial:eps=.1":                     distance.Partial{Epsilon: .1},
	} {
		d, err := distance.ByName(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		within(t, text, value(t, d, x, y), value(t, want, x, y), 0)
	}
	for _, text := range []string{"", "sinkhorm", "emd:eps=1", "emd:cosine:euclidean", "sliced:l=1.5", "mmd:sigma=x", "mmd:unbiased=1", "mmd:sigma=1:sigma=2", "partial:share=2", "fid:ddof=1", "kid:size=1.5"} {
		if d, err := distance.ByName(text); !errors.Is(err, distance.ErrParameter) || !strings.HasPrefix(err.Error(), "distance: ") {
			t.Errorf("%q: got %v, %v", text, d, err)
		}
	}
}

// TestWarmStart: after a small move, the potentials are nearly there.
func TestWarmStart(t *testing.T) {
	x, y := features(1, 64, 16, 0), features(2, 64, 16, .2)
	ws := new(distance.Workspace)
	warm, cold := distance.Sinkhorn{Epsilon: .01, WarmStart: true}, distance.Sinkhorn{Epsilon: .01}
	if _, err := warm.Eval(ws, nil, nil, x, y); err != nil {
		t.Fatal(err)
	}
	first := ws.Stats
	for i := range x.X {
		x.X[i] += 1e-4 * math.Sin(float64(i))
	}
	got, err := warm.Eval(ws, nil, nil, x, y)
	if err != nil {
		t.Fatal(err)
	}
	if work := ws.Stats.Iterations + ws.Stats.NewtonSteps; work > (first.Iterations+first.NewtonSteps)/2 {
		t.Errorf("%d sweeps and Newton steps after a move of 1e-4, %d at first", work, first.Iterations+first.NewtonSteps)
	}
	within(t, "value", got, value(t, cold, x, y), 1e-9)
	ws.Key = 7 // another problem
	if _, err := warm.Eval(ws, nil, nil, x, y); err != nil || ws.Stats.Iterations < first.Iterations/2 {
		t.Errorf("under a new key: %v, %+v", err, ws.Stats)
	}
}

// TestCachedSelfTerm: a y that changes in one bit is noticed.
func TestCachedSelfTerm(t *testing.T) {
	x, y := normal(1, 9, 2, 0), normal(2, 7, 2, 1)
	d, ws := distance.Sinkhorn{Debiased: true}, new(distance.Workspace)
	for round := range 4 {
		got, err := d.Eval(ws, nil, nil, x, y)
		if err != nil {
			t.Fatal(err)
		}
		within(t, "cached", got, value(t, d, x, y), 0)
		if round%2 == 1 {
			y.X[3] = math.Nextafter(y.X[3], 10) * (1 + float64(round)/10)
		}
	}
}

// TestGap: the duality gap bounds the error, also of a run that was stopped.
func TestGap(t *testing.T) {
	x, y := features(1, 40, 8, 0), features(2, 30, 8, .3)
	want := value(t, distance.Sinkhorn{Epsilon: .02, Tol: 1e-13}, x, y)
	for _, sweeps := range []int{1, 3, 10, 30, 100} {
		ws := new(distance.Workspace)
		got, err := distance.Sinkhorn{Epsilon: .02, MaxIter: sweeps, NewtonAfter: -1, Tol: 1e-12}.Eval(ws, nil, nil, x, y)
		if err != nil && !errors.Is(err, distance.ErrNotConverged) {
			t.Fatal(err)
		}
		if e := want - got; e > ws.Stats.DualityGap+1e-14 || e < -1e-13 {
			t.Errorf("%d sweeps: error %v, gap %v", sweeps, e, ws.Stats.DualityGap)
		}
		if err != nil && ws.Stats.MarginalError <= 1e-12 {
			t.Errorf("%d sweeps: %v", sweeps, err)
		}
	}
}

// TestZeroVectors: policy of the cosine cost.
func TestZeroVectors(t *testing.T) {
	x := distance.FromRows([][]float64{{0, 0}, {1, 0}})
	y := distance.FromRows([][]float64{{0, 2}, {3, 0}})
	ws := new(distance.Workspace)
	gx, gy := make([]float64, 4), make([]float64, 4)
	got, err := distance.EMD{}.Eval(ws, gx, gy, x, y)
	if err != nil || ws.Stats.ZeroVectors != 1 {
		t.Errorf("%v, %+v", err, ws.Stats)
	}
	within(t, "value", got, .5, 1e-15)
	if gx[0] != 0 || gx[1] != 0 {
		t.Errorf("gradient of the zero vector %v", gx[:2])
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	x, y := features(1, 20, 8, 0), features(2, 20, 8, .2)
	for _, name := range []string{"divergence", "emd", "mmd", "fourier", "sliced", "maxsliced", "bures", "coral"} {
		d, err := distance.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				ws := new(distance.Workspace)
				gx, gy := make([]float64, len(x.X)), make([]float64, len(y.X))
				for range 2 {
					if _, err := d.Eval(ws, gx, gy, x, y); err != nil {
						t.Error(name, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestSamePoints: two measures on the same memory differ by their weights.
func TestSamePoints(t *testing.T) {
	x := normal(1, 6, 2, 0)
	y := x
	x.W, y.W = []float64{.5, .1, .1, .1, .1, .1}, []float64{.1, .1, .1, .1, .1, .5}
	apart := distance.Sample{N: 6, Dim: 2, X: append([]float64(nil), y.X...), W: y.W}
	for _, tt := range all {
		if _, err := tt.d.Eval(nil, nil, nil, x, y); errors.Is(err, distance.ErrWeights) {
			continue
		}
		got, gx, gy := evalAll(t, tt.d, x, y)
		want, wx, wy := evalAll(t, tt.d, x, apart)
		within(t, tt.name, got, want, 1e-6)
		if e := max(maxDiff(gx, wx), maxDiff(gy, wy)); e > 1e-4 {
			t.Errorf("%s: gradients differ by %v", tt.name, e)
		}
	}
}

// TestStatsOfParts: a part that has not converged does not taint the next.
func TestStatsOfParts(t *testing.T) {
	x, y := features(1, 30, 8, 0), features(2, 30, 8, .3)
	stopped := distance.Sinkhorn{Epsilon: .01, MaxIter: 1, NewtonAfter: -1}
	ws := new(distance.Workspace)
	_, err := distance.Weighted{Terms: []distance.Term{{Weight: 1, D: stopped}, {Weight: 1, D: distance.Sinkhorn{}}}}.Eval(ws, nil, nil, x, y)
	if !errors.Is(err, distance.ErrNotConverged) || !strings.Contains(err.Error(), "after 1 sweeps") {
		t.Errorf("got %v", err)
	}
	if ws.Stats.Converged || ws.Stats.Iterations < 3 {
		t.Errorf("the sum of both is %+v", ws.Stats)
	}
}

func TestFromFloat32(t *testing.T) {
	s := distance.FromFloat32(nil, []float32{1, 2, 3, 4, 5, 6}, 2)
	if s.N != 2 || s.Dim != 3 || s.Row(1)[0] != 4 {
		t.Errorf("%+v", s)
	}
	if err := distance.Check(nil, nil, distance.FromFloat32(nil, []float32{1, 2, 3}, 2), s); !errors.Is(err, distance.ErrShape) {
		t.Error(err)
	}
	if err := distance.Check(nil, nil, distance.FromRows([][]float64{{1}, {1, 2}}), s); !errors.Is(err, distance.ErrShape) {
		t.Error(err)
	}
}

// TestOppositeTerms: equal terms of opposite weights cancel to the bit, also where
// products and sums may be fused, so that a root has nothing to blow up.
func TestOppositeTerms(t *testing.T) {
	x, y := normal(1, 9, 3, 0), normal(2, 7, 3, .4)
	for _, w := range []float64{.1, .3, 1. / 3, .7} {
		d := distance.MMD{}
		zero := distance.Weighted{Terms: []distance.Term{{Weight: w, D: d}, {Weight: -w, D: d}}}
		v, gx, _ := evalAll(t, distance.Root{D: zero}, x, y)
		if v != 0 || maxDiff(gx, make([]float64, len(gx))) != 0 {
			t.Errorf("weight %v: value %v, gradient %v", w, v, gx)
		}
	}
}
