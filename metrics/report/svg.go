package report

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
)

// fontSize is that of every text in a figure, in pixels; figures are never scaled.
const fontSize = 12

// canvas collects the elements of one SVG. Coordinates are pixels from the top left.
type canvas struct {
	w, h float64
	b    strings.Builder
}

func px(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	return minus(strings.TrimSuffix(s, ".0"))
}

// rect draws a rectangle; a title that is not empty is its tooltip.
func (c *canvas) rect(x, y, w, h float64, class, title string) {
	fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="%s" height="%s" class="%s"`, px(x), px(y), px(max(w, 0)), px(max(h, 0)), class)
	if title == "" {
		c.b.WriteString("/>")
		return
	}
	fmt.Fprintf(&c.b, "><title>%s</title></rect>", escape(title))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	c.path("M"+px(x1)+" "+px(y1)+"L"+px(x2)+" "+px(y2), class, "")
}

func (c *canvas) path(d, class, title string) {
	if d == "" {
		return
	}
	fmt.Fprintf(&c.b, `<path d="%s" class="%s"`, d, class)
	if title == "" {
		c.b.WriteString("/>")
		return
	}
	fmt.Fprintf(&c.b, "><title>%s</title></path>", escape(title))
}

// text writes s with its baseline at y. The anchor is start, middle or end.
func (c *canvas) text(x, y float64, anchor, class, s string) {
	fmt.Fprintf(&c.b, `<text x="%s" y="%s"`, px(x), px(y))
	if anchor != "start" {
		fmt.Fprintf(&c.b, ` text-anchor="%s"`, anchor)
	}
	if class != "" {
		fmt.Fprintf(&c.b, ` class="%s"`, class)
	}
	fmt.Fprintf(&c.b, ">%s</text>", escape(s))
}

// svg returns the picture. The label is what a screen reader says in its place.
func (c *canvas) svg(label string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg role="img" aria-label="%s" width="%s" height="%s" viewBox="0 0 %s %s">%s</svg>`,
		escape(label), px(c.w), px(c.h), px(c.w), px(c.h), c.b.String()))
}

// polyline returns the path data of a line through points.
func polyline(x, y []float64) string {
	var b strings.Builder
	for i := range x {
		if i == 0 {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		b.WriteString(px(x[i]) + " " + px(y[i]))
	}
	return b.String()
}

// markers are path data of shapes about 8 pixels wide around the origin, relative
// to it. Three are strokes, the others filled.
var markers = []string{
	"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",                // disk
	"m-3.6-3.6h7.2v7.2h-7.2z",                           // square
	"m0-4.6l4.6 8h-9.2z",                                // triangle
	"m0-5l5 5l-5 5l-5-5z",                               // diamond
	"m0 4.6l4.6-8h-9.2z",                                // triangle on its tip
	"m-4.5 0h9m-4.5-4.5v9",                              // plus
	"m-3.5-3.5l7 7m0-7l-7 7",                            // cross
	"m-4.5 0h9m-6.8-3.9l4.5 7.8m0-7.8l-4.5 7.8",         // star
	"m-1.6-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3zm0 0", // thick plus, of floors
	"m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0zm3 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z", // ring, of Retrained
	"m-4.4-4.4h8.8v8.8h-8.8zm2.4 2.4v4h4v-4z",                               // hollow square, of Original
	"m0-5.5l5.5 5.5l-5.5 5.5l-5.5-5.5zm0 3l-2.5 2.5l2.5 2.5l2.5-2.5z",       // hollow diamond, of a second floor
	"m0-5.5l5.5 9.5h-11zm0 4l-2 3.5h4z",                                     // hollow triangle, of a third one
}

// stroked says whether a marker is drawn by strokes alone.
func stroked(marker int) bool { return marker >= 5 && marker <= 7 }

func (c *canvas) marker(x, y float64, s style, title string) {
	c.path("M"+px(x)+" "+px(y)+markers[s.marker], s.markerClass(), title)
}
