package baseline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

// On recalled samples, forget samples get lost and held-out ones are still got right,
// which ascent alone does not manage.
func TestRetainFree(t *testing.T) {
	m, data := learnt(t)
	data.Retain = nil
	r := baseline.RetainFree{Of: baseline.NegGradPlus{}, PerClass: 20, Steps: 60}
	res, err := r.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 1, BatchSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	if res.Method != "NegGrad+ on recalled samples" || res.Retraining != nil || res.Ledger.Forward <= 60*60 || !strings.Contains(strings.Join(res.Notes, " "), "60 samples that the model recalled") {
		t.Errorf("result %+v", res)
	}
	if a := accuracyOf(t, m, data.Holdout); a < .9 {
		t.Errorf("accuracy on held-out samples is %v", a)
	}
	if _, err := r.Unlearn(context.Background(), m, data, &dlfd.Options{Budget: dlfd.Budget{Passes: 100}}); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("a budget below the recall: error is %v", err)
	}
}

// A class that goes as a whole is not recalled.
func TestRetainFreeOfAClass(t *testing.T) {
	m, data := learnt(t)
	one, rest, err := feature.Partition(data.Forget, func(i int) bool { return data.Forget.(*featuretest.Blobs).Labels[i] == 1 })
	if err != nil {
		t.Fatal(err)
	}
	whole := baseline.RetainFree{Of: baseline.NegGradPlus{Descent: baseline.Descent{Epochs: 20}, Beta: .3}, PerClass: 20, Steps: 60, Whole: true}
	if _, err := whole.Unlearn(context.Background(), m, dlfd.Data{Forget: one}, &dlfd.Options{BatchSize: 8}); err != nil {
		t.Fatal(err)
	}
	if gone, kept := accuracyOf(t, m, one), accuracyOf(t, m, rest); gone > kept-.2 {
		t.Errorf("accuracy on the class is %v, on others %v", gone, kept)
	}
}

func accuracyOf(t *testing.T, m feature.Model, d feature.Dataset) float64 {
	t.Helper()
	out, labels, err := feature.Predict(context.Background(), m, d, []string{m.Spec().Logits}, 32)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, y := range labels {
		if row := out[0].Row(i); row[y] == slices.Max(row) {
			right++
		}
	}
	return float64(right) / float64(len(labels))
}

// small is a model that knows what it is to forget by heart, and models that were trained
// without it.
type small struct {
	m       *featuretest.MLP
	data    dlfd.Data
	report  feature.Dataset // forget samples that steer nothing
	fresh   feature.Dataset
	retrain []metrics.Scores
}

func newSmall(t *testing.T) *small {
	t.Helper()
	k := &small{data: dlfd.Data{Retain: featuretest.NewBlobs(240, 6, 3, 1.2, 7, 1), Forget: featuretest.NewBlobs(120, 6, 3, 1.2, 7, 2), Holdout: featuretest.NewBlobs(200, 6, 3, 1.2, 7, 3)}, fresh: featuretest.NewBlobs(600, 6, 3, 1.2, 7, 4)}
	all, err := feature.Concat(k.data.Retain, k.data.Forget)
	if err != nil {
		t.Fatal(err)
	}
	if _, k.report, err = feature.Halves(k.data.Forget); err != nil {
		t.Fatal(err)
	}
	trained := func(d feature.Dataset, seed uint64) *featuretest.MLP {
		m := featuretest.NewMLP(6, 64, 3, seed)
		if _, err := train.Fit(context.Background(), m, d, &train.Options{Epochs: 100, Optimizer: train.Adam{Rate: .01}, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	k.m = trained(all, 1)
	for seed := range uint64(3) {
		k.retrain = append(k.retrain, k.scores(t, trained(k.data.Retain, 2+seed)))
	}
	return k
}

func (k *small) scores(t *testing.T, m feature.Model) metrics.Scores {
	t.Helper()
	losses := func(d feature.Dataset) []float64 {
		out, labels, err := feature.Predict(context.Background(), m, d, []string{m.Spec().Logits}, 32)
		v := make([]float64, len(labels))
		if err == nil {
			err = feature.CrossEntropies(v, out[0], labels)
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range v {
			v[i] = -v[i]
		}
		return v
	}
	auc, err := metrics.AUC(losses(k.report), losses(k.fresh))
	if err != nil {
		t.Fatal(err)
	}
	return metrics.Scores{Retain: accuracyOf(t, m, k.data.Retain), Forget: accuracyOf(t, m, k.report), Test: accuracyOf(t, m, k.fresh), AUC: auc}
}

// gap is the mean gap to the retrained models after a method; nil leaves the model as it is.
func (k *small) gap(t *testing.T, name string, u dlfd.Unlearner) float64 {
	t.Helper()
	m := featuretest.NewMLP(6, 64, 3, 1)
	for i, p := range k.m.P {
		copy(m.P[i], p)
	}
	if u != nil {
		if _, err := u.Unlearn(context.Background(), m, k.data, &dlfd.Options{Seed: 1}); err != nil {
			t.Fatal(name, err)
		}
	}
	v, sum := k.scores(t, m), 0.
	for _, r := range k.retrain {
		g, err := metrics.RetrainGap(v, r)
		if err != nil {
			t.Fatal(err)
		}
		sum += g.Mean / float64(len(k.retrain))
	}
	t.Logf("%-24s retain %.3f, forget %.3f, test %.3f, AUC %.3f, gap %.4f", name, v.Retain, v.Forget, v.Test, v.AUC, sum)
	return sum
}

// The price of doing without the retain set on a small model: the gap to retraining with
// all data, on recalled samples, with JiT, and with nothing done.
func TestRetainFreeGap(t *testing.T) {
	if testing.Short() {
		t.Skip("four models are trained")
	}
	k := newSmall(t)
	nothing := k.gap(t, "nothing", nil)
	k.gap(t, "JiT", baseline.JiT{})
	full := k.gap(t, "Align", dlfd.Align{})
	recalled := k.gap(t, "Align on recalled samples", baseline.RetainFree{Of: dlfd.Align{Match: .05}})
	if nothing < .05 || full > nothing/2 || recalled > nothing/2 {
		t.Errorf("gap %.4f with all data, %.4f on recalled samples, %.4f with nothing done", full, recalled, nothing)
	}
}
