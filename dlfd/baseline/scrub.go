package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// SCRUB keeps the model as it came as a teacher and takes turns: an epoch over the
// forget set drives the outputs away from the teacher's, by ascent on the divergence
// d = T²·KL(teacher/T ‖ model/T), and an epoch over the retain set descends on
// Alpha·d + Gamma·CE (Kurmanji et al., NeurIPS 2023, arXiv 2302.09880, section 3). The first MaxEpochs epochs have both, the rest the latter alone. By
// default there are 5 epochs at rate .001; an epoch over the forget set is one of
// MaxEpochs.
//
// SCRUB+R is Rewind{Of: SCRUB{}}. The Limit is looked at after each epoch over the
// retain set, which makes good what the one before has harmed, and every eighth step
// of an ascent, which grows without bound in a model without norms.
type SCRUB struct {
	Descent
	Limit
	// MaxEpochs is the number of epochs over the forget set, at most Epochs. If it is
	// zero, 2 is used, or Epochs where that is less.
	MaxEpochs int
	// Alpha is the weight of the divergence on the retain set. If it is zero, .001 is
	// used; dlfd.Off leaves it out.
	Alpha float64
	// Gamma is the weight of the cross-entropy. If it is zero, .99 is used.
	Gamma float64
	// Temperature is T. If it is zero, 4 is used.
	Temperature float64
}

// Name implements dlfd.Namer.
func (SCRUB) Name() string { return "SCRUB" }

// Needs implements dlfd.Needer.
func (SCRUB) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Heads: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: one forward
// and backward pass a retain sample and epoch; one a forget sample and epoch of
// MaxEpochs; one forward pass of both for the teacher; and the looks of the Limit.
func (c SCRUB) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, c.Name(), m, data, opt, c.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		c, err := c.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = c
		keep, err := newTeacher(ctx, s.Model, s.Data.Retain, s.BatchSize)
		if err != nil {
			return err
		}
		lose, err := newTeacher(ctx, s.Model, s.Data.Forget, s.BatchSize)
		if err != nil {
			return err
		}
		return c.run(ctx, s, keep, lose)
	})
}

func (c SCRUB) resolve() (_ SCRUB, err error) {
	if c.Descent, err = c.Descent.resolve(5, .001); err != nil {
		return c, err
	}
	if c.Limit, err = c.Limit.resolve(); err != nil {
		return c, err
	}
	c.MaxEpochs = cmp.Or(c.MaxEpochs, min(2, c.Epochs))
	c.Alpha, c.Gamma, c.Temperature = cmp.Or(c.Alpha, .001), cmp.Or(c.Gamma, .99), cmp.Or(c.Temperature, 4)
	if c.MaxEpochs < 1 || c.MaxEpochs > c.Epochs {
		return c, fmt.Errorf("%w: MaxEpochs %d of Epochs %d", dlfd.ErrParameter, c.MaxEpochs, c.Epochs)
	}
	if c.Alpha != dlfd.Off && !positive(c.Alpha) || !positive(c.Gamma) || !positive(c.Temperature) {
		return c, fmt.Errorf("%w: Alpha %v, Gamma %v, Temperature %v", dlfd.ErrParameter, c.Alpha, c.Gamma, c.Temperature)
	}
	return c, nil
}

// positive reports whether v is above zero and finite.
func positive(v float64) bool { return v > 0 && !math.IsInf(v, 0) }

// run takes the turns. One optimizer serves both kinds of epochs.
func (c SCRUB) run(ctx context.Context, s *dlfd.Session, keep, lose *teacher) error {
	h, err := c.watch(ctx, s)
	if err != nil {
		return err
	}
	h.patient = true
	s.Steps = c.MaxEpochs*s.StepsPerEpoch(s.Data.Forget) + c.Epochs*s.StepsPerEpoch(s.Data.Retain)
	turn := dlfd.Descent{Epochs: 1, Optimizer: &continued{Optimizer: c.optimizer(s)}}
	for epoch := 0; epoch < c.Epochs && !s.Spent(); epoch++ {
		if epoch < c.MaxEpochs {
			turn.On, turn.Gradient, turn.Between, turn.After = s.Data.Forget, c.away(lose), true, h.often
			if err := s.Descend(ctx, turn); err != nil {
				return fmt.Errorf("forget epoch %d: %w", epoch, err)
			}
		}
		turn.On, turn.Gradient, turn.Between, turn.After = s.Data.Retain, c.back(keep), false, nil
		if err := s.Descend(ctx, turn); err != nil {
			return fmt.Errorf("retain epoch %d: %w", epoch, err)
		}
		if err := h.look(ctx); err != nil {
			return err
		}
	}
	return h.look(ctx) // a budget may have ended an epoch over the forget set
}

// away accumulates the gradient of −d.
func (c SCRUB) away(lose *teacher) func(context.Context, *dlfd.Step) error {
	return func(ctx context.Context, step *dlfd.Step) error {
		d, err := distill(ctx, step, step.Mode, step.Batch.X, lose.of(step.Batch), c.Temperature, -1)
		step.Point.Loss, step.Point.ForgetTerm = -d, d
		return err
	}
}

// back accumulates the gradient of Alpha·d + Gamma·CE.
func (c SCRUB) back(keep *teacher) func(context.Context, *dlfd.Step) error {
	return func(ctx context.Context, step *dlfd.Step) error {
		b, spec := step.Batch, step.Model.Spec()
		return step.Accumulate(ctx, step.Mode, b.X, []string{spec.Logits}, func(val, cot []feature.Tensor) error {
			ce, err := spec.Heads.CrossEntropy(val[0], cot[0], b.Labels, c.Gamma)
			if err != nil {
				return err
			}
			step.Point.Loss = ce
			if c.Alpha == dlfd.Off {
				return nil
			}
			kl, err := spec.Heads.KLDivergence(val[0], cot[0], keep.of(b), c.Temperature, c.Alpha)
			step.Point.Loss += kl
			return err
		})
	}
}
