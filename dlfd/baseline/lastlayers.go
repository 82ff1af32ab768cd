package baseline

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// CFk goes on training the last K layers on the retain set, beside which they
// forget the rest, and freezes the layers before them (Goel et al., "Towards
// adversarial evaluations for inexact machine unlearning", arXiv 2201.06640:
// catastrophically forgetting the last k layers). By default it takes 3 epochs at a
// rate that falls from .05 along a cosine.
type CFk struct {
	Descent
	Limit
	// K is the number of layers. A layer begins with each Weight of two or more axes,
	// in the order of the parameters. If it is zero, half of the layers, rounded
	// up, are taken.
	K int
}

// Name implements dlfd.Namer.
func (CFk) Name() string { return "CF-k" }

// Needs implements dlfd.Needer.
func (CFk) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Heads: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward
// pass a retain sample and epoch, and a backward pass through the last layers, which
// counts as a whole one, and the looks of the Limit.
func (c CFk) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, c.Name(), m, data, opt, c.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if c.Descent, err = c.Descent.resolve(3, .05); err != nil {
			return err
		}
		last, err := chooseLayers(s.Model.Spec(), &c.K)
		if err != nil {
			return err
		}
		if c.Limit, err = c.Limit.resolve(); err != nil {
			return err
		}
		s.Result.Settings = c
		return c.descendWithin(ctx, s, dlfd.Descent{Epochs: c.Epochs, Optimizer: c.optimizer(s), Schedule: train.Cosine, Train: last})
	})
}

// EUk draws the weights of the last K layers anew and trains these layers on the
// retain set, which is exact unlearning for them; the layers before them stay (Goel
// et al., arXiv 2201.06640: exact unlearning of the last k layers). By default
// it takes 5 epochs at a rate that falls from .03 along a cosine.
type EUk struct {
	Descent
	// K is the number of layers, as in CFk.
	K int
}

// Name implements dlfd.Namer.
func (EUk) Name() string { return "EU-k" }

// Needs implements dlfd.Needer.
func (EUk) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Heads: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: that of CFk.
func (e EUk) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, e.Name(), m, data, opt, e.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if e.Descent, err = e.Descent.resolve(5, .03); err != nil {
			return err
		}
		last, err := chooseLayers(s.Model.Spec(), &e.K)
		if err != nil {
			return err
		}
		s.Result.Settings = e
		if s.Spent() { // before the weights are touched
			return nil
		}
		if err := feature.Reinitialize(s.Model, last, s.Seed("fresh weights")); err != nil {
			return fmt.Errorf("fresh weights: %w", err)
		}
		return descendAndCheck(ctx, s, dlfd.Descent{Epochs: e.Epochs, Optimizer: e.optimizer(s), Schedule: train.Cosine, Train: last})
	})
}

// chooseLayers resolves *k and returns a function that tells the parameters of the
// last *k layers.
func chooseLayers(spec feature.Spec, k *int) (func(feature.Param) bool, error) {
	if *k == 0 {
		_, count := layerNumbers(spec)
		*k = (count + 1) / 2
	}
	return lastLayers(spec, *k)
}
