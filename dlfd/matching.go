package dlfd

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// matching raises the losses of forget samples to the distribution of losses
// that the model shows on holdout samples of the same class.
type matching struct {
	weight          float64
	forget, holdout pool
	next            func() (feature.Batch, error) // of the holdout
}

func newMatching(weight float64, next func() (feature.Batch, error)) *matching {
	return &matching{weight: weight, forget: pool{}, holdout: pool{}, next: next}
}

// accumulate adds the gradient of weight × shortfall for a forget batch and
// returns the shortfall. A holdout batch is run forward first, in the same
// mode, so that the distribution to reach is that of the model as it is.
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
	var short float64
	err = step.Accumulate(ctx, mode, f.X, taps, func(val, cot []feature.Tensor) (err error) {
		short, err = t.shortfall(val[0], cot[0], f)
		return err
	})
	return short, err
}

// shortfall is the one-sided Wasserstein-1 distance from the losses of the
// forget samples up to those of the holdout, class by class, as seen by a
// batch: the mean over the batch of max(0, q − ℓ), where q is the quantile of
// the holdout losses of the sample's class at the rank that ℓ has among the
// forget losses of that class. Losses are those of the last visit of each
// sample. A class whose forget losses are no lower than those of the holdout in
// the sense of lower is left alone: what is left of the distance then is noise,
// and one-sided noise would raise losses for ever.
//
// It adds weight times its derivative in the logits into cot; at equality the
// derivative is zero.
func (t *matching) shortfall(logits, cot feature.Tensor, f feature.Batch) (float64, error) {
	loss, err := t.forget.add(logits, f)
	if err != nil {
		return 0, err
	}
	from, to := t.forget.byClass(), t.holdout.byClass()
	for class := range from {
		if !lower(from[class], to[class]) {
			delete(to, class)
		}
	}
	n := len(loss)
	var sum float64
	for i, l := range loss {
		target, ok := matched(l, from[f.Labels[i]], to[f.Labels[i]])
		if !ok || l >= target {
			continue
		}
		sum += target - l
		row := feature.Tensor{Shape: []int{1, logits.RowLen()}, Data: logits.Row(i)}
		grad := feature.Tensor{Shape: row.Shape, Data: cot.Row(i)}
		if _, err := feature.CrossEntropy(row, grad, f.Labels[i:i+1], -t.weight/float64(n)); err != nil {
			return 0, err
		}
	}
	return sum / float64(n), nil
}

// lower reports whether a member of from is more often below a member of to than
// above it: whether an attack that takes low losses for known samples does
// better than chance. Both are sorted.
func lower(from, to []float64) bool {
	var below, i, j int // j: elements of from up to to[·]; ties count half
	for _, v := range to {
		for i < len(from) && from[i] < v {
			i++
		}
		for j < len(from) && from[j] <= v {
			j++
		}
		below += i + j
	}
	return below > len(from)*len(to)
}

// matched maps a loss, one of those in from, to the element of to with the same
// rank; both are sorted. It reports false where there is nothing to match: a
// class that no holdout sample has shown so far.
func matched(loss float64, from, to []float64) (float64, bool) {
	if len(to) == 0 {
		return 0, false
	}
	lo, _ := slices.BinarySearch(from, loss)
	hi, _ := slices.BinarySearchFunc(from, loss, func(v, target float64) int {
		if v <= target {
			return -1
		}
		return 1
	})
	p := float64(lo+hi) / 2 / float64(len(from)) // equal losses share the middle of their ranks
	return to[min(int(p*float64(len(to))), len(to)-1)], true
}

// pool has the loss of every sample at its last visit.
type pool map[int]visit

type visit struct {
	label int
	loss  float64
}

// add records the losses of a batch and returns them.
func (p pool) add(logits feature.Tensor, b feature.Batch) ([]float64, error) {
	loss := make([]float64, len(b.Labels))
	if err := feature.CrossEntropies(loss, logits, b.Labels); err != nil {
		return nil, err
	}
	for i, k := range b.Index {
		p[k] = visit{b.Labels[i], loss[i]}
	}
	return loss, nil
}

// byClass returns the losses of each class, sorted.
func (p pool) byClass() map[int][]float64 {
	classes := make(map[int][]float64)
	for _, v := range p {
		classes[v.label] = append(classes[v.label], v.loss)
	}
	for _, losses := range classes {
		slices.SortFunc(losses, cmp.Compare[float64])
	}
	return classes
}
