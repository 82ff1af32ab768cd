package baseline

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Retrain trains from fresh weights on the retain set alone. It is the
// definition of exact unlearning, and what other methods are measured against.
type Retrain struct {
	// Fresh returns a model like the one to be unlearned with fresh weights. It
	// is required.
	Fresh func(seed uint64) (feature.Trainable, error)
	// Train says how to train. BatchSize, Seed and Observer are those of the
	// request. Optimizer must be nil: an optimiser serves one run.
	Train train.Options
	// NewOptimizer makes the optimiser. If it is nil, that of train.Options is
	// used.
	NewOptimizer func() train.Optimizer
}

// Name implements dlfd.Namer.
func (Retrain) Name() string { return "Retrain" }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward
// and backward pass a retain sample and epoch. A budget is not consulted: half
// of a retraining is no model.
func (r Retrain) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, r.Name(), m, data, opt, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
		if r.Fresh == nil {
			return fmt.Errorf("%w: Fresh is required", dlfd.ErrParameter)
		}
		if r.Train.Optimizer != nil {
			return fmt.Errorf("%w: Train.Optimizer is set; NewOptimizer makes one for each run", dlfd.ErrParameter)
		}
		fresh, err := r.Fresh(s.Seed("fresh weights"))
		if err != nil {
			return err
		}
		w, err := feature.Snapshot(fresh)
		if err == nil {
			err = w.Restore(s.Model)
		}
		if err != nil {
			return fmt.Errorf("fresh weights: %w", err)
		}
		o := r.Train
		o.BatchSize, o.Seed = s.BatchSize, s.Seed("train")
		o.Observer = func(p train.Progress) {
			s.Steps = p.Steps
			s.Step(dlfd.Point{Loss: p.Loss})
		}
		if r.NewOptimizer != nil {
			o.Optimizer = r.NewOptimizer()
		}
		_, err = train.Fit(ctx, s.Model, s.Data.Retain, &o)
		return err
	})
}
