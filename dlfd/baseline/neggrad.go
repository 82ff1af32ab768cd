package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// NegGrad ascends the cross-entropy of the forget set, and does nothing else
// (Golatkar, Achille, Soatto, CVPR 2020, arXiv 1911.04933, section 6). By default it
// takes 2 epochs over the forget set at rate .002. Its Limit is what ends it: the
// ascent itself has no end.
type NegGrad struct {
	Descent
	Limit
}

// Name implements dlfd.Namer.
func (NegGrad) Name() string { return "NegGrad" }

// Needs implements dlfd.Needer.
func (NegGrad) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Heads: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads Forget, and Retain for the Limit.
// Cost: one forward and backward pass a forget sample and epoch, and the looks of
// the Limit.
func (g NegGrad) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, g.Name(), m, data, opt, g.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if g.Descent, err = g.Descent.resolve(2, .002); err != nil {
			return err
		}
		if g.Limit, err = g.Limit.resolve(); err != nil {
			return err
		}
		s.Result.Settings = g
		h, err := g.watch(ctx, s)
		if err != nil {
			return err
		}
		return h.descend(ctx, dlfd.Descent{
			On: s.Data.Forget, Epochs: g.Epochs, Optimizer: g.optimizer(s),
			Gradient: func(ctx context.Context, step *dlfd.Step) error {
				lose, err := step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, -1)
				step.Point.Loss, step.Point.ForgetTerm = -lose, lose
				return err
			},
		})
	})
}

// NegGradPlus descends on CE(retain) − Beta·CE(forget), one batch of each a
// step (Kurmanji et al., NeurIPS 2023, arXiv 2302.09880, section 4, where the
// weights are α and 1−α). By default it takes 3 epochs over the retain set at
// rate .02.
type NegGradPlus struct {
	Descent
	Limit
	// Beta is the weight of the forget loss. If it is zero, .05 is used.
	Beta float64
}

// Name implements dlfd.Namer.
func (NegGradPlus) Name() string { return "NegGrad+" }

// Needs implements dlfd.Needer.
func (NegGradPlus) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Heads: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: two
// forward and backward passes a retain sample and epoch, and the looks of the
// Limit.
func (g NegGradPlus) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, g.Name(), m, data, opt, g.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		g, err := g.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = g
		h, err := g.watch(ctx, s)
		if err != nil {
			return err
		}
		forget, stop := s.Cycle(s.Data.Forget, "forget order")
		defer stop()
		return h.descend(ctx, dlfd.Descent{Epochs: g.Epochs, Optimizer: g.optimizer(s), Gradient: func(ctx context.Context, step *dlfd.Step) error {
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
			h.batch(keep)
			step.Point.Loss, step.Point.ForgetTerm = keep-g.Beta*lose, lose
			return nil
		}})
	})
}

func (g NegGradPlus) resolve() (_ NegGradPlus, err error) {
	g.Beta = cmp.Or(g.Beta, .05)
	if !(g.Beta > 0) || math.IsInf(g.Beta, 0) {
		return g, fmt.Errorf("%w: Beta %v", dlfd.ErrParameter, g.Beta)
	}
	if g.Descent, err = g.Descent.resolve(3, .02); err != nil {
		return g, err
	}
	g.Limit, err = g.Limit.resolve()
	return g, err
}
