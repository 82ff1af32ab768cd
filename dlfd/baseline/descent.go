package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Descent has the settings of gradient descent that the methods which train share:
// stochastic, with momentum .9 and weight decay 5e-4, unless Muon is set.
type Descent struct {
	// Epochs is the number of passes over the retain set. The default is the
	// method's.
	Epochs int
	// Rate is the learning rate. The default is the method's; with Muon, whose rate is
	// the length of a step by that of the weights, it is .02.
	Rate float64
	// Muon descends by train.Muon, as dlfd.Align does. No other method was published
	// so: it tells what a method is worth apart from its optimizer.
	Muon bool
}

func (d Descent) resolve(epochs int, rate float64) (Descent, error) {
	if d.Muon {
		rate = .02
	}
	d.Epochs, d.Rate = cmp.Or(d.Epochs, epochs), cmp.Or(d.Rate, rate)
	if d.Epochs < 1 || !(d.Rate > 0) || math.IsInf(d.Rate, 0) {
		return d, fmt.Errorf("%w: Epochs %d, Rate %v", dlfd.ErrParameter, d.Epochs, d.Rate)
	}
	return d, nil
}

func (d Descent) optimizer(s *dlfd.Session) train.Optimizer {
	if d.Muon {
		return s.Muon(d.Rate)
	}
	return train.SGD{Rate: d.Rate, Momentum: .9, WeightDecay: 5e-4}
}

// continued is an optimizer that keeps its state, such as momentum, from one
// descent to the next. A method that takes turns between two sets makes one for
// each run.
type continued struct {
	train.Optimizer
	state train.OptimizerState
}

// Start implements train.Optimizer.
func (c *continued) Start(spec feature.Spec) (_ train.OptimizerState, err error) {
	if c.state == nil {
		c.state, err = c.Optimizer.Start(spec)
	}
	return c.state, err
}

// descendAndCheck is Session.Descend, with a look at the task at the end.
func descendAndCheck(ctx context.Context, s *dlfd.Session, d dlfd.Descent) error {
	if err := s.Descend(ctx, d); err != nil {
		return err
	}
	return s.CheckTask(ctx)
}
