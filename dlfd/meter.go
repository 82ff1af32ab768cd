package dlfd

import (
	"context"

	"github.com/dlfd-go/unlearn/feature"
)

// meter is a model that counts the samples which pass through another.
type meter struct {
	feature.Trainable
	ledger *Ledger
}

// Forward implements feature.Model.
func (m meter) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	m.ledger.Forward += int64(x.Rows())
	return m.Trainable.Forward(ctx, x, taps, out)
}

// Grad implements feature.Differentiable.
func (m meter) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return m.GradMode(ctx, feature.Mode{}, x, taps, loss, dx, dp)
}

// GradMode implements feature.ModeGrader.
func (m meter) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	m.ledger.Forward += int64(x.Rows())
	if dx != nil || wantsAny(dp) {
		m.ledger.Backward += int64(x.Rows())
	}
	return feature.Grad(ctx, m.Trainable, mode, x, taps, loss, dx, dp)
}

func wantsAny(dp [][]float32) bool {
	for _, g := range dp {
		if g != nil {
			return true
		}
	}
	return false
}

// UpdateParam implements feature.ParamUpdater.
func (m meter) UpdateParam(i int, f func(w []float32)) error {
	var buf []float32
	if _, ok := m.Trainable.(feature.ParamUpdater); !ok {
		buf = make([]float32, feature.Size(m.Spec().Params[i].Shape))
	}
	return feature.UpdateParam(m.Trainable, i, buf, f)
}
