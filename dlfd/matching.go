package dlfd

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

// matching lowers the log-odds of forget samples to the distribution that the
// model shows on holdout samples of the same class. The log-odds
// φ = log p/(1−p) of the label rank samples as their losses do, but their
// gradient does not vanish where a sample is known by heart (the scale is that
// of Carlini et al., "Membership inference attacks from first principles", IEEE
// S&P 2022, section IV).
type matching struct {
	weight          float64
	forget, holdout pool
	next            func() (feature.Batch, error) // of the holdout
}

func newMatching(weight float64, next func() (feature.Batch, error)) *matching {
	return &matching{weight: weight, forget: pool{}, holdout: pool{}, next: next}
}

// accumulate adds the gradient of weight × excess for a forget batch and
// returns the excess. A holdout batch is run forward first, in the same mode,
// so that the distribution to reach is that of the model as it is.
func (t *matching) accumulate(ctx context.Context, step *train.Stepper, mode feature.Mode, f feature.Batch) (float64, error) {
	taps := []string{step.Model.Spec().Logits}
	h, err := t.next()
	if err != nil {
		return 0, fmt.Errorf("holdout batch: %w", err)
	}
	err = feature.Grad(ctx, step.Model, mode, h.X, taps, func(val, _ []feature.Tensor) error {
		_, err := t.holdout.add(val[0], h)
		return err
	}, nil, nil)
	if err != nil {
		return 0, fmt.Errorf("holdout batch: %w", err)
	}
	var excess float64
	err = step.Accumulate(ctx, mode, f.X, taps, func(val, cot []feature.Tensor) (err error) {
		excess, err = t.excess(val[0], cot[0], f)
		return err
	})
	return excess, err
}

// excess is the one-sided Wasserstein-1 distance from the log-odds of the
// forget samples down to those of the holdout, class by class, as seen by a
// batch: the mean over the batch of max(0, φ − q), where q is the quantile of
// the holdout's log-odds in the sample's class at the rank that φ has among the
// forget samples of that class. Log-odds are those of the last visit of each
// sample. A class whose forget samples are not higher in the sense of higher is
// left alone: what is left of the distance then is noise, and one-sided noise
// would lower them for ever.
//
// It adds weight times its derivative in the logits into cot; at equality the
// derivative is zero.
func (t *matching) excess(logits, cot feature.Tensor, f feature.Batch) (float64, error) {
	odds, err := t.forget.add(logits, f)
	if err != nil {
		return 0, err
	}
	from, to := t.forget.byClass(), t.holdout.byClass()
	for class := range from {
		if !higher(from[class], to[class]) {
			delete(to, class)
		}
	}
	n := float64(len(odds))
	var sum float64
	for i, v := range odds {
		target, ok := matched(v, from[f.Labels[i]], to[f.Labels[i]])
		if !ok || v <= target {
			continue
		}
		sum += v - target
		addLogOddsGrad(cot.Row(i), logits.Row(i), f.Labels[i], t.weight/n)
	}
	return sum / n, nil
}

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

// higher reports whether a member of from is more often above a member of to
// than below it: whether an attack that takes high log-odds for known samples
// does better than chance. Both are sorted.
func higher(from, to []float64) bool {
	var below, i, j int // from[:i] < v, from[:j] <= v; ties count half
	for _, v := range to {
		for i < len(from) && from[i] < v {
			i++
		}
		for j < len(from) && from[j] <= v {
			j++
		}
		below += i + j
	}
	return below < len(from)*len(to)
}

// matched maps v, a member of from, to the element of to with the same rank;
// both are sorted. It reports false where there is nothing to match.
func matched(v float64, from, to []float64) (float64, bool) {
	if len(to) == 0 {
		return 0, false
	}
	lo, _ := slices.BinarySearch(from, v)
	hi, _ := slices.BinarySearchFunc(from, v, func(w, v float64) int {
		if w <= v {
			return -1
		}
		return 1
	})
	p := float64(lo+hi) / 2 / float64(len(from)) // equal ones share the middle of their ranks
	return to[min(int(p*float64(len(to))), len(to)-1)], true
}

// pool has the log-odds of every sample at its last visit.
type pool map[int]visit

type visit struct {
	label   int
	logOdds float64
}

// add records the log-odds of a batch and returns them.
func (p pool) add(logits feature.Tensor, b feature.Batch) ([]float64, error) {
	odds, err := metrics.Outputs{N: len(b.Labels), Classes: logits.RowLen(), Logits: logits.Data, Labels: b.Labels}.LogitMargins()
	if err != nil {
		return nil, err
	}
	for i, k := range b.Index {
		p[k] = visit{b.Labels[i], odds[i]}
	}
	return odds, nil
}

// byClass returns the log-odds of each class, sorted.
func (p pool) byClass() map[int][]float64 {
	classes := make(map[int][]float64)
	for _, v := range p {
		classes[v.label] = append(classes[v.label], v.logOdds)
	}
	for _, odds := range classes {
		slices.Sort(odds)
	}
	return classes
}
