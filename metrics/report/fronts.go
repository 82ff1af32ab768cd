package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// quantity is what a panel of fronts shows against the cost.
type quantity struct {
	id, title string
	of        func(p *FrontPoint) Value
	less      bool // smaller is better
}

// fronts draws all methods on common axes.
type fronts struct {
	all        []Front
	quantities []quantity
	cost       func(p *FrontPoint) Value
	costName   string
	x          axis
}

func every(all []Front, has func(p *FrontPoint) Value) bool {
	for i := range all {
		for j := range all[i].Points {
			if has(&all[i].Points[j]).N == 0 {
				return false
			}
		}
	}
	return true
}

// newFronts chooses shares of a retraining and multiples of the band where every
// point has them, and passes and plain gaps otherwise.
func newFronts(all []Front) *fronts {
	f := &fronts{all: all, costName: "samples run forward and backward", cost: func(p *FrontPoint) Value { return p.Passes }}
	if share := func(p *FrontPoint) Value { return p.Share }; every(all, share) {
		f.cost, f.costName = share, "sample-passes, as a share of retraining"
	}
	gap := quantity{"gap", "gap", func(p *FrontPoint) Value { return p.Gap }, true}
	if bands := func(p *FrontPoint) Value { return p.Bands }; every(all, bands) {
		gap.of, gap.title = bands, "gap in bands"
	}
	f.quantities = []quantity{gap,
		{"retain", "retain accuracy", func(p *FrontPoint) Value { return p.Retain }, false},
		{"test", "test accuracy", func(p *FrontPoint) Value { return p.Test }, false}}
	var b bounds
	for i := range all {
		for j := range all[i].Points {
			if v := f.cost(&all[i].Points[j]); v.N > 0 {
				b.add(v.Mean)
			}
		}
	}
	if b.lo > 0 {
		f.x = bounds{b.lo / 1.15, b.hi * 1.15, true}.logarithmic(5)
	} else {
		f.x = b.linear(4)
	}
	return f
}

// overview shows the points of all methods in gray, and above them those that no
// other dominates.
func (f *fronts) overview(s *styles) (cards []card, keys []key) {
	var l legend
	for _, q := range f.quantities {
		p := f.background(q)
		if p == nil {
			continue
		}
		var said []string
		for i := range f.all {
			look := s.get(f.all[i].Method, Method)
			for j := range f.all[i].Points {
				point := &f.all[i].Points[j]
				if point.Dominated || q.of(point).N == 0 || f.cost(point).N == 0 {
					continue
				}
				f.point(p, point, q, look)
				said = append(said, f.text(point, q))
				l.add(f.all[i].Method, look)
			}
		}
		cards = append(cards, card{Title: q.title, Figure: p.svg(label(q.title+" of the settings that no other dominates", said))})
	}
	return cards, append(l.keys, key{dots("o"), "all settings of all methods"})
}

func dots(class string) template.HTML {
	c := canvas{w: 24, h: 14}
	c.path("M4 7h0M12 4h0M19 9h0", class, "")
	return c.hidden()
}

// single returns the panels of one method; the points of all others are gray.
func (f *fronts) single(front *Front, s *styles) (cards []card) {
	look := s.get(front.Method, Method)
	points := slices.Clone(front.Points)
	slices.SortStableFunc(points, func(a, b FrontPoint) int { return cmp.Compare(f.cost(&a).Mean, f.cost(&b).Mean) })
	for _, q := range f.quantities {
		p := f.background(q)
		if p == nil {
			continue
		}
		p.b.Reset()
		fmt.Fprintf(&p.b, `<use href="#front-%s"/>`, q.id)
		var at, best []float64
		var errors, marks strings.Builder
		for i := range points {
			v, c := q.of(&points[i]), f.cost(&points[i])
			if v.N == 0 || c.N == 0 {
				continue
			}
			if n := len(best); n > 0 {
				at, best = append(at, c.Mean), append(best, best[n-1])
			}
			at, best = append(at, c.Mean), append(best, q.better(best, v.Mean))
			x := "M" + px(p.px(c.Mean)) + " "
			marks.WriteString(x + px(p.py(v.Mean)) + markers[look.marker])
			if v.SE > 0 {
				errors.WriteString(x + px(p.py(v.Mean-v.SE)) + "V" + px(p.py(v.Mean+v.SE)))
			}
		}
		p.path(errors.String(), join("e", look.color), "")
		p.curve(at, best, look.lineClass(), "")
		p.path(marks.String(), look.markerClass(), "")
		cards = append(cards, card{Title: name(front.Method) + ": " + q.title, Figure: p.svg(q.summary(front, best))})
	}
	return cards
}

// summary is what a screen reader says of a front; the table below has all numbers.
func (q quantity) summary(front *Front, best []float64) string {
	if len(best) == 0 {
		return name(front.Method) + ": no setting has " + q.title
	}
	return fmt.Sprintf("%s, %d settings: best %s %s", name(front.Method), len(front.Points), q.title, figure(best[len(best)-1]))
}

// better returns the best value up to here.
func (q quantity) better(best []float64, v float64) float64 {
	if len(best) == 0 {
		return v
	}
	if last := best[len(best)-1]; q.less {
		return min(last, v)
	} else {
		return max(last, v)
	}
}

func (f *fronts) text(p *FrontPoint, q quantity) string {
	return fmt.Sprintf("%s: %s %s at %s", name(p.Name), q.title, q.of(p).text(), f.costText(p))
}

func (f *fronts) costText(p *FrontPoint) string {
	if strings.Contains(f.costName, "share") {
		return percent(p.Share.Mean) + " of retraining"
	}
	return amount(p.Passes.Mean) + " passes"
}

func (f *fronts) point(p *panel, point *FrontPoint, q quantity, look style) {
	c, v := f.cost(point), q.of(point)
	p.errors(Single(c.Mean), v, join("e", look.color))
	p.marker(p.px(c.Mean), p.py(v.Mean), look, f.text(point, q))
}

// background returns the frame of a quantity with all points in gray, as a group
// that other panels use again; nil where no point has the quantity.
func (f *fronts) background(q quantity) *panel {
	var b bounds
	for i := range f.all {
		for j := range f.all[i].Points {
			if v := q.of(&f.all[i].Points[j]); v.N > 0 && f.cost(&f.all[i].Points[j]).N > 0 {
				b.add(v.Mean, v.Mean-v.SE, v.Mean+v.SE)
			}
		}
	}
	if !b.some {
		return nil
	}
	if q.less {
		b.lo = min(b.lo, max(0, b.lo))
	}
	y := b.linear(4)
	if q.less && b.lo > 0 && b.hi > 20*b.lo {
		y = bounds{b.lo / 1.2, b.hi * 1.1, true}.logarithmic(5)
	}
	p := newPanel(narrow, 220, f.x, y, f.costName, q.title)
	if q.title == "gap in bands" && 1 >= y.lo && 1 <= y.hi {
		p.rect(p.left, p.py(1), p.width, p.top+p.height-p.py(1), "bd", "inside the band")
	}
	var d strings.Builder
	for i := range f.all {
		for j := range f.all[i].Points {
			point := &f.all[i].Points[j]
			if c, v := f.cost(point), q.of(point); c.N > 0 && v.N > 0 {
				d.WriteString("M" + px(p.px(c.Mean)) + " " + px(p.py(v.Mean)) + "h0")
			}
		}
	}
	p.path(d.String(), "o", "")
	frame := p.b.String()
	p.b.Reset()
	fmt.Fprintf(&p.b, `<g id="front-%s">%s</g>`, q.id, frame)
	return p
}
