package dlfd_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

func clouds(n int, seed uint64) *featuretest.Blobs { return featuretest.NewBlobs(n, 4, 3, 1, 7, seed) }

func cloudData() dlfd.Data {
	return dlfd.Data{Retain: clouds(20, 1), Forget: clouds(8, 2), Holdout: clouds(12, 3)}
}

// turns is a method of several descents.
func turns(t *testing.T, m feature.Trainable, opt *dlfd.Options, each ...dlfd.Descent) (*dlfd.Result, error) {
	t.Helper()
	return dlfd.Run(context.Background(), "turns", m, cloudData(), opt, dlfd.Needs{Retain: true, Forget: true}, func(ctx context.Context, s *dlfd.Session) error {
		for _, d := range each {
			d.Optimizer = train.SGD{Rate: .1}
			if err := s.Descend(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

// Two descents of one epoch are one of two, to the bit, dropout included.
func TestDescentsGoOn(t *testing.T) {
	network := func() feature.Trainable {
		m, err := nn.MLP(nn.MLPConfig{Input: []int{4}, Hidden: []int{6}, Classes: 3, Dropout: .5, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b := network(), network()
	opt := &dlfd.Options{BatchSize: 8}
	one, err := turns(t, a, opt, dlfd.Descent{Epochs: 2})
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	opt.Observer = func(e dlfd.Event) { last = e.Steps }
	two, err := turns(t, b, opt, dlfd.Descent{Epochs: 1}, dlfd.Descent{Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	wa, err := feature.Snapshot(a)
	if err != nil {
		t.Fatal(err)
	}
	wb, err := feature.Snapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range wa {
		if !slices.Equal(wa[i], wb[i]) {
			t.Errorf("parameter %d differs", i)
		}
	}
	if one.Ledger != two.Ledger || last != 6 {
		t.Errorf("ledgers %+v and %+v; %d steps announced", one.Ledger, two.Ledger, last)
	}
}

// A descent passes over the set that it names, and Watch sees all steps but those
// between.
func TestDescentOnForgetAndWatch(t *testing.T) {
	var seen []int
	done := 0
	opt := &dlfd.Options{BatchSize: 4, Watch: func(_ context.Context, s *dlfd.Session, end bool) error {
		if end {
			done++
		} else {
			seen = append(seen, s.Result.Ledger.Steps)
		}
		return nil
	}}
	res, err := turns(t, featuretest.NewMLP(4, 6, 3, 1), opt, dlfd.Descent{On: cloudData().Forget, Epochs: 1, Between: true}, dlfd.Descent{Epochs: 1}, dlfd.Descent{On: cloudData().Forget, Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{3, 4, 5, 6, 7, 8, 9}; !slices.Equal(seen, want) || done != 1 || res.Ledger.Backward != 8+20+8 {
		t.Errorf("steps %v, want %v; done %d times; ledger %+v", seen, want, done, res.Ledger)
	}
}

func TestWatchEndsAndFails(t *testing.T) {
	m := featuretest.NewMLP(4, 6, 3, 1)
	old := slices.Clone(m.P[0])
	broken := errors.New("broken")
	for _, at := range []bool{false, true} {
		_, err := turns(t, m, &dlfd.Options{BatchSize: 4, Watch: func(_ context.Context, _ *dlfd.Session, done bool) error {
			if done == at {
				return broken
			}
			return nil
		}}, dlfd.Descent{Epochs: 1})
		if !errors.Is(err, broken) || !slices.Equal(m.P[0], old) {
			t.Errorf("done %v: %v; the weights are the old ones: %v", at, err, slices.Equal(m.P[0], old))
		}
	}
	res, err := turns(t, m, &dlfd.Options{BatchSize: 4, Watch: func(ctx context.Context, s *dlfd.Session, done bool) error {
		if s.Result.Ledger.Steps == 3 && !done {
			s.End(dlfd.ScoreMet)
		}
		return nil
	}}, dlfd.Descent{Epochs: 1}, dlfd.Descent{Epochs: 1})
	if err != nil || res.Stop != dlfd.ScoreMet || res.Ledger.Steps != 3 {
		t.Errorf("%v, %+v", err, res)
	}
}

func TestSessionScorer(t *testing.T) {
	opt := &dlfd.Options{BatchSize: 4, Watch: func(ctx context.Context, s *dlfd.Session, done bool) error {
		if !done {
			return nil
		}
		if _, err := s.Scorer(dlfd.Steering{Sample: 1}); !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("one sample: %v", err)
		}
		score, err := s.Scorer(dlfd.Steering{})
		if err != nil {
			return err
		}
		v, err := score(ctx)
		if err == nil && (v.HoldoutLoss <= 0 || v.AUC <= 0) {
			t.Errorf("score %+v", v)
		}
		return err
	}}
	res, err := turns(t, featuretest.NewMLP(4, 6, 3, 1), opt, dlfd.Descent{Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	// Half of the forget samples are scored, and all held-out ones.
	if len(res.Scores) != 1 || res.Scores[0].Step != 5 || res.Ledger.Forward != 20+4+12 {
		t.Errorf("scores %+v, ledger %+v", res.Scores, res.Ledger)
	}
}
