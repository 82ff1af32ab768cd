package dlfd

import (
	"context"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/metrics"
)

// judge gives the verdict on what was measured.
func (a *audit) judge(context.Context) error {
	var e metrics.Evidence
	a.addAttack(&e)
	if err := a.addAccuracies(&e); err != nil {
		return err
	}
	if r := a.Resurgence; r != nil {
		e.Resurgence = a.compared(r.Rise.Interval, func(q *Audited) (float64, bool) {
			if q.Resurgence == nil {
				return 0, false
			}
			return q.Resurgence.Rise.Value, len(q.Resurgence.Curves) == len(r.Curves)
		})
	}
	if r := a.Relearning; r != nil && r.Area != nil {
		e.Relearning = &metrics.Compared{Interval: r.Area.Interval, Retrained: r.Retrained}
	}
	if a.Scatter != nil {
		e.Scatter = a.compared(a.Scatter.Ratio.Interval, func(r *Audited) (float64, bool) {
			if r.Scatter == nil {
				return 0, false
			}
			return r.Scatter.Ratio.Value, true
		})
	}
	e.SMI = a.SMI
	if a.SDE != nil && a.SDE.Samples >= sdeLeast {
		e.SDE = a.SDE.P
	}
	if a.TwoSample != nil {
		e.TwoSample = a.TwoSample.P
	}
	e.Doubts = a.doubted
	a.withoutRightLabels(&e)
	j, err := metrics.Judge(e)
	if err != nil {
		return err
	}
	a.Judgment = &j
	return nil
}

// addAccuracies adds those on test and forget samples and, in a request for classes,
// those without and within the classes.
func (a *audit) addAccuracies(e *metrics.Evidence) error {
	share := func(of int, v float64, get func(*Audited) (float64, bool)) (*metrics.Compared, error) {
		if of == 0 {
			return nil, nil
		}
		i, err := metrics.Wilson(int(math.Round(v*float64(of))), of, auditLevel)
		return a.compared(i, get), err
	}
	var err error
	if n := a.Counts.Forget; n > 0 {
		if e.ForgetAccuracy, err = share(n, a.ForgetAccuracy, func(r *Audited) (float64, bool) { return r.ForgetAccuracy, r.Counts.Forget > 0 }); err != nil {
			return err
		}
	}
	c := a.Class
	if c == nil || c.OthersSamples == 0 {
		e.TestAccuracy, err = share(a.Counts.Test, a.TestAccuracy, func(r *Audited) (float64, bool) { return r.TestAccuracy, true })
		return err
	}
	if e.TestAccuracy, err = share(c.OthersSamples, c.Others, func(r *Audited) (float64, bool) { return r.others() }); err != nil || c.Unseen == nil {
		return err
	}
	e.UnseenOfClass = a.compared(c.Unseen.Interval, func(r *Audited) (float64, bool) { return r.unseenOfClass() })
	if o := a.References.Original; o != nil {
		e.OriginalUnseen, _ = o.unseenOfClass()
	}
	return nil
}

// addAttack adds LiRA, which knows how hard a sample is from the retrained models, or
// the loss attack, where there is no other or it alone lies outside its band.
func (a *audit) addAttack(e *metrics.Evidence) {
	e.Samples = min(a.Counts.Member, a.Counts.NonMember)
	if a.attacked() {
		e.Attack = "loss"
		e.AUC = a.compared(a.LossAttack.AUCInterval, func(r *Audited) (float64, bool) { return r.LossAttack.AUC, r.attacked() })
		e.AUC.Interval = unlessTied(e.AUC)
		if o := a.References.Original; o != nil && o.attacked() {
			e.OriginalAUC = o.LossAttack.AUC
		}
	}
	if a.Attacks == nil || len(a.Attacks.Retrained) == 0 {
		return
	}
	ratio := &metrics.Compared{Interval: a.Attacks.LiRA.AUCInterval, Retrained: a.Attacks.Retrained}
	if e.AUC == nil || outside(ratio) || !outside(e.AUC) {
		e.Attack, e.AUC, e.OriginalAUC = "LiRA", ratio, a.Attacks.Original
		e.AUC.Interval = unlessTied(e.AUC)
	}
}

// outside reports whether an interval lies above or below all of the retrained models.
func outside(c *metrics.Compared) bool {
	return len(c.Retrained) > 0 && (c.Interval.Lo > slices.Max(c.Retrained) || c.Interval.Hi < slices.Min(c.Retrained))
}

// compared puts an interval beside the same figure of those retrained models that
// have it.
func (a *audit) compared(i metrics.Interval, of func(*Audited) (float64, bool)) *metrics.Compared {
	c := &metrics.Compared{Interval: i}
	for _, r := range a.References.Retrained {
		if v, ok := of(r); ok {
			c.Retrained = append(c.Retrained, v)
		}
	}
	return c
}

// unlessTied returns the interval of an AUC. One without width belongs to a model
// that gives all samples of a class one loss: the attack tells nothing of it, which
// is neither above nor below what it tells of retrained models.
func unlessTied(c *metrics.Compared) metrics.Interval {
	i := c.Interval
	if i.Lo < i.Hi || len(c.Retrained) == 0 {
		return i
	}
	return metrics.Interval{Lo: min(i.Lo, slices.Min(c.Retrained)), Hi: max(i.Hi, slices.Max(c.Retrained))}
}
