package report

import (
	"cmp"
	"slices"
	"strings"
)

// sorted returns the rows in the order of the page.
func (t *Table) sorted() []Row {
	rows := slices.Clone(t.Rows)
	slices.SortStableFunc(rows, func(a, b Row) int {
		pa, pb := t.place(a), t.place(b)
		switch {
		case pa != pb:
			return cmp.Compare(pa, pb)
		case pa == inside:
			return strings.Compare(a.Name, b.Name)
		case pa == outside:
			return cmp.Compare(a.Gap.Mean, b.Gap.Mean)
		}
		return 0
	})
	return rows
}

// Places of rows in the order of the page.
const (
	retrainedPlace = iota
	originalPlace
	inside
	outside
	withoutGap
)

func (t *Table) place(r Row) int {
	switch {
	case r.Role == Retrained:
		return retrainedPlace
	case r.Role == Original:
		return originalPlace
	case r.Gap.N == 0:
		return withoutGap
	case t.Band.N > 0 && r.Gap.Mean <= t.Band.Mean:
		return inside
	}
	return outside
}

// standing is what the page says of a row: the band decides first, then the words of
// the row. What these have after a semicolon, such as how runs ended, always stands.
func (t *Table) standing(r Row) string {
	place := t.place(r)
	text := [...]string{"reference", "reference", "inside the band", "", "not judged"}[place]
	if place == outside {
		switch {
		case r.Standing != "":
			text = brief(r.Standing, 2*maxName)
		case r.Tied:
			text = "tied with the best"
		case t.Band.N > 0:
			text = "outside the band"
		}
	}
	if _, more, ok := strings.Cut(r.Standing, ";"); ok && place != outside {
		text += ";" + brief(more, 2*maxName)
	}
	if r.Role == Floor {
		text = strings.TrimSuffix("floor; "+text, "; ")
	}
	return text
}

// cell is a value as the page shows it.
type cell struct {
	Exact, Text string // Text is – and Exact empty where there is no figure
	SE          string
	Lo, Hi      string
}

// cell writes a value by the given manner of writing numbers.
func (v Value) cell(write func(float64) string) cell {
	if v.N == 0 {
		return cell{Text: missing}
	}
	c := cell{Exact: exact(v.Mean), Text: write(v.shown())}
	if v.N > 1 || v.SE > 0 {
		c.SE = write(v.SE)
	}
	if v.Interval != nil {
		c.Lo, c.Hi = write(v.Interval.Lo), write(v.Interval.Hi)
	}
	return c
}

// line is a row of the table of methods as the page shows it.
type line struct {
	Number   int
	Name     string
	Class    string // of the style sheet
	Cells    []cell
	Standing string
	Note     string
}

// optional is a column of the table that is shown where some row has it.
type optional struct {
	Name, About string
	of          func(r *Row) Value
	write       func(float64) string
	bare        bool // without its standard error, which would only widen the table
}

// columns returns the columns that some row has a figure for.
func (t *Table) columns() []optional {
	all := []optional{
		{"gap", "distance from the retrained model; 0 is equal", func(r *Row) Value { return r.Gap }, figure, false},
		{"in bands", "gap over the band", func(r *Row) Value { return r.Bands }, figure, false},
	}
	for i, c := range t.Columns {
		all = append(all, optional{name(c.Name), brief(c.About, maxSentence), func(r *Row) Value { return r.Figures[i] }, figure, false})
	}
	all = append(all,
		optional{"passes", "samples run forward and backward", func(r *Row) Value { return r.Passes }, amount, true},
		optional{"of retraining", "passes over those of a retraining", func(r *Row) Value { return r.Share }, percent, true},
		optional{"behind best", "gap less that of the best, seed by seed", func(r *Row) Value { return r.Less }, figure, false})
	return slices.DeleteFunc(all, func(c optional) bool {
		return !slices.ContainsFunc(t.Rows, func(r Row) bool { return c.of(&r).N > 0 })
	})
}

// floors is the row of what is reached without any knowledge; nil without floors.
func (t *Table) floors() *Row {
	r := Row{Name: "no knowledge"}
	some := false
	for _, c := range t.Columns {
		r.Figures = append(r.Figures, c.Floor)
		some = some || c.Floor.N > 0
	}
	if !some {
		return nil
	}
	return &r
}

// lines returns the rows of the page: the band, the floors, and the models.
func (t *Table) lines() (head []optional, lines []line) {
	head = t.columns()
	write := func(r Row, class, standing string, number int) {
		l := line{Number: number, Name: name(r.Name), Class: class, Standing: standing, Note: brief(r.Note, maxSentence)}
		for _, c := range head {
			v := c.of(&r)
			if c.bare {
				v.SE, v.N = 0, min(v.N, 1)
			}
			l.Cells = append(l.Cells, v.cell(c.write))
		}
		lines = append(lines, l)
	}
	if t.Band.N > 0 {
		write(Row{Name: "band", Gap: t.Band, Figures: make([]Value, len(t.Columns))}, "ref", "gap between two retrained models", 0)
	}
	if r := t.floors(); r != nil {
		write(*r, "ref", "what guessing reaches", 0)
	}
	for i, r := range t.sorted() {
		class := [...]string{"ref", "ref", "in", "", ""}[t.place(r)]
		write(r, class, t.standing(r), i+1)
	}
	return head, lines
}
