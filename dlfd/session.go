package dlfd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Session is one run of a method, as [Run] hands it to the method's code.
type Session struct {
	Model     feature.Trainable // the model, counting every sample that passes
	Data      Data
	BatchSize int
	// Steps is the number of weight updates that the method plans, for
	// progress. The method sets it.
	Steps  int
	Result *Result // the method sets Stop, Best and Last where they differ from Completed, the last step and nil

	opt    Options
	seed   uint64
	before time.Time
}

// Run carries out an unlearning request for an implementation of Unlearner. It
// checks the data against needs and the options, saves the weights, calls body,
// and restores the weights if body fails or ctx is done. Errors carry the name
// of the method.
func Run(ctx context.Context, name string, m feature.Trainable, data Data, opt *Options, needs Needs, body func(context.Context, *Session) error) (*Result, error) {
	res, err := run(ctx, name, m, data, opt, needs, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return res, nil
}

func run(ctx context.Context, name string, m feature.Trainable, data Data, opt *Options, needs Needs, body func(context.Context, *Session) error) (*Result, error) {
	s, err := newSession(name, m, data, opt, needs)
	if err != nil {
		return nil, err
	}
	if err := s.checkOverlap(); err != nil {
		return nil, err
	}
	old, err := feature.Snapshot(m)
	if err != nil {
		return nil, err
	}
	err = body(ctx, s)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = checkWeights(m)
	}
	if err != nil {
		return nil, errors.Join(err, old.Restore(m))
	}
	s.Result.Ledger = s.ledger()
	return s.Result, nil
}

func newSession(name string, m feature.Trainable, data Data, opt *Options, needs Needs) (*Session, error) {
	if opt == nil || opt.Source == nil {
		return nil, fmt.Errorf("%w: Options.Source is required", ErrParameter)
	}
	s := &Session{Data: data, opt: *opt, BatchSize: opt.BatchSize, Result: &Result{Method: name, Stop: Completed}}
	if s.BatchSize == 0 {
		s.BatchSize = 32
	}
	if s.BatchSize < 0 || opt.Budget.Passes < 0 || opt.Budget.Time < 0 {
		return nil, fmt.Errorf("%w: BatchSize %d, Budget %+v", ErrParameter, opt.BatchSize, opt.Budget)
	}
	if opt.Budget.Time > 0 && opt.Now == nil {
		return nil, fmt.Errorf("%w: Budget.Time needs Options.Now", ErrParameter)
	}
	if err := data.check(m.Spec(), needs); err != nil {
		return nil, err
	}
	s.Model = meter{m, &s.Result.Ledger}
	s.seed = opt.Source.Uint64()
	if opt.Now != nil {
		s.before = opt.Now()
	}
	return s, nil
}

// check returns an error unless the datasets that are needed are there, those
// that are there fit the model, and every sample that is needed is finite and
// has a label that the model knows.
func (d Data) check(spec feature.Spec, needs Needs) error {
	for _, c := range []struct {
		name string
		set  feature.Dataset
		need bool
	}{{"retain", d.Retain, needs.Retain}, {"forget", d.Forget, needs.Forget}, {"holdout", d.Holdout, needs.Holdout}} {
		if c.set == nil || c.set.Len() == 0 {
			if c.need {
				return fmt.Errorf("%w: %s", ErrEmpty, c.name)
			}
			continue
		}
		if !slices.Equal(c.set.Shape(), spec.Input) {
			return fmt.Errorf("%w: %s has samples of shape %v, the model takes %v", feature.ErrShape, c.name, c.set.Shape(), spec.Input)
		}
		if c.set.Classes() > spec.Classes() {
			return fmt.Errorf("%w: %s has %d classes, the model %d", feature.ErrLabel, c.name, c.set.Classes(), spec.Classes())
		}
		if !c.need {
			continue
		}
		if err := checkSamples(c.set); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// checkSamples reads a dataset once, so that a bad sample is told before any
// work and not when, or if, a method comes across it.
func checkSamples(d feature.Dataset) error {
	for b, err := range feature.Batches(d, 256, nil) {
		if err != nil {
			return err
		}
		for i, label := range b.Labels {
			if label < 0 || label >= d.Classes() {
				return fmt.Errorf("%w: sample %d has label %d of %d classes", feature.ErrLabel, b.Index[i], label, d.Classes())
			}
			for j, v := range b.X.Row(i) {
				if v-v != 0 {
					return fmt.Errorf("%w: element %d of sample %d is %v", feature.ErrNotFinite, j, b.Index[i], v)
				}
			}
		}
	}
	return nil
}

// checkOverlap reports identities that are both to be kept and forgotten.
func (s *Session) checkOverlap() error {
	both := feature.SharedIdentities(s.Data.Retain, s.Data.Forget)
	if len(both) == 0 {
		return nil
	}
	s.Result.Overlap = both
	s.emit(Event{Overlap: both})
	if s.opt.AllowOverlap {
		return nil
	}
	shown, more := both, ""
	if len(shown) > 5 {
		shown, more = shown[:5], fmt.Sprintf(" and %d more", len(both)-5)
	}
	return fmt.Errorf("%w: %q%s; Options.AllowOverlap goes on all the same", ErrOverlap, shown, more)
}

// checkWeights returns an error wrapping feature.ErrNotFinite if a parameter
// of m is NaN or infinite.
func checkWeights(m feature.Trainable) error {
	w, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	for i, p := range m.Spec().Params {
		for j, v := range w[i] {
			if v-v != 0 {
				return fmt.Errorf("the method diverged: %w: element %d of parameter %q is %v", feature.ErrNotFinite, j, p.Name, v)
			}
		}
	}
	return nil
}

// Seed returns the seed of the random stream for a purpose and a position, such
// as an epoch or a step. Equal seeds of the run give equal streams, whatever
// else is drawn.
func (s *Session) Seed(purpose string, position ...int) uint64 {
	return rng.Seed(s.seed, purpose, position...)
}

// Step records a weight update and tells the observer.
func (s *Session) Step(p Point) {
	p.Step = s.Result.Ledger.Steps
	s.Result.Ledger.Steps++
	s.Result.Best = s.Result.Ledger.Steps
	s.Result.Trace = append(s.Result.Trace, p)
	s.emit(Event{Point: &p})
}

// Score records an evaluation and tells the observer.
func (s *Session) Score(v Score) {
	v.Step = s.Result.Ledger.Steps
	s.Result.Scores = append(s.Result.Scores, v)
	s.emit(Event{Score: &v})
}

func (s *Session) emit(e Event) {
	if s.opt.Observer == nil {
		return
	}
	e.Method, e.Step, e.Steps, e.Ledger = s.Result.Method, s.Result.Ledger.Steps, s.Steps, s.ledger()
	s.opt.Observer(e)
}

func (s *Session) ledger() Ledger {
	l := s.Result.Ledger
	if s.opt.Now != nil {
		l.Wall = s.opt.Now().Sub(s.before)
	}
	return l
}

// Spent reports whether a limit of the budget is reached, and if so sets
// Result.Stop. Methods ask before each step.
func (s *Session) Spent() bool {
	l, b := s.ledger(), s.opt.Budget
	if b.Passes > 0 && l.Forward+l.Backward >= b.Passes || b.Time > 0 && l.Wall >= b.Time {
		s.Result.Stop = BudgetSpent
		return true
	}
	return false
}

// Batches runs over d once in an order that depends on the seed, the purpose
// and the epoch.
func (s *Session) Batches(d feature.Dataset, purpose string, epoch int) iter.Seq2[feature.Batch, error] {
	return feature.Batches(d, s.BatchSize, rng.Stream(s.seed, purpose, epoch))
}

// Cycle returns a function that gives one batch of d after the other without
// end, shuffled anew for each pass, and a function that must be called when no
// more are wanted. The batch is valid until the next.
func (s *Session) Cycle(d feature.Dataset, purpose string) (next func() (feature.Batch, error), stop func()) {
	pull, stop := iter.Pull2(func(yield func(feature.Batch, error) bool) {
		for pass := 0; ; pass++ {
			for b, err := range s.Batches(d, purpose, pass) {
				if !yield(b, err) {
					return
				}
			}
		}
	})
	return func() (feature.Batch, error) {
		b, err, _ := pull()
		return b, err
	}, stop
}

// StepsPerEpoch returns the number of batches in one pass over d.
func (s *Session) StepsPerEpoch(d feature.Dataset) int {
	return (d.Len() + s.BatchSize - 1) / s.BatchSize
}
