package experiment

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/metrics"
)

// mainColumns are the figures beside gap and passes in the first part of the text; the
// others follow in a second part.
const mainColumns = 4

// WriteText writes the table for a terminal, in two parts, with what it says in words
// below them.
func (t *Table) WriteText(w io.Writer) error {
	fmt.Fprintln(w, t.Task)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tab, "method\tgap\tbands\t%s\tpasses\tless best\tstanding\n", strings.Join(t.Columns[:mainColumns], "\t"))
	for _, row := range t.Rows {
		fmt.Fprintf(tab, "%s\t%s\t%s", row.title(), short(row.Gap), plain(row.Bands, 1))
		for _, v := range row.Figures[:mainColumns] {
			fmt.Fprint(tab, "\t", short(v))
		}
		fmt.Fprintf(tab, "\t%s\t%s\t%s\n", row.work(), short(row.Less), row.standing())
	}
	fmt.Fprintf(tab, "\nmethod\t%s\tverdicts\n", strings.Join(t.Columns[mainColumns:], "\t"))
	for _, row := range t.Rows {
		fmt.Fprint(tab, row.title())
		for _, v := range row.Figures[mainColumns:] {
			fmt.Fprint(tab, "\t", short(v))
		}
		fmt.Fprintf(tab, "\t%s\n", row.verdicts())
	}
	fmt.Fprintln(tab)
	if err := tab.Flush(); err != nil {
		return err
	}
	for _, s := range t.Sentences() {
		if _, err := fmt.Fprintln(w, s); err != nil {
			return err
		}
	}
	return nil
}

func (r Row) title() string {
	if r.Floor {
		return r.Name + " (floor)"
	}
	return r.Name
}

// work is the share of a retraining, or the passes where that is not known.
func (r Row) work() string {
	switch {
	case r.Share.N > 0:
		return fmt.Sprintf("%.0f %%", 100*r.Share.Mean)
	case r.Passes.N > 0:
		return fmt.Sprintf("%.0fk", r.Passes.Mean/1000)
	}
	return "–"
}

// standing adds the ways in which runs ended, where they did not complete.
func (r Row) standing() string {
	text := string(r.Standing)
	for _, stop := range sortedStops(r.Stops) {
		if stop != dlfd.Completed {
			text += fmt.Sprintf("; %d× %s", r.Stops[stop], stop)
		}
	}
	return text
}

// verdicts lists the verdicts of the audits with their numbers.
func (r Row) verdicts() string {
	var all []string
	for v := metrics.CannotTell; v <= metrics.OverUnlearned; v++ {
		if n := r.Verdicts[v]; n > 0 {
			all = append(all, fmt.Sprintf("%d× %v", n, v))
		}
	}
	return strings.Join(all, ", ")
}

// mainVerdict is the verdict that most audits give.
func (r Row) mainVerdict() (most metrics.Verdict) {
	for v := metrics.CannotTell; v <= metrics.OverUnlearned; v++ {
		if r.Verdicts[v] > r.Verdicts[most] {
			most = v
		}
	}
	return most
}

func sortedStops(stops map[dlfd.Stop]int) (all []dlfd.Stop) {
	for s := range stops {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// short writes a figure between 0 and 1 as the tables of the field do, .876±.012, with
// the interval of a single seed behind it.
func short(v Value) string {
	text := plain(v, 3)
	if v.Interval != nil {
		text += fmt.Sprintf(" [%s, %s]", decimals(v.Interval.Lo, 3), decimals(v.Interval.Hi, 3))
	}
	return text
}

func plain(v Value, digits int) string {
	switch v.N {
	case 0:
		return "–"
	case 1:
		return decimals(v.Mean, digits)
	}
	return decimals(v.Mean, digits) + "±" + decimals(v.SE, digits)
}

// decimals leaves out a zero before the point, but for figures with one digit.
func decimals(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if digits > 1 && math.Abs(v) < 1 {
		text = strings.Replace(text, "0.", ".", 1)
	}
	return text
}

// wideBand is a band that is too wide to tell good methods apart by.
const wideBand = .02

// Sentences says in words what the table shows.
func (t *Table) Sentences() []string {
	var all []string
	band := fmt.Sprintf("The band, the gap between two retrained models, is %s over %d models.", plain(t.Band, 3), t.Retrained)
	if inside := t.names(func(r Row) bool { return t.place(r) == 0 }); len(inside) > 0 {
		band += " Inside it, not ranked: " + strings.Join(inside, ", ") + "."
	}
	all = append(all, band)
	if most := t.seeds(); most < 2 {
		all = append(all, "There is one seed: no figure has a standard error, and which differences are real cannot be said.")
	}
	if t.Band.Mean > wideBand {
		all = append(all, fmt.Sprintf("A band above %v decides nothing between methods that come near to retraining.", wideBand))
	}
	if original := t.Rows[1]; original.Gap.N > 0 && original.Gap.Mean <= t.Band.Mean {
		all = append(all, "The original model lies inside the band too: this task cannot tell methods apart.")
	}
	if t.Best == "" {
		return append(all, "No method has a gap.")
	}
	text := "The smallest mean gap is that of " + t.Best
	if ties := t.names(func(r Row) bool { return r.Standing == Tied }); len(ties) > 0 {
		text += ", with which are tied: " + strings.Join(ties, ", ")
	}
	all = append(all, text+".")
	for _, row := range t.Rows {
		for _, f := range row.Failures {
			all = append(all, fmt.Sprintf("%s: %s", row.Name, f))
		}
	}
	return all
}

// seeds is the largest number of seeds that a gap of a method is the mean of.
func (t *Table) seeds() (most int) {
	for _, row := range t.Rows[2:] {
		most = max(most, row.Gap.N)
	}
	return most
}

// names lists methods.
func (t *Table) names(which func(Row) bool) (names []string) {
	for _, row := range t.Rows[2:] {
		if which(row) {
			names = append(names, row.Name)
		}
	}
	return names
}

// summaryFile is the content of what WriteJSON writes.
type summaryFile struct {
	Digest   string   `json:"digest"`
	Manifest Manifest `json:"manifest"`
	Tasks    []struct {
		Table  Table   `json:"table"`
		Fronts []Front `json:"fronts"`
	} `json:"tasks"`
	Outcomes []namedOutcome `json:"outcomes"`
}

type namedOutcome struct {
	Job     Job      `json:"job"`
	Outcome *Outcome `json:"outcome"`
}

// WriteJSON writes the digest, the manifest, the tables, the fronts and all outcomes.
// Equal results give equal bytes.
func (r *Results) WriteJSON(w io.Writer) error {
	f := summaryFile{Digest: r.Digest, Manifest: r.plan.manifest}
	for _, t := range r.Tables() {
		f.Tasks = append(f.Tasks, struct {
			Table  Table   `json:"table"`
			Fronts []Front `json:"fronts"`
		}{t, t.Fronts()})
	}
	for _, j := range r.plan.jobs {
		f.Outcomes = append(f.Outcomes, namedOutcome{j, r.Outcomes[j.Index]})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(f)
}

// WriteCSV writes a line for every figure of every row of every table: task, method,
// group, figure, mean, se, n, lo, hi; the last two are empty without an interval.
func (r *Results) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	lines := [][]string{{"task", "method", "group", "figure", "mean", "se", "n", "lo", "hi"}}
	for _, t := range r.Tables() {
		for _, row := range t.Rows {
			add := func(name string, v Value) {
				line := []string{t.Task, row.Name, row.Group, name, number(v.Mean), number(v.SE), strconv.Itoa(v.N), "", ""}
				if v.Interval != nil {
					line[7], line[8] = number(v.Interval.Lo), number(v.Interval.Hi)
				}
				if v.N > 0 {
					lines = append(lines, line)
				}
			}
			add("gap", row.Gap)
			add("gap_in_bands", row.Bands)
			for i, v := range row.Figures {
				add(t.Columns[i], v)
			}
			add("passes", row.Passes)
			add("retrain_passes", row.Share)
			add("difference", row.Less)
		}
	}
	return out.WriteAll(lines)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
