package dlfd

import (
	"crypto/sha256"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/checkpoint"
)

// resumption is the checkpoint of a run. A run that goes on from one carries out the
// method's code from the start, on the weights that the model came with: what comes
// before the descents, and between them, is done again. Descents that had ended when the
// file was written are left out, and where the one begins in which it was written, the
// state is restored as it was.
type resumption struct {
	file    *checkpoint.Run
	descent int   // the one that was begun last, from 1
	until   int   // the one in which the file was written; 0 without a file
	left    bool  // descents were left out, and the state is not yet restored
	err     error // of a Keep

	// What is kept beside the result, while it is written or read.
	taken   int // weight updates before the descent
	place   []byte
	weights feature.Weights
	ledger  Ledger
}

// checkCheckpoint returns an error wrapping ErrParameter unless a run of a method can
// have the checkpoint that the options ask for.
func (s *Session) checkCheckpoint(needs Needs) error {
	if s.opt.Checkpoint.Path == "" {
		return nil
	}
	if !needs.Resumes {
		return fmt.Errorf("%w: Options.Checkpoint: the method does not say, by Needs.Resumes, that it goes on from a checkpoint to the same bits", ErrParameter)
	}
	return s.opt.Checkpoint.Check()
}

// open opens the checkpoint, where the options ask for one. old are the weights that
// the model came with.
func (s *Session) open(old feature.Weights) error {
	if s.opt.Checkpoint.Path == "" {
		return nil
	}
	o, spec := s.opt, s.Model.Spec()
	parts := append([]checkpoint.Part{
		{Name: "kind", Value: "dlfd.Run"},
		{Name: "method", Value: s.Result.Method},
		{Name: "seed", Value: fmt.Sprint(o.Seed)},
		{Name: "batch size", Value: fmt.Sprint(s.BatchSize)},
		{Name: "budget", Value: checkpoint.Describe(o.Budget)},
		{Name: "demand", Value: fmt.Sprintf("SHA-256 %x", sha256.Sum256([]byte(checkpoint.Describe(s.Data.Demand))))}, // it may name persons
		{Name: "retain set", Value: s.digests["retain"]},
		{Name: "forget set", Value: s.digests["forget"]},
		{Name: "holdout set", Value: s.digests["holdout"]},
	}, checkpoint.Model(spec, old, feature.Kernels())...)
	file, err := checkpoint.Open(checkpoint.Config(o.Checkpoint), parts)
	if err != nil {
		return err
	}
	r := &resumption{file: file}
	if file.Waiting() {
		if err := file.Peek("descent", &r.until); err != nil {
			return err
		}
	}
	s.resume = r
	s.Keep("descent", &r.descent)
	res := s.Result
	s.Keep("run", &r.taken, &r.place, &r.weights, &r.ledger, &s.Steps, &s.ended, &res.Trace, &res.Scores, &res.Stop, &res.Best, &res.Last, &res.Notes)
	return r.err
}

// Keep makes the values that pointers lead to part of the checkpoint of the run, where
// there is one: when the run goes on, they hold what they held when the file was
// written. A method and an Options.Watch give it all that their functions keep from one
// step of a descent to the next; what they only compute before the first descent is
// computed again. The batches of Cycle and what the session itself has are kept already.
//
// Values are numbers, texts, slices, arrays, pointers and structs of exported fields, and
// encoding.BinaryMarshalers that are BinaryUnmarshalers too. Keep is called before the
// descent that changes the values, or by a Watch when it is first called. Values that
// cannot be written or restored end the run with an error.
func (s *Session) Keep(name string, pointers ...any) { s.keep(name, pointers...) }

// keep is Keep, and returns what takes the values out of the state.
func (s *Session) keep(name string, pointers ...any) (drop func()) {
	r := s.resume
	if r == nil {
		return func() {}
	}
	unique, err := r.file.Keep(name, pointers...)
	if err != nil && r.err == nil {
		r.err = err
	}
	return func() { r.file.Drop(unique) }
}

// descend runs a descent of the session, from the checkpoint where that is of this one.
// taken, where not nil, is the number of weight updates before it.
func (s *Session) descend(d train.Descent, on feature.Dataset, taken *int) error {
	r := s.resume
	if r == nil {
		return d.Run(s.ctx, s.Model, on)
	}
	r.descent++
	if r.descent == 1 {
		if s.Result.Settings == nil {
			return fmt.Errorf("%w: Options.Checkpoint: the method has not set Result.Settings, by which a checkpoint is told from that of other settings", ErrParameter)
		}
		if err := r.file.Agree(checkpoint.Part{Name: "settings", Value: checkpoint.Describe(s.Result.Settings)}); err != nil {
			return err
		}
	}
	if r.left = r.descent < r.until; r.left {
		return nil
	}
	if taken == nil {
		taken = new(int)
	}
	after := d.After
	d.Start = func(t *train.Step) error { return s.start(t, taken) }
	d.After = func(t *train.Step) error {
		if err := after(t); err != nil {
			return err
		}
		r.taken = *taken
		return s.save(t)
	}
	return d.Run(s.ctx, s.Model, on)
}

// start makes a descent that begins go on from the checkpoint, if it is of this one.
func (s *Session) start(t *train.Step, taken *int) error {
	r := s.resume
	if _, err := t.State(); err != nil { // before hours of work
		return err
	}
	if r.descent != r.until || !r.file.Waiting() {
		return r.err
	}
	if err := r.file.Restore(); err != nil {
		return err
	}
	if err := t.Resume(r.place); err != nil {
		return err
	}
	l := &s.Result.Ledger
	l.Forward, l.Backward, l.Steps, *taken = r.ledger.Forward, r.ledger.Backward, r.ledger.Steps, r.taken
	s.before = s.before.Add(-r.ledger.Wall)
	defer r.clear()
	return r.weights.Restore(s.Model)
}

func (r *resumption) clear() { r.place, r.weights = nil, nil }

// save writes the checkpoint after a step, where that is due.
func (s *Session) save(t *train.Step) (err error) {
	r := s.resume
	if r.err != nil {
		return r.err
	}
	last := func() bool { return t.Number+1 == t.Of || s.Spent() }
	if !r.file.Due(s.Result.Ledger.Steps) && !(s.opt.Checkpoint.Keep && last()) {
		return nil
	}
	if r.place, err = t.State(); err != nil {
		return err
	}
	if r.weights, err = feature.Snapshot(s.Model); err != nil {
		return err
	}
	defer r.clear()
	r.ledger = s.ledger()
	return r.file.Save()
}

// agreed returns an error if there is a checkpoint from which the run, which is at its
// end, did not go on as it was when the file was written.
func (s *Session) agreed() error {
	r := s.resume
	switch {
	case r == nil:
		return nil
	case r.file.Waiting():
		return fmt.Errorf("%w: it was written in descent %d of a run, and this one ended after %d", ErrCheckpoint, r.until, r.descent)
	case r.err != nil:
		return r.err
	}
	return r.file.Left()
}

// leave removes the checkpoint of a run that succeeded, unless it is to be kept.
func (s *Session) leave() {
	if s.resume == nil {
		return
	}
	if err := s.resume.file.Done(); err != nil {
		s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("The file of the checkpoint could not be removed: %v.", err))
	}
}

// leftOut reports whether the run is on its way, past descents that are left out, to
// the one from which it goes on. What it does meanwhile is replaced there.
func (s *Session) leftOut() bool { return s.resume != nil && s.resume.left }

// Fit trains s.Model on Retain as train.Fit does, to the bit, and records the steps. The
// batch size is that of the session. The budget is not consulted, and Options.Watch is
// not told. The Observer and the Checkpoint of the options must be zero: those of the
// session serve.
func (s *Session) Fit(o train.Options) error {
	if o.Observer != nil || o.Checkpoint != (train.Checkpoint{}) {
		return fmt.Errorf("%w: an Observer or a Checkpoint for Session.Fit", ErrParameter)
	}
	o.BatchSize = s.BatchSize
	d, err := o.Descent()
	if err != nil {
		return err
	}
	d.After = func(t *train.Step) error {
		s.Steps = t.Of
		s.Step(Point{Loss: t.Loss})
		return nil
	}
	return s.descend(d, s.Data.Retain, nil)
}
