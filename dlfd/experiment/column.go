package experiment

import (
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/metrics"
)

// Column is one figure of a table.
type Column struct {
	Name string
	// About explains the figure in a sentence.
	About string
	// Value reads the figure; false where it is not there.
	Value func(f Finding) (float64, bool)
	// Interval, where not nil, reads its confidence interval.
	Interval func(f Finding) (metrics.Interval, bool)
}

// Finding is what was found of one model with one seed of evaluation.
type Finding struct {
	Outcome *Outcome
	Audit   *dlfd.Audited
	// Swapped is the audit with Unseen in the place of the forget set; nil where there
	// is none; see Experiment.Swap.
	Swapped *dlfd.Audited
	// Retrained has the audits of the retrained models but the model itself.
	Retrained []*dlfd.Audited
}

// Columns returns the figures of every table beside the gap and the passes.
func Columns() []Column {
	return []Column{
		{Name: "AUC", About: "Attack by the loss on forgotten and unseen samples of the same classes; .5 tells nothing.", Value: auc, Interval: aucInterval},
		{Name: "test", About: "Accuracy on test samples.", Value: func(f Finding) (float64, bool) { return f.Audit.TestAccuracy, true }},
		{Name: "retain", About: "Accuracy on what is retained.", Value: func(f Finding) (float64, bool) { return f.Audit.RetainAccuracy, true }},
		{Name: "forget", About: "Accuracy on what is forgotten.", Value: func(f Finding) (float64, bool) { return f.Audit.ForgetAccuracy, true }},
		{Name: "resurgence", About: "By how much the accuracy on forget leads that on test more than at the start, on average, while the model is trained on what is retained; less that of retrained models.", Value: resurgence},
		{Name: "relearning", About: "Mean accuracy on one half of forget while the model is trained on the other; less that of retrained models.", Value: relearning},
		{Name: "scatter", About: "Scatter ratio of the features of forget over that of test; near 1 where forget is treated as unseen.", Value: scatter},
		{Name: "SMI", About: "Share of the forgotten samples that the features show as unseen; 1 is all. There is no figure where it, or both ends of its interval, would be at the bounds −1 and 2: features of retained and unseen samples hardly differ then.", Value: smi, Interval: smiInterval},
		{Name: "IAM", About: "AUC of the attack by interpolation between the original and the retrained models; .5 tells nothing.", Value: iam},
		{Name: "SWAP", About: "1 less the advantage of the attack, averaged over this run and one with forget and unseen samples exchanged; a retrained model has 1.", Value: swapQuality},
	}
}

func auc(f Finding) (float64, bool) {
	_, ok := aucInterval(f)
	return f.Audit.LossAttack.AUC, ok
}

func aucInterval(f Finding) (metrics.Interval, bool) {
	i := f.Audit.LossAttack.AUCInterval
	return i, i.Hi > i.Lo // without an attack both are zero
}

// beyond returns a figure of a model less its mean over retrained ones.
func (f Finding) beyond(figure func(*dlfd.Audited) (float64, bool)) (float64, bool) {
	v, ok := figure(f.Audit)
	if !ok {
		return 0, false
	}
	var of []float64
	for _, a := range f.Retrained {
		if v, ok := figure(a); ok {
			of = append(of, v)
		}
	}
	if len(of) == 0 {
		return 0, false
	}
	return v - mean(of), true
}

func resurgence(f Finding) (float64, bool) {
	return f.beyond(func(a *dlfd.Audited) (float64, bool) {
		if a.Resurgence == nil {
			return 0, false
		}
		return a.Resurgence.Rise.Value, true
	})
}

// relearning compares mean accuracies over steps, by trapezoids, at the rate at which
// the model is compared with retrained ones.
func relearning(f Finding) (float64, bool) {
	if f.Audit.Relearning == nil {
		return 0, false
	}
	rate := f.Audit.Relearning.Curve().Rate
	return f.beyond(func(a *dlfd.Audited) (float64, bool) {
		if a.Relearning == nil {
			return 0, false
		}
		p := a.Relearning.Points
		if slow := a.Relearning.Slow; slow != nil && slow.Rate == rate {
			p = slow.Points
		}
		if len(p) < 2 {
			return 0, false
		}
		var area float64
		for i := 1; i < len(p); i++ {
			area += float64(p[i].Steps-p[i-1].Steps) * (p[i].Accuracy + p[i-1].Accuracy) / 2
		}
		return area / float64(p[len(p)-1].Steps-p[0].Steps), true
	})
}

func scatter(f Finding) (float64, bool) {
	if f.Audit.Scatter == nil {
		return 0, false
	}
	return f.Audit.Scatter.Ratio.Value, true
}

// smi has no figure where metrics.SMI cut the share at −1 or 2, or both ends of its
// interval there: that is not a share, and no mean can be taken with it.
func smi(f Finding) (float64, bool) {
	e := f.Audit.SMI
	if e == nil {
		return 0, false
	}
	const least, most = -1, 2
	whole := e.Interval.Lo <= least && e.Interval.Hi >= most
	return e.Value, e.Value > least && e.Value < most && !whole
}

func smiInterval(f Finding) (i metrics.Interval, ok bool) {
	if _, ok = smi(f); ok {
		i = f.Audit.SMI.Interval
	}
	return i, ok
}

func iam(f Finding) (float64, bool) {
	if f.Audit.Attacks == nil {
		return 0, false
	}
	return f.Audit.Attacks.IAM.AUC, true
}

// swapQuality is 1 − |2·(mean AUC) − 1|, where the first AUC tells forget samples from
// unseen ones and the second, in the swapped run, unseen ones from forget samples.
func swapQuality(f Finding) (float64, bool) {
	if f.Swapped == nil {
		return 0, false
	}
	first, ok := auc(f)
	second, too := auc(Finding{Audit: f.Swapped})
	return 1 - math.Abs(first+second-1), ok && too
}
