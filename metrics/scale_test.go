package metrics

import (
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var attackTiming = flag.Bool("timing", false, "time Attack at 10 thousand to a million samples")

// Losses of a diverged model are large; a scale changes no order, so it changes
// no attack.
func TestPublishedAttackAtAnyScale(t *testing.T) {
	sets := func(scale float64) (m, n []float64) {
		for i := range 40 {
			m = append(m, -math.Mod(float64(i)*.37, 2)*scale)
		}
		for i := range 120 {
			n = append(n, -(1+math.Mod(float64(i)*.61, 3))*scale)
		}
		return m, n
	}
	m, n := sets(1e6)
	want := must(PublishedAttack(m, n, 1)).Accuracy
	for _, scale := range []float64{1e7, 1e9, 1e20, 1e38, 1e150, 4e307} {
		m, n := sets(scale)
		near(t, "accuracy", must(PublishedAttack(m, n, 1)).Accuracy, want, 1e-9)
	}
}

func TestPublishedAttackOfSeparableLosses(t *testing.T) {
	for _, scale := range []float64{1, 1e9, 1e20, 1e300} {
		m, n := make([]float64, 20), make([]float64, 20)
		for i := range m {
			m[i], n[i] = -float64(i)*scale/20, -(3+float64(i)/20)*scale
		}
		near(t, "accuracy", must(PublishedAttack(m, n, 1)).Accuracy, 1, 0)
	}
}

// Scaled logits keep the order of the losses but for the ties of a softmax
// that has no digits left, so the attack on losses keeps its AUC.
func TestAttackAtAnyScale(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	m, n := simulated(r, 80, 1, .3, .3, .4), simulated(r, 120, .5, .3, .3, .4)
	scaled := func(o Outputs, scale float64) Outputs {
		o.Logits = append([]float32{}, o.Logits...)
		for i := range o.Logits {
			o.Logits[i] *= float32(scale)
		}
		return o
	}
	want := must(Attack(scaled(m, 1e6), scaled(n, 1e6), 1, nil))
	for _, scale := range []float64{1e9, 1e20, 1e37} {
		got := must(Attack(scaled(m, scale), scaled(n, scale), 1, nil))
		near(t, "loss AUC", got.Loss.AUC, want.Loss.AUC, 1e-3)
		near(t, "logistic AUC", got.Logistic.AUC, want.Logistic.AUC, .02)
	}
}

func TestPerfectAttackerIsExactlyOne(t *testing.T) {
	m, n := []float64{3, 4, 5, 6}, []float64{-3, -4, -5, -6}
	for _, h := range []int{0, 1, 3, 7, 9, 49} {
		s := must(JudgeScores(m, n, 1, &AttackOptions{Halvings: h}))
		if s.BalancedAccuracy != 1 || s.AUC != 1 || s.TPR != 1 || s.AUCInterval.Hi != 1 || s.AUCInterval.Lo > .9 {
			t.Errorf("%d halvings: %+v", h, s)
		}
		must(NoMUS(.9, s.BalancedAccuracy))
	}
	// Class weights that are no binary fractions.
	r := rand.New(rand.NewPCG(4, 2))
	res := must(Attack(simulated(r, 70, 60, .2, .3, .5), simulated(r, 97, -60, .5, .3, .2), 1, nil))
	for _, s := range []Strength{res.Loss, res.Logistic} {
		if s.AUC != 1 || s.BalancedAccuracy != 1 || s.TPR != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// What decides is the class structure, not one draw: seeds move the loss AUC
// not at all, and the logistic one by less than its interval's fifth.
func TestNoSingleMatchingDecides(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 3))
	m, n := simulated(r, 60, 2, .6, .2, .2), simulated(r, 400, 1, .3, .3, .4)
	first := must(Attack(m, n, 0, nil))
	for seed := range uint64(10) {
		res := must(Attack(m, n, seed, nil))
		near(t, "loss AUC", res.Loss.AUC, first.Loss.AUC, 0)
		near(t, "logistic AUC", res.Logistic.AUC, first.Logistic.AUC, width(first.Logistic.AUCInterval)/5)
	}
}

// The weighted AUC is the mean AUC of matchings.
func TestWeightedAUCIsTheMeanOverMatchings(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	m, n := simulated(r, 12, 2, .6, .2, .2), simulated(r, 30, 1, .3, .3, .4)
	sm, sn := side{lossScores(m), m.Labels}, side{lossScores(n), n.Labels}
	var sum float64
	const matchings = 20000
	for k := range matchings {
		match := must(MatchClasses(m.Labels, n.Labels, 3, uint64(k)))
		sum += must(AUC(sm.at(match.Members).scores, sn.at(match.NonMembers).scores))
	}
	near(t, "AUC", must(newSides(sm, sn, 3)).ranks.auc(), sum/matchings, .004)
}

// Without ties and classes the variance of the ranks is (m + n + 1)/12mn; with
// pairs (one of either side a class) it is the mean square of their differences.
func TestNullVarianceClosedForms(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 5))
	x, y := make([]float64, 7), make([]float64, 11)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	for i := range y {
		y[i] = r.NormFloat64()
	}
	a := must(newSides(side{x, nil}, side{y, nil}, 1))
	// Placements weigh the sides, not the samples, alike: with m = n they are ranks.
	b := must(newSides(side{x, nil}, side{y[:7], nil}, 1))
	near(t, "7 and 7", b.nullVariance(), 15.0/(12*49), 1e-15)
	near(t, "7 and 11", a.nullVariance(), 19.0/(12*77), .15*19/(12*77))
	pairs := must(newSides(side{[]float64{1, 5}, []int{0, 1}}, side{[]float64{2, 3}, []int{0, 1}}, 2))
	// Ranks 1 4 and 2 3, so mid-shares .125 .875 .375 .625: swapping moves each by .25.
	near(t, "two pairs", pairs.nullVariance(), 2*.25*(.25*.25/2)*2, 1e-15)
}

func TestRefusedBeforeWork(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 6))
	good, single := simulated(r, 10, 1, .5, .5), outputs(1, []int{0, 0}, 1, 2)
	huge := Outputs{N: 1 << 62, Classes: 4, Labels: []int{}}
	attack := func(m, n Outputs) error { _, err := Attack(m, n, 1, nil); return err }
	_, classes := MatchClasses([]int{0}, []int{0}, 1<<40, 1)
	_, floor := LabelFloor([]int{0}, []int{0}, 1<<40)
	_, folds := MembershipProbe(good.asFeatures(), good.asFeatures(), 1, &AttackOptions{Folds: -3})
	for i, c := range []struct{ got, want error }{
		{attack(good, single), ErrOneClass}, {attack(single, good), ErrOneClass}, {attack(good, Outputs{}), ErrEmpty},
		{attack(huge, good), ErrShape}, {classes, ErrRange}, {floor, ErrRange}, {folds, ErrRange},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
	bad := good
	bad.Labels = append([]int{}, good.Labels...)
	bad.Labels[3] = 7
	const want = "metrics: label out of range: non-members' logits: sample 3 has label 7 of 2 classes"
	if err := attack(good, bad); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Times of Attack; run with -timing -v.
func TestAttackTiming(t *testing.T) {
	if !*attackTiming {
		t.Skip("run with -timing")
	}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		r := rand.New(rand.NewPCG(5, uint64(n)))
		m, o := simulated(r, n/2, 1, .5, .5), simulated(r, n/2, .8, .5, .5)
		start := time.Now()
		must(Attack(m, o, 1, nil))
		attack := time.Since(start)
		lm, lo := lossScores(m), lossScores(o)
		start = time.Now()
		must(PublishedAttack(lm, lo, 1))
		t.Logf("%8d samples of 2 outputs: attack %v, published attack %v", n, attack, time.Since(start))
	}
}
