package report

import (
	"html/template"
	"math"
)

// Sizes of panels in pixels. A narrow one fits a phone.
const (
	narrow      = 332
	wide        = 1064
	panelHeight = 240
)

// panel is a frame with two axes, into which data are drawn.
type panel struct {
	canvas
	x, y                     axis
	left, top, width, height float64 // of the area of data
}

// newPanel draws frame, grid, labels and the names of the axes. The name of the
// vertical axis stands above it, so that it reads without turning the head.
func newPanel(w, h float64, x, y axis, xName, yName string) *panel {
	p := &panel{canvas: canvas{w: w, h: h}, x: x, y: y}
	p.left = max(y.widest()+10, 22)
	p.top, p.width, p.height = 24, w-p.left-14, h-24-40
	p.x.thin(p.width)
	for _, t := range y.ticks {
		at := p.py(t.at)
		p.line(p.left, at, p.left+p.width, at, "g")
		p.text(p.left-6, at+4, "end", "t", t.text)
	}
	bottom := p.top + p.height
	for _, t := range p.x.ticks {
		at := p.px(t.at)
		p.line(at, p.top, at, bottom, "g")
		half := textWidth(t.text, fontSize) / 2
		p.text(min(at, w-half), bottom+16, "middle", "t", t.text)
	}
	p.line(p.left, bottom, p.left+p.width, bottom, "a")
	p.text(2, 13, "start", "n", fit(yName, fontSize, w-4))
	p.text(p.left+p.width/2, h-6, "middle", "n", fit(xName, fontSize, w-8))
	return p
}

func (p *panel) px(v float64) float64 { return p.left + p.width*p.x.pos(v) }
func (p *panel) py(v float64) float64 { return p.top + p.height*(1-p.y.pos(v)) }

// curve draws a line through points given in the units of the axes.
func (p *panel) curve(x, y []float64, class, title string) {
	at, up := make([]float64, len(x)), make([]float64, len(x))
	for i := range x {
		at[i], up[i] = p.px(x[i]), p.py(y[i])
	}
	p.path(polyline(at, up), class, title)
}

// errors draws error bars around a point; an end beyond the frame is cut there.
func (p *panel) errors(x, y Value, class string) {
	if lo, hi := x.span(); hi > lo {
		p.line(p.px(lo), p.py(y.Mean), p.px(hi), p.py(y.Mean), class)
	}
	if lo, hi := y.span(); hi > lo {
		p.line(p.px(x.Mean), p.py(lo), p.px(x.Mean), p.py(hi), class)
	}
}

// box is the area that a label covers.
type box struct{ x0, y0, x1, y1 float64 }

func (a box) meets(b box) bool {
	return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1
}

// distance is that of a point from the box, 0 inside.
func (a box) distance(x, y float64) float64 {
	return math.Hypot(max(a.x0-x, x-a.x1, 0), max(a.y0-y, y-a.y1, 0))
}

// labels places texts beside points so that none covers another or a point, or is
// nearer to another point than to its own.
type labels struct {
	p     *panel
	x, y  []float64
	taken []box
}

// newLabels keeps the places of all points free.
func newLabels(p *panel, x, y []float64) *labels {
	l := &labels{p: p, x: x, y: y}
	for i := range x {
		l.taken = append(l.taken, box{x[i] - 5, y[i] - 5, x[i] + 5, y[i] + 5})
	}
	return l
}

// place finds room for a text near a point, and reports whether there is any.
func (l *labels) place(x, y float64, text string) (box, bool) {
	w, h := textWidth(text, fontSize), float64(fontSize)
	for _, away := range []float64{8, 16, 26, 38} {
		for _, d := range [][2]float64{{1, 0}, {-1, 0}, {0, -1}, {0, 1}, {1, -1}, {-1, -1}, {1, 1}, {-1, 1}} {
			cx, cy := x+d[0]*(away+w/2), y+d[1]*(away+h/2)
			if d[1] != 0 {
				cx = x + d[0]*(w/2+4)
			}
			b := box{cx - w/2, cy - h/2, cx + w/2, cy + h/2}
			if l.free(b) && l.nearest(b, x, y) {
				return b, true
			}
		}
	}
	return box{}, false
}

func (l *labels) free(b box) bool {
	p := l.p
	if b.x0 < p.left+1 || b.x1 > p.left+p.width || b.y0 < p.top || b.y1 > p.top+p.height {
		return false
	}
	for _, t := range l.taken {
		if b.meets(t) {
			return false
		}
	}
	return true
}

// nearest reports whether no other point is as near to b as (x, y).
func (l *labels) nearest(b box, x, y float64) bool {
	own := b.distance(x, y)
	for i := range l.x {
		if (l.x[i] != x || l.y[i] != y) && b.distance(l.x[i], l.y[i]) < own+1 {
			return false
		}
	}
	return true
}

// all places every text, and reports whether all found room. Nothing is drawn.
func (l *labels) all(x, y []float64, texts []string) ([]box, bool) {
	places, whole := make([]box, len(x)), true
	for i := range x {
		b, ok := l.place(x[i], y[i], texts[i])
		if !ok {
			whole = false
			continue
		}
		places[i] = b
		l.taken = append(l.taken, b)
	}
	return places, whole
}

// card is a panel with its title, which stands outside the SVG.
type card struct {
	Title  string
	Note   string // below the title
	Figure template.HTML
	// Narrow, where it is not empty, takes the place of Figure on a narrow screen.
	Narrow template.HTML
}
