package baseline

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// SSD is selective synaptic dampening (Foster, Schoepf, Brintrup, AAAI 2024, arXiv
// 2308.07707). It trains nothing. A weight θ whose Fisher
// information on the forget set, F, is more than Alpha times that on the whole
// training set, D, becomes θ·min(1, Lambda·D/F).
//
// The Fisher information of a weight is the mean over samples of the square of the
// derivative of log p(label). The squares are those of single samples; the code
// released with the paper squares means over batches, which are smaller and depend
// on the size of the batch.
type SSD struct {
	Limit
	// Alpha is how many times as important a weight must be for the forget set to be
	// dampened. F/D is at most the size of the whole training set over that of the
	// forget set. If it is zero, 1.5 is used: 10, as published for residual nets,
	// dampens no weight where a tenth of the samples goes, and hardly one where a random
	// part does. A run that dampens none says that nothing was done.
	Alpha float64
	// Lambda scales the factor of the weights that are dampened. If it is zero, .5 is
	// used; published is 1.
	Lambda float64
	// Samples is the most samples of either set whose gradients are taken, drawn at
	// random where there are more. If it is zero, 5000 is used; the paper takes all.
	Samples int
}

// Name implements dlfd.Namer.
func (SSD) Name() string { return "SSD" }

// Needs implements dlfd.Needer.
func (SSD) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Forget: true, Heads: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. A step is one
// parameter dampened. Cost: one forward and backward pass of up to Samples samples of
// either set, each sample by itself, and two looks of the Limit.
func (d SSD) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, d.Name(), m, data, opt, d.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		d, err := d.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = d
		forget, err := fisher(ctx, s, s.Data.Forget, d.Samples, "forget Fisher")
		if err != nil {
			return fmt.Errorf("forget: %w", err)
		}
		retain, err := fisher(ctx, s, s.Data.Retain, d.Samples, "retain Fisher")
		if err != nil {
			return fmt.Errorf("retain: %w", err)
		}
		h, err := d.watch(ctx, s)
		if err != nil {
			return err
		}
		if err := d.dampen(s, forget, retain); err != nil {
			return err
		}
		return h.look(ctx)
	})
}

func (d SSD) resolve() (_ SSD, err error) {
	d.Alpha, d.Lambda, d.Samples = cmp.Or(d.Alpha, 1.5), cmp.Or(d.Lambda, .5), cmp.Or(d.Samples, 5000)
	if !positive(d.Alpha) || !positive(d.Lambda) || d.Samples < 1 {
		return d, fmt.Errorf("%w: Alpha %v, Lambda %v, Samples %d", dlfd.ErrParameter, d.Alpha, d.Lambda, d.Samples)
	}
	d.Limit, err = d.Limit.resolve()
	return d, err
}

// fisher returns the diagonal of the empirical Fisher information on a dataset for
// every trainable parameter, nil for others, in evaluation mode.
func fisher(ctx context.Context, s *dlfd.Session, d feature.Dataset, most int, purpose string) ([][]float64, error) {
	index := rng.Stream(s.Seed(purpose), "samples").Perm(d.Len())
	index = index[:min(most, len(index))]
	slices.Sort(index)
	drawn, err := feature.Subset(d, index)
	if err != nil {
		return nil, err
	}
	spec := s.Model.Spec()
	grads := feature.NewGradients(spec)
	sum := make([][]float64, len(grads))
	for i, g := range grads {
		if g != nil {
			sum[i] = make([]float64, len(g))
		}
	}
	for b, err := range feature.Batches(drawn, 1, nil) {
		if err == nil {
			err = sampleGradient(ctx, s.Model, b, grads)
		}
		if err == nil {
			err = addSquares(sum, grads, 1/float64(drawn.Len()))
		}
		if err != nil {
			return nil, fmt.Errorf("information: %w", err)
		}
	}
	return sum, nil
}

// sampleGradient overwrites grads with the gradient of the mean cross-entropy of a
// batch in evaluation mode.
func sampleGradient(ctx context.Context, m feature.Trainable, b feature.Batch, grads [][]float32) error {
	for _, g := range grads {
		clear(g)
	}
	return feature.Grad(ctx, m, feature.Mode{}, b.X, []string{m.Spec().Logits}, func(val, cot []feature.Tensor) error {
		_, err := m.Spec().Heads.CrossEntropy(val[0], cot[0], b.Labels, 1)
		return err
	}, nil, grads)
}

// addSquares adds weight·g² into sum. A square that is not finite gives an error
// wrapping dlfd.ErrDiverged.
func addSquares(sum [][]float64, grads [][]float32, weight float64) error {
	for i, g := range grads {
		for j, v := range g {
			if !finite.Is(v) {
				return fmt.Errorf("%w: element %d of the gradient of parameter %d is %v", dlfd.ErrDiverged, j, i, v)
			}
			sum[i][j] += weight * float64(v) * float64(v)
		}
	}
	return nil
}

// dampen changes the weights, one parameter a step, until the budget is spent. The
// information on the whole training set is the mean of that on its two parts, by
// their sizes.
func (d SSD) dampen(s *dlfd.Session, forget, retain [][]float64) error {
	n, rest := float64(s.Data.Forget.Len()), float64(s.Data.Retain.Len())
	for _, f := range forget {
		if f != nil {
			s.Steps++
		}
	}
	dampened := 0
	for i, f := range forget {
		if f == nil {
			continue
		}
		if s.Spent() {
			return nil
		}
		err := feature.UpdateParam(s.Model, i, make([]float32, len(f)), func(w []float32) {
			for j := range w {
				all := (n*f[j] + rest*retain[i][j]) / (n + rest)
				if factor := d.factor(f[j], all); factor < 1 {
					w[j] = float32(factor * float64(w[j]))
					dampened++
				}
			}
		})
		if err != nil {
			return err
		}
		s.Step(dlfd.Point{ForgetTerm: float64(dampened)})
	}
	s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("%d weights were dampened.", dampened))
	return nil
}

// factor returns what a weight is multiplied by.
func (d SSD) factor(forget, all float64) float64 {
	if forget > float64(d.Alpha*all) {
		return min(1, d.Lambda*all/forget)
	}
	return 1
}
