package baseline

import (
	"context"
	"fmt"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/checkpoint"
)

// Decorated is the settings of a result of a decorator.
type Decorated struct {
	By any `json:"by"` // the decorator as resolved, without what it runs
	Of any `json:"of"` // the settings of what it ran
}

// decorate runs a method with options of its own and puts the name and the settings
// of the decorator into the result.
func decorate(ctx context.Context, d decorator, m feature.Trainable, data dlfd.Data, opt dlfd.Options) (*dlfd.Result, error) {
	if d.inner() == nil {
		return nil, fmt.Errorf("%s: %w: Of is nil", dlfd.NameOf(d), dlfd.ErrParameter)
	}
	if opt.Checkpoint.Path != "" {
		opt.Checkpoint.Of += " by " + checkpoint.Describe(d.with(nil))
	}
	if observer := opt.Observer; observer != nil {
		name := dlfd.NameOf(d)
		opt.Observer = func(e dlfd.Event) {
			e.Method = name
			observer(e)
		}
	}
	res, err := d.inner().Unlearn(ctx, m, data, &opt)
	if err != nil {
		return nil, err
	}
	res.Method, res.Settings = dlfd.NameOf(d), Decorated{By: d.with(nil), Of: res.Settings}
	return res, nil
}

// options returns a copy of the options, and the defaults for nil.
func options(opt *dlfd.Options) dlfd.Options {
	if opt == nil {
		return dlfd.Options{}
	}
	return *opt
}

// watchToo adds a watch to the options, which is called before the one that is
// there.
func watchToo(opt *dlfd.Options, watch func(ctx context.Context, s *dlfd.Session, done bool) error) {
	other := opt.Watch
	opt.Watch = func(ctx context.Context, s *dlfd.Session, done bool) error {
		if err := watch(ctx, s, done); err != nil || other == nil {
			return err
		}
		return other(ctx, s, done)
	}
}

// Budget runs another method and ends it when its budget is spent, whichever of this
// one and that of dlfd.Options is spent first.
type Budget struct {
	// Of is the method. It is required.
	Of dlfd.Unlearner `json:"-"`
	// Passes is as in dlfd.Budget. Zero is no limit.
	Passes int64
	// Time is as in dlfd.Budget; it needs Options.Now. Zero is no limit.
	Time time.Duration
}

func (b Budget) with(of dlfd.Unlearner) decorator { b.Of = of; return b }
func (b Budget) inner() dlfd.Unlearner            { return b.Of }

// Name implements dlfd.Namer.
func (b Budget) Name() string { return nameOf(b.Of) + " within a budget" }

// Needs implements dlfd.Needer.
func (b Budget) Needs() dlfd.Needs { return dlfd.NeedsOf(b.Of) }

// Unlearn implements dlfd.Unlearner. It reads what Of reads, and costs what Of
// costs.
func (b Budget) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	o := options(opt)
	if b.Passes < 0 || b.Time < 0 {
		return nil, fmt.Errorf("%s: %w: Passes %d, Time %v", b.Name(), dlfd.ErrParameter, b.Passes, b.Time)
	}
	o.Budget.Passes, o.Budget.Time = least(o.Budget.Passes, b.Passes), least(o.Budget.Time, b.Time)
	return decorate(ctx, b, m, data, o)
}

// least returns the smaller of two limits, where zero is none.
func least[T int64 | time.Duration](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// EarlyStop runs another method and ends it once an attack can hardly tell forget
// samples from held-out ones any more. Scores are those of dlfd.Steering, taken while
// the method runs on the first half of the forget set; the result has them, and
// dlfd.ScoreMet as its Stop. A method whose steps are not those of
// dlfd.Session.Descend runs to its end.
type EarlyStop struct {
	// Of is the method. It is required.
	Of dlfd.Unlearner `json:"-"`
	// AUC is what ends the run, at or below it, from .5 to 1. If it is zero, .52 is
	// used.
	AUC float64
	// Every is the number of steps between scores. If it is zero, a twentieth of the
	// steps that the method plans is used.
	Every int
}

func (e EarlyStop) with(of dlfd.Unlearner) decorator { e.Of = of; return e }
func (e EarlyStop) inner() dlfd.Unlearner            { return e.Of }

// Name implements dlfd.Namer.
func (e EarlyStop) Name() string { return nameOf(e.Of) + " with early stop" }

// Needs implements dlfd.Needer.
func (e EarlyStop) Needs() dlfd.Needs { return scoredNeeds(e.Of) }

// Unlearn implements dlfd.Unlearner. It reads what Of reads, Forget and Holdout.
// Cost: that of Of, and a forward pass of up to 2,048 samples of either a score.
func (e EarlyStop) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	if e.AUC == 0 {
		e.AUC = .52
	}
	if !(e.AUC >= .5 && e.AUC <= 1) || e.Every < 0 {
		return nil, fmt.Errorf("%s: %w: AUC %v, Every %d", e.Name(), dlfd.ErrParameter, e.AUC, e.Every)
	}
	if err := need(e.Name(), data); err != nil {
		return nil, err
	}
	o := options(opt)
	var score func(context.Context) (dlfd.Score, error)
	watchToo(&o, func(ctx context.Context, s *dlfd.Session, done bool) (err error) {
		if done {
			score = nil // the next run, if any, is another
			return nil
		}
		if s.Result.Ledger.Steps%every(e.Every, s) != 0 {
			return nil
		}
		if score == nil {
			if score, err = s.Scorer(dlfd.Steering{Sample: 2048}); err != nil {
				return err
			}
		}
		v, err := score(ctx)
		if err == nil && v.AUC <= e.AUC {
			s.End(dlfd.ScoreMet)
		}
		return err
	})
	return decorate(ctx, e, m, data, o)
}

// every resolves the number of steps between looks at a run.
func every(n int, s *dlfd.Session) int {
	if n > 0 {
		return n
	}
	return max(1, (s.Steps+19)/20)
}

// scoredNeeds is what a method reads that is scored while it runs.
func scoredNeeds(of dlfd.Unlearner) dlfd.Needs {
	needs := dlfd.NeedsOf(of)
	needs.Forget, needs.Holdout = true, true
	return needs
}

// need returns an error unless there are forget and held-out samples.
func need(name string, data dlfd.Data) error {
	if data.Forget == nil || data.Forget.Len() == 0 {
		return fmt.Errorf("%s: %w: forget", name, dlfd.ErrEmpty)
	}
	if data.Holdout == nil || data.Holdout.Len() == 0 {
		return fmt.Errorf("%s: %w: holdout", name, dlfd.ErrEmpty)
	}
	return nil
}
