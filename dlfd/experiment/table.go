package experiment

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/metrics"
)

// Table compares the methods on one task.
//
// Every figure is a mean over seeds with its standard error. A seed is an original
// model, whose runs are averaged, or, where a task has a single original, a run.
// The gap is the mean over all retrained models of metrics.RetrainGap. The band is
// that gap between retrained models: a perfect method scores it, and what lies
// inside is not ranked.
type Table struct {
	Task    string   `json:"task"`
	Columns []string `json:"columns"` // of Row.Figures
	Band    Value    `json:"band"`
	// Retrained is the number of retrained models. Two make one gap, and no standard
	// error of the band.
	Retrained int `json:"retrained"`
	// Best is the name of the method with the smallest mean gap.
	Best string `json:"best"`
	// Rows are Retrained, Original, and then the methods: those inside the band by
	// name, the others by their gaps, those without any at the end.
	Rows []Row `json:"rows"`
}

// Row is one method, or one kind of model, of a Table.
type Row struct {
	Name  string `json:"name"`
	Group string `json:"group,omitempty"`
	Floor bool   `json:"floor,omitempty"`
	Gap   Value  `json:"gap"`
	Bands Value  `json:"gap_in_bands"` // Gap over the mean of Band
	// Figures has one Value for each of Table.Columns.
	Figures  []Value  `json:"figures"`
	Passes   Value    `json:"passes"`         // samples run forward and backward
	Share    Value    `json:"retrain_passes"` // Passes over those of a retraining
	Less     Value    `json:"difference"`     // gap less that of the best, seed by seed
	Standing Standing `json:"standing"`
	// Verdicts counts the verdicts of the audits.
	Verdicts map[metrics.Verdict]int `json:"verdicts,omitempty"`
	Stops    map[dlfd.Stop]int       `json:"stops,omitempty"`
	Failures []string                `json:"failures,omitempty"` // different ones
}

// Standing says how a method compares with the best.
type Standing string

// The standings. Inside the band nothing is better than anything else. Outside, a
// method is tied with the best if its gap exceeds that of the best by no more than
// the standard error of the difference.
const (
	Reference Standing = "reference" // Retrained and Original
	Inside    Standing = "inside the band"
	First     Standing = "best"
	Tied      Standing = "tied with the best"
	Behind    Standing = "behind"
	OneSeed   Standing = "one seed"   // outside the band; one seed ranks nothing
	Unjudged  Standing = "not judged" // every run failed
)

// Tables returns the table of each task, in the order of the experiment. A fleet has none.
func (r *Results) Tables() []Table {
	if r.plan.manifest.Fleet {
		return nil
	}
	tables := make([]Table, len(r.plan.problems))
	for t := range tables {
		tables[t] = r.table(t)
	}
	return tables
}

func (r *Results) table(task int) Table {
	t := Table{Task: r.plan.problems[task].Name, Band: r.bandOf(task), Retrained: r.plan.retrained(task)}
	columns := r.plan.columns
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Name)
	}
	retrained := r.rowOf(task, columns, JudgeBand, -1)
	retrained.Gap = t.Band
	t.Rows = []Row{retrained, r.rowOf(task, columns, JudgeOriginal, -1)}
	t.Rows[0].Name, t.Rows[1].Name = "Retrained", "Original"
	t.Rows[0].Standing, t.Rows[1].Standing = Reference, Reference
	gaps := make(map[string][]seedValue)
	for m := range r.plan.methods {
		row := r.rowOf(task, columns, JudgeMethod, m)
		gaps[row.Name] = r.gapsOf(task, JudgeMethod, m)
		t.Rows = append(t.Rows, row)
	}
	t.compare(gaps)
	for i := range t.Rows {
		t.Rows[i].Bands = t.inBands(t.Rows[i].Gap)
	}
	return t
}

// inBands divides by the band; there is no figure where the band is zero.
func (t *Table) inBands(v Value) Value {
	if !(t.Band.Mean > 0) {
		return Value{}
	}
	return Value{Mean: v.Mean / t.Band.Mean, SE: v.SE / t.Band.Mean, N: v.N}
}

// compare finds the best method, sets the standings of all, and orders the rows.
func (t *Table) compare(gaps map[string][]seedValue) {
	methods := t.Rows[2:]
	best := -1
	for i, row := range methods {
		if row.Gap.N > 0 && (best < 0 || row.Gap.Mean < methods[best].Gap.Mean) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	t.Best = methods[best].Name
	for i := range methods {
		row := &methods[i]
		if i != best {
			row.Less = paired(gaps[row.Name], gaps[t.Best])
		}
		switch {
		case row.Gap.N == 0:
			row.Standing = Unjudged
		case row.Gap.Mean <= t.Band.Mean:
			row.Standing = Inside
		case row.Gap.N < 2 || i != best && row.Less.N < 2:
			row.Standing = OneSeed
		case i == best:
			row.Standing = First
		case row.Less.N > 0 && row.Less.Mean <= row.Less.SE:
			row.Standing = Tied
		default:
			row.Standing = Behind
		}
	}
	slices.SortStableFunc(methods, func(a, b Row) int {
		if place := cmp.Compare(t.place(a), t.place(b)); place != 0 {
			return place
		}
		if t.place(a) == 0 {
			return strings.Compare(a.Name, b.Name)
		}
		return cmp.Compare(a.Gap.Mean, b.Gap.Mean)
	})
}

// place is 0 inside the band, 1 outside, 2 without a gap.
func (t *Table) place(row Row) int {
	switch {
	case row.Gap.N == 0:
		return 2
	case row.Gap.Mean <= t.Band.Mean:
		return 0
	}
	return 1
}

// paired returns the mean difference of two lists over the seeds that both have.
func paired(a, b []seedValue) Value {
	var d []float64
	for _, x := range a {
		for _, y := range b {
			if x.seed == y.seed {
				d = append(d, x.value-y.value)
			}
		}
	}
	return summarize(d)
}

// bandOf returns the gap between retrained models, averaged over seeds of evaluation.
func (r *Results) bandOf(task int) Value {
	n := r.plan.retrained(task)
	var pairs []float64
	for i := range n {
		o := r.Outcomes[r.plan.find(JudgeBand, task, i)]
		for k := i; k < n-1; k++ { // the gaps to models i+1, i+2, … come after those to 0, …, i−1
			var gap float64
			for _, gaps := range o.Gaps {
				gap += gaps[k].Mean / float64(len(o.Gaps))
			}
			pairs = append(pairs, gap)
		}
	}
	return jackknife(pairs, n)
}

// seedValue is a figure of one seed.
type seedValue struct {
	seed  int
	value float64
}

// bySeed averages a figure over the outcomes of each seed that have it.
func (r *Results) bySeed(task int, kind Kind, method int, figure func(j Job) (float64, bool)) []seedValue {
	originals, _ := r.plan.runs(task)
	sum, n := make(map[int]float64), make(map[int]int)
	for _, j := range r.plan.jobs {
		if j.task != task || j.Kind != kind || kind == JudgeMethod && j.method != method {
			continue
		}
		seed := j.Model
		if kind == JudgeMethod && originals == 1 {
			seed = j.Run
		}
		if v, ok := figure(j); ok {
			sum[seed] += v
			n[seed]++
		}
	}
	var all []seedValue
	for seed := range max(originals, r.plan.retrained(task), r.plan.manifest.Seeds.Training*r.plan.manifest.Seeds.Unlearning) {
		if n[seed] > 0 {
			all = append(all, seedValue{seed, sum[seed] / float64(n[seed])})
		}
	}
	return all
}

func (r *Results) gapsOf(task int, kind Kind, method int) []seedValue {
	return r.bySeed(task, kind, method, func(j Job) (float64, bool) {
		var all []float64
		for _, gaps := range r.Outcomes[j.Index].Gaps {
			for _, g := range gaps {
				all = append(all, g.Mean)
			}
		}
		if len(all) == 0 {
			return 0, false
		}
		return mean(all), true
	})
}

func summary(all []seedValue) Value {
	x := make([]float64, len(all))
	for i, v := range all {
		x[i] = v.value
	}
	return summarize(x)
}

func (r *Results) rowOf(task int, columns []Column, kind Kind, method int) Row {
	row := Row{Stops: make(map[dlfd.Stop]int), Verdicts: make(map[metrics.Verdict]int)}
	if method >= 0 {
		m := r.plan.methods[method]
		row.Name, row.Group, row.Floor = m.Name, m.Group, m.Floor
	}
	row.Gap = summary(r.gapsOf(task, kind, method))
	for _, c := range columns {
		row.Figures = append(row.Figures, r.figure(task, kind, method, c))
	}
	r.addWork(&row, task, kind, method)
	for _, j := range r.plan.jobs {
		if j.task == task && j.Kind == kind && (kind != JudgeMethod || j.method == method) {
			row.count(r.Outcomes[j.Index])
		}
	}
	return row
}

// count adds how a run ended and what its audits say.
func (r *Row) count(o *Outcome) {
	if o.Stop != "" {
		r.Stops[o.Stop]++
	}
	if o.Failure != "" && !slices.Contains(r.Failures, o.Failure) {
		r.Failures = append(r.Failures, o.Failure)
	}
	for _, a := range o.Audits {
		if a.Judgment != nil {
			r.Verdicts[a.Judgment.Verdict]++
		}
	}
}

// figure summarizes a column.
func (r *Results) figure(task int, kind Kind, method int, c Column) Value {
	v := summary(r.average(task, kind, method, c.Value))
	if c.Interval == nil || v.N == 0 {
		return v
	}
	end := func(pick func(metrics.Interval) float64) float64 {
		return summary(r.average(task, kind, method, func(f Finding) (float64, bool) {
			i, ok := c.Interval(f)
			return pick(i), ok
		})).Mean
	}
	v.Interval = &metrics.Interval{
		Lo: end(func(i metrics.Interval) float64 { return i.Lo }),
		Hi: end(func(i metrics.Interval) float64 { return i.Hi }),
	}
	return v
}

// average averages a figure over seeds of evaluation.
func (r *Results) average(task int, kind Kind, method int, read func(f Finding) (float64, bool)) []seedValue {
	return r.bySeed(task, kind, method, func(j Job) (float64, bool) {
		var all []float64
		for e := range r.Outcomes[j.Index].Audits {
			if v, ok := read(r.found(j, e)); ok {
				all = append(all, v)
			}
		}
		if len(all) == 0 {
			return 0, false
		}
		return mean(all), true
	})
}

// found gathers what was found in a job with seed of evaluation e.
func (r *Results) found(j Job, e int) Finding {
	o := r.Outcomes[j.Index]
	f := Finding{Outcome: o, Audit: o.Audits[e]}
	if i, ok := r.plan.swapOf(j); ok && e < len(r.Outcomes[i].Audits) {
		f.Swapped = r.Outcomes[i].Audits[e]
	}
	if j.Kind == JudgeBand && r.plan.swapRuns(j.task) > 0 {
		f.Swapped = exchanged(f.Audit)
	}
	for k := range r.plan.retrained(j.task) {
		if j.Kind != JudgeBand || k != j.Model {
			f.Retrained = append(f.Retrained, r.Outcomes[r.plan.find(JudgeRetrained, j.task, k)].Audits[e])
		}
	}
	return f
}

// exchanged is the audit of a retrained model with forget set and unseen samples
// exchanged: it saw neither, so it is the same model, and the attack is turned round.
func exchanged(a *dlfd.Audited) *dlfd.Audited {
	b := new(dlfd.Audited)
	b.LossAttack.AUC = 1 - a.LossAttack.AUC
	i := a.LossAttack.AUCInterval
	b.LossAttack.AUCInterval = metrics.Interval{Lo: 1 - i.Hi, Hi: 1 - i.Lo}
	return b
}

// addWork sets what the row cost: that of trainings for models.
func (r *Results) addWork(row *Row, task int, kind Kind, method int) {
	switch kind {
	case JudgeOriginal:
		kind = TrainOriginal
	case JudgeBand:
		kind = TrainRetrained
	}
	passes := func(j Job) (float64, bool) {
		o := r.Outcomes[j.Index]
		n := o.Ledger.Forward + o.Ledger.Backward
		return float64(n), o.Stop != Failed && o.Stop != NotDone
	}
	row.Passes = summary(r.bySeed(task, kind, method, passes))
	if whole := float64(r.plan.problems[task].retrainPasses()); whole > 0 {
		row.Share = Value{Mean: row.Passes.Mean / whole, SE: row.Passes.SE / whole, N: row.Passes.N}
	}
}
