package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// maxPoints bounds the points of a map; forgotten ones are kept first, up to half.
const maxPoints = 1400

// maxKeys bounds the classes of a legend.
const maxKeys = 14

const mapSize = narrow

// draw returns two rows with a panel for each map: colored by class, and by forget.
func (m *Maps) draw(most int) (rows [][]card, keys []key) {
	order := m.order()
	rows = make([][]card, 2)
	for i := range m.Maps {
		q := &m.Maps[i]
		points := q.sample(most)
		p := newMapPanel(q.Points)
		rows[0] = append(rows[0], card{Title: name(q.Title) + ", by class", Figure: m.byClass(p, points, order, q.Title)})
		p = newMapPanel(q.Points)
		rows[1] = append(rows[1], card{Title: name(q.Title) + ", by forget", Figure: byForget(p, points, q.Title)})
	}
	for k, class := range order[:min(len(order), maxKeys)] {
		c := canvas{w: 14, h: 14}
		c.path("M7 7h0", dotClass(k), "")
		keys = append(keys, key{c.hidden(), name(m.Classes[class])})
	}
	if n := len(order) - maxKeys; n > 0 {
		keys = append(keys, key{"", fmt.Sprintf("and %d more classes", n)})
	}
	c := canvas{w: 14, h: 14}
	c.path("M7 7"+cross, "x", "")
	return rows, append(keys, key{c.hidden(), "to be forgotten"}, key{dots("o"), "all others"})
}

// order returns the classes with points, those with forgotten points first, then
// by their numbers.
func (m *Maps) order() []int {
	forget, some := make([]bool, len(m.Classes)), make([]bool, len(m.Classes))
	for _, q := range m.Maps {
		for _, p := range q.Points {
			some[p.Class] = true
			forget[p.Class] = forget[p.Class] || p.Forget
		}
	}
	var order []int
	for k := range m.Classes {
		if some[k] {
			order = append(order, k)
		}
	}
	rank := func(k int) int {
		if forget[k] {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	return order
}

// sample thins the points evenly to at most so many.
func (q *Map) sample(most int) []Point {
	var forget, rest []Point
	for _, p := range q.Points {
		if p.Forget {
			forget = append(forget, p)
		} else {
			rest = append(rest, p)
		}
	}
	forget = evenly(forget, max(most/2, most-len(rest)))
	return append(evenly(rest, most-len(forget)), forget...)
}

func evenly(p []Point, n int) []Point {
	if len(p) <= n {
		return p
	}
	out := make([]Point, n)
	for i := range out {
		out[i] = p[i*len(p)/n]
	}
	return out
}

// newMapPanel has equal scales on both axes and no ticks: the coordinates say
// nothing by themselves.
func newMapPanel(points []Point) *panel {
	var x, y bounds
	for _, p := range points {
		x.add(p.X)
		y.add(p.Y)
	}
	half := max(x.hi-x.lo, y.hi-y.lo)/2*1.06 + 1e-300
	if half < max(math.Abs(x.lo), math.Abs(y.lo))*1e-12 {
		half = max(math.Abs(x.lo), math.Abs(y.lo), 1)
	}
	mx, my := x.lo/2+x.hi/2, y.lo/2+y.hi/2
	p := &panel{canvas: canvas{w: mapSize, h: mapSize}, x: axis{lo: mx - half, hi: mx + half}, y: axis{lo: my - half, hi: my + half}}
	p.left, p.top, p.width, p.height = 4, 4, mapSize-8, mapSize-8
	p.rect(4, 4, mapSize-8, mapSize-8, "f", "")
	return p
}

// dotClass gives the k-th class its color; the second round has squares, the third
// smaller dots.
func dotClass(k int) string {
	return fmt.Sprintf("p p%d c%d", k/hues%3, k%hues)
}

// byClass draws one path for each class and its name amid its points.
func (m *Maps) byClass(p *panel, points []Point, order []int, title string) template.HTML {
	place := make([]int, len(m.Classes))
	for k, class := range order {
		place[class] = k
	}
	paths := make([]strings.Builder, len(order))
	sum := make([][3]float64, len(order))
	for _, q := range points {
		k := place[q.Class]
		x, y := p.px(q.X), p.py(q.Y)
		paths[k].WriteString("M" + px(x) + " " + px(y) + "h0")
		sum[k] = [3]float64{sum[k][0] + x, sum[k][1] + y, sum[k][2] + 1}
	}
	for k := range order {
		p.path(paths[k].String(), dotClass(k), name(m.Classes[order[k]]))
	}
	l := newLabels(p, nil, nil)
	for k := range order[:min(len(order), maxKeys)] {
		if sum[k][2] == 0 {
			continue
		}
		text := fit(m.Classes[order[k]], fontSize, 90)
		x, y, w := sum[k][0]/sum[k][2], sum[k][1]/sum[k][2], textWidth(text, fontSize)
		b := box{x - w/2, y - 7, x + w/2, y + 7}
		if l.free(b) {
			l.taken = append(l.taken, b)
			p.text(x, y+4, "middle", "n halo", text)
		}
	}
	return p.svg(fmt.Sprintf("Map of features, %s: %d points in %d classes", name(title), len(points), len(order)))
}

// cross is the path of a forgotten sample.
const cross = "m-3-3l6 6m0-6l-6 6"

func byForget(p *panel, points []Point, title string) template.HTML {
	var rest, forget strings.Builder
	n := 0
	for _, q := range points {
		at := "M" + px(p.px(q.X)) + " " + px(p.py(q.Y))
		if q.Forget {
			forget.WriteString(at + cross)
			n++
		} else {
			rest.WriteString(at + "h0")
		}
	}
	p.path(rest.String(), "o", "")
	p.path(forget.String(), "x", "to be forgotten")
	return p.svg(fmt.Sprintf("Map of features, %s: %d of %d points are to be forgotten", name(title), n, len(points)))
}
