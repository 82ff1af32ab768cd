package experiment

import (
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/metrics"
)

// Column is one figure of a table.
type Column struct {
	Name string
	// Value reads the figure off an outcome and one of its audits; false where it is
	// not there.
	Value func(o *Outcome, a *dlfd.Audited) (float64, bool)
	// Interval, where not nil, reads its confidence interval.
	Interval func(o *Outcome, a *dlfd.Audited) (metrics.Interval, bool)
}

// Columns returns the figures of every table beside gap and passes.
func Columns() []Column {
	attacked := func(a *dlfd.Audited) bool { return a.LossAttack.AUCInterval != metrics.Interval{} }
	return []Column{
		{Name: "AUC", Value: func(_ *Outcome, a *dlfd.Audited) (float64, bool) { return a.LossAttack.AUC, attacked(a) },
			Interval: func(_ *Outcome, a *dlfd.Audited) (metrics.Interval, bool) {
				return a.LossAttack.AUCInterval, attacked(a)
			}},
		{Name: "test", Value: func(_ *Outcome, a *dlfd.Audited) (float64, bool) { return a.TestAccuracy, true }},
		{Name: "retain", Value: func(_ *Outcome, a *dlfd.Audited) (float64, bool) { return a.RetainAccuracy, true }},
		{Name: "forget", Value: func(_ *Outcome, a *dlfd.Audited) (float64, bool) { return a.ForgetAccuracy, true }},
	}
}
