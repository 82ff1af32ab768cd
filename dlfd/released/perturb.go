package released

import (
	"context"
	"errors"
	"fmt"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// perturbation is that of one batch, as the released code makes it: K sign steps
// down the gradient of λ times the cross-entropy. The distance is that of the
// unperturbed batch, a constant.
type perturbation struct {
	Method
	m      feature.Differentiable
	x      feature.Tensor // the batch as it came
	labels []int
	pixels feature.Pixels
	lambda float64
	mode   feature.Mode
}

// run returns the perturbed batch.
func (v *perturbation) run(ctx context.Context, forget feature.Tensor, p *dlfd.Point) (feature.Tensor, error) {
	if err := v.measure(ctx, forget, p); err != nil {
		return feature.Tensor{}, err
	}
	x, dx := v.x.Clone(), make([]float32, len(v.x.Data))
	for k := range v.Steps {
		clear(dx)
		loss, err := v.gradient(ctx, x, dx)
		if err != nil {
			return x, fmt.Errorf("perturbation, step %d: %w", k, err)
		}
		if k == 0 {
			p.LossBefore = loss
		}
		v.move(x, dx)
	}
	var err error
	if p.LossAfter, err = v.gradient(ctx, x, nil); err != nil {
		return x, fmt.Errorf("perturbed batch: %w", err)
	}
	return x, nil
}

// measure takes the distance of the unperturbed batch from the forget batch.
func (v *perturbation) measure(ctx context.Context, forget feature.Tensor, p *dlfd.Point) error {
	ref, err := v.logits(ctx, forget)
	if err != nil {
		return fmt.Errorf("forget batch: %w", err)
	}
	if v.Distance == nil {
		return nil
	}
	x, err := v.logits(ctx, v.x)
	if err != nil {
		return fmt.Errorf("unperturbed batch: %w", err)
	}
	d, err := v.Distance.Eval(nil, nil, nil, x, ref)
	if errors.Is(err, distance.ErrNotConverged) {
		p.NotConverged, err = v.Steps+1, nil
	}
	p.DistanceBefore, p.DistanceAfter = d, d
	return err
}

func (v *perturbation) logits(ctx context.Context, x feature.Tensor) (distance.Sample, error) {
	spec := v.m.Spec()
	out := feature.NewTensor(x.Rows(), spec.Classes())
	err := feature.ForwardMode(ctx, v.m, v.mode, x, []string{spec.Logits}, []feature.Tensor{out})
	return distance.FromFloat32(nil, out.Data, x.Rows()), err
}

// gradient returns the cross-entropy and adds −λ times its derivative into dx,
// unless dx is nil.
func (v *perturbation) gradient(ctx context.Context, x feature.Tensor, dx []float32) (float64, error) {
	var loss float64
	err := feature.Grad(ctx, v.m, v.mode, x, []string{v.m.Spec().Logits}, func(val, cot []feature.Tensor) (err error) {
		loss, err = feature.CrossEntropy(val[0], feature.Tensor{}, v.labels, 1)
		if err == nil && v.lambda != 0 && dx != nil {
			_, err = feature.CrossEntropy(val[0], cot[0], v.labels, -v.lambda)
		}
		return err
	}, dx, nil)
	return loss, err
}

// move takes a sign step of StepSize in pixel units, and clamps to [0, 1].
func (v *perturbation) move(x feature.Tensor, dx []float32) {
	channels, plane := 1, x.RowLen()
	if len(x.Shape) > 2 {
		channels = x.Shape[1]
		plane /= channels
	}
	for i, g := range dx {
		_, std := v.pixels.Channel(i / plane % channels)
		x.Data[i] += float32(v.StepSize * sign(g) / std)
		x.Data[i] = min(max(x.Data[i], 0), 1)
	}
}

func sign(g float32) float64 {
	switch {
	case g > 0:
		return 1
	case g < 0:
		return -1
	}
	return 0
}
