package released

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// scorer scores a run by the published attack on all of Forget and Holdout, and
// keeps the checkpoint under the cap that has the best NoMUS.
type scorer struct {
	cap  float64
	seed uint64
	last float64 // the last score; 1 before there is any
	at   int     // the step after which it was taken, −1 before there is any

	best     float64 // NoMUS of the best checkpoint
	bestStep int
	weights  feature.Weights // of the best checkpoint; nil: none
}

func newScorer(limit float64, s *dlfd.Session) *scorer {
	return &scorer{cap: limit, seed: s.Seed("steering attack"), last: 1, at: -1, best: -1}
}

// take scores the model as it is.
func (p *scorer) take(ctx context.Context, s *dlfd.Session) error {
	forget, lf, err := losses(ctx, s.Model, s.Data.Forget)
	if err != nil {
		return fmt.Errorf("scoring forget: %w", err)
	}
	holdout, lh, err := losses(ctx, s.Model, s.Data.Holdout)
	if err != nil {
		return fmt.Errorf("scoring holdout: %w", err)
	}
	v := dlfd.Score{ForgetLoss: stat.Mean(lf, nil), HoldoutLoss: stat.Mean(lh, nil)}
	floats.Scale(-1, lf)
	floats.Scale(-1, lh)
	attack, err := metrics.PublishedAttack(lf, lh, p.seed)
	if err != nil {
		return fmt.Errorf("scoring forget (%d samples) against holdout (%d): %w", forget.N, holdout.N, err)
	}
	v.Forgetting = 2 * math.Abs(attack.Accuracy-.5)
	if v.Accuracy, err = holdout.Accuracy(); err != nil {
		return err
	}
	p.last, p.at = v.Forgetting, s.Result.Ledger.Steps
	s.Score(v)
	nomus := (v.Accuracy + 1 - v.Forgetting) / 2
	if v.Forgetting > p.cap || nomus <= p.best {
		return nil
	}
	w, err := feature.Snapshot(s.Model)
	p.best, p.weights, p.bestStep = nomus, w, s.Result.Ledger.Steps
	return err
}

// finish puts the best checkpoint into the model, if there is one, and says so in
// the result.
func (p *scorer) finish(ctx context.Context, s *dlfd.Session) error {
	steps := s.Result.Ledger.Steps
	if p.at != steps {
		if err := p.take(ctx, s); err != nil {
			return err
		}
	}
	if steps == 0 {
		s.Result.Stop = dlfd.NothingDone
	}
	if p.weights == nil && s.Result.Stop == dlfd.Completed {
		s.Result.Stop = dlfd.CapNotMet
	}
	if p.weights == nil || p.bestStep == steps {
		return nil
	}
	last, err := feature.Snapshot(s.Model)
	if err != nil {
		return err
	}
	s.Result.Last, s.Result.Best = last, p.bestStep
	return p.weights.Restore(s.Model)
}

func losses(ctx context.Context, m feature.Model, d feature.Dataset) (metrics.Outputs, []float64, error) {
	const batch = 64
	spec := m.Spec()
	out, labels, err := feature.Predict(ctx, m, d, []string{spec.Logits}, batch)
	if err != nil {
		return metrics.Outputs{}, nil, err
	}
	o := metrics.Outputs{N: len(labels), Classes: spec.Classes(), Logits: out[0].Data, Labels: labels}
	l, err := o.CrossEntropies()
	return o, l, err
}
