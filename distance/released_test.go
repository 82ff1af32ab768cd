package distance_test

import (
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

// TestReleasedGolden compares with the same loop written in PyTorch 1.13, in
// float32 on the CPU, with gradients by autograd: the value, and those of row 1
// of x and row 4 of y. The samples are goldenPair without weights.
func TestReleasedGolden(t *testing.T) {
	x, y := goldenPair()
	x.W, y.W = nil, nil
	for _, tt := range []struct {
		d      distance.ReleasedSinkhorn
		sweeps int
		value  float64
		gx, gy []float64
	}{
		{distance.ReleasedSinkhorn{}, 3, 0.16504327952861786,
			[]float64{0.0022538243792951107, 0.03123357705771923, -0.011272097937762737},
			[]float64{0.05224888399243355, -0.00029350025579333305, -0.0206111129373312}},
		{distance.ReleasedSinkhorn{Epsilon: .1, MaxIter: 6, Threshold: 1e-9, LogOffset: 1e-3}, 6, 0.47275450825691223,
			[]float64{0.04527169466018677, 0.10014885663986206, -0.007077938877046108},
			[]float64{0.05392228811979294, -0.0007045126985758543, -0.020841112360358238}},
	} {
		ws := new(distance.Workspace)
		gx, gy := make([]float64, len(x.X)), make([]float64, len(y.X))
		got, err := tt.d.Eval(ws, gx, gy, x, y)
		if err != nil || ws.Stats.Iterations != tt.sweeps {
			t.Fatalf("%d sweeps, want %d; %v", ws.Stats.Iterations, tt.sweeps, err)
		}
		within(t, "value", got, tt.value, 1e-6)
		// Rounding of 6e-8 in costs and potentials is divided by ε.
		tol := 2e-7 / .01
		if e := max(maxDiff(gx[3:6], tt.gx), maxDiff(gy[12:15], tt.gy)); math.IsNaN(e) || e > tol {
			t.Errorf("gradients differ by %v", e)
		}
	}
}

// TestReleasedCollapses documents what Sinkhorn does better: where the cost is
// high in units of ε, the released loop loses the plan without a warning.
func TestReleasedCollapses(t *testing.T) {
	x := features(1, 64, 128, 1)
	y := distance.Sample{N: 64, Dim: 128}
	noise := normal(2, 64, 128, 0)
	for i, v := range x.X {
		y.X = append(y.X, -v+.1*noise.X[i])
	}
	released := value(t, distance.ReleasedSinkhorn{Epsilon: .001}, x, y)
	exact := value(t, distance.Sinkhorn{Epsilon: .001, Sharp: true}, x, y)
	if !(released < .01 && exact > .5) {
		t.Errorf("released %v, exact %v", released, exact)
	}
}

// TestReleasedConformance holds it to the laws that an early stop leaves, and
// its defaults to their comments.
func TestReleasedConformance(t *testing.T) {
	for _, d := range []distance.ReleasedSinkhorn{{}, {Epsilon: .2, MaxIter: 6, Threshold: 1e-9, LogOffset: .1}} {
		if err := distancetest.Check(d); err != nil {
			t.Errorf("%+v: %v", d, err)
		}
	}
	x, y := features(1, 20, 4, 0), features(2, 20, 4, .3)
	spelled := distance.ReleasedSinkhorn{Epsilon: .01, MaxIter: 50, Threshold: .1, LogOffset: 1e-6}
	within(t, "defaults", value(t, distance.ReleasedSinkhorn{}, x, y), value(t, spelled, x, y), 0)
}
