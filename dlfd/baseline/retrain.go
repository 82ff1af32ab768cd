package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Retrain trains from fresh weights on the retain set alone. It is the
// definition of exact unlearning, and what other methods are measured against.
type Retrain struct {
	// Fresh returns a model like the one to be unlearned with fresh weights. If it
	// is nil, the weights are drawn anew in place; see feature.Reinitialize.
	Fresh func(seed uint64) (feature.Trainable, error) `json:"-"`
	// Epochs is the number of passes over the retain set. If it is zero, 30 is
	// used.
	Epochs int
	// Optimizer moves the parameters. If it is nil, that of train.Options is
	// used.
	Optimizer train.Optimizer
	// Schedule scales the learning rate. If it is nil, train.Constant is used.
	Schedule train.Schedule `json:"-"`
}

// Name implements dlfd.Namer.
func (Retrain) Name() string { return "Retrain" }

// Needs implements dlfd.Needer.
func (Retrain) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Heads: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward
// and backward pass a retain sample and epoch. A budget is not consulted: half
// of a retraining is no model.
func (r Retrain) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, r.Name(), m, data, opt, r.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		if r.Epochs = cmp.Or(r.Epochs, 30); r.Epochs < 1 {
			return fmt.Errorf("%w: Epochs %d", dlfd.ErrParameter, r.Epochs)
		}
		s.Result.Settings = r
		if err := freshWeights(s, r.Fresh); err != nil {
			return fmt.Errorf("fresh weights: %w", err)
		}
		if err := s.Fit(train.Options{Epochs: r.Epochs, Optimizer: r.Optimizer, Schedule: r.Schedule, Seed: s.Seed("train")}); err != nil {
			return err
		}
		return s.CheckTask(ctx)
	})
}

// freshWeights gives s.Model the weights that fresh makes, or draws them anew
// where fresh is nil.
func freshWeights(s *dlfd.Session, fresh func(seed uint64) (feature.Trainable, error)) error {
	seed := s.Seed("fresh weights")
	if fresh == nil {
		return feature.Reinitialize(s.Model, nil, seed)
	}
	m, err := fresh(seed)
	if err != nil {
		return err
	}
	w, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	return w.Restore(s.Model)
}

// ShortRetrain trains from fresh weights on the retain set for a few epochs: the
// floor that a method must be above at the same passes. By default it takes 3 epochs by
// the optimizer of dlfd.Align, train.Muon, at a rate of 1 by the root of the number of
// steps, at most .05, that falls along a cosine.
type ShortRetrain struct {
	// Fresh is as in Retrain.
	Fresh func(seed uint64) (feature.Trainable, error) `json:"-"`
	Descent
	// NoNorms leaves a model without batch norm as it is. By default one of more than
	// three layers that can be given batch norm is trained with it, as dlfd.Align
	// does, and has it folded into the weights at the end.
	NoNorms bool
	// SGD trains by stochastic gradient descent with momentum .9 and weight decay 5e-4
	// instead. The rate is then .05 by default, .02 for a model of more than three layers
	// without batch norm. Without it, Muon is set.
	SGD bool
}

// Name implements dlfd.Namer.
func (ShortRetrain) Name() string { return "ShortRetrain" }

// Needs implements dlfd.Needer.
func (ShortRetrain) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Heads: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward and
// backward pass a retain sample and epoch.
func (r ShortRetrain) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, r.Name(), m, data, opt, r.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if r.SGD && r.Muon {
			return fmt.Errorf("%w: both SGD and Muon", dlfd.ErrParameter)
		}
		if s.Spent() { // before the weights are touched
			return nil
		}
		if err := freshWeights(s, r.Fresh); err != nil {
			return fmt.Errorf("fresh weights: %w", err)
		}
		fold := func() error { return nil }
		if _, layers := layerNumbers(s.Model.Spec()); layers > shallow && !r.NoNorms {
			if fold, err = insertFreshNorms(ctx, s); err != nil {
				return err
			}
		}
		r.Epochs = cmp.Or(r.Epochs, 3)
		r.Rate = cmp.Or(r.Rate, r.rate(s.Model.Spec(), r.Epochs*s.StepsPerEpoch(s.Data.Retain)))
		r.Muon = !r.SGD
		if r.Descent, err = r.Descent.resolve(r.Epochs, r.Rate); err != nil {
			return err
		}
		s.Result.Settings = r
		var by train.Optimizer = train.Muon{Rate: r.Rate} // not that of the session: nothing may depend on the old weights
		if r.SGD {
			by = r.optimizer(s)
		}
		if err := s.Descend(ctx, dlfd.Descent{Epochs: r.Epochs, Optimizer: by, Schedule: train.Cosine}); err != nil {
			return err
		}
		if err := fold(); err != nil {
			return err
		}
		return s.CheckTask(ctx)
	})
}

// shallow is the number of layers up to which dlfd.Align inserts no norms.
const shallow = 3

// rate returns the default rate for a model and a number of steps.
func (r ShortRetrain) rate(spec feature.Spec, steps int) float64 {
	if !r.SGD {
		return min(.05, 1/math.Sqrt(float64(max(steps, 1))))
	}
	if _, layers := layerNumbers(spec); layers > shallow && !train.HasStatistics(spec) {
		return .02
	}
	return .05
}

// insertFreshNorms gives s.Model norms that are as in a new model, where it takes
// any: inserted ones have the statistics of the layers' outputs.
func insertFreshNorms(ctx context.Context, s *dlfd.Session) (fold func() error, err error) {
	own := make(map[string]bool)
	for _, p := range s.Model.Spec().Params {
		own[p.Name] = true
	}
	if fold, err = s.InsertNorms(ctx); err != nil {
		return nil, err
	}
	return fold, feature.Reinitialize(s.Model, func(p feature.Param) bool { return !own[p.Name] }, 0) // constants alone
}
