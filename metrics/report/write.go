package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
)

// bar returns the picture of a score beside it, on an axis that all persons share.
func (v Value) bar(b bounds) template.HTML {
	const width = 150.0
	if v.N == 0 || b.hi <= b.lo {
		return ""
	}
	a := axis{lo: b.lo, hi: b.hi}
	c := canvas{w: width, h: 14}
	at := func(x float64) float64 { return 2 + (width-4)*a.pos(x) }
	from, to := min(at(0), at(v.Mean)), max(at(0), at(v.Mean))
	c.rect(2, 2, width-4, 10, "f", "")
	c.rect(from, 2, to-from, 10, "b0", "")
	if lo, hi := v.span(); hi > lo {
		c.line(at(lo), 7, at(hi), 7, "e cr")
		c.line(at(lo), 4, at(lo), 10, "e cr")
		c.line(at(hi), 4, at(hi), 10, "e cr")
	}
	return c.hidden()
}

// WriteJSON writes the report. Errors as for WriteHTML, but for the size.
func (r *Report) WriteJSON(w io.Writer) error {
	if err := r.check(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// WriteCSV writes a line for every figure: section, item, figure, x, mean, se, n, lo,
// hi. The item is a model, a method, a class or a person, x the place on the axis of
// a curve, the layer or the class. Empty cells are what a figure does not have. Losses
// of single samples and points of maps are in the JSON alone. Errors as for WriteJSON.
//
// A text that a spreadsheet would take for a formula has an apostrophe before it.
func (r *Report) WriteCSV(w io.Writer) error {
	if err := r.check(); err != nil {
		return err
	}
	t := &csvTable{lines: [][]string{{"section", "item", "figure", "x", "mean", "se", "n", "lo", "hi"}}}
	t.addTable(r.Table)
	for _, f := range r.Fronts {
		for _, p := range f.Points {
			t.addFront(f.Method, p)
		}
	}
	if r.Attack != nil {
		for _, c := range r.Attack.Curves {
			t.add("attack", c.Model, "auc", "", c.AUC)
			for i := range c.FPR {
				t.add("attack", c.Model, "tpr", exact(c.FPR[i]), Single(c.TPR[i]))
			}
		}
		t.add("attack", r.Attack.FloorName, "floor", "", r.Attack.Floor)
	}
	t.addPlots("resurgence", r.Resurgence)
	t.addPlots("relearning", r.Relearning)
	t.addPlots("trace", r.Trace)
	t.addClasses(r.Classes)
	for _, d := range r.Depth {
		for _, line := range d.Lines {
			for i, v := range line.Values {
				t.add("depth", line.Model, d.Title, d.Layers[i], v)
			}
		}
	}
	if r.Persons != nil {
		for _, p := range r.Persons.Samples {
			t.add("persons", p.Name, r.Persons.Measure, p.Class, p.Score)
		}
	}
	return csv.NewWriter(w).WriteAll(t.lines)
}

type csvTable struct{ lines [][]string }

// add leaves out what has no figure.
func (t *csvTable) add(section, item, figure, x string, v Value) {
	if v.N == 0 {
		return
	}
	line := []string{section, plain(item), plain(figure), plain(x), exact(v.Mean), exact(v.SE), strconv.Itoa(v.N), "", ""}
	if v.Interval != nil {
		line[7], line[8] = exact(v.Interval.Lo), exact(v.Interval.Hi)
	}
	t.lines = append(t.lines, line)
}

// plain keeps spreadsheets from running a text; numbers stay as they are.
func plain(s string) string {
	if s == "" {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	switch s[0] {
	case '=', '+', '-', '@', '\t', '\r':
		return "'" + s
	}
	return s
}

func (t *csvTable) addTable(all *Table) {
	if all == nil {
		return
	}
	t.add("methods", "band", "gap", "", all.Band)
	for _, c := range all.Columns {
		t.add("methods", "no knowledge", c.Name, "", c.Floor)
	}
	for _, r := range all.sorted() {
		t.add("methods", r.Name, "gap", "", r.Gap)
		t.add("methods", r.Name, "gap_in_bands", "", r.Bands)
		for i, v := range r.Figures {
			t.add("methods", r.Name, all.Columns[i].Name, "", v)
		}
		t.add("methods", r.Name, "passes", "", r.Passes)
		t.add("methods", r.Name, "retrain_passes", "", r.Share)
		t.add("methods", r.Name, "difference", "", r.Less)
	}
}

func (t *csvTable) addFront(method string, p FrontPoint) {
	for _, f := range []struct {
		name string
		v    Value
	}{{"passes", p.Passes}, {"retrain_passes", p.Share}, {"gap", p.Gap}, {"gap_in_bands", p.Bands}, {"retain", p.Retain}, {"test", p.Test}} {
		t.add("fronts", method, f.name, p.Name, f.v)
	}
}

func (t *csvTable) addPlots(section string, plots []Plot) {
	for _, p := range plots {
		for _, c := range p.Lines {
			for i := range c.X {
				t.add(section, c.Model, p.Title, exact(c.X[i]), c.at(i))
				if c.Seeds == 0 {
					t.lines[len(t.lines)-1][6] = ""
				}
			}
		}
	}
}

func (t *csvTable) addClasses(c *Classes) {
	if c == nil {
		return
	}
	for _, m := range c.Models {
		for k, v := range m.Accuracy {
			t.add("classes", m.Model, "accuracy", c.Names[k], v)
		}
	}
}
