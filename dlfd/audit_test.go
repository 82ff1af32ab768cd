package dlfd_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/metrics"
)

func TestAuditOfAModelThatMemorized(t *testing.T) {
	m, data := memorized(t)
	test := featuretest.NewBlobs(300, 6, 3, 1.2, 7, 9)
	a, err := dlfd.Audit(context.Background(), m, dlfd.AuditData{Retain: data.Retain, Forget: data.Forget, Test: test, Member: data.Forget, NonMember: test}, &dlfd.AuditOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][2]float64{
		"retain accuracy": {a.RetainAccuracy, accuracy(t, m, data.Retain)},
		"forget accuracy": {a.ForgetAccuracy, accuracy(t, m, data.Forget)},
		"test accuracy":   {a.TestAccuracy, accuracy(t, m, test)},
		"forgetting":      {a.ForgettingScore, 2 * math.Abs(a.Published-.5)},
		"NoMUS":           {a.NoMUS, (a.TestAccuracy + 1 - a.ForgettingScore) / 2},
		"balanced NoMUS":  {a.BalancedNoMUS, (a.TestAccuracy + 1 - 2*math.Abs(a.LossAttack.BalancedAccuracy-.5)) / 2},
	} {
		if math.Abs(v[0]-v[1]) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, v[0], v[1])
		}
	}
	if a.LossAttack.AUC < .55 || a.LossAttack.AUCInterval.Lo > a.LossAttack.AUC || a.LossAttack.AUCInterval.Hi < a.LossAttack.AUC {
		t.Errorf("attack %+v", a.LossAttack)
	}
	if s := a.Scores(); s != (metrics.Scores{Retain: a.RetainAccuracy, Forget: a.ForgetAccuracy, Test: a.TestAccuracy, AUC: a.LossAttack.AUC}) {
		t.Errorf("scores %+v", s)
	}
}

func accuracy(t *testing.T, m feature.Model, d feature.Dataset) float64 {
	t.Helper()
	b, err := feature.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	out := []feature.Tensor{feature.NewTensor(d.Len(), d.Classes())}
	if err := m.Forward(context.Background(), b.X, []string{"logits"}, out); err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, label := range b.Labels {
		best := 0
		for c, v := range out[0].Row(i) {
			if v > out[0].Row(i)[best] {
				best = c
			}
		}
		if best == label {
			right++
		}
	}
	return float64(right) / float64(d.Len())
}

func TestAuditNamesTheEmptySet(t *testing.T) {
	m := featuretest.NewMLP(6, 8, 3, 1)
	d := featuretest.NewBlobs(30, 6, 3, 1, 7, 1)
	_, err := dlfd.Audit(context.Background(), m, dlfd.AuditData{Retain: d, Forget: d, Test: d, Member: d}, &dlfd.AuditOptions{Seed: 1})
	if !errors.Is(err, dlfd.ErrEmpty) || err.Error() != "dlfd: audit: dataset is empty: non-members" {
		t.Errorf("error %v", err)
	}
}

// A NaN in any set is told before any work, whether or not the run would have
// come across it.
func TestNaNInAnySet(t *testing.T) {
	for _, which := range []string{"retain", "forget", "holdout"} {
		sets := map[string]*featuretest.Blobs{
			"retain": featuretest.NewBlobs(30, 6, 3, 1, 7, 1), "forget": featuretest.NewBlobs(12, 6, 3, 1, 7, 2), "holdout": featuretest.NewBlobs(12, 6, 3, 1, 7, 3),
		}
		sets[which].X.Data[20] = float32(math.NaN())
		for _, d := range []dlfd.Unlearner{dlfd.Align{}, dlfd.DLFD{}} {
			m := featuretest.NewMLP(6, 8, 3, 1)
			before := weights(t, m)
			data := dlfd.Data{Retain: sets["retain"], Forget: sets["forget"], Holdout: sets["holdout"]}
			_, err := d.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 1, BatchSize: 4})
			if !errors.Is(err, feature.ErrNotFinite) || !strings.Contains(err.Error(), which+": ") || m.Calls != 0 {
				t.Errorf("%s, NaN in %s: %v", dlfd.NameOf(d), which, err)
			}
			for i, v := range weights(t, m) {
				if v != before[i] {
					t.Fatalf("%s, NaN in %s: the weights changed", dlfd.NameOf(d), which)
				}
			}
		}
	}
}
