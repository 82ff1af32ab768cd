package metrics

import "math"

// ForgettingScore returns FS = 2·|mia − ½|, where mia is the success of a
// membership attack: 0 is best, 1 worst. Published tables put in the accuracy of
// PublishedAttack; the balanced variant puts in a balanced accuracy or an AUC
// of Attack. Values outside [0, 1] give ErrRange.
//
// The score does not know the retrained model, whose attack may be off ½ too.
//
// Reference: Choi & Na, arXiv 2311.02240, section 4.
func ForgettingScore(mia float64) (float64, error) {
	if err := checkUnit("membership attack", mia); err != nil {
		return 0, err
	}
	return 2 * math.Abs(mia-0.5), nil
}

// NoMUS returns ½(accuracy + 1 − FS), FS being ForgettingScore(mia): 1 is best.
// Values outside [0, 1] give ErrRange.
//
// It rewards moving the attack to ½ whatever the retrained model does, and gives
// a constant model, which no balanced attack can read, ½ + accuracy/2.
//
// Reference: Choi & Na, arXiv 2311.02240, section 4.
func NoMUS(accuracy, mia float64) (float64, error) {
	if err := checkUnit("accuracy", accuracy); err != nil {
		return 0, err
	}
	fs, err := ForgettingScore(mia)
	return (accuracy + 1 - fs) / 2, err
}

// Scores are the four figures by which a model is compared with the retrained
// one: accuracies on the retain, forget and test sets, and the AUC of a
// membership attack on the forget set. All lie in [0, 1].
type Scores struct{ Retain, Forget, Test, AUC float64 }

// Gap is how far a model is from the retrained one; all zero for equal scores.
type Gap struct {
	Retain, Forget, Test, AUC float64 // absolute differences
	Mean                      float64 // of Test, Forget and AUC

	// TugOfWar is (1 − Retain)(1 − Forget)(1 − Test): 1 is best. Reference:
	// Zhao et al., "What makes unlearning hard and what to do about it",
	// NeurIPS 2024, section 3.
	TugOfWar float64
}

// RetrainGap compares a model with the retrained one. Over several seeds,
// compare seed by seed and average the gaps: differences of averages hide
// deviations of either sign. Values outside [0, 1] give ErrRange.
func RetrainGap(model, retrained Scores) (Gap, error) {
	for _, s := range []Scores{model, retrained} {
		for _, f := range []struct {
			what string
			v    float64
		}{{"retain accuracy", s.Retain}, {"forget accuracy", s.Forget}, {"test accuracy", s.Test}, {"attack AUC", s.AUC}} {
			if err := checkUnit(f.what, f.v); err != nil {
				return Gap{}, err
			}
		}
	}
	g := Gap{
		Retain: math.Abs(model.Retain - retrained.Retain),
		Forget: math.Abs(model.Forget - retrained.Forget),
		Test:   math.Abs(model.Test - retrained.Test),
		AUC:    math.Abs(model.AUC - retrained.AUC),
	}
	g.Mean = (g.Test + g.Forget + g.AUC) / 3
	g.TugOfWar = (1 - g.Retain) * (1 - g.Forget) * (1 - g.Test)
	return g, nil
}
