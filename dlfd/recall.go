package dlfd

import (
	"cmp"
	"context"
	"slices"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// recall knows the loss of every retain sample when it was last seen, and lets a
// descent go over the samples with large losses more often.
type recall struct {
	share float64   // of the samples, to pass over in every epoch but the first
	loss  []float64 // by position in Retain
	seed  uint64
}

func newRecall(s *Session, share float64) *recall {
	r := &recall{share: share, loss: make([]float64, s.Data.Retain.Len()), seed: s.Seed("revisit")}
	s.Keep("retain losses", &r.loss)
	return r
}

// visit is the Visit of a Descent: all samples at first, then the share, three
// quarters of it those with the largest losses, and the last quarter drawn from
// the others.
func (r *recall) visit(epoch int) []int {
	n := len(r.loss)
	k := int(r.share * float64(n))
	if epoch == 0 || k < 1 || k == n {
		return nil
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(r.loss[j], r.loss[i]) })
	large := (3*k + 3) / 4
	rest := order[large:]
	rng.Stream(r.seed, "epoch", epoch).Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return order[:k]
}

// gradient accumulates the gradient of the mean cross-entropy of a step's batch
// and remembers the losses.
func (r *recall) gradient(ctx context.Context, step *Step) (err error) {
	b := step.Batch
	step.Point.Loss, err = step.CrossEntropy(ctx, step.Mode, b.X, b.Labels, 1)
	if err != nil {
		return err
	}
	for i, k := range b.Index {
		r.loss[k] = step.Losses[i]
	}
	return nil
}
