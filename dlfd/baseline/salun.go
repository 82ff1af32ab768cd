package baseline

import (
	"cmp"
	"context"
	"encoding"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// SalUn is RandomLabel that changes only the weights which matter most for the
// forget set: those in which the gradient of the forget set's cross-entropy, at
// the weights that the model came with, is largest in size (Fan et al., ICLR 2024,
// arXiv 2310.12508). The others stay as they are, to the bit;
// weight decay, which the released code applies to all, goes by the mask too. By
// default it takes 3 epochs at a rate that falls from .026 along a cosine.
type SalUn struct {
	Descent
	Limit
	// Share is the part of the weights, in (0, 1], that changes. If it is zero, .1 is
	// used; published is .5.
	Share float64
}

// Name implements dlfd.Namer.
func (SalUn) Name() string { return "SalUn" }

// Needs implements dlfd.Needer.
func (SalUn) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Heads: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: that of
// RandomLabel, and one forward and backward pass of the forget set for the mask.
func (u SalUn) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, u.Name(), m, data, opt, u.Needs(), func(ctx context.Context, s *dlfd.Session) (err error) {
		if u.Descent, err = u.Descent.resolve(3, .026); err != nil {
			return err
		}
		if u.Limit, err = u.Limit.resolve(); err != nil {
			return err
		}
		if u.Share = cmp.Or(u.Share, .1); !(u.Share > 0 && u.Share <= 1) {
			return fmt.Errorf("%w: Share %v", dlfd.ErrParameter, u.Share)
		}
		s.Result.Settings = u
		g, err := meanGradient(ctx, s, s.Data.Forget)
		if err != nil {
			return fmt.Errorf("saliency: %w", err)
		}
		old, err := feature.Snapshot(s.Model)
		if err != nil {
			return err
		}
		return trainOnWrongLabels(ctx, s, u.Descent, u.Limit, masked{u.optimizer(s), saliency(g, u.Share), old})
	})
}

// meanGradient returns the gradient of the mean cross-entropy on a dataset, in
// evaluation mode.
func meanGradient(ctx context.Context, s *dlfd.Session, d feature.Dataset) ([][]float32, error) {
	g := feature.NewGradients(s.Model.Spec())
	logits, heads := []string{s.Model.Spec().Logits}, s.Model.Spec().Heads
	for b, err := range feature.Batches(d, s.BatchSize, nil) {
		if err != nil {
			return nil, err
		}
		err = feature.Grad(ctx, s.Model, feature.Mode{}, b.X, logits, func(val, cot []feature.Tensor) error {
			_, err := heads.CrossEntropy(val[0], cot[0], b.Labels, float64(len(b.Labels))/float64(d.Len()))
			return err
		}, nil, g)
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}

// saliency returns, for every element of a gradient, whether it is among the given
// share of the largest in size. Elements as large as the smallest of them are too.
func saliency(g [][]float32, share float64) [][]bool {
	var sizes []float32
	for _, v := range g {
		for _, x := range v {
			sizes = append(sizes, float32(math.Abs(float64(x))))
		}
	}
	slices.Sort(sizes)
	k := min(max(1, int(math.Round(share*float64(len(sizes))))), len(sizes))
	mask := make([][]bool, len(g))
	for i, v := range g {
		mask[i] = make([]bool, len(v))
		for j, x := range v {
			mask[i][j] = float32(math.Abs(float64(x))) >= sizes[len(sizes)-k]
		}
	}
	return mask
}

// masked is an optimizer that changes no weight but those of a mask.
type masked struct {
	train.Optimizer
	mask [][]bool        // by parameter; empty for those that do not train
	old  feature.Weights // what the others stay at
}

type maskedState struct {
	masked
	train.OptimizerState
}

// Start implements train.Optimizer.
func (o masked) Start(spec feature.Spec) (train.OptimizerState, error) {
	state, err := o.Optimizer.Start(spec)
	return maskedState{o, state}, err
}

// MarshalBinary implements encoding.BinaryMarshaler. The mask is computed again.
func (o maskedState) MarshalBinary() ([]byte, error) {
	return o.OptimizerState.(encoding.BinaryMarshaler).MarshalBinary() // that of train.SGD
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (o maskedState) UnmarshalBinary(data []byte) error {
	return o.OptimizerState.(encoding.BinaryUnmarshaler).UnmarshalBinary(data)
}

// Step implements train.OptimizerState.
func (o maskedState) Step(m feature.Trainable, dp [][]float32, scale float64) error {
	if err := o.OptimizerState.Step(m, dp, scale); err != nil {
		return err
	}
	for i, g := range dp {
		if g == nil {
			continue
		}
		err := feature.UpdateParam(m, i, make([]float32, len(g)), func(w []float32) {
			for j, change := range o.mask[i] {
				if !change {
					w[j] = o.old[i][j]
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
