package distance_test

import (
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

// TestDefaults: what the fields' comments promise for zero is what is used.
func TestDefaults(t *testing.T) {
	x, y := features(1, 20, 4, 0), features(2, 20, 4, .3)
	median := distance.MedianDistance(new(distance.Workspace), x, y)
	for name, pair := range map[string][2]distance.Distance{
		"Sinkhorn": {distance.Sinkhorn{}, distance.Sinkhorn{
			Cost: distance.Cosine{}, Epsilon: .05, Tol: 1e-6, MaxIter: 2000, NewtonAfter: 32, MaxEntries: 1 << 24,
		}},
		"EMD":           {distance.EMD{}, distance.EMD{Cost: distance.Cosine{}}},
		"MMD":           {distance.MMD{}, distance.MMD{Kernel: distance.Gaussian{Sigma: median}}},
		"Multiples":     {distance.MMD{}, distance.MMD{Kernel: distance.Gaussian{Multiples: []float64{1}}}},
		"Polynomial":    {distance.MMD{Kernel: distance.Polynomial{}}, distance.MMD{Kernel: distance.Polynomial{Degree: 3, Gamma: .25, Offset: 1}}},
		"Alpha":         {distance.MMD{Kernel: distance.RationalQuadratic{}}, distance.MMD{Kernel: distance.RationalQuadratic{Sigma: median, Alpha: 1}}},
		"RandomFourier": {distance.RandomFourier{}, distance.RandomFourier{Sigma: median, Features: 256}},
		"Sliced":        {distance.SlicedWasserstein{}, distance.SlicedWasserstein{P: 2, L: 64}},
		"Root":          {distance.Root{D: distance.EMD{}}, distance.Root{D: distance.EMD{}, P: 2}},
	} {
		within(t, name, value(t, pair[0], x, y), value(t, pair[1], x, y), 0)
	}
	// Relative to the standard deviation of the costs, all of which are known.
	a, b := distance.FromRows([][]float64{{0}}), distance.FromRows([][]float64{{1}, {3}})
	d, err := distance.Sinkhorn{Cost: distance.Euclidean{}}.Freeze(nil, a, b)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "relative ε", d.(distance.Sinkhorn).Epsilon, .05, 1e-15)
}

// TestGradientAccuracy holds converged gradients to finite differences.
func TestGradientAccuracy(t *testing.T) {
	x, y := normal(1, 8, 5, 0), normal(2, 7, 5, .3)
	for _, tt := range []struct {
		name string
		d    distance.Distance
		tol  float64
	}{
		{"OT .05", distance.Sinkhorn{Tol: 1e-12}, 1e-6},
		{"divergence .05", distance.Sinkhorn{Tol: 1e-12, Debiased: true}, 1e-6},
		{"sharp .05", distance.Sinkhorn{Tol: 1e-12, Sharp: true}, 1e-6},
		{"sharp .005", distance.Sinkhorn{Epsilon: .005, Tol: 1e-13, Sharp: true}, 1e-4},
		{"unbalanced", distance.Sinkhorn{Tol: 1e-12, Rho: .3}, 1e-6},
		{"energy", distance.MMD{Kernel: distance.Energy{}}, 1e-6},
		{"Bures", distance.Bures{}, 1e-6},
	} {
		relx, rely, err := distancetest.GradientError(tt.d, x, y)
		if err != nil || relx > tt.tol || rely > tt.tol {
			t.Errorf("%s: %g, %g, %v", tt.name, relx, rely, err)
		}
	}
}

// TestSameBits: the number of processors does not matter, not even to streamed
// problems, which use them.
func TestSameBits(t *testing.T) {
	x, y := features(1, 70, 6, 0), features(2, 50, 6, .3)
	d := distance.Sinkhorn{Debiased: true, Epsilon: .3, MaxEntries: 1}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want uint64
	for i, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		v, gx, gy := evalAll(t, d, x, y)
		bits := math.Float64bits(v)
		for _, g := range append(gx, gy...) {
			bits = bits*31 + math.Float64bits(g)
		}
		if i == 0 {
			want = bits
		}
		if bits != want {
			t.Errorf("GOMAXPROCS %d gives other bits", procs)
		}
	}
}

func FuzzByName(f *testing.F) {
	for _, s := range []string{"emd", "sinkhorn:cosine:eps=.01", "mmd:sigma=2:unbiased", "sliced:p=1:l=7:root", "bures:ridge=NaN", ":", "unbalanced:rho=-1"} {
		f.Add(s)
	}
	x, y := normal(1, 3, 2, 0), normal(2, 3, 2, 1)
	f.Fuzz(func(t *testing.T, s string) {
		d, err := distance.ByName(s)
		if err != nil {
			if d != nil || !errors.Is(err, distance.ErrParameter) {
				t.Errorf("%q: %v, %v", s, d, err)
			}
			return
		}
		if sliced, ok := d.(distance.SlicedWasserstein); ok && sliced.L > 1000 {
			return
		}
		if fourier, ok := d.(distance.RandomFourier); ok && fourier.Features > 1000 {
			return
		}
		if v, err := d.Eval(nil, nil, nil, x, y); err == nil && math.IsNaN(v) {
			t.Errorf("%q: NaN without an error", s)
		}
	})
}
