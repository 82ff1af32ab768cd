package dlfd

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/metrics"
)

// One sample passes together with the other batch, and is read from its own row.
func TestSingleSamplesPassTogether(t *testing.T) {
	m, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 4, 4}, Classes: 3, Widths: []int{4}, Blocks: []int{1}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	blobs := func(n int, seed uint64) *featuretest.Blobs {
		b := featuretest.NewBlobs(n, 16, 3, 1, 7, seed)
		b.X.Shape = []int{n, 1, 4, 4}
		return b
	}
	data := Data{Retain: squares{blobs(8, 1)}, Forget: squares{blobs(1, 2)}, Holdout: squares{blobs(5, 3)}}
	done := errors.New("done")
	_, err = Run(context.Background(), "probe", m, data, &Options{BatchSize: 8}, Needs{}, func(ctx context.Context, s *Session) error {
		f, err := feature.ReadAll(data.Forget)
		if err != nil {
			return err
		}
		h, err := feature.ReadAll(data.Holdout)
		if err != nil {
			return err
		}
		p := newMatching(s, .1, nil)
		defer p.stop()
		p.holdout = func() (feature.Batch, error) { return h, nil }
		return s.Descend(ctx, Descent{Epochs: 1, Optimizer: sgd(.01), Gradient: func(ctx context.Context, step *Step) error {
			logits := feature.NewTensor(6, 3)
			mode := step.Mode
			mode.Track = false
			if err := feature.ForwardMode(ctx, step.Model, mode, joined(f.X, h.X), []string{step.Model.Spec().Logits}, []feature.Tensor{logits}); err != nil {
				return err
			}
			labels := append(append([]int(nil), f.Labels...), h.Labels...)
			want, err := metrics.Outputs{N: 6, Classes: 3, Logits: logits.Data, Labels: labels}.LogitMargins()
			if err != nil {
				return err
			}
			if _, err := p.accumulate(ctx, step, f); err != nil {
				return err
			}
			got := append(append([]float64(nil), p.odds[0].last[0]...), p.odds[0].last[1]...)
			for i := range want {
				if !(math.Abs(got[i]-want[i]) < 1e-4) { // sums over the batch in another order
					t.Errorf("log-odds of sample %d are %v, want %v", i, got[i], want[i])
				}
			}
			return done
		}})
	})
	if !errors.Is(err, done) {
		t.Fatal(err)
	}
}

// squares are blobs in the shape of images.
type squares struct{ *featuretest.Blobs }

func (squares) Shape() []int { return []int{1, 4, 4} }
