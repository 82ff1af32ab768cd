package baseline_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
)

// FineTune by Muon is training by Muon, in the same order, to the bit.
func TestFineTuneByMuon(t *testing.T) {
	a, b := trained(t), trained(t)
	run(t, baseline.FineTune{Descent: baseline.Descent{Epochs: 2, Rate: .01, Muon: true}}, a)
	_, err := dlfd.Run(context.Background(), "muon", b, task(), &dlfd.Options{Seed: 5, BatchSize: 8}, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
		return s.Descend(ctx, dlfd.Descent{Epochs: 2, Optimizer: s.Muon(.01)})
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(a.P[:], b.P[:], slices.Equal[[]float32]) {
		t.Error("other weights")
	}
}

// Every method that says it can descends by Muon: it ends elsewhere than by SGD at the
// same rate, and not with an error.
func TestMethodsDescendByMuon(t *testing.T) {
	var n int
	for _, name := range baseline.Names() {
		u, err := baseline.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if f := reflect.ValueOf(u).FieldByName("Muon"); !f.IsValid() || name == "retrain" || name == "shortretrain" {
			continue
		}
		n++
		var weights [2]feature.Weights
		for i, by := range []string{"", ":muon"} {
			if u, err = baseline.ByName(name + by + ":rate=.02"); err != nil {
				t.Fatal(err)
			}
			m := trained(t)
			run(t, u, m)
			if weights[i], err = feature.Snapshot(m); err != nil {
				t.Fatal(err)
			}
		}
		if slices.EqualFunc(weights[0], weights[1], slices.Equal[[]float32]) {
			t.Errorf("%s: the same weights by SGD and by Muon", name)
		}
	}
	if n < 10 {
		t.Errorf("%d methods", n)
	}
}

func TestShortRetrainBySGDOrMuon(t *testing.T) {
	_, err := baseline.ShortRetrain{Descent: baseline.Descent{Muon: true}, SGD: true}.Unlearn(context.Background(), trained(t), task(), nil)
	if err == nil {
		t.Error("no error for both")
	}
	for _, sgd := range []bool{false, true} {
		res := run(t, baseline.ShortRetrain{SGD: sgd}, trained(t))
		if got := res.Settings.(baseline.ShortRetrain).Muon; got == sgd {
			t.Errorf("SGD %v: Muon is %v in the settings", sgd, got)
		}
	}
}
