package receipt

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/metrics"
)

// Audit is what was measured.
type Audit struct {
	Seed    uint64   `json:"seed"`
	Figures []Figure `json:"figures"`
	// Verdict is that of a metrics.Judgment; NoVerdict where there was no evidence.
	Verdict   string   `json:"verdict"`
	Because   []string `json:"because,omitempty"`
	Lacks     []string `json:"lacks,omitempty"` // what would make the verdict firmer
	Notes     []string `json:"notes,omitempty"` // what must be known with the figures
	NotJudged []string `json:"not_judged,omitempty"`
	Retrained int      `json:"retrained"` // models that were retrained for comparison
}

// NoVerdict is the verdict of an audit without evidence.
const NoVerdict = "not judged"

// Figure is one number.
type Figure struct {
	Metric   string      `json:"metric"`
	Before   *float64    `json:"before,omitempty"` // of the model that the run began with
	Value    float64     `json:"value"`            // of the new model
	Interval *[2]float64 `json:"interval,omitempty"`
	// Floor is what would be seen if nothing were remembered, where that is known.
	Floor *float64 `json:"floor,omitempty"`
	// Band has the least and the largest value of retrained models.
	Band *[2]float64 `json:"retrain_band,omitempty"`
}

// NewAudit takes the figures of a receipt from the audits of the new model, of the one
// before and of retrained models, which were made with one seed. before may be nil and
// retrained empty. What was not judged is left out, and no identity is kept. A nil
// after gives an error wrapping ErrParameter.
func NewAudit(after, before *dlfd.Audited, retrained []*dlfd.Audited, seed uint64) (Audit, error) {
	if after == nil || slices.Contains(retrained, nil) {
		return Audit{}, fmt.Errorf("receipt: %w: an audit is nil", ErrParameter)
	}
	a := Audit{Seed: seed, Verdict: NoVerdict, Notes: after.Notes, NotJudged: after.NotJudged, Retrained: len(retrained)}
	if j := after.Judgment; j != nil {
		a.Verdict, a.Because, a.Lacks = j.Verdict.String(), j.Because, j.Lacks
	}
	for _, m := range figures {
		if f, ok := m.figure(after, before, retrained); ok {
			a.Figures = append(a.Figures, f)
		}
	}
	return a, nil
}

// measure is a figure of an audit, and nil where it was not judged.
type measure struct {
	name  string
	floor *float64
	get   func(a *dlfd.Audited) *metrics.Estimate
}

var half, one, zero = .5, 1., 0.

// figures are those of a receipt, in order.
var figures = []measure{
	{"retain accuracy", nil, func(a *dlfd.Audited) *metrics.Estimate { return plain(a.RetainAccuracy) }},
	{"forget accuracy", nil, func(a *dlfd.Audited) *metrics.Estimate { return plain(a.ForgetAccuracy) }},
	{"test accuracy", nil, func(a *dlfd.Audited) *metrics.Estimate { return plainIf(a.TestLoss > 0, a.TestAccuracy) }},
	{"test accuracy without the class", nil, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Class == nil || a.Class.OthersSamples == 0 {
			return nil
		}
		return plain(a.Class.Others)
	}},
	{"accuracy on unseen samples of the class", &zero, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Class == nil {
			return nil
		}
		return a.Class.Unseen
	}},
	{"class regained from prototypes", nil, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Prototypes == nil {
			return nil
		}
		return plain(a.Prototypes.Regained)
	}},
	{"given the right label", nil, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Mislabeled == nil || a.Mislabeled.Right == nil {
			return nil
		}
		return plain(*a.Mislabeled.Right)
	}},
	{"wrong labels retained", nil, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Mislabeled == nil {
			return nil
		}
		return a.Mislabeled.Left
	}},
	{"loss attack AUC", &half, func(a *dlfd.Audited) *metrics.Estimate { return attack(a.LossAttack) }},
	{"logistic attack AUC", &half, func(a *dlfd.Audited) *metrics.Estimate { return attack(a.LogisticAttack) }},
	{"LiRA attack AUC", &half, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Attacks == nil {
			return nil
		}
		return attack(a.Attacks.LiRA)
	}},
	{"SMI", &one, func(a *dlfd.Audited) *metrics.Estimate { return a.SMI }},
	{"scatter ratio", &one, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Scatter == nil {
			return nil
		}
		return &a.Scatter.Ratio
	}},
	{"two-sample p-value", nil, func(a *dlfd.Audited) *metrics.Estimate {
		if a.TwoSample == nil {
			return nil
		}
		return plain(a.TwoSample.P)
	}},
	{"resurgence", &zero, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Resurgence == nil {
			return nil
		}
		return &a.Resurgence.Rise
	}},
	{"relearning area", &zero, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Relearning == nil {
			return nil
		}
		return a.Relearning.Area
	}},
	{"gap to retrained", nil, func(a *dlfd.Audited) *metrics.Estimate {
		if a.Gap == nil {
			return nil
		}
		return plain(a.Gap.Mean)
	}},
}

func plain(v float64) *metrics.Estimate {
	nan := math.NaN()
	return &metrics.Estimate{Value: v, Interval: metrics.Interval{Lo: nan, Hi: nan}}
}

func plainIf(known bool, v float64) *metrics.Estimate {
	if !known {
		return nil
	}
	return plain(v)
}

func attack(s metrics.Strength) *metrics.Estimate {
	if s.AUCInterval == (metrics.Interval{}) {
		return nil // not judged
	}
	return &metrics.Estimate{Value: s.AUC, Interval: s.AUCInterval}
}

// figure is the figure of one measure, and false where there is none.
func (m measure) figure(after, before *dlfd.Audited, retrained []*dlfd.Audited) (Figure, bool) {
	e := m.get(after)
	if e == nil || !finite.Is(e.Value) {
		return Figure{}, false
	}
	f := Figure{Metric: m.name, Value: e.Value, Floor: m.floor}
	if finite.Is(e.Interval.Lo) && finite.Is(e.Interval.Hi) {
		f.Interval = &[2]float64{e.Interval.Lo, e.Interval.Hi}
	}
	if before != nil {
		if b := m.get(before); b != nil && finite.Is(b.Value) {
			f.Before = &b.Value
		}
	}
	var band []float64
	if m.name == "LiRA attack AUC" { // which no audit of a retrained model alone has
		f.Before, band = &after.Attacks.Original, after.Attacks.Retrained
	}
	for _, r := range retrained {
		if v := m.get(r); v != nil && finite.Is(v.Value) {
			band = append(band, v.Value)
		}
	}
	if len(band) > 0 && len(band) == len(retrained) {
		f.Band = &[2]float64{slices.Min(band), slices.Max(band)}
	}
	return f, true
}

// Compare returns an error wrapping ErrAudit, which names the metric and the numbers,
// unless every figure of again is in a, with a value and an interval that differ by at
// most tolerance. Use 0 where Tool.Repeats is empty. Figures that again lacks, such as
// a gap to retrained models that are not at hand, are returned by name.
func (a *Audit) Compare(again Audit, tolerance float64) (missing []string, err error) {
	if len(again.Figures) == 0 {
		return nil, fmt.Errorf("receipt: %w: there are no figures to compare", ErrAudit)
	}
	for _, want := range again.Figures {
		i := slices.IndexFunc(a.Figures, func(f Figure) bool { return f.Metric == want.Metric })
		if i < 0 {
			return nil, fmt.Errorf("receipt: %w: %s is %v, and the receipt does not have it", ErrAudit, want.Metric, want.Value)
		}
		if err := a.Figures[i].compare(want, tolerance); err != nil {
			return nil, err
		}
	}
	for _, f := range a.Figures {
		if !slices.ContainsFunc(again.Figures, func(g Figure) bool { return f.Metric == g.Metric }) {
			missing = append(missing, f.Metric)
		}
	}
	return missing, nil
}

func (f Figure) compare(again Figure, tolerance float64) error {
	if math.Abs(f.Value-again.Value) > tolerance {
		return fmt.Errorf("receipt: %w: %s is %v, the receipt has %v", ErrAudit, f.Metric, again.Value, f.Value)
	}
	if (f.Interval == nil) != (again.Interval == nil) {
		return fmt.Errorf("receipt: %w: %s has an interval in one of the two alone", ErrAudit, f.Metric)
	}
	if f.Interval == nil {
		return nil
	}
	for i, v := range f.Interval {
		if math.Abs(v-again.Interval[i]) > tolerance {
			return fmt.Errorf("receipt: %w: the interval of %s is %v, the receipt has %v", ErrAudit, f.Metric, *again.Interval, *f.Interval)
		}
	}
	return nil
}

// value returns a figure by its metric.
func (a *Audit) value(metric string) (Figure, bool) {
	for _, f := range a.Figures {
		if f.Metric == metric {
			return f, true
		}
	}
	return Figure{}, false
}
