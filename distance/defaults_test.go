package distance_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
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
// problems and large MMDs, which use them.
func TestSameBits(t *testing.T) {
	x, y := features(1, 70, 6, 0), features(2, 50, 6, .3)
	large, other := features(3, 300, 6, 0), features(4, 230, 6, .3)
	for name, tt := range map[string]struct {
		d    distance.Distance
		x, y distance.Sample
	}{
		"streamed": {distance.Sinkhorn{Debiased: true, Epsilon: .3, MaxEntries: 1}, x, y},
		"MMD":      {distance.MMD{}, large, other},
		"unbiased": {distance.MMD{Unbiased: true}, large, other},
		"energy":   {distance.MMD{Kernel: distance.Energy{}}, large, other},
		"sliced":   {distance.SlicedWasserstein{}, large, other},
		"EMD":      {distance.EMD{}, x, y},
		"Bures":    {distance.Bures{}, large, other},
	} {
		sameBits(t, name, tt.d, tt.x, tt.y)
	}
}

func sameBits(t *testing.T, name string, d distance.Distance, x, y distance.Sample) {
	t.Helper()
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
			t.Errorf("%s: GOMAXPROCS %d gives other bits", name, procs)
		}
	}
}

// TestLargeMMD compares the blocks of many processors with sums over pairs, and
// their gradients with differences.
func TestLargeMMD(t *testing.T) {
	x, y := features(3, 290, 5, 0), features(4, 301, 5, .3)
	for _, k := range []distance.Kernel{distance.Gaussian{Sigma: 2}, distance.Energy{}, distance.Laplacian{Sigma: 2, L1: true}, distance.Polynomial{}} {
		for _, unbiased := range []bool{false, true} {
			d := distance.MMD{Kernel: k, Unbiased: unbiased}
			relx, rely, err := distancetest.GradientError(d, few(x, 9), few(y, 8))
			if err != nil || max(relx, rely) > 1e-5 {
				t.Errorf("%T, small: %v, %v, %v", k, relx, rely, err)
			}
			v, gx, gy := evalAll(t, d, x, y)
			within(t, fmt.Sprintf("%T", k), v, plainMMD(t, k, unbiased, x, y), 1e-9*(1+math.Abs(v)))
			along := func(g []float64, s distance.Sample, at func(distance.Sample) float64) {
				dir, want := moved(distance.Sample{N: s.N, Dim: s.Dim, X: make([]float64, len(s.X))}, 1, rand.New(rand.NewPCG(5, 6))), 0.
				for i, v := range dir.X {
					want += v * g[i]
				}
				const h = 1e-5
				up, down := moved(s, 0, rand.New(rand.NewPCG(1, 1))), moved(s, 0, rand.New(rand.NewPCG(1, 1)))
				for i, v := range dir.X {
					up.X[i] += h * v
					down.X[i] -= h * v
				}
				within(t, fmt.Sprintf("%T: slope", k), (at(up)-at(down))/(2*h), want, 1e-5*(1+math.Abs(want)))
			}
			along(gx, x, func(z distance.Sample) float64 { return value(t, d, z, y) })
			along(gy, y, func(z distance.Sample) float64 { return value(t, d, x, z) })
		}
	}
}

func few(s distance.Sample, n int) distance.Sample {
	return distance.Sample{N: n, Dim: s.Dim, X: s.X[:n*s.Dim]}
}

// plainMMD sums the kernel over one matrix a term.
func plainMMD(t *testing.T, k distance.Kernel, unbiased bool, x, y distance.Sample) float64 {
	t.Helper()
	mean := func(x, y distance.Sample, same bool) float64 {
		b, err := k.Bandwidth(new(distance.Workspace), x, y)
		if err != nil {
			t.Fatal(err)
		}
		at, out := make([]float64, x.N*y.N), make([]float64, x.N*y.N)
		k.Argument().Matrix(new(distance.Workspace), at, x, y)
		k.Map(out, nil, at, b)
		sum, count := 0., 0
		for p, v := range out {
			if !same || !unbiased || p/y.N != p%y.N {
				sum += v
				count++
			}
		}
		return sum / float64(count)
	}
	return mean(x, x, true) + mean(y, y, true) - 2*mean(x, y, false)
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
