package report

import (
	"html"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Longest texts that are shown, in runes; JSON and CSV have them whole.
const (
	maxName     = 60  // names of models, classes, persons, layers
	maxSentence = 600 // sentences and values of facts
)

// missing stands where there is no figure.
const missing = "–"

// clean returns s in one line, without what XML forbids and without the marks that
// turn the direction of the text around them. What is lost is shown as U+FFFD.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0x061C:
			return -1
		case r&0xFFFE == 0xFFFE: // no characters in any plane
			return '\uFFFD'
		}
		return r
	}, s)
}

// brief cleans s and cuts it to n runes.
func brief(s string, n int) string {
	r := []rune(clean(s))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n-1]) + "…"
}

func name(s string) string {
	if s = brief(s, maxName); strings.TrimSpace(s) == "" {
		return "(no name)"
	}
	return s
}

// textWidth estimates the width of s in pixels at a font size. It errs on the wide
// side: sans-serif letters take .5 to .58 of the size on average, capitals .7, the widest and ideographs all of it.
func textWidth(s string, size float64) float64 {
	var w float64
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r >= 0x1100:
			w += 1
		case r == 'W', r == 'M', r == 'm', r == '@', r == '%':
			w += 1
		case unicode.IsUpper(r), r == 'w':
			w += .76
		default:
			w += .56
		}
	}
	return w * size
}

// fit cuts a name to a width in pixels.
func fit(s string, size, width float64) string {
	s = name(s)
	if textWidth(s, size) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 1 && textWidth(string(r)+"…", size) > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

func escape(s string) string { return html.EscapeString(clean(s)) }

// exact is the shortest text that reads back as v.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// figure writes v with three decimals, or with three digits where it is large or
// small.
func figure(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1e6 || a > 0 && a < .0005:
		return scientific(v, 1)
	case a >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return minus(strconv.FormatFloat(v, 'f', 3, 64))
}

// minus drops the sign of a zero.
func minus(s string) string {
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

// scientific writes 1.5e6 rather than 1.5e+06.
func scientific(v float64, digits int) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', digits, 64), "e")
	if e := strings.TrimLeft(exponent[1:], "0"); e == "" {
		return mantissa
	} else if exponent[0] == '-' {
		return mantissa + "e-" + e
	} else {
		return mantissa + "e" + e
	}
}

// amount writes a number of samples, such as 12.3k.
func amount(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e12:
		return scientific(v, 1)
	case a >= 1e9:
		return strconv.FormatFloat(v/1e9, 'f', 1, 64) + "G"
	case a >= 1e6:
		return strconv.FormatFloat(v/1e6, 'f', 1, 64) + "M"
	case a >= 1e3:
		return strconv.FormatFloat(v/1e3, 'f', 1, 64) + "k"
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// percent writes a share of one.
func percent(v float64) string {
	if math.Abs(v) >= 1e4 {
		return scientific(min(max(100*v, -math.MaxFloat64), math.MaxFloat64), 1) + " %"
	}
	digits := 0
	if a := math.Abs(v); a > 0 && a < .1 {
		digits = 1
	}
	return strconv.FormatFloat(100*v, 'f', digits, 64) + " %"
}

// shown is the mean, or zero where it is smaller than the last decimal of the standard
// error beside it: 4.6e-18 ± 0.061 would be noise of rounding.
func (v Value) shown() float64 {
	if math.Abs(v.Mean) < .0005 && v.SE >= .0005 {
		return 0
	}
	return v.Mean
}

// text writes a value in words for tooltips and labels.
func (v Value) text() string {
	if v.N == 0 {
		return missing
	}
	s := figure(v.shown())
	if v.N > 1 || v.SE > 0 {
		s += " ± " + figure(v.SE)
	}
	if v.Interval != nil {
		s += " [" + figure(v.Interval.Lo) + ", " + figure(v.Interval.Hi) + "]"
	}
	return s
}

// span returns the ends of the error bar: the interval where there is one, else
// one standard error to both sides.
func (v Value) span() (lo, hi float64) {
	if v.Interval != nil {
		return v.Interval.Lo, v.Interval.Hi
	}
	return v.Mean - v.SE, v.Mean + v.SE
}
