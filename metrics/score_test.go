package metrics

import (
	"errors"
	"math"
	"testing"
)

// Published tables print three decimals, so accuracy and MIA are known to
// ±.0005 and NoMUS = ½·accuracy + ½ − |MIA − ½| to ±.00075, plus its own rounding.
// Source: released notebooks of Choi & Na, arXiv 2409.14747.
func TestNoMUSAgainstPublishedTables(t *testing.T) {
	for _, c := range []struct {
		what                 string
		accuracy, mia, nomus float64
	}{
		{"age, original", .633, .692, .624},
		{"age, retrained", .608, .555, .749},
		{"age, SCRUB", .646, .664, .659},
		{"age, UNSIR", .491, .531, .714},
		{"age, DLFD", .620, .528, .782},
		{"emotion, original", .750, .674, .701},
		{"emotion, retrained", .719, .520, .840},
		{"emotion, UNSIR", .622, .520, .791},
		{"emotion, SCRUB", .751, .638, .738},
		{"emotion, DLFD", .661, .546, .784},
	} {
		near(t, c.what, must(NoMUS(c.accuracy, c.mia)), c.nomus, .00125)
	}
}

func TestForgettingScore(t *testing.T) {
	for mia, want := range map[float64]float64{.5: 0, 1: 1, 0: 1, .75: .5, .25: .5} {
		near(t, "FS", must(ForgettingScore(mia)), want, 0)
	}
	near(t, "best NoMUS", must(NoMUS(1, .5)), 1, 0)
	near(t, "worst NoMUS", must(NoMUS(0, 1)), 0, 0)
	for _, bad := range []float64{-.1, 1.1, math.NaN()} {
		_, fs := ForgettingScore(bad)
		_, nomus := NoMUS(bad, .5)
		_, mia := NoMUS(.5, bad)
		_, gap := RetrainGap(Scores{}, Scores{AUC: bad})
		for i, err := range []error{fs, nomus, mia, gap} {
			if !errors.Is(err, ErrRange) {
				t.Errorf("function %d of %v: got %v", i, bad, err)
			}
		}
	}
}

// Own measurements on yaleb-ext (accuracy, forget accuracy, AUC; mean of three
// seeds). The table averages |Δ| over the seeds, which is never below the |Δ| of
// the averages, and here within .005 of it.
func TestRetrainGapAgainstMeasurements(t *testing.T) {
	retrained := Scores{Retain: 1, Forget: .889, Test: .906, AUC: .456}
	for _, c := range []struct {
		what              string
		test, forget, auc float64
		gap               float64
	}{
		{"original", .924, 1, .589, .091},
		{"random noise", .924, 1, .573, .083},
		{"correct DLFD", .896, .952, .538, .059},
		{"NegGrad+", .900, .921, .524, .040},
		{"fine-tune", .925, 1, .588, .092},
	} {
		g := must(RetrainGap(Scores{1, c.forget, c.test, c.auc}, retrained))
		if g.Mean > c.gap+.001 || g.Mean < c.gap-.011 {
			t.Errorf("%s: gap %.4f, table %.3f", c.what, g.Mean, c.gap)
		}
	}
}

func TestRetrainGapByHand(t *testing.T) {
	g := must(RetrainGap(Scores{1, .75, .5, .25}, Scores{.5, 1, .75, .75}))
	want := Gap{Retain: .5, Forget: .25, Test: .25, AUC: .5, Mean: 1.0 / 3, TugOfWar: .5 * .75 * .75}
	if g != want {
		t.Errorf("got %+v, want %+v", g, want)
	}
	s := Scores{.9, .8, .7, .6}
	if g := must(RetrainGap(s, s)); g != (Gap{TugOfWar: 1}) {
		t.Errorf("to itself: %+v", g)
	}
}

func TestFloors(t *testing.T) {
	near(t, "majority", must(majority(30, 39)), 39.0/69, 0)
	f := must(LabelFloor([]int{0, 0, 0, 1}, []int{0, 1, 1, 1, 1, 2, 2, 2}, 3))
	near(t, "balanced accuracy", f.BalancedAccuracy, (3.0/4+1.0/2+3.0/8)/2, 1e-15)
	near(t, "accuracy", f.Accuracy, (3.0+4+3)/12, 1e-15)
	// Class 0 ranks above 1 above 2: members 0 0 0 1 against 0 1×4 2×3.
	near(t, "AUC", f.AUC, (3*(.5+7)+1*(2+3))/32, 1e-15)
	f = must(LabelFloor([]int{0, 1}, []int{1, 0, 0, 1}, 5))
	near(t, "no signal, AUC", f.AUC, .5, 0)
	near(t, "no signal, balanced accuracy", f.BalancedAccuracy, .5, 0)
	near(t, "no signal, accuracy", f.Accuracy, 4.0/6, 1e-15)

	_, none := majority(0, 0)
	_, empty := LabelFloor(nil, []int{1}, 2)
	_, label := LabelFloor([]int{0}, []int{2}, 2)
	for i, c := range []struct{ got, want error }{{none, ErrEmpty}, {empty, ErrEmpty}, {label, ErrLabel}} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}
