package dlfd

import (
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// matching pushes the log-odds of forget samples down to the distribution that
// the model shows on holdout samples of the same class. The log-odds
// φ = log p/(1−p) of the label rank samples as their losses do, but their
// gradient does not vanish where a sample is known by heart (the scale is that
// of Carlini et al., "Membership inference attacks from first principles", IEEE
// S&P 2022, section IV).
type matching struct {
	weight          float64
	few             float64                       // forget samples of a class that have half of the weight
	forget, holdout func() (feature.Batch, error) // the next batch
	stop            func()
	perEpoch        int // forget batches of a pass over the forget set
	heads           feature.Heads
	odds            []oddsByClass // by head
	features        *featureTerm  // nil: none
}

// newMatching returns a matching whose terms are that of the log-odds, unless weight
// is Off, and that of the features, unless it is nil.
func newMatching(s *Session, weight float64, features *featureTerm) *matching {
	holdout := s.Data.Holdout
	if s.others != nil {
		holdout = s.others
	}
	t := &matching{weight: max(weight, 0), few: fewSamples, features: features, perEpoch: s.StepsPerEpoch(s.Data.Forget), heads: s.Model.Spec().Heads}
	for range t.heads.Count() {
		t.odds = append(t.odds, newOdds(s.Data.Forget, holdout))
	}
	var stopForget, stopHoldout func()
	t.forget, stopForget = s.Cycle(s.Data.Forget, "forget order")
	t.holdout, stopHoldout = s.Cycle(holdout, "holdout order")
	t.stop = func() { stopForget(); stopHoldout() }
	for k := range t.odds {
		s.Keep("log-odds", &t.odds[k])
	}
	if features != nil {
		s.Keep("holdout features", &features.seen)
	}
	return t
}

// gradient accumulates the gradient of weight × excess for the forget batches that
// belong to the step.
func (t *matching) gradient(ctx context.Context, step *Step) error {
	for range share(step.Number%step.PerEpoch, step.PerEpoch, t.perEpoch) {
		f, err := t.forget()
		if err == nil {
			step.Point.ForgetTerm, err = t.accumulate(ctx, step, f)
		}
		if err != nil {
			return fmt.Errorf("forget batch: %w", err)
		}
	}
	return nil
}

// share returns how many of the forget batches of an epoch belong to step k of
// its steps, so that an epoch makes one pass over the forget set.
func share(k, steps, forget int) int {
	return ((k+1)*forget+steps-1)/steps - (k*forget+steps-1)/steps
}

// accumulate adds the gradient of weight × excess for a forget batch and
// returns the excess. A holdout batch is run forward first, in the same mode,
// so that the distribution to reach is that of the model as it is.
func (t *matching) accumulate(ctx context.Context, step *Step, f feature.Batch) (float64, error) {
	h, err := t.holdout()
	if err != nil {
		return 0, fmt.Errorf("holdout batch: %w", err)
	}
	mode, hx, fx := step.Mode, h.X, f.X
	mode.Track = false // statistics follow the step's own batch
	spec := step.Model.Spec()
	if (len(f.Labels) == 1 || len(h.Labels) == 1) && train.HasStatistics(spec) {
		// One sample has no statistics, and the running ones are those from before
		// the weights were shrunk: the two batches pass together.
		hx, fx = joined(h.X, f.X), joined(f.X, h.X)
	}
	taps := []string{spec.Logits}
	out := []feature.Tensor{feature.NewTensor(hx.Rows(), spec.Outputs())}
	if t.features != nil {
		f, err := spec.Tap(spec.Features)
		if err != nil {
			return 0, err
		}
		taps, out = append(taps, spec.Features), append(out, feature.NewTensor(append([]int{hx.Rows()}, f.Shape...)...))
	}
	if err := feature.ForwardMode(ctx, step.Model, mode, hx, taps, out); err != nil {
		return 0, fmt.Errorf("holdout batch: %w", err)
	}
	for k := range t.odds {
		if _, err := t.odds[k].visit(1, t.heads.Part(k, out[0].Slice(0, len(h.Labels))), t.headBatch(k, h)); err != nil {
			return 0, fmt.Errorf("holdout batch: %w", err)
		}
	}
	if t.features != nil {
		t.features.visit(out[1].Slice(0, len(h.Labels)), h)
	}
	var excess float64
	err = step.Accumulate(ctx, mode, fx, taps, func(val, cot []feature.Tensor) (err error) {
		n := len(f.Labels)
		if excess, err = t.excess(val[0].Slice(0, n), cot[0].Slice(0, n), f); err != nil || t.features == nil {
			return err
		}
		return t.features.gradient(val[1].Slice(0, n), cot[1].Slice(0, n), f)
	})
	return excess, err
}

// joined returns the rows of a and those of b.
func joined(a, b feature.Tensor) feature.Tensor {
	j := feature.NewTensor(append([]int{a.Rows() + b.Rows()}, a.Shape[1:]...)...)
	copy(j.Data[copy(j.Data, a.Data):], b.Data)
	return j
}

// headBatch returns a batch with the labels of head k.
func (t *matching) headBatch(k int, b feature.Batch) feature.Batch {
	b.Labels = t.heads.PartLabels(k, b.Labels)
	return b
}

// excess is the mean over the heads of excessOf.
func (t *matching) excess(logits, cot feature.Tensor, f feature.Batch) (float64, error) {
	if len(t.heads) == 0 {
		return t.excessOf(0, logits, cot, f, t.weight)
	}
	n := float64(len(t.heads))
	var sum float64
	for k := range t.heads {
		z := t.heads.Part(k, logits)
		g := feature.NewTensor(z.Shape...)
		v, err := t.excessOf(k, z, g, t.headBatch(k, f), t.weight/n)
		if err != nil {
			return 0, fmt.Errorf("head %d: %w", k, err)
		}
		t.heads.AddPart(k, cot, g)
		sum += v
	}
	return sum / n, nil
}

// excessOf is the one-sided Wasserstein-1 distance from the log-odds of the
// forget samples down to those of the holdout, class by class, as seen by a
// batch: the mean over the batch of max(0, φ − q), where q is the quantile of
// the holdout's log-odds in the sample's class at the rank that φ has among the
// forget samples of that class. Log-odds are those of the last visit of each
// sample. A class whose forget samples are not higher in the sense of higher is
// left alone: what is left of the distance then is noise, and one-sided noise
// would push them down for ever.
//
// It adds weight times its derivative in the logits into cot; at equality the
// derivative is zero.
func (t *matching) excessOf(k int, logits, cot feature.Tensor, f feature.Batch, weight float64) (float64, error) {
	odds, err := t.odds[k].visit(0, logits, f)
	if err != nil {
		return 0, err
	}
	n := float64(len(odds))
	var sum float64
	for i, v := range odds {
		c := t.odds[k].class(f.Labels[i])
		target, ok := c.target(v)
		if !ok || v <= target {
			continue
		}
		sum += v - target
		seen := float64(c.side[0].n)
		addLogOddsGrad(cot.Row(i), logits.Row(i), f.Labels[i], weight/n*seen/(seen+t.few))
	}
	return sum / n, nil
}

// fewSamples is the number of forget samples of a class at which the weight of part 3 is
// half of Match.
const fewSamples = 20

// addLogOddsGrad adds scale times the derivative of φ = z_y − log Σ_{j≠y} exp z_j
// in the logits z into cot.
func addLogOddsGrad(cot, z []float32, label int, scale float64) {
	top := math.Inf(-1)
	for j, v := range z {
		if j != label {
			top = max(top, float64(v))
		}
	}
	var sum float64
	for j, v := range z {
		if j != label {
			sum += math.Exp(float64(v) - top)
		}
	}
	for j, v := range z {
		if j == label {
			cot[j] += float32(scale)
		} else {
			cot[j] -= float32(scale * math.Exp(float64(v)-top) / sum)
		}
	}
}
