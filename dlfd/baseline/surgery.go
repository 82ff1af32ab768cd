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

// Surgery solves, at every step, for the change of the weights that costs the
// retain set least among those that raise the forget loss by a given amount: HAMU-Q
// (Chen et al., ICML 2026, arXiv 2606.02119). With r and f the gradients of the
// cross-entropy on a batch of either set, both loss changes to first order, and a
// step δ of length at most R = rate·‖r‖, it minimizes r·δ subject to
// f·δ ≥ Forgetting·R·‖f‖. κ = r·f says how hard that is. In closed form:
//
//   - If plain descent on r does it, κ ≤ −Forgetting·‖r‖·‖f‖, it is the step.
//   - Else δ has the part Forgetting·R along f and the rest against the part of r
//     that is orthogonal to f.
//   - Where even that raises the retain loss, κ > √(1 − Forgetting²)·‖r‖·‖f‖, the
//     paper advises to stop. Here the forget loss gets less than was asked: δ goes
//     along the part of f that is orthogonal to r, so that to first order the retain
//     loss stays.
//
// A note says how many steps were of the last kind, and what the mean of κ/(‖r‖·‖f‖)
// was. There is neither momentum nor weight decay. By default it takes 3 epochs at
// rate .03. The gradients are those of all weights together; the published
// experiments solve for every layer apart.
type Surgery struct {
	Descent
	Limit
	// Forgetting is the amount asked for, as a share of what a step of the same
	// length along f would bring, in (0, 1). If it is zero, .2 is used.
	Forgetting float64
}

// Name implements dlfd.Namer.
func (Surgery) Name() string { return "Surgery" }

// Needs implements dlfd.Needer.
func (Surgery) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Heads: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: two forward
// and backward passes a retain sample and epoch, and the looks of the Limit.
func (g Surgery) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, g.Name(), m, data, opt, g.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if g.Descent, err = g.Descent.resolve(3, .03); err != nil {
			return err
		}
		if g.Limit, err = g.Limit.resolve(); err != nil {
			return err
		}
		if g.Forgetting = cmp.Or(g.Forgetting, .2); !(g.Forgetting > 0 && g.Forgetting < 1) {
			return fmt.Errorf("%w: Forgetting %v", dlfd.ErrParameter, g.Forgetting)
		}
		s.Result.Settings = g
		return g.run(ctx, s)
	})
}

func (g Surgery) run(ctx context.Context, s *dlfd.Session) error {
	h, err := g.watch(ctx, s)
	if err != nil {
		return err
	}
	forget, stop := s.Cycle(s.Data.Forget, "forget order")
	defer stop()
	o := &operation{forgetting: g.Forgetting, retain: feature.NewGradients(s.Model.Spec())}
	s.Keep("operation", &o.steps, &o.hard, &o.cosines)
	var plain train.Optimizer = train.SGD{Rate: g.Rate}
	if g.Muon {
		plain = g.optimizer(s)
	}
	err = h.descend(ctx, dlfd.Descent{Epochs: g.Epochs, Optimizer: plain, Gradient: func(ctx context.Context, step *dlfd.Step) (err error) {
		step.Point.Loss, err = step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, 1)
		if err != nil {
			return fmt.Errorf("retain batch: %w", err)
		}
		h.batch(step.Point.Loss)
		o.take(step.Gradients())
		f, err := forget()
		if err != nil {
			return fmt.Errorf("forget batch: %w", err)
		}
		step.Point.ForgetTerm, err = step.CrossEntropy(ctx, step.ModeFor(f), f.X, f.Labels, 1)
		if err != nil {
			return fmt.Errorf("forget batch: %w", err)
		}
		o.combine(step.Gradients())
		return nil
	}})
	if err == nil && o.steps > 0 {
		s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("In %d of %d steps the forget loss could not be raised as asked without raising the retain loss; the mean cosine of the two gradients was %.3f.", o.hard, o.steps, o.cosines/float64(o.steps)))
	}
	return err
}

// operation finds the steps of Surgery.
type operation struct {
	forgetting float64
	retain     [][]float32 // the gradient of the retain batch
	steps      int
	hard       int     // steps in which both losses cannot improve as asked
	cosines    float64 // sum over the steps
}

// take moves a gradient into retain.
func (o *operation) take(g [][]float32) {
	for i, v := range g {
		copy(o.retain[i], v)
		clear(v)
	}
}

// combine replaces f, the gradient of the forget batch, by the gradient whose
// descent is the step.
func (o *operation) combine(f [][]float32) {
	rr, rf, ff := dot(o.retain, o.retain), dot(o.retain, f), dot(f, f)
	a, b, cosine, hard := o.weights(rr, rf, ff)
	o.steps++
	o.cosines += cosine
	if hard {
		o.hard++
	}
	for i, v := range f {
		for j := range v {
			v[j] = float32(a*float64(o.retain[i][j]) + b*float64(v[j]))
		}
	}
}

// weights returns a and b so that a·r + b·f is −δ/rate, from the dot products of r
// and f; and the cosine of r and f.
func (o *operation) weights(rr, rf, ff float64) (a, b, cosine float64, hard bool) {
	if rr == 0 || ff == 0 {
		return 1, 0, 0, false
	}
	nr, nf := math.Sqrt(rr), math.Sqrt(ff)
	cosine = min(max(rf/(nr*nf), -1), 1)
	sine := math.Sqrt(1 - float64(cosine*cosine)) // ‖r − (r·f/f·f)·f‖ = ‖r‖·sine
	along := o.forgetting
	rest := math.Sqrt(1 - float64(along*along))
	switch {
	case cosine <= -along:
		return 1, 0, cosine, false
	case sine < 1e-6: // parallel: no direction is free, and rounding would choose one
		return 0, 0, cosine, true
	case cosine > rest:
		return cosine / sine, -nr / nf / sine, cosine, true
	}
	// −δ/R = rest·(r/‖r‖ − cosine·f/‖f‖)/sine − along·f/‖f‖, and R/rate = ‖r‖.
	return rest / sine, -nr / nf * (along + rest*cosine/sine), cosine, false
}

// dot returns the inner product of two gradients.
func dot(a, b [][]float32) float64 {
	var sum float64
	for i, v := range a {
		for j, x := range v {
			sum += float64(x) * float64(b[i][j])
		}
	}
	return sum
}
