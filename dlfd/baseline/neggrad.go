package baseline

import (
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
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
		d, err := g.resolve(1, .005)
		if err != nil {
			return err
		}
		beta := g.Beta
		if beta == 0 {
			beta = .5
		}
		if !(beta > 0) || math.IsInf(beta, 0) {
			return fmt.Errorf("%w: Beta %v", dlfd.ErrParameter, beta)
		}
		forget, stop := s.Cycle(s.Data.Forget, "forget order")
		defer stop()
		return d.descend(ctx, s, func(ctx context.Context, step *train.Stepper, mode feature.Mode, b feature.Batch) (float64, float64, error) {
			keep, err := accumulate(ctx, step, mode, b, 1)
			if err != nil {
				return 0, 0, fmt.Errorf("retain batch: %w", err)
			}
			f, err := forget()
			if err != nil {
				return 0, 0, fmt.Errorf("forget batch: %w", err)
			}
			// The running statistics of batch norm follow the retain set alone.
			mode.Track = false
			lose, err := accumulate(ctx, step, mode, f, -beta)
			if err != nil {
				return 0, 0, fmt.Errorf("forget batch: %w", err)
			}
			return keep - beta*lose, lose, nil
		})
	})
}
