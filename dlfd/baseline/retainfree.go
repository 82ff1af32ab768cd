package baseline

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
)

// bystanders are held-out samples by which a method that does not read the retain set
// tells what it did to the task. They do not end the run: where a class is forgotten as
// a whole, held-out samples of that class are to be got wrong.
type bystanders struct {
	s      *dlfd.Session
	sample *lossSample // nil: there are none
	start  float64     // mean loss before the run
}

// newBystanders takes up to harmSample samples of Holdout, at equal distances, and looks
// at them for the first time.
func newBystanders(ctx context.Context, s *dlfd.Session) (*bystanders, error) {
	b := &bystanders{s: s}
	if s.Data.Holdout == nil || s.Data.Holdout.Len() == 0 {
		return b, nil
	}
	var err error
	if b.sample, err = newLossSample("holdout", s.Data.Holdout); err != nil {
		return nil, err
	}
	b.start, err = b.sample.mean(ctx, s)
	return b, err
}

// descend is Session.Descend with a note on the bystanders at the end.
func (b *bystanders) descend(ctx context.Context, d dlfd.Descent) error {
	if err := b.s.Descend(ctx, d); err != nil {
		return err
	}
	if b.sample == nil {
		b.s.Result.Notes = append(b.s.Result.Notes, "The method does not read the retain set, and there are no held-out samples: whether the task was harmed was not looked at.")
		return nil
	}
	end, err := b.sample.mean(ctx, b.s)
	if err != nil {
		return err
	}
	b.s.Result.Notes = append(b.s.Result.Notes, fmt.Sprintf("The method does not read the retain set: the mean loss of %d held-out samples went from %.4g to %.4g.", b.sample.Len(), b.start, end))
	return nil
}
