package experiment

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Front is what one method reaches for what it costs: a point for each of its
// settings, the cheapest first. A method is judged by its front, not by a point.
type Front struct {
	Group  string       `json:"group"`
	Points []FrontPoint `json:"points"`
}

// FrontPoint is one setting of a method on one task.
type FrontPoint struct {
	Name   string `json:"name"`
	Passes Value  `json:"passes"`         // samples run forward and backward
	Share  Value  `json:"retrain_passes"` // Passes over those of a retraining
	Gap    Value  `json:"gap"`
	Bands  Value  `json:"gap_in_bands"`
	Retain Value  `json:"retain"` // accuracies
	Test   Value  `json:"test"`
	// Dominated says that another point of the same task costs no more and has no
	// larger gap, no smaller retain accuracy and no smaller test accuracy, and is
	// better in one of these.
	Dominated bool `json:"dominated"`
}

// Fronts returns the fronts of all methods in a table, in the order of their first
// rows. Methods without a gap are left out.
func (t *Table) Fronts() []Front {
	var fronts []Front
	retain, test := t.column("retain"), t.column("test")
	for _, row := range t.Rows {
		if row.Standing == Reference || row.Gap.N == 0 {
			continue
		}
		at := slices.IndexFunc(fronts, func(f Front) bool { return f.Group == row.Group })
		if at < 0 {
			at = len(fronts)
			fronts = append(fronts, Front{Group: row.Group})
		}
		fronts[at].Points = append(fronts[at].Points, FrontPoint{
			Name: row.Name, Passes: row.Passes, Share: row.Share, Gap: row.Gap, Bands: row.Bands,
			Retain: row.Figures[retain], Test: row.Figures[test],
		})
	}
	for _, f := range fronts {
		for i := range f.Points {
			f.Points[i].Dominated = dominated(f.Points[i], fronts)
		}
		slices.SortStableFunc(f.Points, func(a, b FrontPoint) int { return cmp.Compare(a.Passes.Mean, b.Passes.Mean) })
	}
	return fronts
}

// column returns the position of a column that every table has.
func (t *Table) column(name string) int { return slices.Index(t.Columns, name) }

func dominated(p FrontPoint, fronts []Front) bool {
	for _, f := range fronts {
		if slices.ContainsFunc(f.Points, func(q FrontPoint) bool { return q.dominates(p) }) {
			return true
		}
	}
	return false
}

func (q FrontPoint) dominates(p FrontPoint) bool {
	a := [...]float64{q.Passes.Mean, q.Gap.Mean, -q.Retain.Mean, -q.Test.Mean}
	b := [...]float64{p.Passes.Mean, p.Gap.Mean, -p.Retain.Mean, -p.Test.Mean}
	better := false
	for i := range a {
		if a[i] > b[i] {
			return false
		}
		better = better || a[i] < b[i]
	}
	return better
}

// WriteFronts writes the fronts of the methods that have more than one setting. It
// writes nothing where there is none.
func (t *Table) WriteFronts(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	title := "front\tpasses\tgap\tbands\tretain\ttest\tdominated\n"
	for _, f := range t.Fronts() {
		if len(f.Points) < 2 {
			continue
		}
		fmt.Fprint(tab, title)
		title = ""
		for _, p := range f.Points {
			dominated := ""
			if p.Dominated {
				dominated = "yes"
			}
			work := Row{Passes: p.Passes, Share: p.Share}.work()
			fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, work, short(p.Gap), plain(p.Bands, 1), short(p.Retain), short(p.Test), dominated)
		}
	}
	return tab.Flush()
}
