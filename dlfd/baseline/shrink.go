package baseline

import (
	"context"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// ShrinkPerturb shrinks the weights, adds noise to them (Ash and Adams, NeurIPS
// 2020, arXiv 1910.08475) and brings the task back by descent on the retain set. It
// is dlfd.Align without the term that looks at the forget set, and what that term
// must improve on at the same passes: fields and defaults are those of dlfd.Align.
type ShrinkPerturb struct {
	Shrink  float64 // factor of the weights, in (0, 1]
	Perturb float64 // scale of the noise; dlfd.Off adds none
	NoNorms bool    // leaves a model without batch norm as it is
	Epochs  int     // passes over the retain set
	Revisit float64 // share of the retain set that a pass after the first goes over, in (0, 1]
	Rate    float64 // first learning rate of train.Muon, which falls along a cosine
}

// Name implements dlfd.Namer.
func (ShrinkPerturb) Name() string { return "ShrinkPerturb" }

// Needs implements dlfd.Needer.
func (ShrinkPerturb) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Heads: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward and
// backward pass a retain sample and epoch, and where there is batch norm 30
// batches forward.
func (p ShrinkPerturb) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, p.Name(), m, data, opt, p.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		a := dlfd.Align{Shrink: p.Shrink, Perturb: p.Perturb, NoNorms: p.NoNorms, Epochs: p.Epochs, Revisit: p.Revisit, Rate: p.Rate}
		s.Result.Settings = p // for a checkpoint, until they are resolved
		a, err := a.Refit(ctx, s)
		s.Result.Settings = ShrinkPerturb{a.Shrink, a.Perturb, a.NoNorms, a.Epochs, a.Revisit, a.Rate}
		return err
	})
}
