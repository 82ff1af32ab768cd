package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// column is one column of the table: its value for a model, and how the value
// of one model is written.
type column struct {
	title string
	mean  string // the title in the table of means; empty: not there
	value func(outcome) float64
	write func(outcome) string // nil: short(value)
}

func fsOf(attack float64) float64 { return 2 * math.Abs(attack-.5) }

func columnsOfTable() []column {
	return []column{
		{"retain", "retain", func(o outcome) float64 { return o.Audit.RetainAccuracy }, nil},
		{"forget", "forget", func(o outcome) float64 { return o.Audit.ForgetAccuracy }, nil},
		{"test", "test", func(o outcome) float64 { return o.Audit.TestAccuracy }, nil},
		{"AUC [95%]", "AUC", func(o outcome) float64 { return o.Audit.LossAttack.AUC }, func(o outcome) string {
			i := o.Audit.LossAttack.AUCInterval
			return fmt.Sprintf("%s [%s, %s]", short(o.Audit.LossAttack.AUC), short(i.Lo), short(i.Hi))
		}},
		{"gap", "gap", func(o outcome) float64 { return o.Gap.Mean }, nil},
		{"FS (floor)", "", func(o outcome) float64 { return o.Audit.ForgettingScore }, func(o outcome) string {
			return fmt.Sprintf("%s (%s)", short(o.Audit.ForgettingScore), short(fsOf(o.Audit.PublishedMajority)))
		}},
		{"NoMUS", "NoMUS", func(o outcome) float64 { return o.Audit.NoMUS }, nil},
		{"bal.", "bal.", func(o outcome) float64 { return o.Audit.BalancedNoMUS }, nil},
		{"sec.", "sec.", func(o outcome) float64 { return o.seconds }, func(o outcome) string { return fmt.Sprintf("%.1f", o.seconds) }},
		{"passes", "", func(o outcome) float64 { return passes(o) }, func(o outcome) string { return fmt.Sprintf("%.1fk", passes(o)) }},
	}
}

// passes is the number of samples run forward or backward, in thousands.
func passes(o outcome) float64 { return float64(o.Ledger.Forward+o.Ledger.Backward) / 1000 }

// short writes a number from 0 to 1 as the tables of the field do, .876.
func short(v float64) string {
	return strings.TrimPrefix(fmt.Sprintf("%.3f", v), "0")
}

func newTable(w io.Writer, cols []column, last string) *tabwriter.Writer {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "method")
	for _, c := range cols {
		fmt.Fprint(t, "\t", c.title)
	}
	fmt.Fprintln(t, "\t"+last)
	return t
}

// printSeed writes the table of one seed, for each label where there are several.
func printSeed(w io.Writer, r seedRun) error {
	for k, name := range r.labelNames() {
		if err := printRun(w, fmt.Sprintf("seed %d, label %s", r.Seed, name), r.label(k)); err != nil {
			return err
		}
	}
	title := fmt.Sprintf("seed %d", r.Seed)
	if r.labelNames() != nil {
		title += ", mean over the labels"
	}
	return printRun(w, title, r)
}

func printRun(w io.Writer, title string, r seedRun) error {
	fmt.Fprintf(w, "\n%s\n", title)
	cols := columnsOfTable()
	t := newTable(w, cols, "stop")
	for _, o := range r.Models {
		fmt.Fprint(t, o.Method)
		for _, c := range cols {
			if c.write == nil {
				fmt.Fprint(t, "\t", short(c.value(o)))
			} else {
				fmt.Fprint(t, "\t", c.write(o))
			}
		}
		fmt.Fprintln(t, "\t"+o.Stop)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	printVerdicts(w, r)
	_, err := fmt.Fprintf(w, "band %s: the gap between two models retrained with different seeds; a smaller gap tells nothing\n", short(r.Models[bandRow].Gap.Mean))
	return err
}

// printVerdicts writes what the audit says of each model where it knows no
// retrained one: a line for each verdict.
func printVerdicts(w io.Writer, r seedRun) {
	names := make(map[string][]string)
	var verdicts []string
	for _, o := range r.Models {
		j := o.Audit.Judgment
		if j == nil {
			continue
		}
		v := j.Verdict.String()
		if names[v] == nil {
			verdicts = append(verdicts, v)
		}
		names[v] = append(names[v], o.Method)
	}
	for _, v := range verdicts {
		fmt.Fprintf(w, "%s, judged without a retrained model: %s\n", v, strings.Join(names[v], ", "))
	}
}

// printMeans writes means and standard deviations over the seeds, if there is
// more than one.
func printMeans(w io.Writer, runs []seedRun) error {
	if len(runs) < 2 {
		return nil
	}
	for k, name := range runs[0].labelNames() {
		var of []seedRun
		for _, r := range runs {
			of = append(of, r.label(k))
		}
		if err := printMeansOf(w, "label "+name+", ", of); err != nil {
			return err
		}
	}
	of := ""
	if runs[0].labelNames() != nil {
		of = "mean over the labels, "
	}
	return printMeansOf(w, of, runs)
}

func printMeansOf(w io.Writer, of string, runs []seedRun) error {
	fmt.Fprintf(w, "\n%smean ± standard deviation over %d seeds\n", of, len(runs))
	cols := slices.DeleteFunc(columnsOfTable(), func(c column) bool { return c.mean == "" })
	for i := range cols { // neither intervals nor floors are averaged
		cols[i].title = cols[i].mean
	}
	t := newTable(w, cols, "diverged")
	for i, first := range runs[0].Models {
		fmt.Fprint(t, first.Method)
		for _, c := range cols {
			mean, sd := moments(runs, i, c.value)
			if c.write != nil && c.title != "AUC" {
				fmt.Fprintf(t, "\t%.1f±%.1f", mean, sd)
				continue
			}
			fmt.Fprintf(t, "\t%s±%s", short(mean), short(sd))
		}
		fmt.Fprintf(t, "\t%d of %d\n", diverged(runs, i), len(runs))
	}
	return t.Flush()
}

// moments returns the mean and the standard deviation (divisor n-1) of a value
// of model i over the seeds.
func moments(runs []seedRun, i int, value func(outcome) float64) (mean, sd float64) {
	for _, r := range runs {
		mean += value(r.Models[i])
	}
	mean /= float64(len(runs))
	for _, r := range runs {
		d := value(r.Models[i]) - mean
		sd += d * d
	}
	return mean, math.Sqrt(sd / float64(len(runs)-1))
}

func diverged(runs []seedRun, i int) (n int) {
	for _, r := range runs {
		if r.Models[i].Stop == divergedStop {
			n++
		}
	}
	return n
}
