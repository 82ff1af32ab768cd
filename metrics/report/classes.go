package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// draw returns a panel of bars for each model but Retrained, which marks every bar
// with a line, the classes that are shown, and how many models were left out.
func (c *Classes) draw(s *styles) (cards []card, shown []int, left int) {
	reference := slices.IndexFunc(c.Models, func(m ClassAccuracy) bool { return m.Role == Retrained })
	shown = c.shown(reference)
	drawn := 0
	for i := range c.Models {
		if i == reference && len(c.Models) > 1 {
			continue
		}
		if drawn++; drawn > maxModels {
			left++
			continue
		}
		cards = append(cards, c.bars(i, reference, shown, s))
	}
	return cards, shown, left
}

// shown returns the classes with room in a panel: those with forgotten samples first,
// then those whose accuracy differs most from Retrained's; in their own order.
func (c *Classes) shown(reference int) []int {
	order := make([]int, len(c.Names))
	weight := make([]float64, len(c.Names))
	for k := range order {
		order[k] = k
		if c.forgets(k) {
			weight[k] = 2
		}
		for _, m := range c.Models {
			if v := m.Accuracy[k]; reference >= 0 && v.N > 0 && c.Models[reference].Accuracy[k].N > 0 {
				weight[k] = max(weight[k], weight[k]+math.Abs(v.Mean-c.Models[reference].Accuracy[k].Mean))
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weight[b], weight[a]) })
	order = order[:min(len(order), maxClasses)]
	slices.Sort(order)
	return order
}

func (c *Classes) forgets(k int) bool { return len(c.Forget) > 0 && c.Forget[k] }

// label marks a class that has forgotten samples.
func (c *Classes) label(k int) string {
	if c.forgets(k) {
		return "× " + name(c.Names[k])
	}
	return name(c.Names[k])
}

func (c *Classes) bars(model, reference int, shown []int, s *styles) card {
	const row, left = 20.0, 112.0
	m := c.Models[model]
	p := &panel{canvas: canvas{w: narrow, h: row*float64(len(shown)) + 46}, x: unit(4)}
	p.left, p.top, p.width, p.height = left, 6, narrow-left-44, row*float64(len(shown))
	var names []string
	for _, k := range shown {
		names = append(names, c.label(k))
	}
	p.rows(names, "accuracy", row)
	var said []string
	for i, k := range shown {
		at := p.top + row*(float64(i)+.5)
		v := m.Accuracy[k]
		class := "b0"
		if c.forgets(k) {
			class = "b1"
		}
		if v.N > 0 {
			p.rect(p.left, at-6, p.px(v.Mean)-p.left, 12, class, name(c.Names[k])+": "+v.text())
			if lo, hi := v.span(); hi > lo {
				p.line(p.px(lo), at, p.px(hi), at, "e cr")
			}
		}
		p.text(narrow-2, at+4, "end", "t", short(v))
		if r := c.at(reference, k); reference != model && r.N > 0 {
			p.line(p.px(r.Mean), at-9, p.px(r.Mean), at+9, "rt")
		}
		said = append(said, c.label(k)+" "+v.text())
	}
	return card{Title: name(m.Model), Figure: p.svg(label("Accuracy by class, "+m.Model, said))}
}

// at returns the accuracy of a model on a class, no figure where there is no model.
func (c *Classes) at(model, k int) Value {
	if model < 0 {
		return Value{}
	}
	return c.Models[model].Accuracy[k]
}

// short writes an accuracy beside its bar.
func short(v Value) string {
	if v.N == 0 {
		return missing
	}
	return fmt.Sprintf("%.2f", v.Mean)
}
