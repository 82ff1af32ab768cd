package baseline

import (
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Descent has the settings of stochastic gradient descent that the methods
// which train share. Momentum is .9 and weight decay 5e-4.
type Descent struct {
	// Epochs is the number of passes over the retain set. The default is the
	// method's.
	Epochs int
	// Rate is the learning rate. The default is the method's.
	Rate float64
}

func (d Descent) resolve(epochs int, rate float64) (Descent, error) {
	if d.Epochs == 0 {
		d.Epochs = epochs
	}
	if d.Rate == 0 {
		d.Rate = rate
	}
	if d.Epochs < 0 || !(d.Rate > 0) || math.IsInf(d.Rate, 0) {
		return d, fmt.Errorf("%w: Epochs %d, Rate %v", dlfd.ErrParameter, d.Epochs, d.Rate)
	}
	return d, nil
}

func (d Descent) optimizer() *train.SGD {
	return &train.SGD{Rate: d.Rate, Momentum: .9, WeightDecay: 5e-4}
}

// gradients adds the gradient of one training step on a retain batch, and
// returns the loss and the part of it that is the method's own.
type gradients func(ctx context.Context, step *train.Stepper, mode feature.Mode, b feature.Batch) (loss, own float64, err error)

// descend takes one step for every retain batch of every epoch.
func (d Descent) descend(ctx context.Context, s *dlfd.Session, grad gradients) error {
	step := train.NewStepper(s.Model, d.optimizer(), nil)
	s.Steps = d.Epochs * s.StepsPerEpoch(s.Data.Retain)
	for e, n := 0, 0; e < d.Epochs; e++ {
		for b, err := range s.Batches(s.Data.Retain, "retain order", e) {
			if err != nil {
				return err
			}
			if s.Spent() {
				return nil
			}
			mode := feature.Mode{Train: true, Track: true, Seed: s.Seed("dropout", n)}
			loss, own, err := grad(ctx, step, mode, b)
			if err == nil {
				err = step.Apply(1)
			}
			if err != nil {
				return fmt.Errorf("step %d: %w", n, err)
			}
			s.Step(dlfd.Point{Loss: loss, ForgetTerm: own})
			n++
		}
	}
	return nil
}

// accumulate adds the gradient of scale times the cross-entropy of a batch and
// returns the cross-entropy.
func accumulate(ctx context.Context, step *train.Stepper, mode feature.Mode, b feature.Batch, scale float64) (float64, error) {
	var ce float64
	taps := []string{step.Model.Spec().Logits}
	err := step.Accumulate(ctx, mode, b.X, taps, func(val, cot []feature.Tensor) (err error) {
		if _, err = feature.CrossEntropy(val[0], cot[0], b.Labels, scale); err != nil {
			return err
		}
		ce, err = feature.CrossEntropy(val[0], feature.Tensor{}, b.Labels, 1)
		return err
	})
	return ce, err
}
