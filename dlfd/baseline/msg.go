package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// MSG, masked small gradients, draws anew those weights in which the gradients of the
// retain loss and of the forget loss differ least, and trains on the retain set. It is
// the method of the team Kookmin in the NeurIPS 2023 competition (Triantafillou et
// al., arXiv 2406.09073), as benchmarked by Cadet et al. (arXiv 2410.01276), who gave
// it this name: gradients are summed by descent on the retain set and ascent on the
// forget set, the smallest sums mark the weights to draw anew, and in the training the
// gradients of all others are scaled down.
//
// Here the sums are the gradients of the two mean cross-entropies, in evaluation mode,
// at the weights that the model came with; each trainable Weight of two or more axes
// gives the same share of its elements, as gradients differ in size from layer to layer;
// and fresh values are those of feature.Reinitialize. By default it takes 3 epochs at a
// rate that falls from .03 along a cosine.
type MSG struct {
	Descent
	// Share is the part of the elements, in (0, 1], that is drawn anew. If it is zero, .3
	// is used, the share of that entry.
	Share float64
	// Damp scales the gradients of the parameters and elements that are not drawn anew.
	// If it is zero, .3 is used; dlfd.Off keeps them as they are but for weight decay.
	Damp float64
}

// Name implements dlfd.Namer.
func (MSG) Name() string { return "MSG" }

// Needs implements dlfd.Needer.
func (MSG) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Heads: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: one forward and
// backward pass a retain sample and epoch, and one of both sets for the gradients.
func (g MSG) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, g.Name(), m, data, opt, g.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		g, err := g.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = g
		reset, err := g.choose(ctx, s)
		if err != nil {
			return fmt.Errorf("gradients: %w", err)
		}
		if s.Spent() { // before the weights are touched
			return nil
		}
		if err := redraw(s.Model, reset, s.Seed("fresh weights")); err != nil {
			return fmt.Errorf("fresh weights: %w", err)
		}
		return descendAndCheck(ctx, s, dlfd.Descent{Epochs: g.Epochs, Optimizer: g.optimizer(s), Schedule: train.Cosine, Gradient: func(ctx context.Context, step *dlfd.Step) (err error) {
			step.Point.Loss, err = step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, 1)
			damp(step.Gradients(), reset, float32(unlessOff(g.Damp)))
			return err
		}})
	})
}

func (g MSG) resolve() (_ MSG, err error) {
	g.Share, g.Damp = cmp.Or(g.Share, .3), cmp.Or(g.Damp, .3)
	if !(g.Share > 0 && g.Share <= 1) || !positive(g.Damp) && g.Damp != dlfd.Off {
		return g, fmt.Errorf("%w: Share %v, Damp %v", dlfd.ErrParameter, g.Share, g.Damp)
	}
	g.Descent, err = g.Descent.resolve(3, .03)
	return g, err
}

// unlessOff returns a weight, and 0 for dlfd.Off.
func unlessOff(v float64) float64 {
	if v == dlfd.Off {
		return 0
	}
	return v
}

// choose returns, for every parameter, which of its elements are to be drawn anew; nil
// where none is.
func (g MSG) choose(ctx context.Context, s *dlfd.Session) ([][]bool, error) {
	retain, err := meanGradient(ctx, s, s.Data.Retain)
	if err != nil {
		return nil, fmt.Errorf("retain: %w", err)
	}
	forget, err := meanGradient(ctx, s, s.Data.Forget)
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	params := s.Model.Spec().Params
	reset := make([][]bool, len(params))
	for i, p := range params {
		if p.Kind != feature.Weight || len(p.Shape) < 2 || !p.Trainable {
			continue
		}
		for j, v := range retain[i] {
			retain[i][j] = v - forget[i][j]
		}
		reset[i] = smallest(retain[i], g.Share)
	}
	return reset, nil
}

// smallest returns, for every number of v, whether it is among the given share of the
// smallest in size, at least one; of equal ones the first.
func smallest(v []float32, share float64) []bool {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(math.Abs(float64(v[a])), math.Abs(float64(v[b])))
	})
	chosen := make([]bool, len(v))
	for _, i := range order[:min(max(1, int(math.Round(share*float64(len(v))))), len(v))] {
		chosen[i] = true
	}
	return chosen
}

// redraw gives fresh values to the elements that are marked and leaves the others.
func redraw(m feature.Trainable, marked [][]bool, seed uint64) error {
	old, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	names := make(map[string]bool)
	for i, p := range m.Spec().Params {
		if marked[i] != nil {
			names[p.Name] = true
		}
	}
	if err := feature.Reinitialize(m, func(p feature.Param) bool { return names[p.Name] }, seed); err != nil {
		return err
	}
	for i, mark := range marked {
		if mark == nil {
			continue
		}
		err := feature.UpdateParam(m, i, make([]float32, len(mark)), func(w []float32) {
			for j, fresh := range mark {
				if !fresh {
					w[j] = old[i][j]
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// damp scales the gradients of all elements that are not marked.
func damp(grads [][]float32, marked [][]bool, scale float32) {
	for i, g := range grads {
		for j := range g {
			if marked[i] == nil || !marked[i][j] {
				g[j] *= scale
			}
		}
	}
}
