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

// L1Sparse descends on CE(retain) + γ·‖w‖₁, where γ falls linearly to zero: a
// sparse model has less room for what was memorized (Jia et al., NeurIPS 2023, arXiv
// 2304.04934: ℓ1-sparse unlearning with a decreasing γ). By default it takes 3
// epochs at a rate that falls from .05 along a cosine.
type L1Sparse struct {
	Descent
	Limit
	// Gamma is γ at the first step. If it is zero, 5e-4 is used.
	Gamma float64
}

// Name implements dlfd.Namer.
func (L1Sparse) Name() string { return "L1-sparse" }

// Needs implements dlfd.Needer.
func (L1Sparse) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Heads: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain only. Cost: one forward and
// backward pass a retain sample and epoch, and the looks of the Limit.
func (l L1Sparse) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, l.Name(), m, data, opt, l.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if l.Descent, err = l.Descent.resolve(3, .05); err != nil {
			return err
		}
		if l.Gamma = cmp.Or(l.Gamma, 5e-4); !(l.Gamma > 0) || math.IsInf(l.Gamma, 0) {
			return fmt.Errorf("%w: Gamma %v", dlfd.ErrParameter, l.Gamma)
		}
		if l.Limit, err = l.Limit.resolve(); err != nil {
			return err
		}
		s.Result.Settings = l
		buf := feature.NewGradients(s.Model.Spec())
		return l.descendWithin(ctx, s, dlfd.Descent{Epochs: l.Epochs, Optimizer: l.optimizer(s), Schedule: train.Cosine, Gradient: func(ctx context.Context, step *dlfd.Step) (err error) {
			step.Point.Loss, err = step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, 1)
			if err != nil {
				return err
			}
			gamma := l.Gamma * (1 - float64(step.Number)/float64(step.Of))
			norm, err := addL1(step, buf, gamma)
			step.Point.Loss += gamma * norm
			return err
		}})
	})
}

// addL1 adds γ times the derivative of ‖w‖₁ to the gradient and returns ‖w‖₁, over
// the parameters that are trained. At 0 the derivative is 0. buf has room for them.
func addL1(step *dlfd.Step, buf [][]float32, gamma float64) (float64, error) {
	var norm float64
	for i, g := range step.Gradients() {
		if g == nil {
			continue
		}
		if err := step.Model.GetParam(i, buf[i]); err != nil {
			return 0, err
		}
		for j, w := range buf[i] {
			norm += math.Abs(float64(w))
			if w != 0 {
				g[j] += float32(math.Copysign(gamma, float64(w)))
			}
		}
	}
	return norm, nil
}
