package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// draws returns n normal scores rounded to a grid, so that some tie.
func draws(r *rand.Rand, n int, shift float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Round(8*(r.NormFloat64()+shift)) / 8
	}
	return x
}

// pairsAUC is the definition, pair by pair.
func pairsAUC(member, non []float64) float64 {
	var wins float64
	for _, m := range member {
		for _, n := range non {
			switch {
			case m > n:
				wins++
			case m == n:
				wins += .5
			}
		}
	}
	return wins / float64(len(member)*len(non))
}

func TestAUCByHand(t *testing.T) {
	for _, c := range []struct {
		m, n []float64
		want float64
	}{
		{[]float64{3, 4}, []float64{1, 2}, 1},
		{[]float64{1, 2}, []float64{3, 4}, 0},
		{[]float64{1, 2, 3}, []float64{1, 2, 3}, .5},
		{[]float64{1, 2, 2, 5}, []float64{2, 3, 2}, (0 + 1 + 1 + 3) / 12.0},
		{[]float64{7, 7}, []float64{7}, .5},
		{[]float64{math.Copysign(0, -1)}, []float64{0}, .5},
	} {
		near(t, "AUC", must(AUC(c.m, c.n)), c.want, 1e-16)
	}
}

func TestAUCProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		m, n := draws(r, 1+r.IntN(30), .3), draws(r, 1+r.IntN(30), 0)
		a := must(AUC(m, n))
		near(t, "definition", a, pairsAUC(m, n), 1e-15)
		near(t, "swap", must(AUC(n, m)), 1-a, 1e-15)
		near(t, "increasing map", must(AUC(apply(m, math.Atan), apply(n, math.Atan))), a, 0)
		fpr := r.Float64()
		tpr := must(TPRAtFPR(m, n, fpr))
		near(t, "TPR by definition", tpr, tprByDefinition(m, n, fpr), 1e-15)
		near(t, "TPR under an increasing map", must(TPRAtFPR(apply(m, math.Exp), apply(n, math.Exp), fpr)), tpr, 0)
	}
}

func apply(x []float64, f func(float64) float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

// tprByDefinition tries every score as a threshold.
func tprByDefinition(m, n []float64, fpr float64) float64 {
	best := 0.0
	for _, at := range append(append([]float64{}, m...), n...) {
		if shareFrom(n, at) <= fpr {
			best = max(best, shareFrom(m, at))
		}
	}
	return best
}

func shareFrom(x []float64, at float64) float64 {
	k := 0
	for _, v := range x {
		if v >= at {
			k++
		}
	}
	return float64(k) / float64(len(x))
}

func TestTPRAtFPR(t *testing.T) {
	non := make([]float64, 100)
	for i := range non {
		non[i] = float64(i)
	}
	m := []float64{99.5, 98.5, 97.5, 98.5, 0}
	near(t, "1 %: one non-member may pass", must(TPRAtFPR(m, non, .01)), 3.0/5, 0)
	near(t, "0.5 %: none may", must(TPRAtFPR(m, non, .005)), 1.0/5, 0)
	near(t, "29 %: 29 may, though .29·100 < 29", must(TPRAtFPR([]float64{70.5, 71.5, 69.5}, non, .29)), 2.0/3, 0)
	near(t, "all tied", must(TPRAtFPR([]float64{1, 1}, []float64{1, 1}, .01)), 0, 0)
	near(t, "100 %", must(TPRAtFPR(m, non, 1)), 1, 0)
}

func TestBestThreshold(t *testing.T) {
	rule := bestThreshold([]float64{3, 4, 5}, []float64{0, 1, 3.5})
	if rule.flipped || rule.at != 2 {
		t.Errorf("got %+v, want a cut at 2", rule)
	}
	rule = bestThreshold([]float64{0, 1}, []float64{3, 4})
	if !rule.flipped || rule.at != 2 {
		t.Errorf("got %+v, want a flipped cut at 2", rule)
	}
	a, b := 1.0, math.Nextafter(1, 2)
	rule = bestThreshold([]float64{b}, []float64{a})
	if !rule.member(b) || rule.member(a) {
		t.Errorf("%+v does not part neighboring floats", rule)
	}
}

func TestBadScores(t *testing.T) {
	for _, c := range []struct {
		m, n []float64
		want error
	}{
		{nil, []float64{1}, ErrEmpty},
		{[]float64{1}, nil, ErrEmpty},
		{[]float64{math.NaN()}, []float64{1}, ErrNotFinite},
		{[]float64{1}, []float64{math.Inf(1)}, ErrNotFinite},
	} {
		_, auc := AUC(c.m, c.n)
		_, tpr := TPRAtFPR(c.m, c.n, .01)
		_, judge := JudgeScores(c.m, c.n, 1, nil)
		_, boot := AUCInterval(c.m, c.n, .95)
		_, published := PublishedAttack(c.m, c.n, 1)
		for i, err := range []error{auc, tpr, judge, boot, published} {
			if !errors.Is(err, c.want) {
				t.Errorf("function %d of %v, %v: got %v, want %v", i, c.m, c.n, err, c.want)
			}
		}
	}
	if _, err := TPRAtFPR([]float64{1}, []float64{1}, math.NaN()); !errors.Is(err, ErrRange) {
		t.Errorf("FPR NaN: got %v", err)
	}
}
