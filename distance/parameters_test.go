package distance_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
)

// badNumbers are out of range for every field whose zero is its default.
var badNumbers = []float64{-1, -2, -1e-300, math.NaN(), math.Inf(1), math.Inf(-1)}

// TestParameters: every field out of range is an error, in Eval and in Freeze.
func TestParameters(t *testing.T) {
	x, y := normal(1, 6, 3, 0), normal(2, 6, 3, 1)
	bad := map[string]distance.Distance{
		"Sinkhorn.MaxIter":       distance.Sinkhorn{MaxIter: -1},
		"Sinkhorn.MaxEntries":    distance.Sinkhorn{MaxEntries: -1},
		"Sinkhorn.Sharp":         distance.Sinkhorn{Sharp: true, Rho: 1},
		"Polynomial.Degree":      distance.MMD{Kernel: distance.Polynomial{Degree: -1}},
		"Polynomial.Degree high": distance.MMD{Kernel: distance.Polynomial{Degree: math.MaxInt}},
		"Multiples 0":            distance.MMD{Kernel: distance.Gaussian{Multiples: []float64{1, 0}}},
		"Fourier.Features":       distance.RandomFourier{Features: -1},
		"Fourier.Features high":  distance.RandomFourier{Features: math.MaxInt},
		"Sliced.L":               distance.SlicedWasserstein{L: -1},
		"Sliced.L high":          distance.SlicedWasserstein{L: math.MaxInt},
		"Sliced.P low":           distance.SlicedWasserstein{P: .99},
		"Sliced.Projections":     distance.SlicedWasserstein{Projections: []float64{1, 1, 0}},
		"Sliced.Projections NaN": distance.SlicedWasserstein{Projections: []float64{math.NaN(), 0, 0}},
		"Bures.DDof low":         distance.Bures{DDof: -1},
		"Bures.DDof high":        distance.Bures{DDof: 2},
		"Root.D":                 distance.Root{},
		"Weighted":               distance.Weighted{},
		"Weighted nil":           distance.Weighted{Terms: []distance.Term{{Weight: 1}}},
		"Weighted NaN":           distance.Weighted{Terms: []distance.Term{{Weight: math.NaN(), D: distance.EMD{}}}},
		"Weighted Inf":           distance.Weighted{Terms: []distance.Term{{Weight: math.Inf(1), D: distance.EMD{}}}},
		"ClassConditional":       distance.ClassConditional{},
		"Partial.Share":          distance.Partial{Share: 1.01},
		"Subsets.Count":          distance.Subsets{Count: -1},
		"Subsets.Size":           distance.Subsets{Size: -1},
		"Func":                   distance.Func(nil),
		"Numeric":                distance.Numeric(nil),
	}
	for _, v := range badNumbers {
		for name, d := range map[string]distance.Distance{
			"Sinkhorn.Epsilon":   distance.Sinkhorn{Epsilon: v},
			"Sinkhorn.Tol":       distance.Sinkhorn{Tol: v},
			"Sinkhorn.Rho":       distance.Sinkhorn{Rho: v},
			"Gaussian.Sigma":     distance.MMD{Kernel: distance.Gaussian{Sigma: v}},
			"Gaussian.Multiples": distance.MMD{Kernel: distance.Gaussian{Multiples: []float64{1, v}}},
			"Laplacian.Sigma":    distance.MMD{Kernel: distance.Laplacian{Sigma: v}},
			"Polynomial.Gamma":   distance.MMD{Kernel: distance.Polynomial{Gamma: v}},
			"Polynomial.Offset":  distance.MMD{Kernel: distance.Polynomial{Offset: v}},
			"Rational.Sigma":     distance.MMD{Kernel: distance.RationalQuadratic{Sigma: v}},
			"Rational.Alpha":     distance.MMD{Kernel: distance.RationalQuadratic{Alpha: v}},
			"Fourier.Sigma":      distance.RandomFourier{Sigma: v},
			"Sliced.P":           distance.SlicedWasserstein{P: v},
			"Bures.Ridge":        distance.Bures{Ridge: v},
			"Partial.Share":      distance.Partial{Share: v},
			"Partial.Epsilon":    distance.Partial{Epsilon: v},
			"OTDD.Weight":        distance.OTDD{Weight: v},
			"Root.P":             distance.Root{D: distance.EMD{}, P: v},
		} {
			bad[fmt.Sprintf("%s = %v", name, v)] = d
		}
	}
	x.Labels, y.Labels = make([]int, 6), make([]int, 6)
	for name, d := range bad {
		for _, d := range []distance.Distance{d, distance.ClassConditional{D: d}} {
			if v, err := d.Eval(nil, nil, nil, x, y); !errors.Is(err, distance.ErrParameter) {
				t.Errorf("%s: %T gives %v, %v", name, d, v, err)
			}
		}
	}
	for _, v := range badNumbers {
		h := distance.HSIC{X: distance.Gaussian{Sigma: v}}
		if _, err := h.EvalPaired(nil, nil, nil, x, y); !errors.Is(err, distance.ErrParameter) {
			t.Errorf("HSIC with Sigma %v: %v", v, err)
		}
		if _, err := distance.Wasserstein1D(x.X, y.X, nil, nil, v); !errors.Is(err, distance.ErrParameter) {
			t.Errorf("Wasserstein1D with p %v: %v", v, err)
		}
	}
}

// TestShapes: samples that are not what they say are errors.
func TestShapes(t *testing.T) {
	y := normal(1, 4, 2, 0)
	for name, x := range map[string]distance.Sample{
		"N·Dim beyond int":      {N: math.MaxInt / 2, Dim: 4, X: make([]float64, 8)},
		"N·Dim overflows to 0":  {N: 1 << 62, Dim: 4, X: nil},
		"N·Dim overflows to 8":  {N: 1<<61 + 1, Dim: 8, X: make([]float64, 8)},
		"Dim is MaxInt":         {N: 1, Dim: math.MaxInt, X: make([]float64, 8)},
		"N·Stride overflows":    {N: 3, Dim: 2, Stride: math.MaxInt, X: make([]float64, 8)},
		"more numbers":          {N: 3, Dim: 2, X: make([]float64, 8)},
		"fewer numbers":         {N: 5, Dim: 2, X: make([]float64, 8)},
		"a stride below Dim":    {N: 4, Dim: 2, Stride: 1, X: make([]float64, 8)},
		"a negative stride":     {N: 4, Dim: 2, Stride: -2, X: make([]float64, 8)},
		"negative sizes":        {N: -4, Dim: -2, X: make([]float64, 8)},
		"other number of marks": {N: 4, Dim: 2, X: make([]float64, 8), Labels: make([]int, 3)},
	} {
		for _, tt := range all {
			if v, err := tt.d.Eval(nil, nil, nil, x, y); !errors.Is(err, distance.ErrShape) {
				t.Errorf("%s, %s: %v, %v", name, tt.name, v, err)
			}
		}
		if err := distance.Check(nil, nil, y, x); !errors.Is(err, distance.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := distance.Check(nil, nil, distance.Sample{N: 2, Dim: 2, Stride: 3, X: make([]float64, 5)}, y); err != nil {
		t.Errorf("a view without what lies behind its last row: %v", err)
	}
}

func TestByNameRefuses(t *testing.T) {
	for _, text := range []string{
		"sinkhorn:eps", "sinkhorn:eps=", "sinkhorn:eps=0", "sinkhorn:eps=-1", "sinkhorn:eps=NaN", "sinkhorn:tol=Inf",
		"unbalanced:rho=0", "unbalanced:rho=-1", "mmd:sigma=-1", "mmd:sigma=-2", "mmd:unbiased:lineartime", "emd:root=0", "emd:root=-2",
		"sliced:seed=-1", "sliced:seed=1.5", "sliced:l=0", "sliced:l=1e300", "sliced:p=NaN", "sinkhorn:iter=.5", "released",
	} {
		if d, err := distance.ByName(text); err == nil || !errors.Is(err, distance.ErrParameter) || d != nil {
			t.Errorf("%s: %+v, %v", text, d, err)
		}
	}
	d, err := distance.ByName("sliced:seed=18446744073709551615:l=3")
	if err != nil || d.(distance.SlicedWasserstein).Seed != math.MaxUint64 {
		t.Errorf("the largest seed: %+v, %v", d, err)
	}
}

// TestNumericScale: the step follows the spread of the data, not their size.
func TestNumericScale(t *testing.T) {
	exact := distance.EMD{Cost: distance.SqEuclidean{}}
	d := distance.Numeric(func(x, y distance.Sample) (float64, error) { return exact.Eval(nil, nil, nil, x, y) })
	for _, tt := range []struct{ scale, offset, tol float64 }{
		{1, 0, 1e-8}, {1e-6, 0, 1e-8}, {1e-12, 0, 1e-8}, {1e6, 0, 1e-8}, {1, 1e6, 1e-5}, {1e-3, 1e3, 1e-5}, {1e-6, 1e6, 6e-2}, // four digits are left
	} {
		x, y := normal(1, 5, 3, 0), normal(2, 4, 3, 1)
		for _, s := range []distance.Sample{x, y} {
			for i := range s.X {
				s.X[i] = s.X[i]*tt.scale + tt.offset
			}
		}
		_, gx, gy := evalAll(t, d, x, y)
		_, wx, wy := evalAll(t, exact, x, y)
		if e := max(maxDiff(gx, wx), maxDiff(gy, wy)) / tt.scale; e > tt.tol {
			t.Errorf("scale %g, offset %g: gradients differ by %.2g of the scale", tt.scale, tt.offset, e)
		}
	}
}

// TestWorkspaceOutsideFrames: memory that nobody gives back is not kept.
func TestWorkspaceOutsideFrames(t *testing.T) {
	ws := new(distance.Workspace)
	x := make([]float32, 1<<12)
	first := distance.FromFloat32(ws, x, 64)
	second := distance.FromFloat32(ws, x, 64)
	if &first.X[0] == &second.X[0] {
		t.Error("two samples share their memory")
	}
	ws = ws.Enter()
	inside := distance.FromFloat32(ws, x, 64)
	ws.Leave()
	ws = ws.Enter()
	defer ws.Leave()
	if again := distance.FromFloat32(ws, x, 64); &again.X[0] != &inside.X[0] {
		t.Error("a frame does not get the memory of the last again: something is held")
	}
}
