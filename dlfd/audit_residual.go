package dlfd

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
	"github.com/dlfd-go/unlearn/metrics"
	"github.com/dlfd-go/unlearn/synth"
)

const (
	residualSample = 256      // the most members around which noise is drawn
	residualDraws  = 16       // around each
	residualRadius = 8. / 255 // the most that a pixel changes; as synth's bound
)

// residual compares how often the model and the first retrained model are right near
// members.
func (a *audit) residual(ctx context.Context) error {
	if len(a.opt.Retrained) == 0 || a.Counts.Member == 0 {
		return nil
	}
	d, err := sample(a.data.Member, residualSample)
	if err != nil {
		return err
	}
	batch, err := feature.ReadAll(d)
	if err != nil {
		return err
	}
	models := []feature.Model{a.model, forwardMeter{a.opt.Retrained[0].Model, &a.Work}}
	right := [2][]int{make([]int, d.Len()), make([]int, d.Len())}
	for draw := range residualDraws {
		noisy, err := a.noisy(ctx, batch, feature.PixelsOf(d), draw)
		if err != nil {
			return err
		}
		for k, m := range models {
			if err := countRight(ctx, m, noisy, batch.Labels, right[k]); err != nil {
				return err
			}
		}
	}
	e, err := metrics.ResidualKnowledge(right[0], right[1], residualDraws, auditLevel)
	if err == nil {
		a.Residual = &e
	}
	return err
}

// noisy returns the samples with uniform noise, within the box of images.
func (a *audit) noisy(ctx context.Context, b feature.Batch, pixels feature.Pixels, draw int) (feature.Tensor, error) {
	r := rng.Stream(a.opt.Seed, "residual noise", draw)
	x := b.X.Clone()
	channels := 1
	if len(x.Shape) == 4 {
		channels = x.Shape[1]
	}
	size := x.RowLen() / channels
	for i := range x.Data {
		_, std := pixels.Channel(i / size % channels)
		x.Data[i] += float32(residualRadius * (2*r.Float64() - 1) / std)
	}
	m, ok := feature.As[feature.Differentiable](a.model)
	if !ok {
		return x, nil
	}
	s := synth.Synthesizer{Steps: 1} // nothing to climb: the samples are put into the box
	if _, err := s.Synthesize(ctx, m, x, synth.Batch{X: x, Labels: b.Labels, Pixels: pixels}); err != nil {
		return x, fmt.Errorf("noise: %w", err)
	}
	return x, nil
}

// countRight adds 1 for each sample that is told right.
func countRight(ctx context.Context, m feature.Model, x feature.Tensor, labels, right []int) error {
	spec := m.Spec()
	const batch = 64
	for lo := 0; lo < len(labels); lo += batch {
		hi := min(lo+batch, len(labels))
		out := feature.NewTensor(hi-lo, spec.Classes())
		if err := m.Forward(ctx, x.Slice(lo, hi), []string{spec.Logits}, []feature.Tensor{out}); err != nil {
			return err
		}
		for i := range hi - lo {
			if argMax(out.Row(i)) == labels[lo+i] {
				right[lo+i]++
			}
		}
	}
	return nil
}

// klom compares the margins of the model and its siblings with those of the
// retrained models.
func (a *audit) klom(ctx context.Context) error {
	if len(a.opt.Retrained) < bandModels || len(a.opt.Siblings) < 2 || a.Counts.Member == 0 {
		return nil
	}
	own, err := a.out[memberSet].LogitMargins()
	if err != nil {
		return err
	}
	unlearned := [][]float64{own}
	for i, m := range a.opt.Siblings {
		x, err := a.marginsOf(ctx, m)
		if err != nil {
			return fmt.Errorf("sibling %d: %w", i, err)
		}
		unlearned = append(unlearned, x)
	}
	var retrained [][]float64
	for i, r := range a.opt.Retrained {
		x, err := a.marginsOf(ctx, r.Model)
		if err != nil {
			return fmt.Errorf("retrained model %d: %w", i, err)
		}
		retrained = append(retrained, x)
	}
	d, err := metrics.KLoM(unlearned, retrained)
	if err != nil {
		return err
	}
	a.KLoM = &Margins{P95: d.P95, Mean: d.Mean, Unlearned: len(unlearned), Retrained: len(retrained)}
	if half := len(retrained) / 2; half >= bandModels {
		floor, err := metrics.KLoM(retrained[:half], retrained[half:])
		if err != nil {
			return err
		}
		a.KLoM.Floor = &floor.P95
	}
	return nil
}

func (a *audit) marginsOf(ctx context.Context, m feature.Model) ([]float64, error) {
	o, err := a.outputsOf(ctx, m, memberSet)
	if err != nil {
		return nil, err
	}
	return o.LogitMargins()
}
