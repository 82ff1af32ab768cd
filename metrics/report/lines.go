package report

import (
	"fmt"
	"math"
	"strings"
)

// maxVertices bounds the points of a drawn line: a line of more is thinned, its
// smallest and largest values kept.
const maxVertices = 240

// thinned returns indexes of at most about maxVertices of n points: of every run of
// points those with the smallest and the largest value, and both ends.
func thinned(y []float64) []int {
	n := len(y)
	var keep []int
	if n <= maxVertices {
		for i := range n {
			keep = append(keep, i)
		}
		return keep
	}
	runs := maxVertices / 2
	keep = append(keep, 0)
	for k := range runs {
		from, to := 1+k*(n-2)/runs, 1+(k+1)*(n-2)/runs
		lo, hi := from, from
		for i := from; i < to; i++ {
			if y[i] < y[lo] {
				lo = i
			}
			if y[i] > y[hi] {
				hi = i
			}
		}
		for _, i := range []int{min(lo, hi), max(lo, hi)} {
			if i > keep[len(keep)-1] && i < to {
				keep = append(keep, i)
			}
		}
	}
	return append(keep, n-1)
}

func pick(v []float64, at []int) []float64 {
	out := make([]float64, len(at))
	for i, k := range at {
		out[i] = v[k]
	}
	return out
}

// draw returns the panel of a plot. Lines of few points have markers.
func (q *Plot) draw(s *styles) card {
	var x, y bounds
	for _, c := range q.Lines {
		x.add(c.X...)
		y.add(c.Y...)
		for i, se := range c.SE {
			y.add(c.Y[i]-se, c.Y[i]+se)
		}
	}
	if q.Zero {
		y.add(0)
	}
	vertical := y.linear(4)
	if y.lo > 0 && y.hi > 100*y.lo && !q.Zero {
		vertical = y.logarithmic(5)
	}
	horizontal := x.linear(5)
	horizontal.lo, horizontal.hi = span(x)
	horizontal.ticks = within(horizontal, horizontal.ticks)
	p := newPanel(narrow, panelHeight, horizontal, vertical, q.X, q.Y)
	if q.Zero {
		p.line(p.left, p.py(0), p.left+p.width, p.py(0), "a")
	}
	said := []string{}
	for _, c := range q.Lines {
		c.draw(p, s.get(c.Model, c.Role))
		if n := len(c.Y); n > 0 {
			said = append(said, fmt.Sprintf("%s from %s to %s", name(c.Model), figure(c.Y[0]), figure(c.Y[n-1])))
		}
	}
	return card{Title: name(q.Title), Figure: p.svg(label(q.Title, said))}
}

// span returns the bounds of data as the ends of an axis, set apart if equal.
func span(b bounds) (lo, hi float64) {
	if a := b.linear(5); b.hi <= b.lo || (b.hi-b.lo) < max(math.Abs(b.lo), math.Abs(b.hi))*1e-5 {
		return a.lo, a.hi
	}
	pad := (b.hi - b.lo) * .02
	return b.lo - pad, b.hi + pad
}

func within(a axis, ticks []tick) (kept []tick) {
	for _, t := range ticks {
		if t.at >= a.lo && t.at <= a.hi {
			kept = append(kept, t)
		}
	}
	return kept
}

func (c *Curve) draw(p *panel, look style) {
	keep := thinned(c.Y)
	x, y := pick(c.X, keep), pick(c.Y, keep)
	p.curve(x, y, look.lineClass(), name(c.Model))
	if len(c.X) > 12 {
		return
	}
	for i := range c.X {
		v := c.at(i)
		p.errors(Single(c.X[i]), v, join("e", look.color))
		p.marker(p.px(c.X[i]), p.py(c.Y[i]), look, name(c.Model)+": "+v.text())
	}
}

// at returns the i-th point as a value.
func (c *Curve) at(i int) Value {
	v := Value{Mean: c.Y[i], N: max(c.Seeds, 1)}
	if len(c.SE) > 0 {
		v.SE = c.SE[i]
	}
	return v
}

// label joins what a screen reader says; a long list is cut.
func label(title string, said []string) string {
	const most = 12
	if n := len(said); n > most {
		said = append(said[:most:most], fmt.Sprintf("and %d more", n-most))
	}
	return name(title) + ": " + strings.Join(said, "; ")
}

// plots returns the panels of plots and one legend for all of them.
func plots(all []Plot, s *styles) (cards []card, keys []key) {
	var l legend
	for i := range all {
		cards = append(cards, all[i].draw(s))
		for _, c := range all[i].Lines {
			l.add(c.Model, s.get(c.Model, c.Role))
		}
	}
	return cards, l.keys
}

// legend gathers entries, each once.
type legend struct {
	keys []key
	seen map[string]bool
}

func (l *legend) add(model string, look style) {
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	if id := model + " " + join(look.color, look.dash); !l.seen[id] {
		l.seen[id] = true
		l.keys = append(l.keys, look.key(model))
	}
}

// leastRate is where the logarithmic axes of ROC curves begin.
const leastRate = 1e-3

// draw returns the curves on linear axes, and on logarithmic ones, which show what an
// attacker reaches who must hardly ever be wrong.
func (a *Attack) draw(s *styles) (cards []card, keys []key) {
	var l legend
	var said []string
	for _, c := range a.Curves {
		l.add(c.Model+", AUC "+c.AUC.text(), s.get(c.Model, c.Role))
		said = append(said, name(c.Model)+" has an AUC of "+c.AUC.text())
	}
	share := bounds{leastRate, 1, true}
	for _, v := range []struct {
		title string
		axis  axis
	}{{"All thresholds", unit(5)}, {"Few false alarms", share.logarithmic(4)}} {
		p := newPanel(narrow, 290, v.axis, v.axis, "false positive rate", "true positive rate")
		a.floor(p)
		step := .006 * max(1, float64(len(a.Curves))/6) * float64(int(1)<<s.halved)
		for _, c := range a.Curves {
			x, y := c.vertices(v.axis.lo, step)
			p.curve(x, y, s.get(c.Model, c.Role).lineClass(), name(c.Model))
		}
		cards = append(cards, card{Title: v.title, Figure: p.svg(label(v.title, said))})
	}
	keys = append(l.keys, lineKey("a d1", "guessing: AUC 0.5"))
	if a.Floor.N > 0 {
		keys = append(keys, lineKey("fl", a.floorText()))
	}
	return cards, keys
}

func (a *Attack) floorText() string {
	what := a.FloorName
	if what == "" {
		what = "attacker who does not see the model"
	}
	return "floor, " + what + ": AUC " + a.Floor.text()
}

// floor draws guessing, and the curve of equal variances that has the AUC of the
// floor: TPR = FPR^(1/AUC − 1).
func (a *Attack) floor(p *panel) {
	n := 60
	x, diagonal, y := make([]float64, n+1), make([]float64, n+1), make([]float64, n+1)
	auc := min(max(a.Floor.Mean, .001), .999)
	for i := range x {
		x[i] = float64(i) / float64(n)
		if p.x.log {
			x[i] = math.Pow(leastRate, 1-x[i])
		}
		diagonal[i], y[i] = x[i], math.Pow(x[i], 1/auc-1)
	}
	p.curve(x, diagonal, "a d1", "")
	if a.Floor.N > 0 {
		p.curve(x, y, "fl", "")
	}
}

// vertices returns the curve as the staircase that it is, from FPR lo on, thinned.
func (c *ROC) vertices(lo, step float64) (x, y []float64) {
	last := 0.0
	for _, i := range thinnedCurve(c.FPR, c.TPR, step) {
		if c.FPR[i] < lo {
			last = c.TPR[i]
			continue
		}
		if len(x) == 0 && lo > 0 {
			x, y = append(x, lo), append(y, last)
		}
		x, y = append(x, c.FPR[i]), append(y, c.TPR[i])
	}
	return x, y
}

// thinnedCurve keeps points that are at least a step from the last one, as a share
// of linear or of logarithmic axes.
func thinnedCurve(x, y []float64, step float64) (keep []int) {
	last := [2]float64{-1, -1}
	for i := range x {
		at := [2]float64{x[i] + math.Log10(max(x[i], leastRate))/3, y[i] + math.Log10(max(y[i], leastRate))/3}
		if i == 0 || i == len(x)-1 || math.Abs(at[0]-last[0])+math.Abs(at[1]-last[1]) > step {
			keep = append(keep, i)
			last = at
		}
	}
	return keep
}

// lineKey is the entry of a line without a marker.
func lineKey(class, text string) key {
	c := canvas{w: 30, h: 14}
	c.line(1, 7, 29, 7, class)
	return key{c.hidden(), brief(text, 2*maxName)}
}

// draw returns the layers as rows, from the input down to the output.
func (d *Depth) draw(s *styles) card {
	var b bounds
	for _, line := range d.Lines {
		for _, v := range line.Values {
			b.addValue(v)
		}
	}
	const row, left = 22.0, 110.0
	shown := d.Layers
	p := &panel{canvas: canvas{w: narrow, h: row*float64(len(shown)) + 46}, x: b.linear(4)}
	p.left, p.top, p.width, p.height = left, 6, narrow-left-16, row*float64(len(shown))
	p.x.thin(p.width)
	p.rows(d.Layers, d.Y, row)
	said := []string{}
	for _, line := range d.Lines {
		look := s.get(line.Model, line.Role)
		var x, y []float64
		for i, v := range line.Values {
			if v.N == 0 {
				continue
			}
			at := p.top + row*(float64(i)+.5)
			x, y = append(x, p.px(v.Mean)), append(y, at)
			if lo, hi := v.span(); hi > lo {
				p.line(p.px(lo), at, p.px(hi), at, join("e", look.color))
			}
			said = append(said, name(line.Model)+" at "+name(d.Layers[i])+" "+v.text())
		}
		p.path(polyline(x, y), look.lineClass(), name(line.Model))
		for i := range x {
			p.marker(x[i], y[i], look, name(line.Model))
		}
	}
	return card{Title: name(d.Title), Figure: p.svg(label(d.Title, said))}
}

// rows draws the frame of a panel with a name on each row.
func (p *panel) rows(names []string, xName string, row float64) {
	bottom := p.top + p.height
	for i, n := range names {
		at := p.top + row*(float64(i)+.5)
		p.line(p.left, at, p.left+p.width, at, "g")
		p.text(p.left-6, at+4, "end", "t", fit(n, fontSize, p.left-10))
	}
	for _, t := range p.x.ticks {
		at := p.px(t.at)
		p.line(at, p.top, at, bottom, "g")
		half := textWidth(t.text, fontSize) / 2
		p.text(min(at, p.w-half), bottom+15, "middle", "t", t.text)
	}
	p.line(p.left, bottom, p.left+p.width, bottom, "a")
	p.text(p.left+p.width/2, p.h-5, "middle", "n", fit(xName, fontSize, p.w-8))
}
