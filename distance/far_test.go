package distance_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
)

// column makes points of dim coordinates, of which the first is given and the
// others are zero.
func column(dim int, first ...float64) distance.Sample {
	s := distance.Sample{N: len(first), Dim: dim, X: make([]float64, dim*len(first))}
	for i, v := range first {
		s.Row(i)[0] = v
	}
	return s
}

// TestFarPoint: a point that both sides have far away costs the others no
// digits, in value and gradient (gudhi-devel issue 465).
func TestFarPoint(t *testing.T) {
	for _, far := range []float64{1e3, 1e9, 1e12, 1e16} {
		for _, dim := range []int{1, 2} {
			x, y := column(dim, 1.3, 2.1, 4.4, far), column(dim, 1.7, 2.6, 3.1, far)
			for _, tt := range []struct {
				d    distance.Distance
				want float64
				gx   []float64
			}{
				{distance.EMD{Cost: distance.CityBlock{}}, .55, []float64{-.25, -.25, .25, 0}},
				{distance.EMD{Cost: distance.Euclidean{}}, .55, []float64{-.25, -.25, .25, 0}},
				{distance.EMD{Cost: distance.SqEuclidean{}}, .525, []float64{-.2, -.25, .65, 0}},
				{distance.SlicedWasserstein{P: 2, Projections: append([]float64{1}, make([]float64, dim-1)...)}, .525, []float64{-.2, -.25, .65, 0}},
			} {
				name := fmt.Sprintf("%T in %d dimensions, far %g", tt.d, dim, far)
				v, gx, _ := evalAll(t, tt.d, x, y)
				within(t, name, v, tt.want, 1e-12)
				for i, w := range tt.gx {
					within(t, fmt.Sprintf("%s: gx of row %d", name, i), gx[i*dim], w, 1e-12)
				}
			}
		}
	}
}

// TestFarPointUnequal: nor does it where sizes differ, so that sums of weights
// are rounded: 1/3+1/3+1/3 beside 1/6 taken six times.
func TestFarPointUnequal(t *testing.T) {
	for _, far := range []float64{1e3, 1e9, 1e16} {
		x, y := []float64{1, 2, far}, []float64{1, 1.5, 2, 2.5, far, far}
		for _, weighted := range []bool{false, true} {
			var wx, wy []float64
			if weighted {
				wx, wy = []float64{1. / 3, 1. / 3, 1. / 3}, []float64{1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6}
			}
			got, err := distance.Wasserstein1D(x, y, wx, wy, 2)
			if err != nil {
				t.Fatal(err)
			}
			within(t, fmt.Sprintf("far %g, weighted %v", far, weighted), got, 2*.25/6, 1e-14)
			for _, dim := range []int{1, 2} {
				sx, sy := column(dim, x...), column(dim, y...)
				sx.W, sy.W = wx, wy
				got, err := distance.EMD{Cost: distance.SqEuclidean{}}.Eval(nil, nil, nil, sx, sy)
				if err != nil {
					t.Fatal(err)
				}
				within(t, fmt.Sprintf("far %g, weighted %v, EMD in %d dimensions", far, weighted, dim), got, 2*.25/6, 1e-14)
			}
		}
	}
}

// farProblem returns points in [0, 1] with random weights, and points at far and
// at far² that together have the masses .25 and .125 on either side. Only the
// first coordinate differs, so that the solution is known.
func farProblem(rnd *rand.Rand, far float64) (x, w []float64) {
	n := 10 + rnd.IntN(10)
	x, w = make([]float64, n), make([]float64, n)
	var near float64
	for i := range n - 3 {
		x[i], w[i] = rnd.Float64(), 1+float64(rnd.IntN(9))
		near += w[i]
	}
	for i := range n - 3 {
		w[i] *= .625 / near
	}
	x[n-3], x[n-2], x[n-1] = far, far, far*far
	w[n-3] = .25 * rnd.Float64()
	w[n-2], w[n-1] = .25-w[n-3], .125
	return x, w
}

// TestFarGroups: weights that agree only up to rounding, and one far point or two
// distances of different scale, cost no digits in two dimensions either: value,
// gradient and certificate are those of the sorted problem.
func TestFarGroups(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, far := range []float64{1e3, 1e6, 1e8} {
		for range 100 {
			x, wx := farProblem(rnd, far)
			y, wy := farProblem(rnd, far)
			sx, sy := column(2, x...), column(2, y...)
			sx.W, sy.W = wx, wy
			for p, c := range map[float64]distance.Cost{1: distance.Euclidean{}, 2: distance.SqEuclidean{}} {
				want, err := distance.Wasserstein1D(x, y, wx, wy, p)
				if err != nil {
					t.Fatal(err)
				}
				ws, gx := new(distance.Workspace), make([]float64, len(sx.X))
				got, err := distance.EMD{Cost: c}.Eval(ws, gx, nil, sx, sy)
				if err != nil {
					t.Fatal(err)
				}
				what := fmt.Sprintf("far %g, power %v", far, p)
				within(t, what, got, want, 1e-12)
				within(t, what+": gap", ws.Stats.DualityGap, 0, 1e-10)
				line := make([]float64, len(x))
				if _, err := (distance.EMD{Cost: c}).Eval(nil, line, nil, distance.Sample{N: len(x), Dim: 1, X: x, W: wx}, distance.Sample{N: len(y), Dim: 1, X: y, W: wy}); err != nil {
					t.Fatal(err)
				}
				for i := range line[:len(line)-3] {
					within(t, what+": gradient", gx[2*i], line[i], 1e-9) // of close points it is a small difference over a small cost
				}
			}
		}
	}
}

// TestTinyWeight: a weight of 1e-20 counts where its point is far enough.
func TestTinyWeight(t *testing.T) {
	got, err := distance.Wasserstein1D([]float64{0, 1e22}, []float64{0}, []float64{1, 1e-20}, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "W1", got, 100, 1e-12)
}

// TestOverflow: values beyond the largest float are errors.
func TestOverflow(t *testing.T) {
	if v, err := distance.Wasserstein1D([]float64{1e200}, []float64{-1e200}, nil, nil, 2); !errors.Is(err, distance.ErrNotFinite) {
		t.Errorf("W₂² of ±1e200: %v, %v", v, err)
	}
	x, y := column(1, 1e200, 0), column(1, -1e200, 0)
	for _, d := range []distance.Distance{
		distance.EMD{Cost: distance.SqEuclidean{}}, distance.SlicedWasserstein{}, distance.Bures{}, distance.CORAL{},
		distance.Sinkhorn{Cost: distance.SqEuclidean{}}, distance.MMD{Kernel: distance.Linear{}},
		distance.EMD{Cost: distance.Euclidean{}}, distance.EMD{Cost: distance.CityBlock{}},
	} {
		v, err := d.Eval(nil, nil, nil, x, y)
		if err == nil && (math.IsInf(v, 0) || math.IsNaN(v)) || err != nil && !errors.Is(err, distance.ErrNotFinite) && !errors.Is(err, distance.ErrParameter) {
			t.Errorf("%T: %v, %v", d, v, err)
		}
	}
}
