package baseline

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// RandomLabel trains on the retain set and the forget set together, where the
// samples of the forget set have wrong labels, drawn once and uniformly (Graves,
// Nagisetty, Ganesh, AAAI 2021, arXiv 2010.10981; Golatkar, Achille,
// Soatto, arXiv 1911.04933, section 6). Of several labels a sample, the combination is
// another, so that some of them may be right. By default it takes 3 epochs at a rate
// that falls from .02 along a cosine.
type RandomLabel struct {
	Descent
	Limit
}

// Name implements dlfd.Namer.
func (RandomLabel) Name() string { return "RandomLabel" }

// Needs implements dlfd.Needer.
func (RandomLabel) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Heads: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: one forward
// and backward pass a sample of either and epoch, and the looks of the Limit.
func (r RandomLabel) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, r.Name(), m, data, opt, r.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if r.Descent, err = r.Descent.resolve(3, .02); err != nil {
			return err
		}
		if r.Limit, err = r.Limit.resolve(); err != nil {
			return err
		}
		s.Result.Settings = r
		return trainOnWrongLabels(ctx, s, r.Descent, r.Limit, r.optimizer(s))
	})
}

// trainOnWrongLabels descends on the retain set and a relabeled forget set. All
// settings are resolved.
func trainOnWrongLabels(ctx context.Context, s *dlfd.Session, d Descent, l Limit, o train.Optimizer) error {
	wrong, err := relabel(s.Data.Forget, s.Model.Spec().Classes(), s.Seed("wrong labels"))
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	all, err := feature.Concat(s.Data.Retain, wrong)
	if err != nil {
		return err
	}
	h, err := l.watch(ctx, s)
	if err != nil {
		return err
	}
	h.patient = true
	return h.descend(ctx, dlfd.Descent{On: all, Epochs: d.Epochs, Optimizer: o, Schedule: train.Cosine})
}

// relabeled is a dataset with labels of its own.
type relabeled struct {
	feature.Dataset
	labels []int
}

// relabel gives every sample of d one of the other labels.
func relabel(d feature.Dataset, classes int, seed uint64) (relabeled, error) {
	labels, err := feature.Labels(d)
	if err != nil {
		return relabeled{}, err
	}
	classes = min(classes, d.Classes()) // labels of a dataset are below its Classes
	if classes < 2 {
		return relabeled{}, fmt.Errorf("%w: %d classes leave no wrong label", dlfd.ErrParameter, classes)
	}
	r := rng.Stream(seed, "labels")
	wrong := make([]int, len(labels))
	for i, label := range labels {
		wrong[i] = (label + 1 + r.IntN(classes-1)) % classes
	}
	return relabeled{d, wrong}, nil
}

// Read implements feature.Dataset.
func (d relabeled) Read(index []int, x []float32, labels []int) error {
	if err := d.Dataset.Read(index, x, labels); err != nil {
		return err
	}
	d.relabel(index, labels)
	return nil
}

func (d relabeled) relabel(index, labels []int) {
	for i, k := range index {
		labels[i] = d.labels[k]
	}
}

// aheadRelabeled is a relabeled whose dataset reads ahead.
type aheadRelabeled struct {
	relabeled
	of feature.AheadReader
}

// ReadAhead implements feature.AheadReader.
func (d aheadRelabeled) ReadAhead(ctx context.Context, index []int, x []float32, labels []int) error {
	if err := d.of.ReadAhead(ctx, index, x, labels); err != nil {
		return err
	}
	d.relabel(index, labels)
	return nil
}

// Label implements feature.Labeled.
func (d relabeled) Label(i int) int { return d.labels[i] }

// As implements the look-through of feature.As.
func (d relabeled) As(target any) bool {
	switch t := target.(type) {
	case *feature.Identified:
		return lookThrough(d.Dataset, t)
	case *feature.ClassNamed:
		return lookThrough(d.Dataset, t)
	case *feature.MultiLabeled:
		return lookThrough(d.Dataset, t)
	case *feature.Normalized:
		return lookThrough(d.Dataset, t)
	case *feature.AheadReader:
		of, ok := feature.As[feature.AheadReader](d.Dataset)
		*t = aheadRelabeled{d, of}
		return ok
	}
	return false
}

func lookThrough[T any](d feature.Dataset, target *T) (ok bool) {
	*target, ok = feature.As[T](d)
	return ok
}
