package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// The assumption under which the methods of this file are exact; they repeat it in
// Result.Notes.
const headAssumption = "exact if the other layers never saw the forget samples, as the caller states"

// HeadFit has what the methods that fit the last layer have in common. That layer,
// W·f + b with features f, is the minimum of the mean cross-entropy of the retain set
// plus L2/2 times the sum of squares of W and b, b included: so the minimum exists, is
// unique, and depends on nothing but the retain set, whichever class is gone.
type HeadFit struct {
	// L2 is the weight of the penalty. If it is zero, 5e-4 is used: the weight decay
	// of train.Fit.
	L2 float64
}

func (h HeadFit) resolve() (HeadFit, error) {
	h.L2 = cmp.Or(h.L2, 5e-4)
	if !(h.L2 > 0) || !finite.Is(h.L2) {
		return h, fmt.Errorf("%w: L2 %v, want a positive number", dlfd.ErrParameter, h.L2)
	}
	return h, nil
}

// ExactHead fits the last layer anew to the retain set, from weights of zero, and
// leaves every other layer as it is. Where the other layers never saw the forget
// samples, as with a frozen backbone of foreign origin, that is retraining itself:
// nothing of the old last layer enters, and not a bit of the result depends on a forget
// sample. Whether they never saw them, the method cannot know: the caller states it,
// and Result.Notes repeats it.
//
// The fit is by Newton's method, each step by conjugate gradients, in float64, until
// the norm of the gradient is at most Tolerance. The weights are then within
// Tolerance/L2 of the minimum, in the Euclidean norm, before they are rounded to
// float32. Beside other optimizers the result is that of retraining to convergence.
type ExactHead struct {
	HeadFit
	// Tolerance is the norm of the gradient to be reached. If it is zero, 1e-7·L2
	// is used, but at least 1e-13: sums in float64 are no better.
	Tolerance float64
	// MaxSteps is the largest number of Newton steps. If it is zero, 100 is used.
	MaxSteps int
}

// Name implements dlfd.Namer.
func (ExactHead) Name() string { return "ExactHead" }

// Needs implements dlfd.Needer.
func (ExactHead) Needs() dlfd.Needs { return dlfd.Needs{Retain: true} }

func (e ExactHead) resolve() (ExactHead, error) {
	var err error
	if e.HeadFit, err = e.HeadFit.resolve(); err != nil {
		return e, err
	}
	e.Tolerance = cmp.Or(e.Tolerance, max(1e-7*e.L2, 1e-13))
	e.MaxSteps = cmp.Or(e.MaxSteps, 100)
	if !(e.Tolerance > 0) || !finite.Is(e.Tolerance) || e.MaxSteps < 0 {
		return e, fmt.Errorf("%w: Tolerance %v, MaxSteps %d", dlfd.ErrParameter, e.Tolerance, e.MaxSteps)
	}
	return e, nil
}

// Unlearn implements dlfd.Unlearner. It reads Retain only, and draws nothing at
// random. The head is the last Weight of two axes and the Bias behind it; if the
// logits are not W·f + b, the features being at Spec().Features, or at the input where
// there is no other layer, that is an error wrapping feature.ErrParam or
// feature.ErrShape. A gradient that stays above Tolerance gives one wrapping
// distance.ErrNotConverged.
//
// Cost: one forward pass of Retain; then some ten to some hundred products with the
// features, 8·n·d bytes of memory, a few milliseconds each for n = 10,000 samples of
// d = 512 features. To forget often, keep the features by dataset.Embed and give the
// method a model that is the head alone.
func (e ExactHead) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, e.Name(), m, data, opt, e.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if e, err = e.resolve(); err != nil {
			return err
		}
		s.Result.Settings = e
		if s.Spent() {
			return nil
		}
		h, fit, err := newHead(ctx, s, e.L2)
		if err != nil {
			return err
		}
		w, norm, err := e.minimize(ctx, s, fit)
		if err != nil || s.Result.Ledger.Steps == 0 {
			return err
		}
		s.Result.Notes = append(s.Result.Notes, headAssumption,
			fmt.Sprintf("the gradient of the last layer's loss has norm %.3g: its weights are within %.3g of the minimum, before rounding to float32", norm, norm/e.L2))
		return h.set(s.Model, w)
	})
}

// minimize returns the minimum and the norm of the gradient there, or what it has
// when the budget is spent.
func (e ExactHead) minimize(ctx context.Context, s *dlfd.Session, fit *softmaxFit) (w []float64, norm float64, err error) {
	w, g := make([]float64, fit.classes*fit.d), make([]float64, fit.classes*fit.d)
	s.Steps = e.MaxSteps
	loss := fit.gradient(w, g)
	norm = norm2(g)
	for norm > e.Tolerance && !s.Spent() {
		if s.Result.Ledger.Steps == e.MaxSteps {
			return nil, 0, fmt.Errorf("%w: after %d steps the gradient has norm %.3g, want %.3g", distance.ErrNotConverged, e.MaxSteps, norm, e.Tolerance)
		}
		// Tighter as the gradient gets small, so that the number of correct digits
		// grows faster than linearly (Dembo, Eisenstat, Steihaug, 1982).
		step, err := fit.newton(ctx, g, min(.1, math.Sqrt(norm)))
		if err != nil {
			return nil, 0, err
		}
		var ok bool
		if loss, ok = fit.descend(w, g, step, loss); !ok {
			return nil, 0, fmt.Errorf("%w: no step lowers the loss, %v, and the gradient has norm %.3g, want %.3g", distance.ErrNotConverged, loss, norm, e.Tolerance)
		}
		norm = norm2(g)
		s.Step(dlfd.Point{Loss: loss})
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
	}
	if !finite.Is(norm) {
		return nil, 0, fmt.Errorf("%w: the gradient has norm %v", dlfd.ErrDiverged, norm)
	}
	return w, norm, nil
}

// NewtonHead takes one Newton step of the last layer from its old weights towards
// the minimum on the retain set, and leaves every other layer as it is: the
// certified removal of Guo et al., "Certified data removal from machine learning
// models", ICML 2020, arXiv 1911.03030, section 3,
//
//	w⁻ = w* + H⁻¹·Δ,    H = ∇²L(w*; retain),    Δ = −∇L(w*; retain).
//
// It is meant for a head that is at its minimum on the retain and the forget set
// together, with the same L2; then Δ is the gradient that the forget set took
// part in. Δ is computed on the retain set itself, so that a head beside its minimum
// is no error, and the forget set is not read.
//
// How much is left of the forget set is bounded by the residual, the gradient
// ∇L(w⁻; retain) after the step: ‖w⁻ − w‖ ≤ ‖∇L(w⁻)‖/L2, w being the weights of
// retraining. Result.Notes has both. Guo et al. bound the residual of logistic
// regression by γ·‖X‖₂·‖H⁻¹Δ‖₂·‖X·H⁻¹Δ‖₂/n with γ = ¼ (corollary 1, for a mean); here
// it is computed, which takes one more pass. Their (ε, δ) certificate asks beside that
// for a random linear term in the loss that the head was trained with, normal with
// standard deviation c·ε'/ε for residuals of at most ε' and δ = 1.5·exp(−c²/2)
// (theorem 3); a head that was trained otherwise has the bound and no certificate.
// [ExactHead] has neither to prove, at ten times the cost.
type NewtonHead struct{ HeadFit }

// Name implements dlfd.Namer.
func (NewtonHead) Name() string { return "NewtonHead" }

// Needs implements dlfd.Needer.
func (NewtonHead) Needs() dlfd.Needs { return dlfd.Needs{Retain: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain only, and draws nothing at
// random. Which layer it changes, and the errors about it, are those of ExactHead. A step
// after which the gradient is no smaller than before, or bounds the distance to
// retraining by no less than the weights are large, gives one wrapping
// dlfd.ErrDiverged: the old weights are too far from the minimum. Cost: one forward pass of
// Retain, and the products of one step.
func (u NewtonHead) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, u.Name(), m, data, opt, u.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if u.HeadFit, err = u.HeadFit.resolve(); err != nil {
			return err
		}
		s.Result.Settings = u
		if s.Steps = 1; s.Spent() {
			return nil
		}
		h, fit, err := newHead(ctx, s, u.L2)
		if err != nil {
			return err
		}
		w, err := h.get(s.Model)
		if err != nil {
			return err
		}
		g := make([]float64, len(w))
		fit.gradient(w, g)
		before := norm2(g)
		step, err := fit.newton(ctx, g, 1e-10)
		if err != nil {
			return err
		}
		for i := range w {
			w[i] += step[i]
		}
		loss := fit.gradient(w, g)
		after := norm2(g)
		if !(after < before) || after/u.L2 > norm2(w) {
			return fmt.Errorf("%w: one step takes the norm of the gradient from %.3g to %.3g, which bounds the distance to retraining by %.3g for weights of norm %.3g: the old weights are too far from the minimum (see ExactHead)",
				dlfd.ErrDiverged, before, after, after/u.L2, norm2(w))
		}
		s.Step(dlfd.Point{Loss: loss})
		s.Result.Notes = append(s.Result.Notes, headAssumption,
			fmt.Sprintf("the residual, the gradient on the retain set after the step, has norm %.3g (before it %.3g): the last layer is within %.3g of retraining, before rounding to float32", after, before, after/u.L2))
		return h.set(s.Model, w)
	})
}

// keptDecrease is the share of the decrease that a step promises which it must keep,
// and lossRounding what rounding may add to a loss.
const (
	keptDecrease = 1e-4
	lossRounding = 1e-13
)

// descend goes along the step, halving it until the loss falls enough (Armijo), but
// for rounding, and writes w and the gradient there.
func (f *softmaxFit) descend(w, g, step []float64, loss float64) (float64, bool) {
	var slope float64
	for i, v := range step {
		slope += float64(v * g[i])
	}
	old := append([]float64(nil), w...)
	for t := 1.; t > 1e-12; t /= 2 {
		for i := range w {
			w[i] = old[i] + float64(t*step[i])
		}
		if l := f.gradient(w, g); l <= loss+float64(keptDecrease*t)*slope+lossRounding*(1+math.Abs(loss)) {
			return l, true
		}
	}
	return loss, false
}
