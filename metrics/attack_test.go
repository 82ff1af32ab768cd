package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
)

// simulated returns n samples of three classes, of which share[c] are of class
// c, whose label's logit leads by about margin.
func simulated(r *rand.Rand, n int, margin float64, share ...float64) Outputs {
	o := Outputs{N: n, Classes: len(share)}
	for range n {
		u, y := r.Float64(), 0
		for y < len(share)-1 && u > share[y] {
			u -= share[y]
			y++
		}
		o.Labels = append(o.Labels, y)
		for j := range share {
			z := r.NormFloat64()
			if j == y {
				z += margin
			}
			o.Logits = append(o.Logits, float32(z))
		}
	}
	return o
}

func TestAttackOnMemorizedAndUnseen(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	res := must(Attack(simulated(r, 300, 30, .3, .3, .4), simulated(r, 500, 1, .5, .3, .2), 7, nil))
	for what, s := range map[string]Strength{"loss": res.Loss, "logistic": res.Logistic} {
		if s.AUC < .99 || s.BalancedAccuracy < .95 || s.TPR < .9 || s.Leak != s.AUC-.5 || s.AUCInterval.Lo < .98 {
			t.Errorf("%s: %+v", what, s)
		}
	}
}

func TestAttackIsTwoSided(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 4))
	res := must(Attack(simulated(r, 300, -3, .3, .3, .4), simulated(r, 300, 3, .3, .3, .4), 7, nil))
	if res.Loss.AUC > .05 || res.Loss.Leak < .45 || res.Loss.BalancedAccuracy < .9 || res.Loss.TPR > .01 {
		t.Errorf("loss: %+v", res.Loss)
	}
	if res.Logistic.AUC < .95 || res.Logistic.BalancedAccuracy < .9 {
		t.Errorf("logistic: %+v", res.Logistic)
	}
}

// Without a difference every figure averages ½ over many data sets, although
// thresholds, directions and weights are fitted: nothing is judged in sample.
// The class shares differ wildly, so without matching the loss would tell. The
// averages over 120 sets have standard deviations below .005.
func TestAttackIsUnbiasedOnNothing(t *testing.T) {
	const sets = 120
	var auc, ba, lauc, lba float64
	for k := range sets {
		r := rand.New(rand.NewPCG(3, uint64(k)))
		m, n := simulated(r, 120, 2, .8, .1, .1), simulated(r, 120, 2, .1, .1, .8)
		for _, o := range []Outputs{m, n} { // class 2 is easy
			for i, y := range o.Labels {
				if y == 2 {
					o.Row(i)[y] += 20
				}
			}
		}
		res := must(Attack(m, n, uint64(k), nil))
		auc += res.Loss.AUC / sets
		ba += res.Loss.BalancedAccuracy / sets
		lauc += res.Logistic.AUC / sets
		lba += res.Logistic.BalancedAccuracy / sets
	}
	t.Logf("loss: AUC %.4f, balanced accuracy %.4f; logistic: %.4f, %.4f", auc, ba, lauc, lba)
	near(t, "loss AUC", auc, .5, .015)
	near(t, "loss balanced accuracy", ba, .5, .015)
	near(t, "logistic AUC", lauc, .5, .02)
	near(t, "logistic balanced accuracy", lba, .5, .02)
}

// What classes differ in is no uncertainty of an AUC whose classes are matched.
func TestIntervalsKeepClasses(t *testing.T) {
	m, n := Outputs{Classes: 2}, Outputs{Classes: 2}
	for i := range 40 {
		y := i % 2
		z := make([]float32, 2)
		z[y] = float32(20 * y)
		m.Logits, m.Labels = append(m.Logits, z...), append(m.Labels, y)
		z[y] -= 1
		n.Logits, n.Labels = append(n.Logits, z...), append(n.Labels, y)
	}
	m.N, n.N = 40, 40
	res := must(Attack(m, n, 1, nil))
	near(t, "AUC", res.Loss.AUC, .75, 0)
	without := must(JudgeScores(lossScores(m), lossScores(n), 1, nil))
	if w, wo := width(res.Loss.AUCInterval), width(without.AUCInterval); w > .7*wo || w == 0 {
		t.Errorf("width %.3f with classes, %.3f without", w, wo)
	}
}

func lossScores(o Outputs) []float64 { return attackFeatures(o).negated(0) }

func TestJudgeScoresFindsTheKnownOptimum(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	m, n := make([]float64, 4000), make([]float64, 4000)
	for i := range m {
		m[i], n[i] = r.NormFloat64()+1, r.NormFloat64()
	}
	s := must(JudgeScores(m, n, 1, nil))
	near(t, "AUC is Φ(1/√2)", s.AUC, math.Erfc(-.5)/2, .012)
	near(t, "balanced accuracy is Φ(½)", s.BalancedAccuracy, math.Erfc(-.5/math.Sqrt2)/2, .012)
	near(t, "TPR is Φ(1 − z.99)", s.TPR, math.Erfc(-(1-2.3263479)/math.Sqrt2)/2, .03)
	flipped := must(JudgeScores(n, m, 1, nil))
	near(t, "turned round, AUC", flipped.AUC, 1-s.AUC, 1e-12)
	near(t, "turned round, balanced accuracy", flipped.BalancedAccuracy, s.BalancedAccuracy, .01)
	if !s.AUCInterval.Contains(s.AUC) {
		t.Errorf("intervals miss their estimate: %+v", s)
	}
}

func TestAttackDropsAndReports(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 5))
	m, n := simulated(r, 60, 2, .3, .3, .4), simulated(r, 60, 2, .5, .5, 0)
	res := must(Attack(m, n, 1, nil))
	if !reflect.DeepEqual(res.Matching.Dropped(), []int{2}) || res.Matching.Classes[2].Members == 0 {
		t.Errorf("matching: %+v", res.Matching)
	}
	if _, err := Attack(simulated(r, 9, 2, 1, 0), simulated(r, 9, 2, 0, 1), 1, nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("no common class: %v", err)
	}
	if _, err := Attack(m, simulated(r, 9, 2, 1, 0), 1, nil); !errors.Is(err, ErrShape) {
		t.Errorf("two class counts: %v", err)
	}
	one := outputs(2, []int{0}, 1, 2)
	if _, err := Attack(one, one, 1, nil); !errors.Is(err, ErrTooFew) {
		t.Errorf("one of each: %v", err)
	}
	two := outputs(2, []int{0, 0}, 1, 2, 3, 4)
	if _, err := Attack(two, two, 1, nil); err != nil {
		t.Errorf("two of each: %v", err)
	}
}

func TestAttackConstantOutputs(t *testing.T) {
	o := outputs(2, make([]int, 20), make([]float32, 40)...)
	res := must(Attack(o, o, 1, nil))
	for _, s := range []Strength{res.Loss, res.Logistic} {
		near(t, "AUC", s.AUC, .5, 0)
		near(t, "balanced accuracy", s.BalancedAccuracy, .5, 1e-12)
		near(t, "TPR", s.TPR, 0, 0)
	}
}

func TestAttackOptions(t *testing.T) {
	var none *AttackOptions
	want := AttackOptions{FPR: .01, Halvings: 10, Folds: 5, C: 1.0 / 3, Level: .95}
	if got := must(none.resolve(3)); got != want {
		t.Errorf("defaults: got %+v, want %+v", got, want)
	}
	for _, bad := range []AttackOptions{
		{FPR: 1}, {FPR: math.NaN()}, {Halvings: -1}, {Folds: 1}, {C: -1}, {C: math.Inf(1)}, {Level: 2}, {Level: -.5}, {Level: math.NaN()},
	} {
		if _, err := Attack(five, five, 1, &bad); !errors.Is(err, ErrRange) {
			t.Errorf("%+v: got %v", bad, err)
		}
	}
}

func TestAttackSameBitsAndArgumentsUntouched(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	r := rand.New(rand.NewPCG(2, 6))
	m, n := simulated(r, 80, 3, .3, .3, .4), simulated(r, 90, 2, .3, .3, .4)
	before := append([]float32{}, m.Logits...)
	var first *AttackResult
	for _, procs := range []int{1, 4} {
		runtime.GOMAXPROCS(procs)
		res := must(Attack(m, n, 3, nil))
		if first == nil {
			first = res
		}
		if !reflect.DeepEqual(res, first) {
			t.Errorf("GOMAXPROCS %d: %+v, at 1 %+v", procs, res, first)
		}
	}
	if !reflect.DeepEqual(before, m.Logits) {
		t.Error("the logits were changed")
	}
}
