package report

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
)

// maxLabels bounds the labels that are tried to be placed, which costs its square.
const maxLabels = 100

// spot is a model in the trade-off figure.
type spot struct {
	row    Row
	number int // of its row in the table
	x, y   Value
}

// utility returns the index of the column of the vertical axis, -1 for none.
func (t *Table) utility() int {
	want := t.Utility
	if want == "" {
		want = "test"
	}
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == want })
}

func (t *Table) spots() (all []spot) {
	at := t.utility()
	if at < 0 {
		return nil
	}
	for i, row := range t.sorted() {
		if row.Gap.N > 0 && row.Figures[at].N > 0 {
			all = append(all, spot{row, i + 1, row.Gap, row.Figures[at]})
		}
	}
	return all
}

// tradeoff returns the figure at two widths; ok is false with nothing to draw.
func (t *Table) tradeoff(s *styles) (c card, keys []key, ok bool) {
	spots := t.spots()
	if len(spots) == 0 {
		return card{}, nil, false
	}
	full, whole := t.scatter(spots, s, wide, 430)
	small, fits := t.scatter(spots, s, narrow, 380)
	var l legend
	for _, p := range spots {
		text := p.row.Name
		if !whole || !fits {
			text = strconv.Itoa(p.number) + " " + text
		}
		l.keys = append(l.keys, s.get(p.row.Name, p.row.Role).markKey(text))
	}
	keys = l.keys
	if t.Band.N > 0 {
		keys = append(keys, boxKey("bd", "band: gap between two retrained models"))
	}
	return card{Figure: full, Narrow: small}, keys, true
}

// scatter draws gap against utility, and reports whether every spot has its name
// beside it. Otherwise spots have the numbers of their rows, as far as there is room.
func (t *Table) scatter(spots []spot, s *styles, w, h float64) (template.HTML, bool) {
	p := t.scatterPanel(spots, w, h)
	x, y, names, numbers := make([]float64, len(spots)), make([]float64, len(spots)), make([]string, len(spots)), make([]string, len(spots))
	for i, q := range spots {
		x[i], y[i] = p.px(q.x.Mean), p.py(q.y.Mean)
		names[i] = fit(q.row.Name, fontSize, 130)
		numbers[i] = strconv.Itoa(q.number)
	}
	texts := names
	labeled := min(len(spots), maxLabels)
	places, whole := p.labels(spots, x, y).all(x[:labeled], y[:labeled], names)
	if whole = whole && labeled == len(spots); !whole {
		texts = numbers
		places, _ = p.labels(spots, x, y).all(x[:labeled], y[:labeled], numbers)
	}
	var said []string
	for i, q := range spots {
		look := s.get(q.row.Name, q.row.Role)
		p.errors(q.x, q.y, join("e", look.color))
		text := fmt.Sprintf("%s: gap %s, %s %s", name(q.row.Name), q.x.text(), name(t.Columns[t.utility()].Name), q.y.text())
		p.marker(x[i], y[i], look, text)
		said = append(said, text)
	}
	for i, b := range places {
		if b != (box{}) {
			p.text((b.x0+b.x1)/2, b.y1-2, "middle", "n halo", texts[i])
		}
	}
	return p.svg(label("Trade-off", said)), whole
}

// labels keeps the places of points and of their error bars free.
func (p *panel) labels(spots []spot, x, y []float64) *labels {
	l := newLabels(p, x, y)
	for i, q := range spots {
		left, right := q.x.span()
		low, high := q.y.span()
		l.taken = append(l.taken, box{p.px(left), y[i] - 1, p.px(right), y[i] + 1}, box{x[i] - 1, p.py(high), x[i] + 1, p.py(low)})
	}
	return l
}

// scatterPanel draws the axes, the band, and the lines of Retrained and the floors.
// The gap has a logarithmic axis where it spreads over more than a factor of 30.
func (t *Table) scatterPanel(spots []spot, w, h float64) *panel {
	var bx, by bounds
	for _, q := range spots {
		bx.add(q.x.Mean, q.x.Mean+q.x.SE)
		by.addValue(q.y)
	}
	if t.Band.N > 0 {
		bx.add(t.Band.Mean)
	}
	x := bounds{min(bx.lo, 0), bx.hi, true}.linear(int(w / 90))
	if bx.lo > 0 && bx.hi > 30*bx.lo {
		x = bounds{bx.lo / 1.3, bx.hi * 1.1, true}.logarithmic(int(w / 60))
	}
	pad := (by.hi - by.lo) * .08
	by.add(by.lo-pad, by.hi+pad)
	p := newPanel(w, h, x, by.linear(5), "gap to the retrained model (left is better)", name(t.Columns[t.utility()].Name)+" (up is better)")
	if t.Band.N > 0 {
		p.rect(p.left, p.top, p.px(t.Band.Mean)-p.left, p.height, "bd", "band: "+t.Band.text())
	}
	for _, q := range spots {
		switch q.row.Role {
		case Retrained:
			p.line(p.left, p.py(q.y.Mean), p.left+p.width, p.py(q.y.Mean), "a d1")
		case Floor:
			p.line(p.px(q.x.Mean), p.top, p.px(q.x.Mean), p.top+p.height, "a d3")
		}
	}
	return p
}
