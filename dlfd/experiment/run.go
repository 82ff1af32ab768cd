package experiment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
)

// RunOptions are the settings of a Run. They change no result.
type RunOptions struct {
	// Runner says which jobs run. If it is nil, Local with its defaults does.
	Runner Runner
	// Only, where not nil, says which jobs the Runner chooses from; they are numbered
	// from 0 for it. Others run where these need them. See Kind.Stage.
	Only func(Job) bool
	// From are more folders of the experiment, of other shards for one. What is
	// there, weights too, is read and not done again, and nothing is written there.
	From []string
	// Observer, where not nil, is told of progress. Calls never overlap, and come
	// from the goroutines of the jobs.
	Observer func(Event)
	// Now tells the time, which is kept beside each result; use time.Now. If it is
	// nil, no time is measured.
	Now func() time.Time
}

// State says what happened to a job.
type State string

// The states.
const (
	Found    State = "found"    // its result was there
	Started  State = "started"  // it runs
	Running  State = "running"  // Event.Step has news
	Finished State = "finished" // its result is written
)

// Event tells an observer of progress.
type Event struct {
	Job   Job
	State State
	// Step is what the method, or the training, tells; nil unless State is Running.
	Step *dlfd.Event
	// Wall is how long the job took, when it did; zero where no time was measured.
	Wall time.Duration
	// Outcome is set where State is Found or Finished.
	Outcome *Outcome
}

// Run carries out the jobs that the Runner chooses, and what these need, in a
// folder, which is made if it is not there. opt may be nil. Jobs whose results are
// there are not done again.
//
// A method that returns an error is an outcome (see Failed and Diverged) and no error
// of Run, but for ctx's. Errors wrap ErrForeign where the folder belongs to another
// experiment, or are those of the file system, of trainings and of audits.
func (p *Plan) Run(ctx context.Context, dir string, opt *RunOptions) error {
	r := &run{Plan: p, dir: dir, dirs: []string{dir}, locks: make([]sync.Mutex, len(p.jobs)), done: make([]*result, len(p.jobs))}
	if opt != nil {
		r.RunOptions = *opt
		r.dirs = append(r.dirs, opt.From...)
	}
	if r.Runner == nil {
		r.Runner = Local{}
	}
	if err := r.prepare(); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	chosen := r.chosen()
	return r.Runner.Run(ctx, len(chosen), func(ctx context.Context, i int) error {
		if i < 0 || i >= len(chosen) {
			return fmt.Errorf("experiment: %w: job %d of %d", dlfd.ErrParameter, i, len(chosen))
		}
		if _, err := r.ensure(ctx, chosen[i]); err != nil {
			return fmt.Errorf("experiment: %w", err)
		}
		return nil
	})
}

// run is one call of Run.
type run struct {
	*Plan
	RunOptions
	dir   string
	dirs  []string     // dir, and From
	locks []sync.Mutex // by job
	done  []*result    // by job, behind its lock
	tell  sync.Mutex
}

// prepare makes the folder and compares all manifests.
func (r *run) prepare() error {
	if err := r.Plan.prepare(r.dir); err != nil {
		return err
	}
	for _, dir := range r.From {
		if err := r.refuseForeign(dir); err != nil {
			return err
		}
	}
	return nil
}

// chosen returns the jobs that the Runner chooses from.
func (r *run) chosen() (all []int) {
	for i, j := range r.jobs {
		if r.Only == nil || r.Only(j) {
			all = append(all, i)
		}
	}
	return all
}

func (r *run) observe(e Event) {
	if r.Observer == nil {
		return
	}
	r.tell.Lock()
	defer r.tell.Unlock()
	r.Observer(e)
}

// ensure returns the outcome of a job, which it carries out unless its result is
// there. Jobs lock those that they need, which come before them.
func (r *run) ensure(ctx context.Context, i int) (*Outcome, error) {
	r.locks[i].Lock()
	defer r.locks[i].Unlock()
	if r.done[i] != nil {
		return r.done[i].Outcome, nil
	}
	j := r.jobs[i]
	res, err := r.readOne(r.dirs, j)
	state := Found
	if errors.Is(err, fs.ErrNotExist) {
		state = Finished
		res, err = r.carryOut(ctx, j)
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", j, err)
	}
	r.done[i] = res
	r.observe(Event{Job: j, State: state, Wall: res.wall, Outcome: res.Outcome})
	return res.Outcome, nil
}

// carryOut does a job and writes its result.
func (r *run) carryOut(ctx context.Context, j Job) (*result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := r.makeNeeded(ctx, j); err != nil {
		return nil, err
	}
	r.observe(Event{Job: j, State: Started})
	var before time.Time
	if r.Now != nil {
		before = r.Now()
	}
	o, err := r.do(ctx, j)
	if err != nil {
		return nil, err
	}
	var wall time.Duration
	if r.Now != nil {
		wall = r.Now().Sub(before)
	}
	return r.write(r.dir, j, o, wall)
}

// makeNeeded carries out what a job needs, so that its time is its own.
func (r *run) makeNeeded(ctx context.Context, j Job) error {
	var needed []int
	q := r.problems[j.task]
	switch j.Kind {
	case JudgeMethod:
		needed = append(needed, r.find(JudgeOriginal, j.task, j.Model))
	case JudgeBand:
		needed = append(needed, r.find(JudgeOriginal, j.task, 0))
	case JudgeOriginal:
		if q.Original == nil {
			needed = append(needed, r.find(TrainOriginal, j.task, j.Model))
		}
		for k := range r.retrained(j.task) {
			needed = append(needed, r.find(JudgeRetrained, j.task, k))
		}
	case SwapMethod, SwapOriginal:
		needed = append(needed, r.find(TrainSwapped, j.task, j.Model))
	case JudgeRetrained:
		if len(q.Retrained) == 0 {
			needed = append(needed, r.find(TrainRetrained, j.task, j.Model))
		}
	}
	for _, i := range needed {
		if _, err := r.ensure(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) do(ctx context.Context, j Job) (*Outcome, error) {
	switch j.Kind {
	case TrainOriginal, TrainRetrained, TrainSwapped:
		return r.train(ctx, j)
	case JudgeMethod, SwapMethod:
		return r.method(ctx, j)
	}
	m, err := r.model(ctx, j.Kind, j.task, j.Model)
	if err != nil {
		return nil, err
	}
	o := new(Outcome)
	return o, r.judge(ctx, j, m, o)
}
