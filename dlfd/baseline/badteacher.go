package baseline

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// BadTeacher distills two teachers into the model: the model as it came for samples
// of the retain set, and one with fresh weights, which knows nothing, for those of
// the forget set (Chundawat, Tarun, Mandal, Kankanhalli, AAAI 2023, arXiv 2205.08096). It descends on T²·KL(teacher/T ‖ model/T) over both sets together. By
// default it takes one epoch at a rate that falls from .001 along a cosine.
type BadTeacher struct {
	Descent
	Limit
	// Share is the part of the retain set, in (0, 1], that takes part, drawn once. If
	// it is zero, 1 is used. The published .3 cost a convolutional net for
	// Fashion-MNIST five points of test accuracy, 1 cost it one.
	Share float64
	// Temperature is T. If it is zero, 2 is used.
	Temperature float64
}

// Name implements dlfd.Namer.
func (BadTeacher) Name() string { return "BadTeacher" }

// Needs implements dlfd.Needer.
func (BadTeacher) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Heads: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: one forward
// and backward pass an epoch of every forget sample and of the retain samples that
// take part, one forward pass of them for the teachers, and the looks of the Limit.
func (b BadTeacher) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, b.Name(), m, data, opt, b.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		b, err := b.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = b
		retain, err := feature.Subset(s.Data.Retain, draw(s.Data.Retain.Len(), b.Share, s.Seed("retain share")))
		if err != nil {
			return err
		}
		all, err := feature.Concat(retain, s.Data.Forget)
		if err != nil {
			return err
		}
		t, err := twoTeachers(ctx, s, retain)
		if err != nil {
			return err
		}
		h, err := b.watch(ctx, s)
		if err != nil {
			return err
		}
		h.patient = true
		return h.descend(ctx, dlfd.Descent{On: all, Epochs: b.Epochs, Optimizer: b.optimizer(s), Schedule: train.Cosine, Gradient: func(ctx context.Context, step *dlfd.Step) (err error) {
			step.Point.Loss, err = distill(ctx, step, step.Mode, step.Batch.X, t.of(step.Batch), b.Temperature, 1)
			return err
		}})
	})
}

func (b BadTeacher) resolve() (_ BadTeacher, err error) {
	if b.Descent, err = b.Descent.resolve(1, .001); err != nil {
		return b, err
	}
	if b.Limit, err = b.Limit.resolve(); err != nil {
		return b, err
	}
	b.Share, b.Temperature = cmp.Or(b.Share, 1), cmp.Or(b.Temperature, 2)
	if !(b.Share > 0 && b.Share <= 1) || !positive(b.Temperature) {
		return b, fmt.Errorf("%w: Share %v, Temperature %v", dlfd.ErrParameter, b.Share, b.Temperature)
	}
	return b, nil
}

// draw returns the positions of a share of n samples, at least one, in random order.
func draw(n int, share float64, seed uint64) []int {
	return rng.Stream(seed, "share").Perm(n)[:max(1, int(share*float64(n)))]
}

// twoTeachers returns what the model says of the samples of retain, and then what
// the model with fresh weights says of those of the forget set. The model keeps its
// weights.
func twoTeachers(ctx context.Context, s *dlfd.Session, retain feature.Dataset) (*teacher, error) {
	good, err := newTeacher(ctx, s.Model, retain, s.BatchSize)
	if err != nil {
		return nil, err
	}
	old, err := feature.Snapshot(s.Model)
	if err != nil {
		return nil, err
	}
	if err := feature.Reinitialize(s.Model, nil, s.Seed("fresh weights")); err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	bad, err := newTeacher(ctx, s.Model, s.Data.Forget, s.BatchSize)
	if err = errors.Join(err, old.Restore(s.Model)); err != nil {
		return nil, err
	}
	n := good.logits.Rows()
	both := feature.NewTensor(n+bad.logits.Rows(), good.logits.RowLen())
	copy(both.Data[copy(both.Data, good.logits.Data):], bad.logits.Data)
	return &teacher{both}, nil
}
