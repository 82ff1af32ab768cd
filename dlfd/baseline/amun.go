package baseline

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/synth"
)

// AMUN fine-tunes on the retain set and on an adversarial example of every forget
// sample, with the wrong label that the model, as it came, gives it (Ebrahimpour-
// Boroojeny, Sundaram, Chandrasekaran, arXiv 2503.00917, algorithm 1). The example is
// the nearest one that is found: a search by projected gradient ascent in a Euclidean
// ball whose radius is doubled until the model is wrong. A sample that it gets wrong
// already is its own example. By default it takes 5 epochs at a rate that falls from
// .05 along a cosine; published are 10 from .05 or lower.
type AMUN struct {
	Descent
	Limit
	// Radius is the first radius in pixel units. If it is zero, .1 is used.
	Radius float64
	// Doublings is the most times that the radius is doubled. If it is zero, 10 is used.
	// A sample for which nothing is found has no example; a note says how many there
	// are.
	Doublings int
	// Steps is the number of steps of a tenth of the radius in each ball. If it is zero,
	// 20 is used; the paper takes 50, at two and a half times the cost.
	Steps int
	// WithForget adds the forget samples themselves, with their right labels, to what
	// is trained on, which the paper does too where the retain set is at hand.
	WithForget bool
}

// Name implements dlfd.Namer.
func (AMUN) Name() string { return "AMUN" }

// Needs implements dlfd.Needer.
func (AMUN) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Forget: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: one forward and
// backward pass a sample of either and epoch, the looks of the Limit, and for the
// examples one forward pass a forget sample, and Steps+2 forward and Steps backward
// passes for each ball.
func (a AMUN) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, a.Name(), m, data, opt, a.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		a, err := a.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = a
		h, err := a.watch(ctx, s)
		if err != nil {
			return err
		}
		all, err := a.examples(ctx, s)
		if err != nil {
			return fmt.Errorf("adversarial examples: %w", err)
		}
		h.patient = true
		return h.descend(ctx, dlfd.Descent{On: all, Epochs: a.Epochs, Optimizer: a.optimizer(s), Schedule: train.Cosine})
	})
}

func (a AMUN) resolve() (_ AMUN, err error) {
	a.Radius, a.Doublings, a.Steps = cmp.Or(a.Radius, .1), cmp.Or(a.Doublings, 10), cmp.Or(a.Steps, 20)
	if !positive(a.Radius) || a.Doublings < 1 || a.Doublings > 64 || a.Steps < 1 {
		return a, fmt.Errorf("%w: Radius %v, Doublings %d, Steps %d", dlfd.ErrParameter, a.Radius, a.Doublings, a.Steps)
	}
	if a.Descent, err = a.Descent.resolve(5, .05); err != nil {
		return a, err
	}
	a.Limit, err = a.Limit.resolve()
	return a, err
}

// examples returns the dataset to train on. Memory: a copy of the forget set.
func (a AMUN) examples(ctx context.Context, s *dlfd.Session) (feature.Dataset, error) {
	n, err := newNeighbors(ctx, s)
	if err != nil {
		return nil, err
	}
	for radius, k := a.Radius, 0; k <= a.Doublings && len(n.missing) > 0 && !s.Spent(); radius, k = 2*radius, k+1 {
		by := synth.Synthesizer{Steps: a.Steps, Step: synth.L2Step, StepSize: radius / 10, Ball: synth.BallL2, Epsilon: radius}
		if err := n.search(ctx, s, by); err != nil {
			return nil, fmt.Errorf("radius %v: %w", radius, err)
		}
	}
	if len(n.missing) > 0 {
		s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("No adversarial example was found for %d of %d forget samples.", len(n.missing), s.Data.Forget.Len()))
	}
	found, err := feature.Subset(n.set, n.found)
	if err != nil {
		return nil, err
	}
	if a.WithForget {
		return feature.Concat(s.Data.Retain, s.Data.Forget, found)
	}
	return feature.Concat(s.Data.Retain, found)
}

// neighbors has an adversarial example for each of some forget samples.
type neighbors struct {
	set            made // row i belongs to forget sample i
	found, missing []int
}

// newNeighbors starts with the samples that the model gets wrong.
func newNeighbors(ctx context.Context, s *dlfd.Session) (*neighbors, error) {
	f, err := feature.ReadAll(s.Data.Forget)
	if err != nil {
		return nil, err
	}
	n := &neighbors{set: made{f.X, f.Labels, s.Data.Forget}}
	out, labels, err := feature.Predict(ctx, s.Model, s.Data.Forget, []string{s.Model.Spec().Logits}, s.BatchSize)
	if err != nil {
		return nil, err
	}
	for i, label := range labels {
		n.add(i, f.X.Row(i), label, out[0].Row(i))
	}
	return n, nil
}

// add takes x for the neighbor of sample i if its logits are wrong.
func (n *neighbors) add(i int, x []float32, label int, logits []float32) {
	got := highest(logits, -1)
	if got == label {
		n.missing = append(n.missing, i)
		return
	}
	n.found = append(n.found, i)
	copy(n.set.x.Row(i), x)
	n.set.labels[i] = got
}

// search looks for neighbors of the samples that have none.
func (n *neighbors) search(ctx context.Context, s *dlfd.Session, by synth.Synthesizer) error {
	index := n.missing
	n.missing = nil
	left, err := feature.Subset(s.Data.Forget, index)
	if err != nil {
		return err
	}
	for b, err := range feature.Batches(left, s.BatchSize, nil) {
		if err != nil {
			return err
		}
		logits, err := attack(ctx, s, by, b.X, b)
		if err != nil {
			return err
		}
		for i, k := range b.Index {
			n.add(index[k], b.X.Row(i), b.Labels[i], logits.Row(i))
		}
	}
	return nil
}

// made is a dataset of samples that a method makes, like those of another dataset in
// their classes and their normalization.
type made struct {
	x      feature.Tensor
	labels []int
	like   feature.Dataset
}

// Len implements feature.Dataset.
func (d made) Len() int { return len(d.labels) }

// Shape implements feature.Dataset.
func (d made) Shape() []int { return d.like.Shape() }

// Classes implements feature.Dataset.
func (d made) Classes() int { return d.like.Classes() }

// Label implements feature.Labeled.
func (d made) Label(i int) int { return d.labels[i] }

// Read implements feature.Dataset.
func (d made) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(d, index, x, labels); err != nil {
		return err
	}
	n := d.x.RowLen()
	for i, k := range index {
		copy(x[i*n:(i+1)*n], d.x.Row(k))
		labels[i] = d.labels[k]
	}
	return nil
}

// As implements the look-through of feature.As.
func (d made) As(target any) bool {
	switch t := target.(type) {
	case *feature.ClassNamed:
		return lookThrough(d.like, t)
	case *feature.Normalized:
		return lookThrough(d.like, t)
	}
	return false
}
