package baseline

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// task tells whether a method that only descends on what is retained ends with a model
// that knows it: at too large a rate a model forgets everything and stays there, which
// no loss of a batch along the way need show.
type task struct {
	old feature.Weights // before the run
}

// lostShare is the share of what the model knew of the task, in nats, that may be lost:
// an unlearned model that knows less than a quarter of it is not one to use. A
// ShortRetrain of a hard task, with half of it, still is.
const lostShare = .75

func newTask(s *dlfd.Session) (*task, error) {
	old, err := feature.Snapshot(s.Model)
	return &task{old}, err
}

// descend is Session.Descend, with a check at the end.
func (t *task) descend(ctx context.Context, s *dlfd.Session, d dlfd.Descent) error {
	if err := s.Descend(ctx, d); err != nil {
		return err
	}
	return t.check(ctx, s)
}

// check returns an error wrapping dlfd.ErrDiverged where the task is lost. A run that did
// not get to its end, and a model that did not know the task, are not judged. Cost: a
// forward pass of up to harmSample retain samples, and another where the first is bad.
func (t *task) check(ctx context.Context, s *dlfd.Session) error {
	if s.Result.Stop != dlfd.Completed {
		return nil
	}
	sample, err := newLossSample("retain", s.Data.Retain)
	if err != nil {
		return err
	}
	end, err := sample.mean(ctx, s)
	nothing := s.Model.Spec().UniformLoss() // the loss of a model that knows nothing
	if err != nil || end <= lostShare*nothing {
		return err
	}
	now, err := feature.Snapshot(s.Model)
	if err != nil {
		return err
	}
	if err := t.old.Restore(s.Model); err != nil {
		return err
	}
	start, err := sample.mean(ctx, s)
	if err != nil {
		return err
	}
	if limit := start + lostShare*(nothing-start); start <= nothing/2 && !(end <= limit) {
		return fmt.Errorf("%w: the task is lost: the mean loss of %d retain samples is %.4g at the end, above %.4g (%.4g before the run, and %.4g where nothing is known)",
			dlfd.ErrDiverged, sample.Len(), end, limit, start, nothing)
	}
	return now.Restore(s.Model)
}
