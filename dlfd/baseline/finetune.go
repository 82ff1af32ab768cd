package baseline

import (
	"context"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// FineTune goes on training on the retain set, beside which the rest may be
// forgotten (Golatkar, Achille, Soatto, CVPR 2020, arXiv 1911.04933,
// section 6). By default it takes 5 epochs at rate .02.
type FineTune struct {
	Descent
}

// Name implements dlfd.Namer.
func (FineTune) Name() string { return "FineTune" }

// Needs implements dlfd.Needer.
func (FineTune) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Heads: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward
// and backward pass a retain sample and epoch.
func (f FineTune) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, f.Name(), m, data, opt, f.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		d, err := f.resolve(5, .02)
		if err != nil {
			return err
		}
		s.Result.Settings = FineTune{d}
		return descendAndCheck(ctx, s, dlfd.Descent{Epochs: d.Epochs, Optimizer: d.optimizer(s)})
	})
}
