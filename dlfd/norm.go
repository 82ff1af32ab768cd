package dlfd

import (
	"context"
	"errors"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// InsertNorms gives s.Model batch norm, where it has no running statistics and is
// a feature.NormInserter with a place for it: from then on s.Model is the model
// with norms, which computes the same. fold writes its weights into the model of
// the request, norms folded in, which is s.Model again; a second call does nothing.
// Until then that model stays as it is, but for Checkpoint, so that a run which ends
// before leaves it untouched. Where nothing is inserted, s.Model stays and fold does
// nothing.
//
// Cost: one forward pass of up to some thousands of retain samples, as the model
// asks for them, which is counted.
func (s *Session) InsertNorms(ctx context.Context) (fold func() error, err error) {
	fold = func() error { return nil }
	inserter, ok := feature.As[feature.NormInserter](s.Model)
	if !ok || train.HasStatistics(s.Model.Spec()) {
		return fold, nil
	}
	normed, err := inserter.InsertNorms(ctx, s.Data.Retain)
	if errors.Is(err, feature.ErrNoNorms) {
		return fold, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inserting batch norm: %w", err)
	}
	model := s.Model
	s.Model = normed // metered, as the inserter is
	s.Result.Notes = append(s.Result.Notes, normed.Notes()...)
	s.own, s.fold = model, func() error {
		if err := normed.Fold(); err != nil {
			return fmt.Errorf("%w: %w", ErrDiverged, err)
		}
		return nil
	}
	return func() error {
		fold := s.fold
		if fold == nil {
			return nil
		}
		s.Model, s.own, s.fold = s.own, nil, nil
		return fold()
	}, nil
}
