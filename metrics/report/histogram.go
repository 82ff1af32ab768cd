package report

import (
	"fmt"
	"slices"
)

// Bounds on what one section draws; the tables below figures and the JSON have all.
const (
	maxModels  = 8  // models with panels of their own
	maxClasses = 24 // classes in a panel
	bins       = 28
)

// set is one of the three sets whose losses are drawn.
type set struct {
	name   string
	losses func(l *Losses) []float64
}

var sets = []set{
	{"forget", func(l *Losses) []float64 { return l.Forget }},
	{"holdout", func(l *Losses) []float64 { return l.Holdout }},
	{"retain", func(l *Losses) []float64 { return l.Retain }},
}

// histograms returns a row for each model with a panel for each set, with Retrained's outline, and
// the number of models beyond the first most.
func histograms(all []Losses, most int) (rows [][]card, keys []key, left int) {
	x := lossAxis(all)
	var reference *Losses
	if i := slices.IndexFunc(all, func(l Losses) bool { return l.Role == Retrained }); i >= 0 {
		reference = &all[i]
	}
	shown := 0
	for i := range all {
		if &all[i] == reference && len(all) > 1 {
			continue
		}
		if shown++; shown > most {
			left++
			continue
		}
		var cards []card
		for _, s := range sets {
			if len(s.losses(&all[i])) > 0 {
				cards = append(cards, s.draw(x, &all[i], reference))
			}
		}
		if len(cards) > 0 {
			rows = append(rows, cards)
		}
	}
	keys = []key{boxKey("h0", "the model named above the panel")}
	if reference != nil {
		keys = append(keys, lineKey("ho", name(reference.Model)))
	}
	return rows, keys, left
}

// lossAxis is one axis for all panels: logarithmic where losses, none of them
// negative, spread over more than a factor of 50. The smallest half percent share the first bin.
func lossAxis(all []Losses) axis {
	var values []float64
	var b bounds
	for i := range all {
		for _, s := range sets {
			values = append(values, s.losses(&all[i])...)
		}
	}
	b.add(values...)
	if b.some && b.lo >= 0 {
		slices.Sort(values)
		low := bounds{max(values[len(values)/200], 1e-8), b.hi, true}
		if low.hi > 50*low.lo {
			return low.logarithmic(9)
		}
	}
	return b.linear(5)
}

// draw returns the histogram of one set under one model.
func (s set) draw(x axis, l, reference *Losses) card {
	share := histogram(x, s.losses(l))
	var other []float64
	if reference != nil && reference != l {
		other = histogram(x, s.losses(reference))
	}
	top := bounds{0, max(slices.Max(share), slices.Max(append(other, 0))), true}
	p := newPanel(narrow, 200, x, top.linear(3), "loss", "share of samples")
	for i, v := range share {
		if v > 0 {
			at := p.left + p.width*float64(i)/bins
			p.rect(at, p.py(v), p.width/bins-.6, p.py(0)-p.py(v), "h0", "")
		}
	}
	p.steps(other)
	said := []string{fmt.Sprintf("%d samples, median %s", len(s.losses(l)), figure(median(s.losses(l))))}
	if len(other) > 0 {
		said = append(said, fmt.Sprintf("%s %s", fit(reference.Model, 14, 80), figure(median(s.losses(reference)))))
	}
	title := name(l.Model) + ", " + s.name
	return card{Title: title, Note: said[0] + tail(said), Figure: p.svg(label("Loss histogram of "+title, said))}
}

func tail(said []string) string {
	if len(said) < 2 {
		return ""
	}
	return "; " + said[1]
}

// steps outlines a histogram.
func (p *panel) steps(share []float64) {
	if len(share) == 0 {
		return
	}
	x, y := []float64{p.left}, []float64{p.py(0)}
	for i, v := range share {
		x = append(x, p.left+p.width*float64(i)/bins, p.left+p.width*float64(i+1)/bins)
		y = append(y, p.py(v), p.py(v))
	}
	p.path(polyline(append(x, p.left+p.width), append(y, p.py(0))), "ho", "")
}

// histogram returns the share of values in each bin of the axis; nil of none.
func histogram(x axis, values []float64) []float64 {
	if len(values) == 0 {
		return nil
	}
	share := make([]float64, bins)
	for _, v := range values {
		share[min(int(x.pos(v)*bins), bins-1)] += 1 / float64(len(values))
	}
	return share
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return sorted[n/2-1]/2 + sorted[n/2]/2
}
