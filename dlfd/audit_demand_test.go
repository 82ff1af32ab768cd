package dlfd_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

// trainedOn is a model that was trained on d.
func trainedOn(t *testing.T, d feature.Dataset, dim, classes int, seed uint64) *featuretest.MLP {
	t.Helper()
	m := featuretest.NewMLP(dim, 32, classes, seed)
	fit(t, m, d, 40, seed)
	return m
}

func fit(t *testing.T, m feature.Trainable, d feature.Dataset, epochs int, seed uint64) {
	t.Helper()
	if _, err := train.Fit(context.Background(), m, d, &train.Options{Epochs: epochs, Optimizer: train.Adam{Rate: .01}, Seed: seed}); err != nil {
		t.Fatal(err)
	}
}

// audits has the audit of a model beside the original and the retrained ones.
func audits(t *testing.T, m feature.Model, data dlfd.AuditData, original feature.Model, retrained ...feature.Model) *dlfd.Audited {
	t.Helper()
	opt := &dlfd.AuditOptions{Seed: 1, Training: &dlfd.Training{Rate: .01}}
	if original != nil {
		opt.Original = &dlfd.Reference{Model: original}
	}
	for _, r := range retrained {
		opt.Retrained = append(opt.Retrained, dlfd.Reference{Model: r})
	}
	a, err := dlfd.Audit(context.Background(), m, data, opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A class that goes is judged by its unseen samples: the original fails, and a model
// retrained without it passes beside two others, although attacks see no difference.
func TestAuditOfAClass(t *testing.T) {
	set, unseen := featuretest.NewBlobs(400, 6, 4, .6, 7, 1), featuretest.NewBlobs(400, 6, 4, .6, 7, 2)
	r, err := dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{1}}.Request(set, unseen)
	if err != nil {
		t.Fatal(err)
	}
	original := trainedOn(t, set, 6, 4, 1)
	var retrained []feature.Model
	for seed := range uint64(3) {
		retrained = append(retrained, trainedOn(t, r.Data.Retain, 6, 4, 10+seed))
	}
	a := audits(t, original, r.AuditData, original, retrained[0], retrained[1])
	c := a.Class
	if a.Judgment.Verdict != metrics.UnderUnlearned || c.Unseen.Value < .8 || c.UnseenSamples != 50 || c.OthersSamples != 150 || !slices.Equal(c.Classes, []int{1}) {
		t.Errorf("the original gets %v, %+v", a.Judgment, c)
	}
	if mixed := (50*c.Unseen.Value + 150*c.Others) / 200; math.Abs(mixed-a.TestAccuracy) > 1e-12 {
		t.Errorf("test accuracy %v with the class, %v within and %v without", a.TestAccuracy, c.Unseen.Value, c.Others)
	}
	a = audits(t, retrained[2], r.AuditData, original, retrained[0], retrained[1])
	if a.Judgment.Verdict != metrics.WithinBand || a.Class.Unseen.Value != 0 || a.Class.Others < .8 || a.Prototypes == nil || a.Kind != dlfd.KindClass {
		t.Errorf("the retrained model gets %v, %+v, prototypes %+v", a.Judgment, a.Class, a.Prototypes)
	}
	if because := a.Judgment.String(); !strings.Contains(because, "accuracy on unseen samples of the class 0.000 to") {
		t.Errorf("verdict %s", because)
	}
	alone := audits(t, original, r.AuditData, nil)
	if alone.Judgment.Verdict != metrics.UnderUnlearned || !strings.Contains(alone.Judgment.String(), "unseen samples of the class") {
		t.Errorf("without a retrained model the original gets %v", alone.Judgment)
	}
	if alone = audits(t, retrained[2], r.AuditData, original); alone.Judgment.Verdict != metrics.WithinBand {
		t.Errorf("without another retrained model a retrained one gets %v", alone.Judgment)
	}
	r.AuditData.Retain = set
	if _, err := dlfd.Audit(context.Background(), original, r.AuditData, nil); !errors.Is(err, dlfd.ErrOverlap) || !strings.Contains(err.Error(), "class 1, and sample 1 of retain") {
		t.Errorf("a class that is retained: %v", err)
	}
	r.AuditData.Demand = &dlfd.Demand{Kind: "group"}
	if _, err := dlfd.Audit(context.Background(), original, r.AuditData, nil); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("unknown kind: %v", err)
	}
}

// In a request for a class the recommended method pushes it away from what the model says
// of other classes, as its unseen samples are known too, and does not stop because the
// class cannot be told from these.
func TestAlignForgetsAClass(t *testing.T) {
	set, unseen := featuretest.NewBlobs(1600, 6, 4, .4, 7, 1), featuretest.NewBlobs(1600, 6, 4, .4, 7, 2)
	r, err := dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{1}}.Request(set, unseen)
	if err != nil {
		t.Fatal(err)
	}
	forget := func(data dlfd.Data, m *featuretest.MLP) (dlfd.Stop, float64) {
		res, err := dlfd.Align{}.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return res.Stop, accuracy(t, m, r.AuditData.NonMember)
	}
	if stop, left := forget(r.Data, trainedOn(t, set, 6, 4, 1)); stop != dlfd.Completed || left > .1 {
		t.Errorf("%s: %.3f of the class is told right", stop, left)
	}
	known := trainedOn(t, r.Data.Holdout, 6, 4, 1) // unseen samples are known better than those to forget
	r.Data.Holdout = unseen
	if stop, _ := forget(r.Data, known); stop == dlfd.NothingToForget {
		t.Error("the class is known, and the method stops")
	}
}

// wrongLabels is a set with wrong labels for each tenth sample, of which some are found.
func wrongLabels(t *testing.T, find int) (set, clean, unseen *featuretest.Blobs, d dlfd.Demand) {
	t.Helper()
	set, clean, unseen = featuretest.NewBlobs(600, 6, 3, .5, 7, 1), featuretest.NewBlobs(600, 6, 3, .5, 7, 1), featuretest.NewBlobs(400, 6, 3, .5, 7, 2)
	d = dlfd.Demand{Kind: dlfd.KindMislabeled, Relabel: true}
	for i := 0; i < 600; i += 10 {
		set.Labels[i] = (set.Labels[i] + 1) % 3
		if i/10 < find {
			d.Samples, d.Right = append(d.Samples, i), append(d.Right, clean.Labels[i])
		}
	}
	return set, clean, unseen, d
}

// Where all wrong labels are found the audit sees no more; where half of them are, it
// says so, and how many about.
func TestAuditOfWrongLabels(t *testing.T) {
	for _, find := range []int{60, 20} {
		set, _, unseen, d := wrongLabels(t, find)
		r, err := d.Request(set, unseen)
		if err != nil {
			t.Fatal(err)
		}
		retrained := featuretest.NewMLP(6, 32, 3, 3)
		fit(t, retrained, r.Data.Retain, 5, 3)
		a := audits(t, retrained, r.AuditData, nil)
		w, all := a.Mislabeled, strings.Join(a.Notes, "; ")
		if w == nil || w.Left == nil || w.Wrong > .2 || strings.Contains(all, "right labels are not known") {
			t.Fatalf("%d found: %+v, notes %s", find, w, all)
		}
		left := float64(60-find) / 600
		if (w.Left.Interval.Lo > 0) != (find < 60) || w.Left.Interval.Hi < left || strings.Contains(all, "wrong labels are still retained, about") != (find < 60) {
			t.Errorf("%d found, %.3f left: %+v; notes %s", find, left, w.Left, all)
		}
		// The whole forget set has its right labels.
		data := r.AuditData
		data.Forget, data.Member = r.Data.Forget, r.Data.Forget
		if a = audits(t, retrained, data, nil); a.Mislabeled.Right == nil || *a.Mislabeled.Right < .8 || *a.Mislabeled.Right+a.Mislabeled.Wrong > 1 {
			t.Errorf("%d found: %+v", find, a.Mislabeled)
		}
	}
}

// Without right labels attacks are no evidence unless retrained models stand beside.
func TestAuditOfWrongLabelsAlone(t *testing.T) {
	set, _, unseen, d := wrongLabels(t, 60)
	d.Right, d.Relabel = nil, false
	r, err := d.Request(set, unseen)
	if err != nil {
		t.Fatal(err)
	}
	original := trainedOn(t, set, 6, 3, 1)
	one, two := trainedOn(t, r.Data.Retain, 6, 3, 2), trainedOn(t, r.Data.Retain, 6, 3, 3)
	a := audits(t, two, r.AuditData, nil)
	if !strings.Contains(strings.Join(a.Notes, "; "), "right labels are not known") {
		t.Errorf("notes %q", a.Notes)
	}
	if j := a.Judgment; j != nil && strings.Contains(strings.Join(j.RestsOn, "; "), "attack AUC") {
		t.Errorf("the verdict %v rests on %q", j, j.RestsOn)
	}
	beside := audits(t, two, r.AuditData, original, one, trainedOn(t, r.Data.Retain, 6, 3, 4))
	if beside.Judgment.Verdict == metrics.UnderUnlearned || beside.LossAttack.AUC > .4 {
		t.Errorf("beside retrained models: %v, loss attack %.3f", beside.Judgment, beside.LossAttack.AUC)
	}
	if a = audits(t, original, r.AuditData, original, one, two); a.Judgment.Verdict != metrics.UnderUnlearned {
		t.Errorf("the original gets %v", a.Judgment)
	}
}

// A retrained model that did not learn is told, and no model passes beside it.
func TestBrokenRetrainedModel(t *testing.T) {
	m, data, opt := auditable(t)
	untrained := featuretest.NewMLP(6, 64, 3, 99)
	good := opt.Retrained
	for _, c := range []struct {
		retrained []dlfd.Reference
		want      string
	}{
		{[]dlfd.Reference{good[0], good[1], {Model: untrained}}, "retrained model 3 of 3 has a test accuracy of"},
		{[]dlfd.Reference{{Model: untrained}}, "retrained model 1 of 1 has a test accuracy of"},
		{good[:2], ""},
	} {
		opt.Retrained = c.retrained
		a, err := dlfd.Audit(context.Background(), good[2].Model, data, &opt)
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(a.Notes, "; ")
		if (c.want == "") != (all == "") || !strings.Contains(all, c.want) || c.want != "" && a.Judgment.Verdict == metrics.WithinBand {
			t.Errorf("%d retrained: %v; notes %q, want %q", len(c.retrained), a.Judgment, a.Notes, c.want)
		}
	}
	_ = m
}

// LiRA sees no membership in a model that is less sure of a class throughout: members
// and non-members are divided by the same deviation.
func TestSurenessIsNotMembership(t *testing.T) {
	set, unseen := featuretest.NewBlobs(300, 6, 3, 1.2, 7, 1), featuretest.NewBlobs(300, 6, 3, 1.2, 7, 2)
	r, err := dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{1}}.Request(set, unseen)
	if err != nil {
		t.Fatal(err)
	}
	original, one, two := trainedOn(t, set, 6, 3, 1), trainedOn(t, r.Data.Retain, 6, 3, 2), trainedOn(t, r.Data.Retain, 6, 3, 3)
	unsure := trainedOn(t, r.Data.Retain, 6, 3, 4)
	plain := audits(t, unsure, r.AuditData, original, one, two)
	unsure.P[3][1] -= 20 // the bias of the class
	a := audits(t, unsure, r.AuditData, original, one, two)
	t.Logf("LiRA %.3f, less sure of the class %.3f", plain.Attacks.LiRA.AUC, a.Attacks.LiRA.AUC)
	for _, v := range []float64{plain.Attacks.LiRA.AUC, a.Attacks.LiRA.AUC} {
		if math.Abs(v-.5) > .18 { // three standard errors, √(1/(6·50)), for 50 samples a side
			t.Errorf("LiRA tells samples apart that nobody was trained on: %.3f", v)
		}
	}
}
