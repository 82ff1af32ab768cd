package dlfd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Session is one run of a method, as [Run] hands it to the method's code.
type Session struct {
	// Model is the model, counting every sample that passes. By feature.As it
	// offers what the model offers; a clone counts into the same ledger.
	Model     feature.Trainable
	Data      Data
	BatchSize int
	// Steps is the number of weight updates that the method plans, for
	// progress. Descend sets it; a method with a loop of its own does.
	Steps int
	// Result is what Run returns. The method sets Settings, and Stop, Best and Last
	// where they differ from Completed, the last step and nil.
	Result *Result

	ctx    context.Context // of the run, for datasets that read ahead
	opt    Options
	others feature.Dataset // see otherClasses
	old    feature.Weights // of the model of the request, before the run
	before time.Time
	passed int               // epochs of the descents so far
	ended  bool              // see End
	own    feature.Trainable // the model of the request, where Model has inserted norms
	fold   func() error      // writes Model into own

	digests map[string]string // of the datasets, by name, for a checkpoint
	resume  *resumption       // nil without a checkpoint
}

// Run carries out an unlearning request for an implementation of Unlearner. It
// checks the data against needs and the options, saves the weights, calls body,
// and restores the weights if body fails or panics, if ctx is done, or if a weight
// is not finite at the end. Errors carry the name of the method.
func Run(ctx context.Context, name string, m feature.Trainable, data Data, opt *Options, needs Needs, body func(context.Context, *Session) error) (*Result, error) {
	res, err := run(ctx, name, m, data, opt, needs, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return res, nil
}

func run(ctx context.Context, name string, m feature.Trainable, data Data, opt *Options, needs Needs, body func(context.Context, *Session) error) (*Result, error) {
	s, err := newSession(name, m, data, opt)
	if err != nil {
		return nil, err
	}
	s.ctx = ctx
	if err := s.checkCheckpoint(needs); err != nil {
		return nil, err
	}
	if err := s.check(needs); err != nil {
		return nil, err
	}
	old, err := feature.Snapshot(m)
	if err != nil {
		return nil, err
	}
	s.old = old
	if err := s.open(old); err != nil {
		return nil, err
	}
	returned := false
	defer func() {
		if !returned { // a panic is on its way
			_ = old.Restore(m) // whose error would hide it
		}
	}()
	err = body(ctx, s)
	if err == nil {
		err = s.done(ctx)
	}
	var changed bool
	if err == nil {
		changed, err = checkWeights(m, old)
	}
	returned = true
	if err != nil {
		return nil, errors.Join(err, old.Restore(m))
	}
	if s.Result.Stop == Completed && !changed {
		s.Result.Stop = NothingDone
	}
	s.leave()
	s.Result.Ledger = s.ledger()
	s.Result.Retraining = retraining(data.Retain, s.opt.RetrainEpochs, s.Result.Ledger)
	if w := s.Result.Retraining.warning(); w != "" {
		s.Result.Notes = append(s.Result.Notes, w)
	}
	return s.Result, nil
}

func newSession(name string, m feature.Trainable, data Data, opt *Options) (*Session, error) {
	s := &Session{Data: data, Result: &Result{Method: name, Stop: Completed, Kernels: feature.Kernels()}}
	if opt != nil {
		s.opt = *opt
	}
	b := s.opt.Budget
	if s.BatchSize = s.opt.BatchSize; s.BatchSize == 0 {
		s.BatchSize = 32
	}
	if s.BatchSize < 0 || s.BatchSize > train.MaxBatch || b.Passes < 0 || b.Time < 0 {
		return nil, fmt.Errorf("%w: BatchSize %d (at most %d), Budget %+v", ErrParameter, s.BatchSize, train.MaxBatch, b)
	}
	if s.opt.RetrainEpochs < 0 {
		return nil, fmt.Errorf("%w: RetrainEpochs %d", ErrParameter, s.opt.RetrainEpochs)
	}
	if b.Time > 0 && s.opt.Now == nil {
		return nil, fmt.Errorf("%w: Budget.Time needs Options.Now", ErrParameter)
	}
	if n := m.Spec().Batch; n != 0 {
		return nil, fmt.Errorf("%w: the model takes batches of %d samples only", feature.ErrShape, n)
	}
	s.Model = newMeter(m, &s.Result.Ledger)
	if s.opt.Now != nil {
		s.before = s.opt.Now()
	}
	return s, nil
}

// checkWeights reports whether a parameter of m is another than in old, and
// returns an error wrapping ErrDiverged and feature.ErrNotFinite if one is NaN or
// infinite.
func checkWeights(m feature.Trainable, old feature.Weights) (changed bool, err error) {
	w, err := feature.Snapshot(m)
	if err != nil {
		return false, err
	}
	for i, p := range m.Spec().Params {
		if j := finite.First(w[i]); j >= 0 {
			return false, fmt.Errorf("%w: %w: element %d of parameter %q is %v", ErrDiverged, feature.ErrNotFinite, j, p.Name, w[i][j])
		}
		changed = changed || !slices.Equal(w[i], old[i])
	}
	return changed, nil
}

// done is called when the body has returned.
func (s *Session) done(ctx context.Context) error {
	if s.own != nil { // the run ended before its norms were folded
		s.Model, s.own, s.fold = s.own, nil, nil
	}
	if err := s.watch(ctx, true); err != nil {
		return err
	}
	if err := s.agreed(); err != nil {
		return err
	}
	return ctx.Err()
}

func (s *Session) watch(ctx context.Context, done bool) error {
	if s.opt.Watch == nil {
		return nil
	}
	return s.opt.Watch(ctx, s, done)
}

// Checkpoint returns the weights that the model of the request would have if the
// run ended now, inserted norms folded in. They can be restored into s.Model when
// the method is done; see Options.Watch.
func (s *Session) Checkpoint() (feature.Weights, error) {
	if s.own == nil {
		return feature.Snapshot(s.Model)
	}
	if err := s.fold(); err != nil {
		return nil, err
	}
	return feature.Snapshot(s.own)
}

// Seed returns the seed of the random stream for a purpose and a position, such
// as an epoch or a step. Equal seeds of the run give equal streams, whatever
// else is drawn.
func (s *Session) Seed(purpose string, position ...int) uint64 {
	return rng.Seed(s.opt.Seed, purpose, position...)
}

// Step records a weight update and tells the observer. Descend calls it.
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

// End ends the run: no step is begun any more. The result's Stop is why.
func (s *Session) End(why Stop) { s.ended, s.Result.Stop = true, why }

// Spent reports whether a limit of the budget is reached, and then sets the
// result's Stop, or whether End was called.
func (s *Session) Spent() bool {
	if s.leftOut() {
		return false
	}
	if s.ended {
		return true
	}
	l, b := s.ledger(), s.opt.Budget
	if b.Passes > 0 && l.Forward+l.Backward >= b.Passes || b.Time > 0 && l.Wall >= b.Time {
		s.Result.Stop = BudgetSpent
		return true
	}
	return false
}
