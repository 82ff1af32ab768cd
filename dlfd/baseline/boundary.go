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

// BoundaryShrink gives every forget sample the label of the nearest other class and
// trains on the forget set alone (Chen, Gao, Liu, Peng, Wang, CVPR 2023, arXiv
// 2303.11570). The nearest other class is the one that the model, as it
// came, finds most likely, the right one apart, for the neighbor of the sample that
// one step of the fast gradient sign method leads to: x + Epsilon·sign ∇CE(x, y), kept
// in the pixel box. It does not use the retain set, and nothing in it keeps the
// task: a class that goes as a whole is forgotten well, samples drawn at random take
// others of their classes with them. A note says what became of the loss of held-out
// samples, where there are such. Layers are in training mode, as in the released code,
// but for the statistics of batch norm, which stay.
type BoundaryShrink struct {
	// Epsilon is the length of the step in pixel units. If it is zero, .2 is used; the
	// released code takes .1.
	Epsilon float64
	// Epochs is the number of passes over the forget set. If it is zero, 5 is used; the
	// released code takes 10.
	Epochs int
	// Rate is the learning rate of SGD with momentum .9. If it is zero, .00001 is used,
	// as published; .0005 leaves a net of five layers on Fashion-MNIST at .33.
	Rate float64
}

// Name implements dlfd.Namer.
func (BoundaryShrink) Name() string { return "BoundaryShrink" }

// Needs implements dlfd.Needer.
func (BoundaryShrink) Needs() dlfd.Needs { return dlfd.Needs{Forget: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Forget, and Holdout for the note.
// Cost: one forward and backward pass a forget sample and epoch, for the labels one
// backward pass and three forward passes, and two forward passes of up to 256 held-out
// samples.
func (b BoundaryShrink) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, b.Name(), m, data, opt, b.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		b, err := b.resolve(s.Model.Spec())
		if err != nil {
			return err
		}
		s.Result.Settings = b
		labels, err := b.relabel(ctx, s)
		if err != nil {
			return fmt.Errorf("labels: %w", err)
		}
		h, err := newBystanders(ctx, s)
		if err != nil {
			return err
		}
		return h.descend(ctx, dlfd.Descent{
			On: relabeled{s.Data.Forget, labels}, Epochs: b.Epochs, Optimizer: train.SGD{Rate: b.Rate, Momentum: .9},
			Train: func(p feature.Param) bool { return p.Kind != feature.Statistic },
		})
	})
}

func (b BoundaryShrink) resolve(spec feature.Spec) (BoundaryShrink, error) {
	b.Epsilon, b.Epochs, b.Rate = cmp.Or(b.Epsilon, .2), cmp.Or(b.Epochs, 5), cmp.Or(b.Rate, .00001)
	if !positive(b.Epsilon) || b.Epochs < 1 || !positive(b.Rate) {
		return b, fmt.Errorf("%w: Epsilon %v, Epochs %d, Rate %v", dlfd.ErrParameter, b.Epsilon, b.Epochs, b.Rate)
	}
	if n := spec.Classes(); n < 2 {
		return b, fmt.Errorf("%w: %d classes leave no wrong label", dlfd.ErrParameter, n)
	}
	return b, nil
}

// relabel returns the nearest other class of every forget sample.
func (b BoundaryShrink) relabel(ctx context.Context, s *dlfd.Session) ([]int, error) {
	sign := synth.Synthesizer{Steps: 1, StepSize: b.Epsilon, Epsilon: b.Epsilon}
	nearest := make([]int, 0, s.Data.Forget.Len())
	for f, err := range feature.Batches(s.Data.Forget, s.BatchSize, nil) {
		if err != nil {
			return nil, err
		}
		logits, err := attack(ctx, s, sign, f.X, f)
		if err != nil {
			return nil, err
		}
		for i, label := range f.Labels {
			nearest = append(nearest, highest(logits.Row(i), label))
		}
	}
	return nearest, nil
}

// attack writes neighbors of the samples of a forget batch whose loss is higher into
// dst, which may be the batch's own memory, and returns the model's logits for them,
// in evaluation mode.
func attack(ctx context.Context, s *dlfd.Session, by synth.Synthesizer, dst feature.Tensor, f feature.Batch) (feature.Tensor, error) {
	b := synth.Batch{X: f.X, Labels: f.Labels, Lambda: -1, Pixels: feature.PixelsOf(s.Data.Forget)}
	if _, err := by.Synthesize(ctx, s.Model, dst, b); err != nil {
		return feature.Tensor{}, err
	}
	return logitsOf(ctx, s.Model, dst)
}

// logitsOf returns the logits of samples in evaluation mode.
func logitsOf(ctx context.Context, m feature.Model, x feature.Tensor) (feature.Tensor, error) {
	spec := m.Spec()
	logits := feature.NewTensor(x.Rows(), spec.Classes())
	return logits, m.Forward(ctx, x, []string{spec.Logits}, []feature.Tensor{logits})
}
