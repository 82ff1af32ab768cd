package distance_test

import (
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

// all are the distances of this package at telling settings.
var all = []struct {
	name string
	d    distance.Distance
}{
	{"Sinkhorn", distance.Sinkhorn{}},
	{"SinkhornSqEuclidean", distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: 1}},
	{"SinkhornEuclidean", distance.Sinkhorn{Cost: distance.Euclidean{}}},
	{"Divergence", distance.Sinkhorn{Debiased: true}},
	{"DivergenceSqEuclidean", distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: .5, Debiased: true}},
	{"Sharp", distance.Sinkhorn{Sharp: true, Epsilon: .2, Tol: 1e-11}},
	{"SharpDivergence", distance.Sinkhorn{Sharp: true, Epsilon: .2, Tol: 1e-11, Debiased: true}},
	{"Unbalanced", distance.Sinkhorn{Rho: .5}},
	{"UnbalancedStiff", distance.Sinkhorn{Rho: 100, Cost: distance.SqEuclidean{}}},
	{"UnbalancedDivergence", distance.Sinkhorn{Rho: 1, Epsilon: .1, Debiased: true, Cost: distance.Euclidean{}}},
	{"Warm", distance.Sinkhorn{WarmStart: true}},
	{"WarmDivergence", distance.Sinkhorn{WarmStart: true, Debiased: true}},
	{"EMD", distance.EMD{}},
	{"EMDSqEuclidean", distance.EMD{Cost: distance.SqEuclidean{}}},
	{"EMDEuclidean", distance.EMD{Cost: distance.Euclidean{}}},
	{"MMD", distance.MMD{}},
	{"MMDFixed", distance.MMD{Kernel: distance.Gaussian{Sigma: 1.5}}},
	{"MMDMulti", distance.MMD{Kernel: distance.Gaussian{Sigma: 1, Multiples: []float64{.5, 1, 2}}}},
	{"MMDUnbiased", distance.MMD{Unbiased: true}},
	{"MMDLinearTime", distance.MMD{LinearTime: true}},
	{"Laplacian", distance.MMD{Kernel: distance.Laplacian{}}},
	{"LaplacianL1", distance.MMD{Kernel: distance.Laplacian{Sigma: 2, L1: true}}},
	{"LaplacianL1LinearTime", distance.MMD{Kernel: distance.Laplacian{Sigma: 2, L1: true}, LinearTime: true}},
	{"Energy", distance.MMD{Kernel: distance.Energy{}}},
	{"EnergyUnbiased", distance.MMD{Kernel: distance.Energy{}, Unbiased: true}},
	{"Linear", distance.MMD{Kernel: distance.Linear{}}},
	{"LinearUnbiased", distance.MMD{Kernel: distance.Linear{}, Unbiased: true}},
	{"LinearLinearTime", distance.MMD{Kernel: distance.Linear{}, LinearTime: true}},
	{"Polynomial", distance.MMD{Kernel: distance.Polynomial{}}},
	{"KID", distance.MMD{Kernel: distance.Polynomial{}, Unbiased: true}},
	{"RationalQuadratic", distance.MMD{Kernel: distance.RationalQuadratic{}}},
	{"RationalQuadratic2", distance.MMD{Kernel: distance.RationalQuadratic{Alpha: 2.5, Sigma: 1}}},
	{"IMQ", distance.MMD{Kernel: distance.RationalQuadratic{Alpha: .5}}},
	{"EMDCityBlock", distance.EMD{Cost: distance.CityBlock{}}},
	{"RandomFourier", distance.RandomFourier{}},
	{"RandomFourierL1", distance.RandomFourier{Sigma: 3, L1: true, Features: 40, Seed: 7}},
	{"Sliced", distance.SlicedWasserstein{}},
	{"Sliced1", distance.SlicedWasserstein{P: 1, L: 5}},
	{"Sliced3", distance.SlicedWasserstein{P: 3, L: 7, Seed: 3}},
	{"MaxSliced", distance.SlicedWasserstein{Max: true}},
	{"Bures", distance.Bures{}},
	{"BuresUnbiased", distance.Bures{DDof: 1}},
	{"BuresRidge", distance.Bures{Ridge: .1}},
	{"CORAL", distance.CORAL{}},
	{"FID", distance.Bures{DDof: 1}},
	{"KIDSubsets", distance.Subsets{Count: 3, Size: 5}},
	{"Partial", distance.Partial{Cost: distance.SqEuclidean{}, Share: .7}},
	{"PartialCosine", distance.Partial{}},
	{"PartialEntropic", distance.Partial{Epsilon: .2, Share: .6}},
	{"CORALBiased", distance.CORAL{Biased: true}},
	{"Weighted", distance.Weighted{Terms: []distance.Term{{Weight: 2, D: distance.EMD{}}, {Weight: -.5, D: distance.MMD{}}}}},
	{"W2", distance.Root{D: distance.EMD{Cost: distance.SqEuclidean{}}}},
	{"RootMMD", distance.Root{D: distance.MMD{Kernel: distance.Energy{}}}},
}

// TestConformanceOthers holds to the laws what is made from a function, what
// reads labels, and what allocates for its goroutines.
func TestConformanceOthers(t *testing.T) {
	mean := func(x, y distance.Sample) (float64, error) {
		return distance.MMD{Kernel: distance.Linear{}}.Eval(nil, nil, nil, x, y)
	}
	laws := distance.Properties{Symmetric: true, Weighted: true, Definite: true, Nonnegative: true, Translation: true, Tol: 1e-6}
	allocates := distancetest.Options{Skip: []string{"no allocation"}, Sizes: []distancetest.Size{{N: 5, M: 7, Dim: 3}, {N: 20, M: 9, Dim: 4}, {N: 1, M: 4, Dim: 2}}}
	for name, tt := range map[string]struct {
		d   distance.Distance
		opt distancetest.Options
	}{
		"Numeric":              {distance.Numeric(mean), distancetest.Options{Properties: &laws, Skip: allocates.Skip}},
		"ClassConditional":     {d: distance.ClassConditional{D: distance.EMD{Cost: distance.SqEuclidean{}}}},
		"ClassConditionalMMD":  {d: distance.ClassConditional{D: distance.MMD{}}},
		"ClassConditionalRoot": {d: distance.Root{D: distance.ClassConditional{D: distance.Sinkhorn{Debiased: true, Epsilon: .2}}}},
		"OTDD":                 {d: distance.OTDD{}},
		"OTDDRoot":             {d: distance.Root{D: distance.OTDD{Cost: distance.Euclidean{}, Between: distance.MMD{Kernel: distance.Energy{}}, Weight: 2}}},
		"Subsets":              {d: distance.Subsets{D: distance.MMD{Kernel: distance.Energy{}}, Count: 4, Size: 5}},
		"SubsetsClasses":       {d: distance.Subsets{D: distance.OTDD{}, Count: 3, Size: 6}},
		"Streamed":             {distance.Sinkhorn{MaxEntries: 1, Epsilon: .3}, allocates},
		"StreamedDebiased":     {distance.Sinkhorn{MaxEntries: 1, Epsilon: 2, Debiased: true, Cost: distance.SqEuclidean{}}, allocates},
		"StreamedUnbalanced":   {distance.Sinkhorn{MaxEntries: 1, Epsilon: .5, Rho: 1, Cost: distance.SqEuclidean{}}, allocates},
	} {
		t.Run(name, func(t *testing.T) {
			if err := distancetest.Check(tt.d, tt.opt); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConformance(t *testing.T) {
	for _, tt := range all {
		t.Run(tt.name, func(t *testing.T) {
			if err := distancetest.Check(tt.d); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestConformanceWide is TestConformance at a size at which every path of the
// matrix products is taken.
func TestConformanceWide(t *testing.T) {
	for _, tt := range all {
		size := []distancetest.Size{{N: 21, M: 18, Dim: 9}}
		t.Run(tt.name, func(t *testing.T) {
			if err := distancetest.Check(tt.d, distancetest.Options{Sizes: size, Seed: 9}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStreaming(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    distance.Sinkhorn
	}{
		{"Cosine", distance.Sinkhorn{}},
		{"Divergence", distance.Sinkhorn{Debiased: true, Epsilon: .2}},
		{"Relative", distance.Sinkhorn{Cost: distance.SqEuclidean{}}},
		{"Unbalanced", distance.Sinkhorn{Cost: distance.Euclidean{}, Rho: 1, Debiased: true, Epsilon: .3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dense, streamed := tt.d, tt.d
			dense.Tol, streamed.Tol = 1e-10, 1e-10
			streamed.MaxEntries = 1
			streamed.MaxIter = 20000
			x, y := features(1, 50, 6, 0), features(2, 40, 6, .4)
			want, wx, wy := evalAll(t, dense, x, y)
			got, gx, gy := evalAll(t, streamed, x, y)
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("value %v, want %v", got, want)
			}
			if d := maxDiff(gx, wx); d > 1e-7 {
				t.Errorf("gx differs by %v", d)
			}
			if d := maxDiff(gy, wy); d > 1e-7 {
				t.Errorf("gy differs by %v", d)
			}
		})
	}
}

func evalAll(t *testing.T, d distance.Distance, x, y distance.Sample) (v float64, gx, gy []float64) {
	t.Helper()
	gx, gy = make([]float64, len(x.X)), make([]float64, len(y.X))
	v, err := d.Eval(nil, gx, gy, x, y)
	if err != nil {
		t.Fatal(err)
	}
	return v, gx, gy
}

func maxDiff(a, b []float64) (m float64) {
	for i, v := range a {
		m = max(m, math.Abs(v-b[i]))
	}
	return m
}
