package metrics

import (
	"fmt"
	"math"
	"strings"
)

// Verdict places a model that had to forget among models retrained without the
// forgotten samples.
type Verdict int

// The verdicts; Judge has the rule of each.
const (
	CannotTell     Verdict = iota // the evidence would not show the difference between the original and a retrained model
	WithinBand                    // no evidence tells the model from retrained ones
	UnderUnlearned                // forgotten samples still stand out as trained on
	Hidden                        // outputs pass, but the influence is still in the model
	OverUnlearned                 // forgotten samples, or all, are treated worse than by retrained models
)

var verdictNames = []string{"cannot tell", "within the retrain band", "under-unlearned", "hidden", "over-unlearned"}

func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return fmt.Sprintf("Verdict(%d)", int(v))
	}
	return verdictNames[v]
}

// MarshalText returns String, so that files say the verdict in words.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote; other text gives ErrRange.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, name := range verdictNames {
		if name == string(text) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("metrics: %w: no verdict is called %q", ErrRange, text)
}

// Compared is a score of the model judged beside the same score of retrained
// models, one a seed. Their range is the band; without them the band is the value
// that the score has in theory, which Evidence names.
type Compared struct {
	Interval  Interval
	Retrained []float64
}

// Evidence is what a verdict rests on. Everything is optional: nil and zero mean
// that it is not known. Intervals have the confidence level that the verdict is
// to have.
type Evidence struct {
	// AUC is that of the attack on outputs, in theory ½. Take AttackResult.Loss:
	// a refitted attacker such as AttackResult.Logistic turns itself round and
	// hardly falls below ½.
	AUC         *Compared
	Attack      string  // what attack that is, such as "LiRA", for the text of the verdict
	OriginalAUC float64 // the same attack on the model before it was unlearned
	Samples     int     // how many samples the smaller side of the attack has

	// Accuracies are read only where there are retrained models.
	TestAccuracy, ForgetAccuracy *Compared

	Resurgence *Compared // see Regrowth.Resurgence, in theory 0
	Relearning *Compared // see Regrowth.Relearning, all against the same retrained model, in theory 0
	Scatter    *Compared // scatter ratio of forget features over that of test features, in theory 1

	// UnseenOfClass is the accuracy on samples that no model was trained on of classes
	// of which nothing is retained, in theory 0, and OriginalUnseen that of the model
	// before it was unlearned. Where it is given, TestAccuracy is that on the other
	// classes.
	UnseenOfClass  *Compared
	OriginalUnseen float64

	// Doubts are reasons why the retrained models make no band, such as one that did
	// not learn its task.
	Doubts []string

	SMI       *Estimate // see SMI: the share that is forgotten, in theory 1; the original has 0
	SDE       float64   // p-value of SDE
	TwoSample float64   // p-value of a two-sample test between forget and holdout features
}

// Judgment is a verdict with what it rests on.
type Judgment struct {
	Verdict Verdict
	Because []string // what decided, with the numbers
	RestsOn []string // everything that was looked at
	Lacks   []string // what would make the verdict firmer
	Samples int      // where it cannot tell: how many samples a side would decide; zero if that is not known, or no number would
}

// String returns the verdict and what decided.
func (j Judgment) String() string {
	return j.Verdict.String() + ": " + strings.Join(j.Because, "; ")
}

// significance is up to which a p-value counts as a finding.
const significance = .05

// Judge gives the verdict. An interval is above a band if all of it is, likewise
// below. If there is an attack AUC of retrained models, the first rule that holds
// decides:
//
//   - under-unlearned: the AUC, the accuracy on the forget set, or that on unseen
//     samples of its classes is above its band; where a class goes as a whole, the
//     accuracies, and resurgence below, by more than .01, as the band of a few models
//     may be a bare 0;
//   - over-unlearned: one of these, or the test accuracy, is below its band;
//   - hidden: resurgence, relearning or scatter is above its band; the judgment says
//     so where that is the band of a single retrained model;
//   - over-unlearned: relearning is below its band, as of a model that was pushed
//     away from the samples until an attack on its outputs said nothing;
//   - cannot tell: there are doubts, or the interval of the AUC is wider than the
//     distance from the original's to the mean of the retrained, unless that of the
//     accuracy on unseen samples of a class that goes as a whole is narrower than the
//     distance there;
//   - within the band: none of these.
//
// SMI, SDE and the two-sample test are then reported and do not decide, as they
// differ from their ideals where forgotten and unseen samples differ in more than
// membership. Without retrained models they do, and the judgment says so. A trace
// then is resurgence, relearning or scatter above its band, an SMI below 1, or a
// p-value up to .05:
//
//   - under-unlearned: unseen samples of a class that goes as a whole are told right in
//     more than one of a hundred cases, or the accuracy on the forget set is above that
//     of retrained models on which no attack could be judged;
//   - with a trace: under-unlearned, but hidden if ½ is in the interval of the AUC,
//     over-unlearned if the AUC is below ½;
//   - over-unlearned: the SMI is above 1;
//   - cannot tell: the AUC is not at ½, or neither the interval of the SMI is
//     narrower than 1 nor that of the AUC than the distance from the original's to ½;
//   - within the band: none of these.
//
// The number of samples that would decide follows from intervals shrinking with
// its root. No evidence gives ErrEmpty; an AUC, accuracy or p-value outside its
// range, and Lo > Hi, ErrRange; what is not finite ErrNotFinite.
func Judge(e Evidence) (Judgment, error) {
	if err := e.check(); err != nil {
		return Judgment{}, err
	}
	c := newJudging(e)
	if len(c.RestsOn) == 0 {
		return Judgment{}, fmt.Errorf("metrics: %w: there is no evidence", ErrEmpty)
	}
	if e.AUC != nil && len(e.AUC.Retrained) > 0 {
		c.withBand()
	} else {
		c.Lacks = append(c.Lacks, c.withoutAttack())
		c.withoutBand()
	}
	return c.Judgment, nil
}

// withoutAttack says what a verdict rests on where no attack on retrained models does.
func (c *judging) withoutAttack() string {
	if c.forget != nil {
		return "no attack on retrained models: beside them stands the forget accuracy alone"
	}
	return "no retrained model: the verdict rests on SMI, SDE, the two-sample test, resurgence and scatter alone"
}

func (e Evidence) check() error {
	for _, c := range e.compared() {
		if c.it == nil {
			continue
		}
		if err := c.check(); err != nil {
			return err
		}
	}
	if e.SMI != nil {
		if err := e.SMI.Interval.check("SMI"); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		what string
		v    float64
	}{{"AUC of the original model", e.OriginalAUC}, {"accuracy of the original model on a class", e.OriginalUnseen}, {"p-value of SDE", e.SDE}, {"p-value of the two-sample test", e.TwoSample}} {
		if err := checkUnit(f.what, f.v); err != nil {
			return err
		}
	}
	if e.Samples < 0 {
		return fmt.Errorf("metrics: %w: %d samples", ErrRange, e.Samples)
	}
	return nil
}

// score is a Compared with what it is called and its value in theory.
type score struct {
	what   string
	it     *Compared
	theory float64
	unit   bool    // lies in [0, 1]
	slack  float64 // how far above the band is not above it
}

// classSlack is how far the accuracy on a class, and its resurgence, may lie above the
// band: retrained models hardly ever give a class that they do not know, and the band of
// a few of them is 0, although the next one may give it once.
const classSlack = .01

func (e Evidence) compared() []score {
	var slack float64
	if e.UnseenOfClass != nil {
		slack = classSlack
	}
	return []score{
		{e.attack(), e.AUC, .5, true, 0}, {"test accuracy", e.TestAccuracy, math.NaN(), true, 0}, {"forget accuracy", e.ForgetAccuracy, math.NaN(), true, slack},
		{"resurgence", e.Resurgence, 0, false, slack}, {"relearning", e.Relearning, 0, false, 0}, {"scatter ratio", e.Scatter, 1, false, 0},
		{"accuracy on unseen samples of the class", e.UnseenOfClass, 0, true, slack},
	}
}

// attack is what the AUC is called.
func (e Evidence) attack() string {
	if e.Attack == "" {
		return "attack AUC"
	}
	return e.Attack + " attack AUC"
}

func (s score) check() error {
	if err := s.it.Interval.check(s.what); err != nil {
		return err
	}
	if len(s.it.Retrained) > 0 {
		if err := checkScores(s.what+" of retrained models", s.it.Retrained); err != nil {
			return err
		}
	}
	if !s.unit {
		return nil
	}
	for _, v := range append([]float64{s.it.Interval.Lo, s.it.Interval.Hi}, s.it.Retrained...) {
		if err := checkUnit(s.what, v); err != nil {
			return err
		}
	}
	return nil
}

func (i Interval) check(what string) error {
	if err := checkScores(what, []float64{i.Lo, i.Hi}); err != nil {
		return err
	}
	if i.Lo > i.Hi {
		return fmt.Errorf("metrics: %w: %s has an interval from %v to %v", ErrRange, what, i.Lo, i.Hi)
	}
	return nil
}
