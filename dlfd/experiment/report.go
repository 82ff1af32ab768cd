package experiment

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/metrics"
	"github.com/dlfd-go/unlearn/metrics/report"
)

// Report returns what the page of package report shows of a task: the table and the
// fronts of all methods, and curves and figures of the retrained model, the original,
// the floors and the best methods. dirs are the folders of the runs, which have the
// weights that some of the figures are made from; what cannot be shown without them
// is listed in Report.NotJudged. Cost: some forward passes of the models shown.
//
// A task that is not there, and a fleet, give an error wrapping dlfd.ErrParameter.
func (r *Results) Report(ctx context.Context, task string, dirs ...string) (*report.Report, error) {
	at := slices.IndexFunc(r.plan.problems, func(q *problem) bool { return q.Name == task })
	if r.plan.manifest.Fleet {
		return nil, fmt.Errorf("experiment: report: %w: a fleet has none", dlfd.ErrParameter)
	}
	if at < 0 {
		return nil, fmt.Errorf("experiment: report: %w: no task is called %q", dlfd.ErrParameter, task)
	}
	w := &reporting{Results: r, task: at, table: r.table(at), dirs: dirs}
	w.choose()
	w.Report = report.Report{
		Title: "Forgetting on " + task, Verdict: w.verdict(), Facts: w.facts(), Table: w.rows(), Fronts: w.fronts(),
		Resurgence: w.resurgence(), Relearning: w.relearning(), Classes: w.classes(), Trace: w.trace(), Persons: w.persons(),
	}
	if err := w.addFigures(ctx); err != nil {
		return nil, fmt.Errorf("experiment: report of %s: %w", task, err)
	}
	w.addOmissions()
	return &w.Report, nil
}

// reporting is a report that is being written.
type reporting struct {
	*Results
	report.Report
	task  int
	table Table
	dirs  []string
	shown []shown
}

// shown is a model that curves and figures show.
type shown struct {
	name   string
	role   report.Role
	kind   Kind
	method int
}

// bestShown is how many methods that are no floors are shown in curves and figures.
const bestShown = 3

// choose takes the retrained model, the original, the floors and the first methods.
func (w *reporting) choose() {
	w.shown = []shown{{"Retrained", report.Retrained, JudgeBand, -1}, {"Original", report.Original, JudgeOriginal, -1}}
	left := bestShown
	for _, row := range w.table.Rows[2:] {
		s := shown{row.Name, roleOf(row), JudgeMethod, slices.IndexFunc(w.plan.methods, func(m Method) bool { return m.Name == row.Name })}
		if row.Gap.N == 0 || !row.Floor && left == 0 {
			continue
		}
		if !row.Floor {
			left--
		}
		w.shown = append(w.shown, s)
	}
}

func roleOf(row Row) report.Role {
	switch {
	case row.Floor:
		return report.Floor
	case row.Name == "Retrained" && row.Standing == Reference:
		return report.Retrained
	case row.Name == "Original" && row.Standing == Reference:
		return report.Original
	}
	return report.Method
}

// verdict says how the best method fares, in the words of the audits.
func (w *reporting) verdict() report.Verdict {
	at := slices.IndexFunc(w.table.Rows, func(row Row) bool { return row.Name == w.table.Best && row.Standing != Reference })
	if at < 0 {
		return report.Verdict{Headline: "No method has a result that could be compared."}
	}
	best := w.table.Rows[at]
	v := report.Verdict{Headline: fmt.Sprintf("Of %d methods, %s comes nearest to retraining: its gap is %s, %s times the band.", len(w.plan.methods), best.Name, plain(best.Gap, 3), plain(best.Bands, 1))}
	if best.Standing == Inside {
		v.Headline = fmt.Sprintf("Of %d methods, %d cannot be told from retraining by their gaps.", len(w.plan.methods), len(w.table.names(func(r Row) bool { return r.Standing == Inside })))
	}
	v.Reasons = w.table.Sentences()
	if said := best.verdicts(); said != "" {
		v.Finding = findings[best.mainVerdict()]
		if v.Finding == report.Within && best.Standing != Inside {
			v.Finding = report.Outside
		}
		v.Reasons = append(v.Reasons, fmt.Sprintf("The audits of %s say: %s.", best.Name, said))
	}
	return v
}

// findings has the words of the page for the verdicts of audits.
var findings = map[metrics.Verdict]report.Finding{
	metrics.CannotTell: report.CannotTell, metrics.WithinBand: report.Within, metrics.UnderUnlearned: report.UnderUnlearned,
	metrics.Hidden: report.Hidden, metrics.OverUnlearned: report.OverUnlearned,
}

func (w *reporting) facts() []report.Fact {
	entry, seeds := w.plan.manifest.Tasks[w.task], w.plan.manifest.Seeds
	originals, runs := w.plan.runs(w.task)
	facts := []report.Fact{{Name: "Original models", Value: fmt.Sprint(originals)}, {Name: "Runs of each method on each", Value: fmt.Sprint(runs)},
		{Name: "Retrained models", Value: fmt.Sprint(w.plan.retrained(w.task))}, {Name: "Audits of each model", Value: fmt.Sprint(seeds.Evaluation)}}
	for _, set := range []string{"retain", "forget", "unseen", "test"} {
		facts = append(facts, report.Fact{Name: "Samples in " + set, Value: fmt.Sprint(entry.Samples[set])})
	}
	return append(facts, report.Fact{Name: "First seed", Value: fmt.Sprint(seeds.First)}, report.Fact{Name: "Digest of the manifest", Value: w.plan.digest}, report.Fact{Name: "Digest of the results", Value: w.Digest})
}

func (w *reporting) rows() *report.Table {
	t := &report.Table{Band: report.Value(w.table.Band), Notes: w.table.Sentences()}
	for _, c := range w.plan.columns {
		t.Columns = append(t.Columns, report.Column{Name: c.Name, About: c.About})
	}
	for _, row := range w.table.Rows {
		out := report.Row{
			Name: row.Name, Role: roleOf(row), Gap: report.Value(row.Gap), Bands: report.Value(row.Bands), Passes: report.Value(row.Passes),
			Share: report.Value(row.Share), Less: report.Value(row.Less), Standing: row.standing(), Tied: row.Standing == Tied, Note: strings.Join(row.Failures, "; "),
		}
		for _, v := range row.Figures {
			out.Figures = append(out.Figures, report.Value(v))
		}
		t.Rows = append(t.Rows, out)
	}
	return t
}

func (w *reporting) fronts() (fronts []report.Front) {
	for _, f := range w.table.Fronts() {
		front := report.Front{Method: f.Group}
		for _, p := range f.Points {
			front.Points = append(front.Points, report.FrontPoint{
				Name: p.Name, Passes: report.Value(p.Passes), Share: report.Value(p.Share), Gap: report.Value(p.Gap), Bands: report.Value(p.Bands),
				Retain: report.Value(p.Retain), Test: report.Value(p.Test), Dominated: p.Dominated,
			})
		}
		fronts = append(fronts, front)
	}
	return fronts
}
