package dlfd

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/stat"

	"github.com/dlfd-go/unlearn/feature"
)

const (
	// lookSamples is the most retain samples by which CheckTask tells.
	lookSamples = 256
	// lostShare is the share of what a model knew of the task, in nats, that a run may
	// lose: an unlearned model that knows less than a quarter of it is not one to use.
	lostShare = .75
)

// CheckTask returns an error wrapping ErrDiverged where the model has lost the task: where
// less than a quarter is left of what it knew before the run. A method that descends from
// loosened or fresh weights, or at a rate of the user's, returns it at the end. The losses
// of the last steps would not tell: at too large a step a model forgets everything in one
// of them, and then stays, finite, at the loss of guessing.
//
// The mean loss of up to 256 retain samples may rise by three quarters of the way to the
// loss of guessing; where the model knew less than half to begin with, to twice the latter.
// A run that a limit ended, or that changed nothing, is not judged. Cost: a forward pass of
// these samples, and another where the first is bad.
func (s *Session) CheckTask(ctx context.Context) error {
	switch s.Result.Stop {
	case BudgetSpent, TaskHarmed, NothingDone, NothingToForget:
		return nil
	}
	retain := s.Data.Retain
	if retain == nil || retain.Len() == 0 {
		return nil
	}
	end, err := s.retainLoss(ctx, s.Model)
	nothing := s.Model.Spec().UniformLoss() // of a model that knows nothing
	if err != nil || end <= lostShare*nothing {
		return err
	}
	start, err := s.retainLossBefore(ctx)
	if err != nil {
		return err
	}
	limit := 2 * max(nothing, start)
	if start <= nothing/2 {
		limit = start + lostShare*(nothing-start)
	}
	if end <= limit {
		return nil
	}
	return fmt.Errorf("%w: the task is lost: the mean loss of %d retain samples is %.4g at the end, above %.4g (%.4g before the run, and %.4g where nothing is known)",
		ErrDiverged, min(retain.Len(), lookSamples), end, limit, start, nothing)
}

// retainLossBefore is retainLoss with the weights before the run.
func (s *Session) retainLossBefore(ctx context.Context) (loss float64, err error) {
	m := s.Model
	if s.own != nil {
		m = s.own // Model has inserted norms, which there were none of
	}
	now, err := feature.Snapshot(m)
	if err != nil {
		return 0, err
	}
	if err := s.old.Restore(m); err != nil {
		return 0, err
	}
	if loss, err = s.retainLoss(ctx, m); err != nil {
		return 0, err
	}
	return loss, now.Restore(m)
}

// retainLoss returns the mean cross-entropy of up to lookSamples retain samples.
func (s *Session) retainLoss(ctx context.Context, m feature.Model) (float64, error) {
	d, err := sample(s.Data.Retain, lookSamples)
	if err != nil {
		return 0, fmt.Errorf("retain: %w", err)
	}
	loss, err := s.MeanLoss(ctx, m, d)
	if err != nil {
		return 0, fmt.Errorf("retain: %w", err)
	}
	return loss, nil
}

// MeanLoss returns the mean cross-entropy of a model on a dataset, in evaluation mode and
// batches of BatchSize. Cost: a forward pass of the dataset.
func (s *Session) MeanLoss(ctx context.Context, m feature.Model, d feature.Dataset) (float64, error) {
	spec := m.Spec()
	out, labels, err := feature.Predict(ctx, m, d, []string{spec.Logits}, s.BatchSize)
	if err != nil {
		return 0, err
	}
	losses := make([]float64, len(labels))
	if err := spec.Heads.CrossEntropies(losses, out[0], labels); err != nil {
		return 0, err
	}
	return stat.Mean(losses, nil), nil
}
