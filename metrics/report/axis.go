package report

import (
	"math"
	"strconv"
)

// limit bounds what is drawn, so that no difference overflows.
const limit = 1e300

// axis maps values to [0, 1]. It is linear or logarithmic, and begins and ends at
// ticks where it is linear.
type axis struct {
	lo, hi float64
	log    bool
	ticks  []tick
}

type tick struct {
	at   float64
	text string
}

// bounds gathers the values that an axis must hold.
type bounds struct {
	lo, hi float64
	some   bool
}

func (b *bounds) add(values ...float64) {
	for _, v := range values {
		v = min(max(v, -limit), limit)
		if !b.some {
			b.lo, b.hi, b.some = v, v, true
		}
		b.lo, b.hi = min(b.lo, v), max(b.hi, v)
	}
}

func (b *bounds) addValue(v Value) {
	if v.N > 0 {
		lo, hi := v.span()
		b.add(v.Mean, lo, hi)
	}
}

// linear returns an axis over b with about n steps between ticks. Equal bounds are
// set apart, and so are bounds that differ too little for labels to tell.
func (b bounds) linear(n int) axis {
	lo, hi := b.lo, b.hi
	if !b.some {
		lo, hi = 0, 1
	}
	size := max(math.Abs(lo), math.Abs(hi))
	if least := max(size*1e-5, 1e-300); hi-lo < least {
		pad := max(size*.05, least)
		if size == 0 {
			pad = .5
		}
		lo, hi = lo-pad, hi+pad
	}
	step := niceStep((hi - lo) / float64(n))
	first, last := math.Floor(lo/step+1e-9), math.Ceil(hi/step-1e-9)
	a := axis{lo: first * step, hi: last * step}
	for k := range int(last-first) + 1 {
		at := (first + float64(k)) * step
		a.ticks = append(a.ticks, tick{at, tickText(at, step, max(math.Abs(a.lo), math.Abs(a.hi)))})
	}
	return a
}

// niceStep returns 1, 2 or 5 times a power of ten, at least v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func tickText(at, step, largest float64) string {
	if math.Abs(at) < step/2 {
		return "0"
	}
	place := int(math.Floor(math.Log10(step) + 1e-9))
	if largest >= 1e5 || largest < 1e-3 {
		digits := int(math.Floor(math.Log10(math.Abs(at))+1e-9)) - place
		return scientific(at, max(digits, 0))
	}
	return strconv.FormatFloat(at, 'f', max(-place, 0), 64)
}

// logarithmic returns an axis over b, whose bounds are positive, with at most n
// labels, one for each decade or, within two decades, for 1, 2 and 5.
func (b bounds) logarithmic(n int) axis {
	a := axis{lo: b.lo, hi: b.hi, log: true}
	if !b.some {
		a.lo, a.hi = 1, 10
	}
	if a.hi < 2*a.lo {
		a.lo, a.hi = a.lo/1.5, a.hi*1.5
	}
	first, last := math.Floor(math.Log10(a.lo)), math.Ceil(math.Log10(a.hi))
	steps := []float64{1}
	if math.Log10(a.hi)-math.Log10(a.lo) < 2 {
		steps = []float64{1, 2, 5}
	}
	every := max(1, int(math.Ceil((last-first)/float64(n))))
	for e := int(first); e <= int(last); e += every {
		for _, m := range steps {
			at := m * math.Pow(10, float64(e))
			if at >= a.lo*(1-1e-9) && at <= a.hi*(1+1e-9) {
				a.ticks = append(a.ticks, tick{at, decade(at, e)})
			}
		}
	}
	if len(a.ticks) < 2 { // none of 1, 2 and 5 falls into so small a range
		a.ticks = within(a, bounds{a.lo, a.hi, true}.linear(3).ticks)
	}
	return a
}

func decade(at float64, e int) string {
	if e >= -3 && e <= 4 {
		return strconv.FormatFloat(at, 'f', max(-e, 0), 64)
	}
	return scientific(at, 0)
}

// pos returns where v lies between the ends, which hold what lies beyond.
func (a axis) pos(v float64) float64 {
	v = min(max(v, a.lo), a.hi)
	if a.log {
		return (math.Log(v) - math.Log(a.lo)) / (math.Log(a.hi) - math.Log(a.lo))
	}
	return (v - a.lo) / (a.hi - a.lo)
}

// unit is the axis of shares.
func unit(n int) axis {
	return bounds{0, 1, true}.linear(n)
}

// widest returns the width of the widest label.
func (a axis) widest() float64 {
	var w float64
	for _, t := range a.ticks {
		w = max(w, textWidth(t.text, fontSize))
	}
	return w
}

// thin drops labels until those left stand apart on so many pixels.
func (a *axis) thin(pixels float64) {
	for every := 1; ; every++ {
		var kept []tick
		for i := 0; i < len(a.ticks); i += every {
			kept = append(kept, a.ticks[i])
		}
		if every >= len(a.ticks) || apart(*a, kept, pixels) {
			a.ticks = kept
			return
		}
	}
}

func apart(a axis, ticks []tick, pixels float64) bool {
	for i := 1; i < len(ticks); i++ {
		gap := (a.pos(ticks[i].at) - a.pos(ticks[i-1].at)) * pixels
		if gap < (textWidth(ticks[i].text, fontSize)+textWidth(ticks[i-1].text, fontSize))/2+6 {
			return false
		}
	}
	return true
}
