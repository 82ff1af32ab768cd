package baseline

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// teacher has the logits of a model for all samples of a dataset, in evaluation
// mode, as they were when the teacher was made. A frozen copy of the model would
// give the same for each batch, one more forward pass an epoch, from any model
// that can be copied.
type teacher struct {
	logits feature.Tensor // samples×logits
}

// newTeacher runs m over d once. Its memory is that of the logits.
func newTeacher(ctx context.Context, m feature.Model, d feature.Dataset, batch int) (*teacher, error) {
	out, _, err := feature.Predict(ctx, m, d, []string{m.Spec().Logits}, batch)
	if err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	return &teacher{out[0]}, nil
}

// of returns the logits for the samples of a batch of the dataset.
func (t *teacher) of(b feature.Batch) feature.Tensor {
	rows := feature.NewTensor(len(b.Index), t.logits.RowLen())
	for i, k := range b.Index {
		copy(rows.Row(i), t.logits.Row(k))
	}
	return rows
}

// distill accumulates the gradient of weight·T²·KL(target/T ‖ model/T), the mean
// over a batch in the given mode, and returns the divergence without the weight. A
// negative weight drives the model away from the target. A divergence that is
// not finite gives an error wrapping dlfd.ErrDiverged.
func distill(ctx context.Context, step *dlfd.Step, mode feature.Mode, x, target feature.Tensor, temperature, weight float64) (float64, error) {
	var kl float64
	spec := step.Model.Spec()
	err := step.Accumulate(ctx, mode, x, []string{spec.Logits}, func(val, cot []feature.Tensor) error {
		v, err := spec.Heads.KLDivergence(val[0], feature.Tensor{}, target, temperature, 1)
		if err != nil {
			return err
		}
		if kl = v; !finite.Is(kl) {
			return fmt.Errorf("%w: the divergence from the teacher is %v", dlfd.ErrDiverged, kl)
		}
		_, err = spec.Heads.KLDivergence(val[0], cot[0], target, temperature, weight)
		return err
	})
	return kl, err
}
