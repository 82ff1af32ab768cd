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
