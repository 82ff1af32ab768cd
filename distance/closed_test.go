package distance_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
)

func value(t *testing.T, d distance.Distance, x, y distance.Sample) float64 {
	t.Helper()
	v, err := d.Eval(nil, nil, nil, x, y)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func normal(seed uint64, n, dim int, shift float64) distance.Sample {
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := distance.Sample{N: n, Dim: dim, X: make([]float64, n*dim)}
	for i := range s.X {
		s.X[i] = rnd.NormFloat64() + shift
	}
	return s
}

func within(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s: got %v, want %v within %g", what, got, want, tol)
	}
}

func meanGap(x, y distance.Sample) (gap float64) {
	for k := range x.Dim {
		var d float64
		for i := range x.N {
			d += x.Row(i)[k] / float64(x.N)
		}
		for j := range y.N {
			d -= y.Row(j)[k] / float64(y.N)
		}
		gap += d * d
	}
	return gap
}

// TestOrdering: |x̄−ȳ|² ≤ Bures ≤ EMD ≤ sharp ≤ OT ≤ EMD + ε log min(n, m).
func TestOrdering(t *testing.T) {
	x, y := normal(1, 9, 3, 0), normal(2, 14, 3, .5)
	cost := distance.SqEuclidean{}
	emd, bures := value(t, distance.EMD{Cost: cost}, x, y), value(t, distance.Bures{}, x, y)
	if gap := meanGap(x, y); !(gap <= bures && bures <= emd) {
		t.Errorf("mean gap %v, Bures %v, EMD %v", gap, bures, emd)
	}
	sliced := value(t, distance.SlicedWasserstein{L: 300}, x, y)
	most := value(t, distance.SlicedWasserstein{Max: true}, x, y)
	if !(sliced <= most && most <= emd && sliced <= emd/3) {
		t.Errorf("sliced %v, largest %v, EMD %v", sliced, most, emd)
	}
	last := emd
	for _, eps := range []float64{.01, .1, 1, 10, 1000} {
		ot := value(t, distance.Sinkhorn{Cost: cost, Epsilon: eps, Tol: 1e-10}, x, y)
		sharp := value(t, distance.Sinkhorn{Cost: cost, Epsilon: eps, Tol: 1e-10, Sharp: true}, x, y)
		if !(emd <= sharp+1e-8 && sharp <= ot && ot <= emd+eps*math.Log(9) && ot >= last) {
			t.Errorf("ε=%v: EMD %v, sharp %v, OT %v after %v", eps, emd, sharp, ot, last)
		}
		last = ot
	}
}

// TestLimits: the divergence goes from EMD to |x̄−ȳ|² as ε grows.
func TestLimits(t *testing.T) {
	x, y := normal(3, 10, 2, 0), normal(4, 10, 2, 1)
	cost := distance.SqEuclidean{}
	large := value(t, distance.Sinkhorn{Cost: cost, Epsilon: 1e6, Debiased: true, Tol: 1e-12}, x, y)
	within(t, "ε = 1e6", large, meanGap(x, y), 1e-4)
	small := value(t, distance.Sinkhorn{Cost: cost, Epsilon: 1e-5}, x, y)
	within(t, "ε = 1e-5", small, value(t, distance.EMD{Cost: cost}, x, y), 1e-5*math.Log(10)+1e-9)
	stiff := value(t, distance.Sinkhorn{Cost: cost, Epsilon: .5, Rho: 1e7, Tol: 1e-10}, x, y)
	within(t, "ρ = 1e7", stiff, value(t, distance.Sinkhorn{Cost: cost, Epsilon: .5, Tol: 1e-10}, x, y), 1e-5)
	far := normal(5, 10, 2, 1e3)
	within(t, "bounded repulsion", value(t, distance.Sinkhorn{Cost: cost, Epsilon: .1, Rho: 2}, x, far), 2*2+.1, 1e-6)
	wide := value(t, distance.MMD{Kernel: distance.Gaussian{Sigma: 1e4}}, x, y)
	within(t, "σ → ∞", 1e8*wide, meanGap(x, y), 1e-5)
	narrow := value(t, distance.MMD{Kernel: distance.Gaussian{Sigma: 1e-4}}, x, y)
	within(t, "σ → 0", narrow, .2, 1e-15)
}

// TestOnePoint: everything is known where a side has one point.
func TestOnePoint(t *testing.T) {
	x, y := normal(6, 1, 4, 0), normal(7, 5, 4, 0)
	var mean float64
	for j := range y.N {
		for k, v := range y.Row(j) {
			mean += (v - x.X[k]) * (v - x.X[k]) / 5
		}
	}
	cost := distance.SqEuclidean{}
	within(t, "EMD", value(t, distance.EMD{Cost: cost}, x, y), mean, 1e-12)
	within(t, "OT", value(t, distance.Sinkhorn{Cost: cost, Epsilon: .3}, x, y), mean, 1e-9)
	within(t, "Bures", value(t, distance.Bures{}, x, y), mean, 1e-12)
	within(t, "sliced", value(t, distance.SlicedWasserstein{L: 4}, x, y), mean/4, 1e-12)
	z := normal(8, 1, 4, 0)
	var d2 float64
	for k, v := range z.X {
		d2 += (v - x.X[k]) * (v - x.X[k])
	}
	within(t, "energy", value(t, distance.MMD{Kernel: distance.Energy{}}, x, z), 2*math.Sqrt(d2), 1e-14)
	within(t, "Gaussian", value(t, distance.MMD{Kernel: distance.Gaussian{Sigma: 2}}, x, z), 2-2*math.Exp(-d2/8), 1e-14)
}

// TestLine compares distances in one dimension with closed forms.
func TestLine(t *testing.T) {
	x, y := normal(9, 30, 1, 0), normal(10, 41, 1, .3)
	w2, err := distance.Wasserstein1D(x.X, y.X, nil, nil, 2)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "EMD", value(t, distance.EMD{Cost: distance.SqEuclidean{}}, x, y), w2, 1e-12)
	within(t, "sliced", value(t, distance.SlicedWasserstein{}, x, y), w2, 1e-12)
	// Energy = 2∫(F−G)².
	within(t, "energy", value(t, distance.MMD{Kernel: distance.Energy{}}, x, y), 2*cramer(x.X, y.X), 1e-12)
	m1, s1 := meanDev(x.X)
	m2, s2 := meanDev(y.X)
	within(t, "Bures", value(t, distance.Bures{}, x, y), (m1-m2)*(m1-m2)+(s1-s2)*(s1-s2), 1e-12)
}

// cramer integrates the squared difference of the distribution functions.
func cramer(x, y []float64) (area float64) {
	all := append(append([]float64(nil), x...), y...)
	share := func(z []float64, at float64) (f float64) {
		for _, v := range z {
			if v <= at {
				f += 1 / float64(len(z))
			}
		}
		return f
	}
	for _, from := range all {
		to := math.Inf(1)
		for _, v := range all {
			if v > from {
				to = min(to, v)
			}
		}
		if !math.IsInf(to, 1) {
			d := share(x, from) - share(y, from)
			area += d * d * (to - from)
		}
	}
	return area
}

func meanDev(x []float64) (m, s float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	for _, v := range x {
		s += (v - m) * (v - m) / float64(len(x))
	}
	return m, math.Sqrt(s)
}

// TestTranslationOfEMD: W₂²(x+t, y) = W₂²(x, y) + 2t·(x̄−ȳ) + |t|².
func TestTranslationOfEMD(t *testing.T) {
	x, y := normal(11, 20, 3, 0), normal(12, 20, 3, 0)
	d := distance.EMD{Cost: distance.SqEuclidean{}}
	before := value(t, d, x, y)
	want := before
	moved := distance.Sample{N: 20, Dim: 3, X: append([]float64(nil), x.X...)}
	shift := []float64{1, -2, .5}
	for k, s := range shift {
		want += s * s
		for i := range 20 {
			want += 2 * s * (x.Row(i)[k] - y.Row(i)[k]) / 20
			moved.Row(i)[k] += s
		}
	}
	within(t, "moved", value(t, d, moved, y), want, 1e-12)
}

// TestOffset: an offset of 1e6 costs a spread of 1e-3 no more digits than the
// data themselves have lost, 1e-10/1e-3.
func TestOffset(t *testing.T) {
	x, y := normal(13, 12, 4, 0), normal(14, 12, 4, 1)
	far := func(s distance.Sample) distance.Sample {
		out := distance.Sample{N: s.N, Dim: s.Dim}
		for _, v := range s.X {
			out.X = append(out.X, v*1e-3+1e6)
		}
		return out
	}
	for _, d := range []distance.Distance{
		distance.EMD{Cost: distance.SqEuclidean{}}, distance.Sinkhorn{Cost: distance.SqEuclidean{}},
		distance.Bures{}, distance.SlicedWasserstein{}, distance.MMD{Kernel: distance.Energy{}}, distance.MMD{},
	} {
		scale := 1e-6
		switch d := d.(type) {
		case distance.MMD:
			if scale = 1; d.Kernel != nil {
				scale = 1e-3
			}
		}
		want := scale * value(t, d, x, y)
		within(t, "", value(t, d, far(x), far(y)), want, 1e-6*want)
	}
}

func TestErrors(t *testing.T) {
	x, y := normal(15, 4, 2, 0), normal(16, 4, 2, 0)
	heavy := x
	heavy.W = []float64{1, 1, 1, 1}
	for _, tt := range []struct {
		name string
		d    distance.Distance
		x    distance.Sample
		want error
	}{
		{"ε < 0", distance.Sinkhorn{Epsilon: -1}, x, distance.ErrParameter},
		{"ε NaN", distance.Sinkhorn{Epsilon: math.NaN()}, x, distance.ErrParameter},
		{"ε Inf", distance.Sinkhorn{Epsilon: math.Inf(1)}, x, distance.ErrParameter},
		{"ε lost", distance.Sinkhorn{Epsilon: 1e-14}, x, distance.ErrParameter},
		{"tol", distance.Sinkhorn{Tol: -1}, x, distance.ErrParameter},
		{"ρ", distance.Sinkhorn{Rho: -1}, x, distance.ErrParameter},
		{"sharp unbalanced", distance.Sinkhorn{Rho: 1, Sharp: true}, x, distance.ErrParameter},
		{"stopped", distance.Sinkhorn{Epsilon: .001, MaxIter: 2, NewtonAfter: -1}, x, distance.ErrNotConverged},
		{"mass 4", distance.EMD{}, heavy, distance.ErrWeights},
		{"σ < 0", distance.MMD{Kernel: distance.Gaussian{Sigma: -3}}, x, distance.ErrParameter},
		{"p < 1", distance.SlicedWasserstein{P: .5}, x, distance.ErrParameter},
		{"projections", distance.SlicedWasserstein{Projections: []float64{1}}, x, distance.ErrShape},
		{"ridge", distance.Bures{Ridge: -1}, x, distance.ErrParameter},
		{"no terms", distance.Weighted{}, x, distance.ErrParameter},
		{"no labels", distance.ClassConditional{D: distance.EMD{}}, x, distance.ErrShape},
		{"overflow", distance.EMD{Cost: distance.SqEuclidean{}}, distance.Sample{N: 1, Dim: 2, X: []float64{1e200, 0}}, distance.ErrNotFinite},
	} {
		v, err := tt.d.Eval(nil, nil, nil, tt.x, y)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, v, err, tt.want)
		}
		if tt.want == distance.ErrNotConverged && !(v > 0) {
			t.Errorf("%s: the value %v is lost", tt.name, v)
		}
	}
}

// TestEpsilonRange: from 1e-6 to 1e6, Sinkhorn gives a value between its
// bounds with finite gradients, or says that it has not converged.
func TestEpsilonRange(t *testing.T) {
	dup := normal(17, 12, 3, 0)
	copy(dup.Row(1), dup.Row(0))
	zeros := normal(18, 9, 3, .5)
	zeros.W = []float64{0, .25, .25, .125, 0, .125, .125, .125, 0}
	for _, cost := range []distance.Cost{nil, distance.SqEuclidean{}, distance.Euclidean{}} {
		low := value(t, distance.EMD{Cost: cost}, dup, zeros)
		for eps := 1e-6; eps < 2e6; eps *= 10 {
			gx, gy := make([]float64, len(dup.X)), make([]float64, len(zeros.X))
			v, err := distance.Sinkhorn{Cost: cost, Epsilon: eps}.Eval(nil, gx, gy, dup, zeros)
			if err != nil && !errors.Is(err, distance.ErrNotConverged) {
				t.Fatalf("%T, ε=%v: %v", cost, eps, err)
			}
			if err == nil && !(v >= low-1e-9 && v <= low+eps*math.Log(9)+1e-6) {
				t.Errorf("%T, ε=%v: %v, EMD %v", cost, eps, v, low)
			}
			if err != nil && eps > 1e-5 {
				t.Errorf("%T, ε=%v: %v", cost, eps, err)
			}
			for _, g := range append(gx, gy...) {
				if g-g != 0 {
					t.Fatalf("%T, ε=%v: gradient %v", cost, eps, g)
				}
			}
		}
	}
}
