package metrics

import (
	"fmt"
	"slices"
)

// Verdict places a model among the retrained ones.
type Verdict int

// The verdicts. UnderUnlearned: members still stand out more than after
// retraining. OverUnlearned: less, so that forgotten samples can be told by
// being treated worse than unseen ones.
const (
	WithinBand Verdict = iota
	UnderUnlearned
	OverUnlearned
)

func (v Verdict) String() string {
	switch v {
	case WithinBand:
		return "within the retrain band"
	case UnderUnlearned:
		return "under-unlearned"
	case OverUnlearned:
		return "over-unlearned"
	}
	return fmt.Sprintf("Verdict(%d)", int(v))
}

// Judgment is a verdict with what it rests on.
type Judgment struct {
	Verdict Verdict
	AUC     Interval // of the attack on the model judged
	Band    Interval // smallest to largest AUC over retraining seeds
}

// String returns the verdict and both intervals.
func (j Judgment) String() string {
	return fmt.Sprintf("%v: AUC %.3f to %.3f, retrained %.3f to %.3f", j.Verdict, j.AUC.Lo, j.AUC.Hi, j.Band.Lo, j.Band.Hi)
}

// Judge compares the interval of the attack AUC on a model with the band that
// the AUCs of retrained models span, one a seed. The model is under-unlearned if
// the whole interval lies above the band, over-unlearned if below, and otherwise
// not distinguishable from retraining: a wide interval finds nothing, so read
// its width too. Take AttackResult.Loss for both: a refitted attacker such as
// AttackResult.Logistic turns itself round and hardly falls below ½. No AUCs
// give ErrEmpty; values outside [0, 1] and Lo > Hi give ErrRange.
func Judge(auc Interval, retrained []float64) (Judgment, error) {
	if len(retrained) == 0 {
		return Judgment{}, fmt.Errorf("metrics: %w: no retrained model", ErrEmpty)
	}
	for _, v := range append([]float64{auc.Lo, auc.Hi}, retrained...) {
		if err := checkUnit("AUC", v); err != nil {
			return Judgment{}, err
		}
	}
	if auc.Lo > auc.Hi {
		return Judgment{}, fmt.Errorf("metrics: %w: interval from %v to %v", ErrRange, auc.Lo, auc.Hi)
	}
	j := Judgment{AUC: auc, Band: Interval{slices.Min(retrained), slices.Max(retrained)}}
	switch {
	case auc.Lo > j.Band.Hi:
		j.Verdict = UnderUnlearned
	case auc.Hi < j.Band.Lo:
		j.Verdict = OverUnlearned
	}
	return j, nil
}
