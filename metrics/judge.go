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
	models       int // retrained models of the band
}

// judging is evidence in the course of judgment.
type judging struct {
	Judgment
	e                Evidence
	attack, accuracy *finding
	forget, class    *finding
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
		case 6:
			c.class = &f
		case 4:
			c.relearning = []finding{f}
			fallthrough
		default:
			c.traces = append(c.traces, f)
		}
	}
	if e.SMI != nil {
		i := e.SMI.Interval
		c.addUncalibrated(finding{fmt.Sprintf("SMI %.3f in %.3f to %.3f, forgotten has 1", e.SMI.Value, i.Lo, i.Hi), i.Hi < 1, i.Lo > 1, 0})
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
	if len(s.it.Retrained) == 1 {
		text += " (one model)"
	}
	return finding{text, i.Lo > float64(band.Hi+s.slack), i.Hi < band.Lo, len(s.it.Retrained)}
}

func (c *judging) addTest(what string, p float64) {
	if p > 0 {
		c.addUncalibrated(finding{fmt.Sprintf("%s has p = %.3g", what, p), p <= significance, false, 0})
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
	outputs := c.outputs()
	c.Lacks = append(c.Lacks, c.e.Doubts...)
	if c.forget == nil {
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
		c.sayIfOne()
	case c.find(OverUnlearned, c.relearning, isBelow):
	case len(c.e.Doubts) > 0:
		c.Because = c.e.Doubts
	case c.tellsClass():
		c.pass(append(worse, c.traces...))
	case c.e.OriginalAUC == 0:
		c.Lacks = append(c.Lacks, "no AUC of the original model: whether the attack could have seen a difference is not known")
		c.pass(append(worse, c.traces...))
	default:
		retrained := mean(c.e.AUC.Retrained)
		if c.wide(c.e.attack(), c.e.AUC.Interval, math.Abs(c.e.OriginalAUC-retrained)) {
			return
		}
		c.pass(append(worse, c.traces...))
	}
}

// outputs are the findings on what the model says of forgotten samples, and of others
// of a class that goes as a whole.
func (c *judging) outputs() []finding {
	var all []finding
	for _, f := range []*finding{c.attack, c.forget, c.class} {
		if f != nil {
			all = append(all, *f)
		}
	}
	return all
}

// sayIfOne adds that a verdict rests on one retrained model, if it does.
func (c *judging) sayIfOne() {
	for _, f := range c.traces {
		if f.above && f.models != 1 {
			return
		}
	}
	const text = "this rests on one retrained model: another seed may show as much"
	c.Because, c.Lacks = append(c.Because, text), append(c.Lacks, "a second retrained model, without which hidden is not sure")
}

// tellsClass reports whether the accuracy on unseen samples of a class that goes as a
// whole would have shown the difference between the original and a retrained model.
func (c *judging) tellsClass() bool {
	if c.class == nil {
		return false
	}
	var retrained float64
	if r := c.e.UnseenOfClass.Retrained; len(r) > 0 {
		retrained = mean(r)
	}
	return width(c.e.UnseenOfClass.Interval) < c.e.OriginalUnseen-retrained
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
	var class, told []finding
	if c.class != nil {
		class = []finding{*c.class}
	}
	if told = class; c.forget != nil {
		told = append(slices.Clip(told), *c.forget)
	}
	switch {
	case c.find(UnderUnlearned, told, isAbove):
	case c.find(trace, all, isAbove):
		if c.attack != nil {
			c.Because = append(c.Because, c.attack.text)
		}
	case c.find(OverUnlearned, c.uncalibrated, isBelow):
	case c.attack != nil && (c.attack.above || c.attack.below):
		c.Because = []string{c.attack.text, "without a retrained model this may be no matter of membership"}
	case c.tellsClass(), c.e.SMI != nil && width(c.e.SMI.Interval) < 1, c.attack != nil && c.e.OriginalAUC > 0 && width(c.e.AUC.Interval) < math.Abs(c.e.OriginalAUC-.5):
		if c.attack != nil {
			all = append(all, *c.attack)
		}
		c.pass(append(all, class...))
	case c.e.SMI != nil && c.wide("SMI", c.e.SMI.Interval, 1):
	case c.attack != nil && c.e.OriginalAUC > 0 && c.wide(c.e.attack(), c.e.AUC.Interval, math.Abs(c.e.OriginalAUC-.5)):
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
