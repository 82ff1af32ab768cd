package report

import (
	"fmt"
	"html/template"
)

// hues is the number of colors of methods, c0 to c6 in the style sheet.
const hues = 7

// Markers of roles, indexes of markers.
const (
	retrainedMarker = 9
	originalMarker  = 10
	methodMarkers   = 8
)

var floorMarkers = []int{8, 11, 12}

// style is how a model looks in every figure: color, marker and dash say the same
// thing three times.
type style struct {
	color  string // class that sets the color
	marker int
	dash   string // class of the dash, empty for a full line
}

func (s style) lineClass() string { return join("l", s.color, s.dash) }

func (s style) markerClass() string {
	if stroked(s.marker) {
		return join("ms", s.color)
	}
	return join("mf", s.color)
}

func join(classes ...string) string {
	text := ""
	for _, c := range classes {
		if c != "" && text != "" {
			text += " "
		}
		text += c
	}
	return text
}

// styles gives a method the same look in all figures, and bounds how much they show.
type styles struct {
	of      map[string]int
	ofFloor map[string]int
	floors  map[string]bool // names of floors in the table
	halved  int             // how many times the bounds are halved, to keep the page small
}

// most returns a bound on what is shown.
func (s *styles) most(n int) int { return n >> s.halved }

// styles numbers the methods of a report in the order in which they come.
func (r *Report) styles(halved int) *styles {
	s := &styles{of: make(map[string]int), ofFloor: make(map[string]int), floors: make(map[string]bool), halved: halved}
	if r.Table != nil {
		for _, row := range r.Table.sorted() {
			s.get(row.Name, row.Role)
			s.floors[row.Name] = s.floors[row.Name] || row.Role == Floor
		}
	}
	for _, f := range r.Fronts {
		s.get(f.Method, Method)
	}
	return s
}

func (s *styles) get(model string, role Role) style {
	if role == Method && s.floors[model] {
		role = Floor
	}
	switch role {
	case Retrained:
		return style{"cr", retrainedMarker, "d1"}
	case Original:
		return style{"co", originalMarker, "d2"}
	case Floor:
		i, known := s.ofFloor[model]
		if !known {
			i = len(s.ofFloor)
			s.ofFloor[model] = i
		}
		return style{fmt.Sprintf("c%d", i%hues), floorMarkers[i%len(floorMarkers)], "d3"}
	}
	i, known := s.of[model]
	if !known {
		i = len(s.of)
		s.of[model] = i
	}
	dashes := []string{"", "d4", "d5"}
	return style{fmt.Sprintf("c%d", i%hues), i % methodMarkers, dashes[i/hues%len(dashes)]}
}

// key is an entry of a legend.
type key struct {
	Picture template.HTML
	Name    string
}

// key returns the entry of a model: a line with its marker.
func (s style) key(model string) key {
	c := canvas{w: 30, h: 14}
	c.line(1, 7, 29, 7, s.lineClass())
	c.marker(15, 7, s, "")
	return key{c.hidden(), name(model)}
}

// markKey is the entry of a marker without a line.
func (s style) markKey(text string) key {
	c := canvas{w: 14, h: 14}
	c.marker(7, 7, s, "")
	return key{c.hidden(), name(text)}
}

// boxKey is the entry of an area.
func boxKey(class, text string) key {
	c := canvas{w: 18, h: 14}
	c.rect(1, 2, 16, 10, class, "")
	return key{c.hidden(), name(text)}
}

// hidden returns a picture that screen readers pass over.
func (c *canvas) hidden() template.HTML {
	return template.HTML(fmt.Sprintf(`<svg aria-hidden="true" width="%s" height="%s">%s</svg>`, px(c.w), px(c.h), c.b.String()))
}
