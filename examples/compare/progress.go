package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// progress shows how many jobs are done and when the rest will be: a bar on a
// terminal, elsewhere a line for each finished job. Jobs of other shares that a job of
// this share needs are told of and not counted.
type progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil: lines
	own   map[int]bool             // jobs of this share; true: not done
	total int
	count int // of own jobs that are done
	spent map[string]*mean
	left  map[string]int // own jobs by sort
	begin time.Time
	busy  time.Duration // work of the jobs that this process did
}

type mean struct {
	sum time.Duration
	n   int
}

func newProgress(w io.Writer, own []experiment.Job) *progress {
	p := &progress{w: w, own: make(map[int]bool), total: len(own), spent: make(map[string]*mean), left: make(map[string]int), begin: time.Now()}
	for _, j := range own {
		p.own[j.Index] = true
		p.left[sort(j)]++
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(p.total, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

// sort is what jobs that take about as long have in common.
func sort(j experiment.Job) string { return j.Task + "/" + string(j.Kind) + "/" + j.Method }

// event is an observer for experiment.RunOptions.
func (p *progress) event(e experiment.Event) {
	switch e.State {
	case experiment.Started:
		p.describe(e.Job.String())
	case experiment.Running:
		if p.bar != nil && e.Step.Steps > 0 {
			p.describe(fmt.Sprintf("%v, step %d of %d", e.Job, e.Step.Step, e.Step.Steps))
		}
	default:
		p.done(e)
	}
}

func (p *progress) describe(text string) {
	if p.bar != nil {
		p.bar.Describe(text + p.eta())
	}
}

func (p *progress) done(e experiment.Event) {
	s := sort(e.Job)
	if p.spent[s] == nil {
		p.spent[s] = new(mean)
	}
	p.spent[s].sum += e.Wall
	p.spent[s].n++
	if e.State == experiment.Finished {
		p.busy += e.Wall
	}
	place := "needed"
	if p.own[e.Job.Index] {
		p.own[e.Job.Index] = false
		p.left[s]--
		p.count++
		place = fmt.Sprintf("%d of %d", p.count, p.total)
	}
	switch {
	case p.bar != nil:
		_ = p.bar.Set(p.count) // an error of the terminal is no reason to stop
	case e.State == experiment.Finished:
		fmt.Fprintf(p.w, "%s: %v, %.1f s%s%s\n", place, e.Job, e.Wall.Seconds(), ended(e.Outcome), p.eta())
	}
}

func ended(o *experiment.Outcome) string {
	if o.Failure != "" {
		return fmt.Sprintf(", %s: %s", o.Stop, o.Failure)
	}
	if o.Stop == "" {
		return ""
	}
	return ", " + string(o.Stop)
}

// eta says how long the rest will take: jobs of a sort as long as the finished ones
// of the sort took, or all on average, divided by the number that run at once.
func (p *progress) eta() string {
	var all mean
	for _, m := range p.spent {
		all.sum, all.n = all.sum+m.sum, all.n+m.n
	}
	elapsed := time.Since(p.begin)
	if all.n == 0 || p.busy == 0 || elapsed == 0 {
		return ""
	}
	var rest time.Duration
	for s, n := range p.left {
		m := p.spent[s]
		if m == nil {
			m = &all
		}
		rest += m.sum / time.Duration(m.n) * time.Duration(max(n, 0))
	}
	atOnce := max(float64(p.busy)/float64(elapsed), .2)
	return fmt.Sprintf(", about %v left", (time.Duration(float64(rest) / atOnce)).Round(time.Second))
}

func (p *progress) end() {
	if p.bar != nil {
		fmt.Fprintln(p.w)
	}
}
