package dlfd_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/metrics"
)

// A model that never saw the earlier forget sets has no drift; one that was trained on one
// of them again is told by the request, and one that lost its task by its accuracy.
func TestDrift(t *testing.T) {
	ctx := context.Background()
	retain, unseen := featuretest.NewBlobs(150, 6, 3, 1.2, 7, 1), featuretest.NewBlobs(300, 6, 3, 1.2, 7, 2)
	one, two := featuretest.NewBlobs(60, 6, 3, 1.2, 7, 3), featuretest.NewBlobs(60, 6, 3, 1.2, 7, 4)
	whole, err := feature.Concat(retain, one, two)
	if err != nil {
		t.Fatal(err)
	}
	back, err := feature.Concat(retain, two)
	if err != nil {
		t.Fatal(err)
	}
	first, clean, again := memorize(t, whole), memorize(t, retain), memorize(t, back)
	data := dlfd.DriftData{Unseen: unseen, Past: []dlfd.Past{{ID: "R-1", Forget: one}, {ID: "R-2", Forget: two, Was: &metrics.Interval{Lo: .4, Hi: .5}}}}
	d, err := dlfd.Drift(ctx, clean, first, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Advice) > 0 || len(d.Past) != 2 || *d.JS <= 0 || *d.CKA <= 0 || *d.CKA > 1 || *d.First != accuracy(t, first, unseen) || d.Accuracy != accuracy(t, clean, unseen) {
		t.Errorf("the clean model: %+v", d)
	}
	if p := d.Past[1]; p.ID != "R-2" || p.Samples != 60 || p.Accuracy != accuracy(t, clean, two) {
		t.Errorf("judged again: %+v", p)
	}
	if d, err = dlfd.Drift(ctx, again, first, data, nil); err != nil || len(d.Advice) != 1 || !strings.Contains(d.Advice[0], "request R-2 had to forget is told again") || !strings.Contains(d.Advice[0], "0.400 to 0.500 when") {
		t.Errorf("the second is back: %+v, %v", d, err)
	}
	if d, err = dlfd.Drift(ctx, first, first, data, nil); err != nil || len(d.Advice) != 2 || !strings.Contains(d.Advice[0], "request R-1 had to forget is told from unseen samples") || *d.JS != 0 || *d.CKA < .999 {
		t.Errorf("the first model: %+v, %v", d, err)
	}
	if d, err = dlfd.Drift(ctx, featuretest.NewMLP(6, 64, 3, 9), first, data, nil); err != nil || len(d.Advice) != 1 || !strings.Contains(d.Advice[0], "accuracy on unseen samples fell") {
		t.Errorf("a model without its task: %+v, %v", d, err)
	}
	if d, err = dlfd.Drift(ctx, clean, nil, dlfd.DriftData{Unseen: unseen, Past: []dlfd.Past{{ID: "R-3", Forget: featuretest.NewBlobs(1, 6, 3, 1, 7, 5)}}}, nil); err != nil || len(d.NotJudged) != 2 || d.JS != nil || d.CKA != nil {
		t.Errorf("no first model, one sample: %+v, %v", d, err)
	}
}

func memorize(t *testing.T, d feature.Dataset) *featuretest.MLP {
	t.Helper()
	m := featuretest.NewMLP(6, 64, 3, 1)
	fit(t, m, d, 200, 1)
	return m
}

func TestDriftErrors(t *testing.T) {
	m, d, empty := featuretest.NewMLP(6, 8, 3, 1), featuretest.NewBlobs(30, 6, 3, 1, 7, 1), featuretest.NewBlobs(0, 6, 3, 1, 7, 1)
	for _, c := range []struct {
		now, first feature.Model
		data       dlfd.DriftData
		err        error
		want       string
	}{
		{nil, nil, dlfd.DriftData{Unseen: d}, dlfd.ErrParameter, "no model"},
		{m, nil, dlfd.DriftData{}, dlfd.ErrEmpty, "unseen"},
		{m, nil, dlfd.DriftData{Unseen: d, Past: []dlfd.Past{{ID: "R-1", Forget: empty}}}, dlfd.ErrEmpty, "request R-1"},
		{m, nil, dlfd.DriftData{Unseen: d, Past: []dlfd.Past{{Forget: d}}}, dlfd.ErrParameter, "Past[0]"},
		{m, nil, dlfd.DriftData{Unseen: d, Past: []dlfd.Past{{ID: "R", Forget: d}, {ID: "R", Forget: d}}}, dlfd.ErrParameter, "Past[1]"},
		{m, featuretest.NewMLP(6, 8, 4, 1), dlfd.DriftData{Unseen: d}, feature.ErrShape, "3 classes, the first one [6] and 4"},
	} {
		if _, err := dlfd.Drift(context.Background(), c.now, c.first, c.data, nil); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %v with %q", err, c.err, c.want)
		}
	}
}
