package report

import (
	"fmt"
	"slices"
	"strconv"
)

func (r *Report) tableSection(s *styles) (section, bool) {
	t := r.Table
	if t == nil || len(t.Rows) == 0 {
		return section{}, false
	}
	sec := section{ID: "methods", Title: "All methods",
		How: "Gap is the distance from the retrained model. Two retrained models differ by the band: whatever lies inside is as good as retraining by this measure, and is not ranked (colored rows, by name). A useful method is left of and not below the floors, such as a short retraining."}
	var m methods
	m.Head, m.Lines = t.lines()
	sec.Methods = &m
	if len(t.Rows) > 1 {
		if c, keys, ok := t.tradeoff(s); ok {
			c.Title = "Trade-off of gap and " + name(t.Columns[t.utility()].Name)
			sec.Rows, sec.Keys = [][]card{{c}}, keys
		}
	}
	for _, n := range t.Notes {
		sec.Notes = append(sec.Notes, brief(n, maxSentence))
	}
	return sec, true
}

func (r *Report) lossSection(s *styles) (section, bool) {
	rows, keys, left := histograms(r.Losses, s.most(maxModels))
	if len(rows) == 0 {
		return section{}, false
	}
	sec := section{ID: "losses", Title: "Losses of single samples", Rows: rows, Keys: keys,
		How: "Where forgetting worked, the bars follow the outline of the retrained model on all three sets. Losses of forgotten samples left of the outline were not forgotten; right of it, they stand out by being treated worse than unseen ones."}
	return sec.omit(left, "model", "losses"), true
}

// omit adds a note of what has no panel.
func (sec section) omit(n int, what, where string) section {
	if n > 0 {
		sec.Notes = append(sec.Notes, fmt.Sprintf("Without a panel here, for lack of room: %s of %d more %ss, which are in the JSON.", where, n, what))
	}
	return sec
}

func (r *Report) attackSection(s *styles) (section, bool) {
	a := r.Attack
	if a == nil || len(a.Curves) == 0 {
		return section{}, false
	}
	sec := section{ID: "attack", Title: "Membership attack",
		How: "An attacker tries to tell forgotten samples from samples that were never trained on. A curve on the dashed line is guessing; a curve below it leaks as well, because the attacker may turn the answer round."}
	cards, keys := a.draw(s)
	sec.Rows, sec.Keys = [][]card{cards}, keys
	g := grid{Caption: "Area under the ROC curve", Head: []string{"model", "AUC"}}
	for _, c := range a.Curves {
		g.Rows = append(g.Rows, gridRow{Name: name(c.Model), Cells: []cell{c.AUC.cell(figure)}})
	}
	if a.Floor.N > 0 {
		g.Rows = append(g.Rows, gridRow{Name: "floor: " + name(a.FloorName), Cells: []cell{a.Floor.cell(figure)}})
	}
	sec.Folded = []folded{{Title: "Numbers: area under the curve", Grid: &g}}
	return sec, true
}

func (r *Report) resurgenceSection(s *styles) (section, bool) {
	return plotSection(r.Resurgence, s, section{ID: "resurgence", Title: "Resurgence",
		How: "The model is trained on the retain set alone. Where knowledge of the forgotten samples comes back faster than in the retrained model, it was hidden and not erased."})
}

func (r *Report) relearningSection(s *styles) (section, bool) {
	return plotSection(r.Relearning, s, section{ID: "relearning", Title: "Relearning",
		How: "The model is trained on one half of the forget set and judged on the other. A curve that rises faster than that of the retrained model shows that the samples were still known."})
}

func (r *Report) traceSection(s *styles) (section, bool) {
	return plotSection(r.Trace, s, section{ID: "trace", Title: "Course of unlearning",
		How: "What the methods minimized, step by step. Long courses are thinned; the smallest and largest values are kept."})
}

func plotSection(all []Plot, s *styles, sec section) (section, bool) {
	all = slices.DeleteFunc(slices.Clone(all), func(p Plot) bool {
		return !slices.ContainsFunc(p.Lines, func(c Curve) bool { return len(c.X) > 0 })
	})
	if len(all) == 0 {
		return sec, false
	}
	cards, keys := plots(all, s)
	sec.Rows, sec.Keys = [][]card{cards}, keys
	for i := range all {
		if g := all[i].grid(); g != nil {
			sec.Folded = append(sec.Folded, folded{Title: "Numbers: " + name(all[i].Title), Grid: g})
		}
	}
	return sec, true
}

// grid returns the numbers of a plot whose lines share a few places.
func (q *Plot) grid() *grid {
	var at []float64
	for _, c := range q.Lines {
		at = append(at, c.X...)
		slices.Sort(at)
		at = slices.Compact(at)
	}
	if len(at) > 12 {
		return nil
	}
	g := &grid{Caption: name(q.Y) + " by " + name(q.X), Head: []string{"model"}}
	for _, x := range at {
		g.Head = append(g.Head, strconv.FormatFloat(x, 'g', 4, 64))
	}
	for _, c := range q.Lines {
		row := gridRow{Name: name(c.Model), Cells: make([]cell, len(at))}
		for k := range row.Cells {
			row.Cells[k] = Value{}.cell(figure)
		}
		for i, x := range c.X {
			k, _ := slices.BinarySearch(at, x)
			row.Cells[k] = c.at(i).cell(figure)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// maxGridRows bounds a folded table.
const maxGridRows = 300

func (r *Report) classSection(s *styles) (section, bool) {
	c := r.Classes
	if c == nil || len(c.Names) == 0 || len(c.Models) == 0 {
		return section{}, false
	}
	cards, shown, left := c.draw(s)
	sec := section{ID: "classes", Title: "Accuracy by class", Rows: [][]card{cards},
		How: "Bars are the model named above the panel, upright lines the retrained model. Classes with forgotten samples have a × before their names and bars of another color."}
	if slices.ContainsFunc(shown, func(k int) bool { return !c.forgets(k) }) {
		sec.Keys = append(sec.Keys, boxKey("b0", "class without forgotten samples"))
	}
	if slices.ContainsFunc(shown, c.forgets) {
		sec.Keys = append(sec.Keys, boxKey("b1", "× class with forgotten samples"))
	}
	if n := len(c.Names) - len(shown); n > 0 {
		sec.Notes = append(sec.Notes, fmt.Sprintf("Panels show %d of %d classes: those with forgotten samples, and those that differ most from the retrained model.", len(shown), len(c.Names)))
	}
	sec.Folded = []folded{{Title: "Numbers: accuracy by class", Grid: c.grid(s.most(maxGridRows), s.most(maxModels))}}
	return sec.omit(left, "model", "accuracies"), true
}

func (c *Classes) grid(rows, models int) *grid {
	g := &grid{Caption: "Accuracy by class", Head: []string{"class"}}
	shown := c.Models[:min(len(c.Models), models)]
	for _, m := range shown {
		g.Head = append(g.Head, name(m.Model))
	}
	for k := range c.Names[:min(len(c.Names), rows)] {
		row := gridRow{Name: c.label(k)}
		for _, m := range shown {
			row.Cells = append(row.Cells, m.Accuracy[k].cell(figure))
		}
		g.Rows = append(g.Rows, row)
	}
	if n, m := len(c.Names)-len(g.Rows), len(c.Models)-len(shown); n > 0 || m > 0 {
		g.Left = fmt.Sprintf("Not shown: %d classes and %d models, which are in the JSON.", n, m)
	}
	return g
}

func (r *Report) mapSection(s *styles) (section, bool) {
	m := r.Maps
	if m == nil || !slices.ContainsFunc(m.Maps, func(q Map) bool { return len(q.Points) > 0 }) {
		return section{}, false
	}
	sec := section{ID: "maps", Title: "Map of features",
		How: "Each point is a sample, placed by the features that the model computes. After forgetting, crosses should lie where the retrained model puts samples that it has not seen: between the classes rather than deep in them."}
	sec.Rows, sec.Keys = m.draw(s.most(maxPoints))
	if m.Note != "" {
		sec.Notes = []string{brief(m.Note, maxSentence)}
	}
	for i := range m.Maps {
		if n := len(m.Maps[i].Points); n > s.most(maxPoints) {
			sec.Notes = append(sec.Notes, fmt.Sprintf("%s shows %d of %d points.", name(m.Maps[i].Title), s.most(maxPoints), n))
		}
	}
	return sec, true
}

func (r *Report) depthSection(s *styles) (section, bool) {
	sec := section{ID: "depth", Title: "Layer by layer",
		How: "From the input at the top to the output at the bottom. A model that equals the retrained one only near the output has hidden rather than erased."}
	var l legend
	var cards []card
	for i := range r.Depth {
		d := &r.Depth[i]
		if len(d.Layers) == 0 || len(d.Lines) == 0 {
			continue
		}
		cards = append(cards, d.draw(s))
		g := &grid{Caption: name(d.Y), Head: []string{"layer"}}
		for _, line := range d.Lines {
			l.add(line.Model, s.get(line.Model, line.Role))
			g.Head = append(g.Head, name(line.Model))
		}
		for k, layer := range d.Layers {
			row := gridRow{Name: name(layer)}
			for _, line := range d.Lines {
				row.Cells = append(row.Cells, line.Values[k].cell(figure))
			}
			g.Rows = append(g.Rows, row)
		}
		sec.Folded = append(sec.Folded, folded{Title: "Numbers: " + name(d.Title), Grid: g})
	}
	sec.Rows, sec.Keys = [][]card{cards}, l.keys
	return sec, len(cards) > 0
}

// maxPersons bounds the list of persons on the page.
const maxPersons = 25

func (r *Report) personSection(*styles) (section, bool) {
	if r.Persons == nil || len(r.Persons.Samples) == 0 {
		return section{}, false
	}
	sec := section{ID: "persons", Title: "Least forgotten", BarsName: brief(r.Persons.Measure, maxSentence),
		How: "An average may hide that a few are still known. These come first of all that had to be forgotten."}
	if sec.BarsName == "" {
		sec.BarsName = "score"
	}
	all := r.Persons.Samples[:min(len(r.Persons.Samples), maxPersons)]
	var b bounds
	b.add(0)
	for _, p := range r.Persons.Samples {
		b.addValue(p.Score)
	}
	for _, p := range all {
		sec.WithClass = sec.WithClass || p.Class != ""
		sec.WithCount = sec.WithCount || p.Count != 0
		line := bar{Name: name(p.Name), Score: p.Score.cell(figure), Bar: p.Score.bar(b), Count: missing}
		if p.Class != "" {
			line.Of = name(p.Class)
		}
		if p.Count != 0 {
			line.Count = strconv.Itoa(p.Count)
		}
		sec.Bars = append(sec.Bars, line)
	}
	if n := len(r.Persons.Samples); n > len(all) {
		sec.Notes = append(sec.Notes, fmt.Sprintf("The first %d of %d; the JSON has all.", len(all), n))
	}
	return sec, true
}

// maxFronts bounds the methods with panels of their own.
const maxFronts = 64

// openFronts is the number of methods up to which their panels are open.
const openFronts = 4

func (r *Report) frontSection(s *styles) (section, bool) {
	var some []Front
	for _, f := range r.Fronts {
		if len(f.Points) > 0 {
			some = append(some, f)
		}
	}
	if len(some) == 0 {
		return section{}, false
	}
	f := newFronts(some)
	sec := section{ID: "fronts", Title: "What a method reaches for what it costs",
		How: "Every point is one setting. A method is compared by its front, which is the best that it reaches at each cost, and not by one point. Colored points are those that no other setting beats in cost, gap and both accuracies at once."}
	cards, keys := f.overview(s)
	sec.Rows, sec.Keys = [][]card{cards}, keys
	g := &grid{Caption: "All settings", Head: []string{"setting", "", "passes", "of retraining", "gap", "in bands", "retain", "test"}}
	for i := range some {
		if i < s.most(maxFronts) {
			sec.Folded = append(sec.Folded, folded{Title: "Front of " + name(some[i].Method), Open: len(some) <= openFronts, Cards: f.single(&some[i], s)})
		}
		for _, p := range some[i].Points {
			if len(g.Rows) == s.most(maxGridRows) {
				g.Left = fmt.Sprintf("The first %d settings; the JSON has all.", s.most(maxGridRows))
				break
			}
			g.Rows = append(g.Rows, p.row())
		}
	}
	sec.Folded = append(sec.Folded, folded{Title: "Numbers: all settings", Grid: g})
	return sec.omit(len(some)-s.most(maxFronts), "method", "fronts"), true
}

func (p FrontPoint) row() gridRow {
	word := "not dominated"
	if p.Dominated {
		word = "dominated"
	}
	return gridRow{Name: name(p.Name), Words: []string{word}, Cells: []cell{p.Passes.cell(amount), p.Share.cell(percent),
		p.Gap.cell(figure), p.Bands.cell(figure), p.Retain.cell(figure), p.Test.cell(figure)}}
}
