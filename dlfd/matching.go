package dlfd

import (
	"context"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

// matching raises the losses of forget samples to the distribution of losses
// that the original model shows on holdout samples of the same class.
type matching struct {
	weight  float64
	byClass map[int][]float64 // sorted holdout losses of each class
	all     []float64         // of every class, for classes that the holdout lacks
}

func newMatching(ctx context.Context, s *Session, weight float64) (*matching, error) {
	o, err := outputs(ctx, s.Model, s.Data.Holdout)
	if err != nil {
		return nil, fmt.Errorf("holdout: %w", err)
	}
	loss, err := metrics.CrossEntropies(o)
	if err != nil {
		return nil, fmt.Errorf("holdout: %w", err)
	}
	t := &matching{weight: weight, byClass: make(map[int][]float64)}
	for i, label := range o.Labels {
		t.byClass[label] = append(t.byClass[label], loss[i])
	}
	for _, v := range t.byClass {
		slices.Sort(v)
	}
	slices.Sort(loss)
	t.all = loss
	return t, nil
}

// accumulate adds the gradient of weight × shortfall for a forget batch and
// returns the shortfall.
func (t *matching) accumulate(ctx context.Context, step *train.Stepper, mode feature.Mode, f feature.Batch) (float64, error) {
	var short float64
	err := step.Accumulate(ctx, mode, f.X, []string{step.Model.Spec().Logits}, func(val, cot []feature.Tensor) (err error) {
		short, err = t.shortfall(val[0], cot[0], f.Labels)
		return err
	})
	return short, err
}

// shortfall is the one-sided Wasserstein-1 distance from the losses of a batch
// up to those of the holdout, class by class: the mean over the batch of
// max(0, q − ℓ), where q is the quantile of the holdout losses of the sample's
// class that has the rank which ℓ has among the batch's samples of that class.
// It adds weight times its derivative in the logits into cot; at equality the
// derivative is zero.
func (t *matching) shortfall(logits, cot feature.Tensor, labels []int) (float64, error) {
	loss := make([]float64, len(labels))
	if err := feature.CrossEntropies(loss, logits, labels); err != nil {
		return 0, err
	}
	target := t.targets(loss, labels)
	var sum float64
	for i, l := range loss {
		if l >= target[i] {
			continue
		}
		sum += target[i] - l
		row := feature.Tensor{Shape: []int{1, logits.RowLen()}, Data: logits.Row(i)}
		grad := feature.Tensor{Shape: row.Shape, Data: cot.Row(i)}
		if _, err := feature.CrossEntropy(row, grad, labels[i:i+1], -t.weight/float64(len(labels))); err != nil {
			return 0, err
		}
	}
	return sum / float64(len(labels)), nil
}

// targets returns for each sample the holdout loss of its rank in its class.
func (t *matching) targets(loss []float64, labels []int) []float64 {
	groups := make(map[int][]int)
	for i, label := range labels {
		groups[label] = append(groups[label], i)
	}
	target := make([]float64, len(loss))
	for label, group := range groups {
		slices.SortStableFunc(group, func(i, j int) int {
			switch {
			case loss[i] < loss[j]:
				return -1
			case loss[i] > loss[j]:
				return 1
			}
			return 0
		})
		from := t.byClass[label]
		if len(from) == 0 {
			from = t.all
		}
		for rank, i := range group {
			target[i] = quantile(from, (float64(rank)+.5)/float64(len(group)))
		}
	}
	return target
}

// quantile returns the element of a sorted slice below which the part p of it
// lies, 0 < p < 1.
func quantile(sorted []float64, p float64) float64 {
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}
