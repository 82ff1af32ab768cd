package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// ReGUn, reference-guided unlearning (Mirlach, Laguna, Vogt, arXiv 2603.11210), draws
// what the model says of forget samples towards what it said, as it came, of held-out
// samples of their classes. A step descends on CE(retain) + Lambda·mean KL(q ‖ p),
// where p is the model's distribution over the classes for a forget sample. The
// reference q is the mean of the distributions of held-out samples that have the
// proportions of classes of the forget batch. The paper draws as many anew for each
// batch; here all held-out samples of a class stand for it, which is the mean of such
// draws.
type ReGUn struct {
	Descent
	// Lambda is the weight of the divergence. If it is zero, .02 is used: where a batch has
	// many classes, the reference says little more than their proportions, and a larger
	// weight drives the forget samples to be got wrong.
	Lambda float64
	// PerClass gives each forget sample the reference of its own class in the place of
	// one for all samples of the batch. Such a reference favors the right class, and
	// the forget set is got right more often than held-out samples are.
	PerClass bool
}

// Name implements dlfd.Namer.
func (ReGUn) Name() string { return "ReGUn" }

// Needs implements dlfd.Needer.
func (ReGUn) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Holdout: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads all three datasets. By default it takes
// 3 epochs over the retain set at rate .01. Cost: two forward and backward passes a
// retain sample and epoch, and one forward pass of Holdout.
func (g ReGUn) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, g.Name(), m, data, opt, g.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		g, err := g.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = g
		q, err := newReference(ctx, s)
		if err != nil {
			return err
		}
		forget, stop := s.Cycle(s.Data.Forget, "forget order")
		defer stop()
		return descendAndCheck(ctx, s, dlfd.Descent{Epochs: g.Epochs, Optimizer: g.optimizer(s), Gradient: func(ctx context.Context, step *dlfd.Step) error {
			keep, err := step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, 1)
			if err != nil {
				return fmt.Errorf("retain batch: %w", err)
			}
			f, err := forget()
			if err != nil {
				return fmt.Errorf("forget batch: %w", err)
			}
			kl, err := distill(ctx, step, step.ModeFor(f), f.X, q.of(f.Labels, g.PerClass), 1, g.Lambda)
			if err != nil {
				return fmt.Errorf("forget batch: %w", err)
			}
			step.Point.Loss, step.Point.ForgetTerm = keep+g.Lambda*kl, kl
			return nil
		}})
	})
}

func (g ReGUn) resolve() (_ ReGUn, err error) {
	g.Lambda = cmp.Or(g.Lambda, .02)
	if !positive(g.Lambda) {
		return g, fmt.Errorf("%w: Lambda %v", dlfd.ErrParameter, g.Lambda)
	}
	g.Descent, err = g.Descent.resolve(3, .01)
	return g, err
}

// reference has the mean distribution over the classes of the held-out samples of
// each class, nil for a class without any.
type reference [][]float64

// newReference runs the model over Holdout once. A forget sample of a class that
// Holdout has none of gives an error wrapping dlfd.ErrParameter.
func newReference(ctx context.Context, s *dlfd.Session) (reference, error) {
	spec := s.Model.Spec()
	out, labels, err := feature.Predict(ctx, s.Model, s.Data.Holdout, []string{spec.Logits}, s.BatchSize)
	if err == nil {
		err = feature.Softmax(out[0].Data, out[0])
	}
	if err != nil {
		return nil, fmt.Errorf("holdout: %w", err)
	}
	q := reference(means(out[0], labels, spec.Classes()))
	if labels, err = feature.Labels(s.Data.Forget); err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	for i, label := range labels {
		if q[label] == nil {
			return nil, fmt.Errorf("%w: forget sample %d has class %d, of which holdout has no sample", dlfd.ErrParameter, i, label)
		}
	}
	return q, nil
}

// of returns logits whose softmax is the reference of a batch, the same for each of its
// labels, or that of each label.
func (q reference) of(labels []int, perClass bool) feature.Tensor {
	rows := feature.NewTensor(len(labels), len(q))
	mean := make([]float64, len(q))
	for _, label := range labels {
		for k, p := range q[label] {
			mean[k] += p / float64(len(labels))
		}
	}
	for i, label := range labels {
		p := mean
		if perClass {
			p = q[label]
		}
		for k, v := range p {
			// Of a probability of 0, which float32 can make of a softmax, the logit is
			// that of the smallest float32.
			rows.Row(i)[k] = float32(math.Log(max(v, math.SmallestNonzeroFloat32)))
		}
	}
	return rows
}
