package baseline

import (
	"context"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// FineTune goes on training on the retain set and hopes that the rest is
// forgotten on the way (Golatkar, Achille, Soatto, CVPR 2020, arXiv
// 1911.04933, section 6). By default it takes one epoch at rate .005.
type FineTune struct {
	Descent
}

// Name implements dlfd.Namer.
func (FineTune) Name() string { return "FineTune" }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward
// and backward pass a retain sample and epoch.
func (f FineTune) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, f.Name(), m, data, opt, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
		d, err := f.resolve(1, .005)
		if err != nil {
			return err
		}
		return d.descend(ctx, s, func(ctx context.Context, step *train.Stepper, mode feature.Mode, b feature.Batch) (float64, float64, error) {
			loss, err := accumulate(ctx, step, mode, b, 1)
			return loss, 0, err
		})
	})
}
