package baseline_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

func data() dlfd.Data {
	return dlfd.Data{Retain: featuretest.NewBlobs(20, 4, 3, 1, 7, 1), Forget: featuretest.NewBlobs(20, 4, 3, 1, 7, 2)}
}

func unlearn(t *testing.T, u dlfd.Unlearner, m feature.Trainable, batch int) *dlfd.Result {
	t.Helper()
	res, err := u.Unlearn(context.Background(), m, data(), &dlfd.Options{Seed: 1, BatchSize: batch})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// gradient returns the gradient of the mean cross-entropy on a whole dataset.
func gradient(t *testing.T, m *featuretest.MLP, d feature.Dataset) [][]float32 {
	t.Helper()
	b, err := feature.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	g := feature.NewGradients(m.Spec())
	err = m.Grad(context.Background(), b.X, []string{"logits"}, func(val, cot []feature.Tensor) error {
		_, err := feature.CrossEntropy(val[0], cot[0], b.Labels, 1)
		return err
	}, nil, g)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// With one batch of everything, a step is w − rate·(∇CE(retain) − β∇CE(forget) +
// 5e-4·w); fine-tuning is the case β = 0.
func TestOneStepInClosedForm(t *testing.T) {
	const rate, beta = .1, .7
	for _, c := range []struct {
		u    dlfd.Unlearner
		beta float64
	}{
		{baseline.FineTune{Descent: baseline.Descent{Epochs: 1, Rate: rate}}, 0},
		{baseline.NegGradPlus{Descent: baseline.Descent{Epochs: 1, Rate: rate}, Beta: beta}, beta},
	} {
		m := featuretest.NewMLP(4, 6, 3, 1)
		keep, lose := gradient(t, m, data().Retain), gradient(t, m, data().Forget)
		want, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			for j, w := range want[i] {
				want[i][j] -= float32(rate * (float64(keep[i][j]) - c.beta*float64(lose[i][j]) + 5e-4*float64(w)))
			}
		}
		res := unlearn(t, c.u, m, 20)
		for i := range want {
			for j, w := range want[i] {
				if math.Abs(float64(m.P[i][j]-w)) > 1e-6 { // float32 sums of 20 terms near 1
					t.Fatalf("%s: parameter %d, element %d is %v, want %v", dlfd.NameOf(c.u), i, j, m.P[i][j], w)
				}
			}
		}
		ledger := dlfd.Ledger{Forward: 20 + 2*20, Backward: 20, Steps: 1} // a model that knows nothing is looked at before, too
		if c.beta > 0 {
			ledger = dlfd.Ledger{Forward: 40 + 2*20, Backward: 40, Steps: 1} // two looks at the retain loss
		}
		if res.Ledger != ledger {
			t.Errorf("%s: ledger is %+v, want %+v", dlfd.NameOf(c.u), res.Ledger, ledger)
		}
	}
}

func TestNegGradPlusRaisesTheForgetLoss(t *testing.T) {
	m := featuretest.NewMLP(4, 6, 3, 1)
	res := unlearn(t, baseline.NegGradPlus{Descent: baseline.Descent{Epochs: 40, Rate: .05}, Limit: baseline.Limit{Harm: dlfd.Off}, Beta: 1}, m, 20)
	if first, last := res.Trace[0].ForgetTerm, res.Trace[39].ForgetTerm; last <= first {
		t.Errorf("forget loss went from %v to %v", first, last)
	}
}

// Retraining forgets the weights that the model came with.
func TestRetrainStartsAfresh(t *testing.T) {
	fresh := func(seed uint64) (feature.Trainable, error) { return featuretest.NewMLP(4, 6, 3, seed), nil }
	u := baseline.Retrain{Fresh: fresh, Epochs: 4}
	a, b := featuretest.NewMLP(4, 6, 3, 10), featuretest.NewMLP(4, 6, 3, 20)
	unlearn(t, u, a, 8)
	unlearn(t, u, b, 8)
	for i := range a.P {
		if !slices.Equal(a.P[i], b.P[i]) {
			t.Fatalf("parameter %d depends on the old weights", i)
		}
	}
}

// One optimizer for all runs would carry its momentum from one request to the next.
func TestRetrainRepeats(t *testing.T) {
	fresh := func(seed uint64) (feature.Trainable, error) { return featuretest.NewMLP(4, 6, 3, seed), nil }
	u := baseline.Retrain{Fresh: fresh, Epochs: 2, Optimizer: train.Adam{Rate: .01}}
	a, b := featuretest.NewMLP(4, 6, 3, 10), featuretest.NewMLP(4, 6, 3, 10)
	unlearn(t, u, a, 8)
	unlearn(t, u, b, 8)
	if !slices.Equal(a.P[0], b.P[0]) {
		t.Error("two requests gave different weights")
	}
}

func TestSettingsOutOfRange(t *testing.T) {
	for _, u := range []dlfd.Unlearner{
		baseline.FineTune{Descent: baseline.Descent{Epochs: -1}},
		baseline.FineTune{Descent: baseline.Descent{Rate: math.NaN()}},
		baseline.NegGradPlus{Beta: -1},
	} {
		m := featuretest.NewMLP(4, 6, 3, 1)
		if _, err := u.Unlearn(context.Background(), m, data(), &dlfd.Options{Seed: 1}); !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%+v: %v", u, err)
		}
	}
}
