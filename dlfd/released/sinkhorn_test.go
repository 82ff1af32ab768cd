package released_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
	"github.com/dlfd-go/unlearn/dlfd/released"
)

// TestReleasedGolden compares with the same loop written in PyTorch 1.13, in
// float32 on the CPU, with gradients by autograd: the value, and those of row 1
// of x and row 4 of y. The samples are those of package distance, without weights.
func TestReleasedGolden(t *testing.T) {
	x, y := goldenPair()
	for _, tt := range []struct {
		d      released.Sinkhorn
		sweeps int
		value  float64
		gx, gy []float64
	}{
		{released.Sinkhorn{}, 3, 0.16504327952861786,
			[]float64{0.0022538243792951107, 0.03123357705771923, -0.011272097937762737},
			[]float64{0.05224888399243355, -0.00029350025579333305, -0.0206111129373312}},
		{released.Sinkhorn{Epsilon: .1, MaxIter: 6, Threshold: 1e-9, LogOffset: 1e-3}, 6, 0.47275450825691223,
			[]float64{0.04527169466018677, 0.10014885663986206, -0.007077938877046108},
			[]float64{0.05392228811979294, -0.0007045126985758543, -0.020841112360358238}},
	} {
		ws := new(distance.Workspace)
		gx, gy := make([]float64, len(x.X)), make([]float64, len(y.X))
		got, err := tt.d.Eval(ws, gx, gy, x, y)
		if err != nil || ws.Stats.Iterations != tt.sweeps {
			t.Fatalf("%d sweeps, want %d; %v", ws.Stats.Iterations, tt.sweeps, err)
		}
		if math.Abs(got-tt.value) > 1e-6 {
			t.Errorf("value is %v, want %v", got, tt.value)
		}
		// Rounding of 6e-8 in costs and potentials is divided by ε.
		tol := 2e-7 / .01
		if e := max(maxDiff(gx[3:6], tt.gx), maxDiff(gy[12:15], tt.gy)); math.IsNaN(e) || e > tol {
			t.Errorf("gradients differ by %v", e)
		}
	}
}

func goldenPair() (x, y distance.Sample) {
	x = distance.Sample{N: 5, Dim: 3, X: make([]float64, 15)}
	y = distance.Sample{N: 7, Dim: 3, X: make([]float64, 21)}
	for i := range x.X {
		x.X[i] = math.Sin(float64(1 + 3*(i/3) + 5*(i%3)))
	}
	for j := range y.X {
		y.X[j] = math.Cos(float64(2+7*(j/3)+j%3)) + .3
	}
	return x, y
}

func maxDiff(a, b []float64) (m float64) {
	for i, v := range a {
		m = max(m, math.Abs(v-b[i]))
	}
	return m
}

func TestConformance(t *testing.T) {
	for _, d := range []distance.Distance{released.Sinkhorn{}, released.Sinkhorn{Epsilon: .2, MaxIter: 6, Threshold: 1e-9, LogOffset: .1}} {
		if err := distancetest.Check(d); err != nil {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

// TestDefaults reads the documented defaults back.
func TestDefaults(t *testing.T) {
	x, y := goldenPair()
	got, err := released.Sinkhorn{}.Eval(nil, nil, nil, x, y)
	want, err2 := released.Sinkhorn{Epsilon: .01, MaxIter: 50, Threshold: .1, LogOffset: 1e-6}.Eval(nil, nil, nil, x, y)
	if err != nil || err2 != nil || got != want {
		t.Errorf("%v and %v (%v, %v)", got, want, err, err2)
	}
	if _, err := (released.Sinkhorn{Epsilon: -1}).Eval(nil, nil, nil, x, y); !errors.Is(err, distance.ErrParameter) {
		t.Errorf("negative ε: %v", err)
	}
}

// TestCollapses documents what distance.Sinkhorn does better: where the cost is
// high in units of ε, the released loop loses the plan without a warning.
func TestCollapses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y := distance.Sample{N: 64, Dim: 128}, distance.Sample{N: 64, Dim: 128}
	for range 64 * 128 {
		v := 1 + r.NormFloat64()
		x.X, y.X = append(x.X, v), append(y.X, -v+.1*r.NormFloat64())
	}
	lost, err := released.Sinkhorn{Epsilon: .001}.Eval(nil, nil, nil, x, y)
	exact, err2 := distance.Sinkhorn{Epsilon: .001, Sharp: true}.Eval(nil, nil, nil, x, y)
	if err != nil || err2 != nil || !(lost < .01 && exact > .5) {
		t.Errorf("released %v, exact %v (%v, %v)", lost, exact, err, err2)
	}
}
