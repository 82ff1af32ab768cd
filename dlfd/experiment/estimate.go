package experiment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// Cost is what the jobs of one sort take: those of one kind and, where it has one,
// one method, on one task.
type Cost struct {
	Task   string
	Kind   Kind
	Method string
	Deep   bool // the audits train copies of the model; see Experiment.Deep
	Jobs   int  // all jobs of the sort
	Done   int  // those whose results are there
	// Wall is the time of one job: the mean over Timed finished ones where Timed is not
	// zero, and else an estimate from a short piece.
	Wall  time.Duration
	Timed int
	Bytes int64 // in the files of all jobs of the sort
	// Failure is the error of the method in the piece, whose time says little then.
	Failure string
}

// Left is the time of the jobs that are not done, one after the other.
func (c Cost) Left() time.Duration { return time.Duration(c.Jobs-c.Done) * c.Wall }

// sort is what tells sorts of jobs apart.
type sort struct {
	task   int
	kind   Kind
	method int
	deep   bool
}

func (p *Plan) sort(j Job) sort { return sort{j.task, j.Kind, j.method, p.deep(j)} }

// Estimate says what the jobs cost, sort by sort, in the order in which they first
// come. Results in the folders say what is done and how long it took. Of sorts without
// a finished job, one is done in a short piece, in a folder that is removed: with a share
// of the samples of each set, about a sixteenth but some hundreds where there are as
// many, and one epoch in the place of all of Recipe.Epochs. Its time is multiplied accordingly.
// Work that does not grow with the samples is counted too high by that, and work
// that grows faster too low: times are a guide, to a factor of about two. They are those
// of this machine, with one job at a time.
//
// now tells the time; use time.Now. A folder of dirs may be empty or missing. Errors are
// those of Run, and wrap ErrForeign for results of another experiment.
func (p *Plan) Estimate(ctx context.Context, dirs []string, now func() time.Time) ([]Cost, error) {
	if now == nil {
		return nil, fmt.Errorf("experiment: estimate: %w: now is nil", dlfd.ErrParameter)
	}
	e := &estimate{Plan: p, now: now, at: make(map[sort]int), size: make(map[sort][2]int64)}
	err := e.count(dirs)
	for t := 0; t < len(p.problems) && err == nil; t++ {
		err = e.pieces(ctx, t)
	}
	if err != nil {
		return nil, fmt.Errorf("experiment: estimate: %w", err)
	}
	e.addBytes()
	return e.costs, nil
}

// estimate is one call of Estimate.
type estimate struct {
	*Plan
	now   func() time.Time
	costs []Cost
	at    map[sort]int      // index in costs
	size  map[sort][2]int64 // bytes of a result and of weights
}

// count lists the sorts and finds what is done.
func (e *estimate) count(dirs []string) error {
	for _, j := range e.jobs {
		s := e.sort(j)
		i, ok := e.at[s]
		if !ok {
			i = len(e.costs)
			e.at[s] = i
			e.costs = append(e.costs, Cost{Task: j.Task, Kind: j.Kind, Method: j.Method, Deep: s.deep})
		}
		c := &e.costs[i]
		c.Jobs++
		res, err := e.readOne(dirs, j)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		c.Done++
		if res.wall > 0 {
			c.Wall += res.wall
			c.Timed++
		}
		for _, dir := range dirs {
			e.weigh(s, dir, e.Plan, j)
		}
	}
	for i := range e.costs {
		if c := &e.costs[i]; c.Timed > 0 {
			c.Wall /= time.Duration(c.Timed)
		}
	}
	return nil
}

// weigh notes the sizes of the files of a job that p has done.
func (e *estimate) weigh(s sort, dir string, p *Plan, j Job) {
	size := e.size[s]
	for k, path := range []string{p.resultPath(dir, j), p.weightsPath(dir, j)} {
		if info, err := os.Stat(path); err == nil {
			size[k] = max(size[k], info.Size())
		}
	}
	e.size[s] = size
}

// addBytes multiplies the sizes. Weights are kept of trainings, and of one run of each
// method.
func (e *estimate) addBytes() {
	for s, i := range e.at {
		c, kept := &e.costs[i], int64(0)
		switch {
		case s.kind.Stage() == 1:
			kept = int64(c.Jobs)
		case s.kind == JudgeMethod:
			kept = 1
		}
		c.Bytes = int64(c.Jobs)*e.size[s][0] + kept*e.size[s][1]
	}
}

// leastShare and leastSamples bound the piece.
const (
	leastShare   = 1. / 16
	leastSamples = 300
)

// pieces does a job of each sort of a task that has no time yet, on a share of the
// samples; on more, where these are too few for the request or an audit.
func (e *estimate) pieces(ctx context.Context, task int) error {
	wanted := make(map[sort]bool)
	for s, i := range e.at {
		if c := e.costs[i]; s.task == task && c.Timed == 0 && c.Done < c.Jobs {
			wanted[s] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	share := min(max(leastShare, leastSamples/float64(e.problems[task].Train.Len())), .5)
	for {
		err := e.piece(ctx, task, share, wanted)
		if err == nil || share == 1 || ctx.Err() != nil {
			return err
		}
		share = min(1, 4*share)
	}
}

// piece runs the small experiment.
func (e *estimate) piece(ctx context.Context, task int, share float64, wanted map[sort]bool) error {
	q := e.problems[task]
	small, err := q.thin(share)
	if err != nil {
		return err
	}
	p, err := newPlan(ctx, e.smaller(small))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "estimate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	back := func(j Job) sort { s := p.sort(j); s.task = task; return s }
	first := make(map[sort]Job) // one of each sort is enough
	for _, j := range p.jobs {
		if _, ok := first[back(j)]; !ok {
			first[back(j)] = j
		}
	}
	times := make(map[sort][]time.Duration)
	failures := make(map[sort]string)
	err = p.Run(ctx, dir, &RunOptions{
		Runner: Local{Workers: 1}, Now: e.now,
		Only: func(j Job) bool { return first[back(j)] == j && (wanted[back(j)] || j.Kind == JudgeBand) },
		Observer: func(v Event) {
			if v.State == Finished {
				s := back(v.Job)
				times[s] = append(times[s], v.Wall)
				failures[s] = v.Outcome.Failure
				e.weigh(s, dir, p, v.Job)
			}
		},
	})
	if err != nil {
		return err
	}
	e.scale(task, p.problems[0], times, failures, wanted)
	return nil
}

// smaller is an experiment with one task and few models, and all methods.
func (e *estimate) smaller(t *Task) Experiment {
	small := Experiment{
		Tasks: []*Task{t}, Methods: e.methods, Distances: e.distance, Version: e.manifest.Version, Deep: e.manifest.Deep, Swap: e.swap,
		NoFloors: true, fleet: e.manifest.Fleet,
		Seeds: Seeds{First: e.manifest.Seeds.First, Retrained: 3, Training: 1, Evaluation: e.manifest.Seeds.Evaluation},
	}
	if small.Deep > 0 { // one run with such audits, and one without
		small.Deep, small.Seeds.Training = 1, 2
	}
	return small
}

// thin is the task with a share of the samples of each set, and one epoch.
func (p *problem) thin(share float64) (*Task, error) {
	t := *p.Task
	t.Recipe.Epochs = min(t.Recipe.Epochs, 1)
	t.Retrained = t.Retrained[:min(3, len(t.Retrained))]
	some := func(d feature.Dataset) (feature.Dataset, error) { return thin(d, max(4, int(share*float64(d.Len())))) }
	keep, err := some(p.request.Retain)
	if err != nil {
		return nil, err
	}
	lose, err := some(p.request.Forget)
	if err != nil {
		return nil, err
	}
	if t.Train, err = feature.Concat(keep, lose); err != nil {
		return nil, err
	}
	kept := keep.Len()
	t.Forget = func(i int) bool { return i >= kept }
	if t.Unseen, err = some(t.Unseen); err != nil || t.Test == nil {
		return &t, err
	}
	t.Test, err = some(t.Test)
	return &t, err
}

// samples is the number of samples of all sets.
func (p *problem) samples() int { return p.Train.Len() + p.Unseen.Len() + p.judge.Test.Len() }

// scale sets the times of whole jobs.
func (e *estimate) scale(task int, small *problem, times map[sort][]time.Duration, failures map[sort]string, wanted map[sort]bool) {
	q := e.problems[task]
	others := e.others(task, small, times)
	for s := range wanted {
		if len(times[s]) == 0 {
			continue
		}
		c := &e.costs[e.at[s]]
		one := meanTime(times[s])
		c.Failure = failures[s]
		if s.kind.Stage() == 1 {
			c.Wall = multiplied(one, float64(q.Train.Len())/float64(small.Train.Len())*float64(max(q.Recipe.Epochs, 1)))
			continue
		}
		if s.kind == JudgeBand || s.kind == JudgeOriginal || s.kind == JudgeMethod {
			one += others
		}
		c.Wall = multiplied(one, float64(q.samples())/float64(small.samples()))
	}
}

// others is the time that an audit spends on the retrained models that the piece lacks:
// each takes as much as the audit of the band takes above that of one model by itself,
// divided by the references of the former, an original and two retrained models.
func (e *estimate) others(task int, small *problem, times map[sort][]time.Duration) time.Duration {
	lacking := e.retrained(task) - max(3, len(small.Retrained))
	for _, deep := range []bool{true, false} {
		alone, band := times[sort{task, JudgeRetrained, 0, deep}], times[sort{task, JudgeBand, 0, deep}]
		if len(alone) > 0 && len(band) > 0 {
			return time.Duration(max(lacking, 0)) * max(meanTime(band)-meanTime(alone), 0) / 3
		}
	}
	return 0
}

func meanTime(all []time.Duration) time.Duration {
	var sum time.Duration
	for _, t := range all {
		sum += t
	}
	return sum / time.Duration(len(all))
}

func multiplied(t time.Duration, by float64) time.Duration { return time.Duration(float64(t) * by) }
