package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
)

// train makes an original or a retrained model and stores its weights.
func (r *run) train(ctx context.Context, j Job) (*Outcome, error) {
	q := r.problems[j.task]
	seed, data := r.manifest.Seeds.retraining(j.Model), q.request.Retain
	switch j.Kind {
	case TrainOriginal:
		seed, data = r.manifest.Seeds.original(j.Model), q.Train
	case TrainSwapped:
		seed, data = r.manifest.Seeds.original(j.Model), q.swappedTrained
	}
	m, err := q.fresh()
	if err != nil {
		return nil, err
	}
	res, err := q.Recipe.retrain().Unlearn(ctx, m, dlfd.Data{Retain: data}, r.options(j, seed, nil))
	if err != nil {
		return nil, err
	}
	o, err := newOutcome(res)
	if err != nil {
		return nil, err
	}
	o.Weights, err = saveWeights(r.weightsPath(r.dir, j), m)
	return o, err
}

// options are those of the run of a method or of a training. last, where not nil,
// gets the work done so far.
func (r *run) options(j Job, seed uint64, last *dlfd.Ledger) *dlfd.Options {
	q := r.problems[j.task]
	return &dlfd.Options{Seed: seed, BatchSize: q.Recipe.BatchSize, AllowOverlap: q.AllowOverlap, Observer: func(e dlfd.Event) {
		if last != nil {
			*last = e.Ledger
		}
		r.observe(Event{Job: j, State: Running, Step: &e})
	}}
}

// newOutcome takes over what a result says.
func newOutcome(res *dlfd.Result) (*Outcome, error) {
	settings, err := json.Marshal(res.Settings)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	o := &Outcome{
		Settings: settings, Stop: res.Stop, Best: res.Best, Steps: len(res.Trace), Notes: res.Notes, Scores: res.Scores,
		Ledger: res.Ledger, Losses: condense(res.Trace),
	}
	o.Ledger.Wall = 0
	return o, nil
}

// condense returns the mean losses of up to 32 equal parts of a trace.
func condense(trace []dlfd.Point) []float64 {
	parts := min(32, len(trace))
	losses := make([]float64, parts)
	for k := range parts {
		from, to := k*len(trace)/parts, (k+1)*len(trace)/parts
		for _, p := range trace[from:to] {
			losses[k] += p.Loss / float64(to-from)
		}
	}
	return losses
}

// model returns the original or the retrained model of a number, for the caller to
// change. kind is that of the job that trains it or that judges it.
func (r *run) model(ctx context.Context, kind Kind, task, number int) (feature.Trainable, error) {
	q := r.problems[task]
	training := TrainOriginal
	switch {
	case kind.ofRetrained() && len(q.Retrained) > 0:
		return clone(q.Retrained[number])
	case kind.ofRetrained():
		training = TrainRetrained
	case kind.swapped():
		training = TrainSwapped
	case q.Original != nil:
		return clone(q.Original)
	}
	i := r.find(training, task, number)
	o, err := r.ensure(ctx, i)
	if err != nil {
		return nil, err
	}
	m, err := q.fresh()
	if err != nil {
		return nil, err
	}
	err = r.loadWeights(r.dirs, r.jobs[i], o.Weights, m)
	if errors.Is(err, fs.ErrNotExist) { // the result came here without the weights
		if err = r.trainAgain(ctx, i, o.Weights); err == nil {
			err = loadWeights(r.weightsPath(r.dir, r.jobs[i]), o.Weights, m)
		}
	}
	return m, err
}

// trainAgain makes the weights of a training whose result is there.
func (r *run) trainAgain(ctx context.Context, i int, sum string) error {
	r.locks[i].Lock()
	defer r.locks[i].Unlock()
	if _, err := os.Stat(r.weightsPath(r.dir, r.jobs[i])); err == nil {
		return nil // another job needed them too
	}
	o, err := r.train(ctx, r.jobs[i])
	if err == nil && o.Weights != sum {
		err = fmt.Errorf("%w: %v gave weights with SHA-256 %s, and %s before", ErrForeign, r.jobs[i], o.Weights, sum)
	}
	return err
}

// method runs a method on an original model, and judges what came out.
func (r *run) method(ctx context.Context, j Job) (*Outcome, error) {
	q := r.problems[j.task]
	m, err := r.model(ctx, j.Kind, j.task, j.Model)
	if err != nil {
		return nil, err
	}
	data, _ := q.data(j.Kind)
	var last dlfd.Ledger
	u := r.methods[j.method].Unlearner
	if q.Recipe.Fresh != nil {
		u = baseline.WithFresh(u, q.Recipe.Fresh)
	}
	res, err := u.Unlearn(ctx, m, data, r.options(j, r.manifest.Seeds.unlearning(j.Model, j.Run), &last))
	var o *Outcome
	switch {
	case err == nil:
		if o, err = newOutcome(res); err != nil {
			return nil, err
		}
	case ctx.Err() != nil:
		return nil, err
	case errors.Is(err, dlfd.ErrDiverged) || errors.Is(err, feature.ErrNotFinite):
		last.Wall = 0
		o = &Outcome{Stop: Diverged, Failure: err.Error(), Ledger: last}
	default:
		return &Outcome{Stop: Failed, Failure: err.Error()}, nil
	}
	if j.Kind == JudgeMethod && j.Model == 0 && j.Run == 0 {
		o.Weights, err = saveWeights(r.weightsPath(r.dir, j), m)
	} else {
		o.Weights, err = sumWeights(m)
	}
	if err != nil {
		return nil, err
	}
	return o, r.judge(ctx, j, m, o)
}
