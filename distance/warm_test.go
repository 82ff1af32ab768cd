package distance_test

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
)

var warmProblems = flag.Int("warm", 300, "random problems in TestWarmEqualsCold")

// TestWarmBroken is the case in which kept potentials once gave −2.04 as a
// converged value: a column lost all its mass to underflow, and then counted as
// one that wants none.
func TestWarmBroken(t *testing.T) {
	d := distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: .01, Rho: .01, WarmStart: true}
	ws := new(distance.Workspace)
	y := distance.FromRows([][]float64{{0}, {1.5}})
	for _, far := range []float64{3.75, 2.5, 2.5, 400, 1.5} {
		x := distance.FromRows([][]float64{{0}, {far}})
		got, err := d.Eval(ws, nil, nil, x, y)
		if err != nil {
			t.Errorf("x {0, %v}: %v", far, err)
		}
		within(t, fmt.Sprintf("x {0, %v}", far), got, value(t, d, x, y), 1e-8)
		if far == 2.5 {
			within(t, "sourced value", got, .018094492, 1e-9)
		}
	}
}

// warmProblem is a random sequence of problems for one workspace.
func warmProblem(rnd *rand.Rand) (distance.Sinkhorn, []distance.Sample, []distance.Sample) {
	log := func(lo, hi float64) float64 { return math.Exp(math.Log(lo) + rnd.Float64()*math.Log(hi/lo)) }
	costs := []distance.Cost{distance.SqEuclidean{}, distance.Euclidean{}, distance.Cosine{}, distance.CityBlock{}}
	d := distance.Sinkhorn{Cost: costs[rnd.IntN(4)], Epsilon: log(3e-3, 3), WarmStart: true, Debiased: rnd.IntN(4) == 0}
	if rnd.IntN(3) > 0 {
		d.Rho = log(3e-3, 30)
	}
	n, m, dim := 1+rnd.IntN(9), 1+rnd.IntN(9), 1+rnd.IntN(3)
	x, y := warmSample(rnd, n, dim), warmSample(rnd, m, dim)
	var xs, ys []distance.Sample
	for range 3 {
		xs, ys = append(xs, moved(x, 0, rnd)), append(ys, moved(y, 0, rnd))
		x, y = moved(x, log(1e-4, 3), rnd), moved(y, log(1e-4, 3)*float64(rnd.IntN(2)), rnd)
	}
	return d, xs, ys
}

func warmSample(rnd *rand.Rand, n, dim int) distance.Sample {
	s := distance.Sample{N: n, Dim: dim, X: make([]float64, n*dim)}
	for i := range s.X {
		s.X[i] = rnd.NormFloat64()
		if rnd.IntN(10) == 0 {
			s.X[i] *= 4
		}
	}
	if n > 1 && rnd.IntN(4) == 0 {
		copy(s.Row(n-1), s.Row(0))
	}
	if rnd.IntN(3) == 0 {
		s.W = make([]float64, n)
		var sum float64
		for i := range s.W {
			s.W[i] = rnd.Float64()
			sum += s.W[i]
		}
		for i := range s.W {
			s.W[i] /= sum
		}
	}
	return s
}

func moved(s distance.Sample, step float64, rnd *rand.Rand) distance.Sample {
	s.X = append([]float64(nil), s.X...)
	for i := range s.X {
		s.X[i] += step * rnd.NormFloat64()
	}
	return s
}

// warmDifference returns an error unless warm and cold values differ by no more
// than both may be off: 10·Tol in units of the largest cost that a plan can
// have, which is what a marginal error of Tol moves.
func warmDifference(seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 0))
	d, xs, ys := warmProblem(rnd)
	ws := new(distance.Workspace)
	cold := d
	cold.WarmStart = false
	for k := range xs {
		alone := new(distance.Workspace)
		want, coldErr := cold.Eval(alone, nil, nil, xs[k], ys[k])
		got, warmErr := d.Eval(ws, nil, nil, xs[k], ys[k])
		if coldErr != nil && warmErr != nil {
			continue
		}
		// What one solves and the other does not is no contradiction only if the
		// value is certified.
		slack := ws.Stats.DualityGap + alone.Stats.DualityGap + 1e-12*(1+math.Abs(want))
		if coldErr == nil && warmErr != nil || !(math.Abs(got-want) <= slack) {
			return fmt.Errorf("seed %d, step %d, %+v, x %d×%d, y %d: warm %v (%v), cold %v (%v), gaps %.2g, %.2g",
				seed, k, d, xs[k].N, xs[k].Dim, ys[k].N, got, warmErr, want, coldErr, ws.Stats.DualityGap, alone.Stats.DualityGap)
		}
		if bound := 1e-4 * (1 + math.Abs(want)); warmErr == nil && coldErr == nil && slack > bound {
			return fmt.Errorf("seed %d, step %d, %+v: the gaps %.2g and %.2g say nothing about the value %v",
				seed, k, d, ws.Stats.DualityGap, alone.Stats.DualityGap, want)
		}
	}
	return nil
}

// TestWarmEqualsCold: a warm start gives no value that a cold one does not.
func TestWarmEqualsCold(t *testing.T) {
	failures := 0
	for seed := range uint64(*warmProblems) {
		if err := warmDifference(seed); err != nil {
			if failures++; failures <= 10 {
				t.Error(err)
			}
		}
	}
	t.Logf("%d differences in %d sequences of 3 problems", failures, *warmProblems)
}

func FuzzWarmEqualsCold(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := warmDifference(seed); err != nil {
			t.Error(err)
		}
	})
}

// TestDuplicates: at small ε, points of a 4×4 grid converge to the value of the
// 16 points with the weights of their numbers (POT issue 748).
func TestDuplicates(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	x, xm := grid(rnd, 300)
	y, ym := grid(rnd, 220)
	for _, eps := range []float64{1e-2, 1e-4} {
		d := distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: eps}
		want := value(t, d, xm, ym)
		ws := new(distance.Workspace)
		gx, gy := make([]float64, len(x.X)), make([]float64, len(y.X))
		got, err := d.Eval(ws, gx, gy, x, y)
		if err != nil {
			t.Fatal(err)
		}
		within(t, fmt.Sprintf("ε %v", eps), got, want, 1e-6)
		if eps == 1e-4 {
			within(t, "sourced value", got, .145991627, 1e-8)
		}
		_, mx, my := evalAll(t, d, xm, ym)
		gathered(t, "gx", gx, x, mx, xm)
		gathered(t, "gy", gy, y, my, ym)
		plan := make([]float64, x.N*y.N)
		if _, err := d.Plan(nil, plan, x, y); err != nil {
			t.Error(err)
		}
		for i := range x.N {
			var sum float64
			for _, p := range plan[i*y.N : (i+1)*y.N] {
				sum += p
			}
			within(t, "row of the plan", sum, 1./300, 2e-6)
		}
	}
	d := distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: 1e-4, NewtonAfter: -1, MaxIter: 2}
	if _, err := d.Eval(nil, nil, nil, x, y); !errors.Is(err, distance.ErrNotConverged) {
		t.Errorf("two sweeps: %v", err)
	}
}

func grid(rnd *rand.Rand, n int) (all, merged distance.Sample) {
	all = distance.Sample{N: n, Dim: 2, X: make([]float64, 2*n)}
	for i := range all.X {
		all.X[i] = float64(rnd.IntN(4))
	}
	merged = distance.Sample{N: 16, Dim: 2, X: make([]float64, 32), W: make([]float64, 16)}
	for k := range 16 {
		merged.X[2*k], merged.X[2*k+1] = float64(k/4), float64(k%4)
	}
	for i := range n {
		merged.W[int(all.X[2*i])*4+int(all.X[2*i+1])] += 1 / float64(n)
	}
	return all, merged
}

// gathered compares the sum of the gradients of equal points with that of the
// one that stands for them.
func gathered(t *testing.T, name string, g []float64, s distance.Sample, want []float64, merged distance.Sample) {
	t.Helper()
	sum := make([]float64, len(want))
	for i := range s.N {
		k := int(s.Row(i)[0])*4 + int(s.Row(i)[1])
		sum[2*k] += g[2*i]
		sum[2*k+1] += g[2*i+1]
	}
	if e := maxDiff(sum, want); e > 1e-5 {
		t.Errorf("%s: sums over equal points differ by %v", name, e)
	}
}
