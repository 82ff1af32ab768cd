package baseline

import (
	"cmp"
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

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward
// and backward pass a retain sample and epoch. A budget is not consulted: half
// of a retraining is no model.
func (r Retrain) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, r.Name(), m, data, opt, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
		if r.Fresh == nil {
			return fmt.Errorf("%w: Fresh is required", dlfd.ErrParameter)
		}
		if r.Epochs = cmp.Or(r.Epochs, 30); r.Epochs < 1 {
			return fmt.Errorf("%w: Epochs %d", dlfd.ErrParameter, r.Epochs)
		}
		s.Result.Settings = r
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
		o := train.Options{Epochs: r.Epochs, Optimizer: r.Optimizer, Schedule: r.Schedule, BatchSize: s.BatchSize, Seed: s.Seed("train")}
		o.Observer = func(p train.Progress) {
			s.Steps = p.Steps
			s.Step(dlfd.Point{Loss: p.Loss})
		}
		_, err = train.Fit(ctx, s.Model, s.Data.Retain, &o)
		return err
	})
}
