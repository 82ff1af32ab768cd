package dlfd_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// A run that ends where a model that knows nothing stands is an error, though its loss is no
// larger than that of guessing, and the weights are those before it.
func TestALostTaskIsAnError(t *testing.T) {
	for _, u := range []dlfd.Unlearner{
		dlfd.Align{Shrink: 1e-6, Rate: 1e-9, Match: dlfd.Off}, dlfd.DLFD{Shrink: 1e-6, Rate: 1e-9, Weight: dlfd.Off}, careless{},
	} {
		m, data := memorized(t)
		before := weights(t, m)
		_, err := u.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 1, BatchSize: 8})
		if !errors.Is(err, dlfd.ErrDiverged) || !strings.Contains(err.Error(), "task is lost") {
			t.Errorf("%s: the error is %v", dlfd.NameOf(u), err)
		}
		if !slices.Equal(before, weights(t, m)) {
			t.Errorf("%s: other weights after the error", dlfd.NameOf(u))
		}
	}
}

// careless is a method that sets all weights to zero, and asks.
type careless struct{}

func (careless) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, "careless", m, data, opt, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
		w, err := feature.Snapshot(s.Model)
		if err != nil {
			return err
		}
		for _, p := range w {
			clear(p)
		}
		if err := w.Restore(s.Model); err != nil {
			return err
		}
		return s.CheckTask(ctx)
	})
}

// A run that a budget ended is not judged, and one that changed nothing keeps its word.
func TestATaskIsNotJudgedBeforeTheEnd(t *testing.T) {
	m, data := memorized(t)
	res, err := dlfd.Align{Shrink: 1e-6, Rate: 1e-9, Match: dlfd.Off}.Unlearn(context.Background(), m, data,
		&dlfd.Options{Seed: 1, BatchSize: 8, Budget: dlfd.Budget{Passes: 400}})
	if err != nil || res.Stop != dlfd.BudgetSpent {
		t.Fatalf("%v, %v", res, err)
	}
}
