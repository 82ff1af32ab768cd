package metrics

import (
	"fmt"
	"math"
	"slices"
)

// finding is one score or test beside what it is held against.
type finding struct {
	text         string
	above, below bool
}

// judging is evidence in the course of judgment.
type judging struct {
	Judgment
	e                Evidence
	attack, accuracy *finding
	forget           *finding
	relearning       []finding // at most one
	traces           []finding // compared with the retrained, above means a trace
	uncalibrated     []finding // the same of what retrained models say nothing about
}

func newJudging(e Evidence) *judging {
	c := &judging{e: e}
	for i, s := range e.compared() {
		if s.it == nil || (i == 1 || i == 2) && len(s.it.Retrained) == 0 {
			continue
		}
		f := s.finding()
		c.RestsOn = append(c.RestsOn, f.text)
		switch i {
		case 0:
			c.attack = &f
		case 1:
			c.accuracy = &f
		case 2:
			c.forget = &f
		case 4:
			c.relearning = []finding{f}
			fallthrough
		default:
			c.traces = append(c.traces, f)
		}
	}
	if e.SMI != nil {
		i := e.SMI.Interval
		c.addUncalibrated(finding{fmt.Sprintf("SMI %.3f in %.3f to %.3f, forgotten has 1", e.SMI.Value, i.Lo, i.Hi), i.Hi < 1, i.Lo > 1})
	}
	c.addTest("SDE", e.SDE)
	c.addTest("two-sample test", e.TwoSample)
	return c
}

func (s score) finding() finding {
	i, band, of := s.it.Interval, Interval{s.theory, s.theory}, "in theory"
	if len(s.it.Retrained) > 0 {
		band, of = Interval{slices.Min(s.it.Retrained), slices.Max(s.it.Retrained)}, "retrained"
	}
	text := fmt.Sprintf("%s %.3f to %.3f, %s %.3f", s.what, i.Lo, i.Hi, of, band.Lo)
	if band.Hi > band.Lo {
		text += fmt.Sprintf(" to %.3f", band.Hi)
	}
	return finding{text, i.Lo > band.Hi, i.Hi < band.Lo}
}

func (c *judging) addTest(what string, p float64) {
	if p > 0 {
		c.addUncalibrated(finding{fmt.Sprintf("%s has p = %.3g", what, p), p <= significance, false})
	}
}

func (c *judging) addUncalibrated(f finding) {
	c.RestsOn = append(c.RestsOn, f.text)
	c.uncalibrated = append(c.uncalibrated, f)
}

// find sets the verdict for those findings of the list that hold, if any.
func (c *judging) find(v Verdict, list []finding, holds func(finding) bool) bool {
	for _, f := range list {
		if holds(f) {
			c.Verdict = v
			c.Because = append(c.Because, f.text)
		}
	}
	return len(c.Because) > 0
}

func isAbove(f finding) bool { return f.above }
func isBelow(f finding) bool { return f.below }

// withBand judges beside retrained models.
func (c *judging) withBand() {
	outputs := []finding{*c.attack}
	if c.forget != nil {
		outputs = append(outputs, *c.forget)
	} else {
		c.Lacks = append(c.Lacks, "no forget accuracy of retrained models")
	}
	worse := slices.Clip(outputs)
	if c.accuracy != nil {
		worse = append(worse, *c.accuracy)
	} else {
		c.Lacks = append(c.Lacks, "no test accuracy of retrained models: a model that lost its use may pass")
	}
	if len(c.traces) == 0 {
		c.Lacks = append(c.Lacks, "neither resurgence, relearning nor scatter: what is hidden may pass")
	}
	switch {
	case c.find(UnderUnlearned, outputs, isAbove):
	case c.find(OverUnlearned, worse, isBelow):
	case c.find(Hidden, c.traces, isAbove):
	case c.find(OverUnlearned, c.relearning, isBelow):
	case c.e.OriginalAUC == 0:
		c.Lacks = append(c.Lacks, "no AUC of the original model: whether the attack could have seen a difference is not known")
		c.pass(append(worse, c.traces...))
	default:
		retrained := mean(c.e.AUC.Retrained)
		if c.wide("attack AUC", c.e.AUC.Interval, math.Abs(c.e.OriginalAUC-retrained)) {
			return
		}
		c.pass(append(worse, c.traces...))
	}
}

// withoutBand judges by what needs no retrained model.
func (c *judging) withoutBand() {
	all := slices.Concat(c.traces, c.uncalibrated)
	trace := UnderUnlearned
	switch {
	case c.attack != nil && c.attack.below:
		trace = OverUnlearned
	case c.attack != nil && !c.attack.above:
		trace = Hidden
	}
	switch {
	case c.find(trace, all, isAbove):
		if c.attack != nil {
			c.Because = append(c.Because, c.attack.text)
		}
	case c.find(OverUnlearned, c.uncalibrated, isBelow):
	case c.attack != nil && (c.attack.above || c.attack.below):
		c.Because = []string{c.attack.text, "without a retrained model this may be no matter of membership"}
	case c.e.SMI != nil && width(c.e.SMI.Interval) < 1, c.attack != nil && c.e.OriginalAUC > 0 && width(c.e.AUC.Interval) < math.Abs(c.e.OriginalAUC-.5):
		if c.attack != nil {
			all = append(all, *c.attack)
		}
		c.pass(all)
	case c.e.SMI != nil && c.wide("SMI", c.e.SMI.Interval, 1):
	case c.attack != nil && c.e.OriginalAUC > 0 && c.wide("attack AUC", c.e.AUC.Interval, math.Abs(c.e.OriginalAUC-.5)):
	default:
		c.Because = []string{"nothing here says what the original model would have shown"}
	}
}

// pass is the verdict where nothing was found.
func (c *judging) pass(list []finding) {
	c.Verdict = WithinBand
	for _, f := range list {
		c.Because = append(c.Because, f.text)
	}
}

// wide reports whether an interval is wider than the distance from the original
// to a retrained model, and then sets the verdict and how many samples would do.
func (c *judging) wide(what string, i Interval, distance float64) bool {
	w := width(i)
	if w <= distance && distance > 0 {
		return false
	}
	text := fmt.Sprintf("the interval of the %s is %.3f wide, original and retrained are %.3f apart", what, w, distance)
	if ratio := w / distance; c.e.Samples > 0 && ratio < 1e4 { // 10⁸ times the samples is no advice
		c.Samples = int(math.Ceil(float64(c.e.Samples) * ratio * ratio))
		text += fmt.Sprintf("; %d samples a side would decide", c.Samples)
	}
	c.Because = []string{text}
	return true
}

func width(i Interval) float64 { return i.Hi - i.Lo }
