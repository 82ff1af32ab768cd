package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// NegGradPlus descends on CE(retain) − Beta·CE(forget), one batch of each a
// step (Kurmanji et al., NeurIPS 2023, arXiv 2302.09880, section 4, where the
// weights are α and 1−α). By default it takes one epoch over the retain set at
// rate .005.
type NegGradPlus struct {
	Descent
	// Beta is the weight of the forget loss. If it is zero, .5 is used.
	Beta float64
}

// Name implements dlfd.Namer.
func (NegGradPlus) Name() string { return "NegGrad+" }

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: two
// forward and backward passes a retain sample and epoch.
func (g NegGradPlus) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, g.Name(), m, data, opt, dlfd.Needs{Retain: true, Forget: true}, func(ctx context.Context, s *dlfd.Session) error {
		g, err := g.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = g
		forget, stop := s.Cycle(s.Data.Forget, "forget order")
		defer stop()
		return s.Descend(ctx, dlfd.Descent{Epochs: g.Epochs, Optimizer: g.optimizer(), Gradient: func(ctx context.Context, step *dlfd.Step) error {
			keep, err := step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, 1)
			if err != nil {
				return fmt.Errorf("retain batch: %w", err)
			}
			f, err := forget()
			if err != nil {
				return fmt.Errorf("forget batch: %w", err)
			}
			lose, err := step.CrossEntropy(ctx, step.ModeFor(f), f.X, f.Labels, -g.Beta)
			if err != nil {
				return fmt.Errorf("forget batch: %w", err)
			}
			step.Point.Loss, step.Point.ForgetTerm = keep-g.Beta*lose, lose
			return nil
		}})
	})
}

func (g NegGradPlus) resolve() (_ NegGradPlus, err error) {
	g.Beta = cmp.Or(g.Beta, .5)
	if !(g.Beta > 0) || math.IsInf(g.Beta, 0) {
		return g, fmt.Errorf("%w: Beta %v", dlfd.ErrParameter, g.Beta)
	}
	g.Descent, err = g.Descent.resolve(1, .005)
	return g, err
}
