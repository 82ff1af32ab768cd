package baseline_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

// A run that harms the task after it went on gives back the weights that were kept
// before it was stopped.
func TestResumedRunKnowsItsLimit(t *testing.T) {
	run := func(c train.Checkpoint, until int) (*dlfd.Result, []float32, error) {
		m, data := learnt(t)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		opt := &dlfd.Options{Seed: 1, BatchSize: 8, Checkpoint: c, Observer: func(e dlfd.Event) {
			if e.Point != nil && e.Step == until {
				cancel()
			}
		}}
		u := baseline.NegGrad{Descent: baseline.Descent{Epochs: 20, Rate: .01}, Limit: baseline.Limit{Harm: .3}}
		res, err := u.Unlearn(ctx, m, data, opt)
		return res, slices.Concat(m.P[:]...), err
	}
	want, weights, err := run(train.Checkpoint{}, 0)
	if err != nil || want.Stop != dlfd.TaskHarmed || want.Best == 0 || want.Ledger.Steps-want.Best < 2 {
		t.Fatalf("%v: the test shows nothing: %+v", err, want)
	}
	c := train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: want.Best + 1}
	if _, _, err := run(c, want.Best+2); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	got, again, err := run(c, 0)
	if err != nil || got.Best != want.Best || !slices.Equal(again, weights) {
		t.Errorf("%v: other weights, or those after step %d, not %d", err, got.Best, want.Best)
	}
}

// learnt returns a model that was trained on what is to be retained and forgotten.
func learnt(t *testing.T) (*featuretest.MLP, dlfd.Data) {
	t.Helper()
	m := featuretest.NewMLP(6, 16, 3, 1)
	data := dlfd.Data{Retain: featuretest.NewBlobs(80, 6, 3, .6, 7, 1), Forget: featuretest.NewBlobs(40, 6, 3, .6, 7, 2), Holdout: featuretest.NewBlobs(40, 6, 3, .6, 7, 3)}
	if _, err := train.Fit(context.Background(), m, data.Retain, &train.Options{Epochs: 10}); err != nil {
		t.Fatal(err)
	}
	return m, data
}
