package dlfd_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// twoLabels are samples with a label of three classes and one of two.
func twoLabels(n int, seed uint64) *featuretest.Blobs {
	b := featuretest.NewBlobs(n, 16, 6, 2.5, 7, seed)
	b.Multi = []feature.Target{{Name: "tilt", Classes: 3}, {Name: "glasses", Classes: 2}}
	return b
}

// twoHeads returns a model that was trained on the given data.
func twoHeads(t *testing.T, seed uint64, parts ...feature.Dataset) *featuretest.MLP {
	t.Helper()
	m := featuretest.NewMLP(16, 24, 4, seed)
	m.Heads = feature.Heads{{Name: "tilt", Width: 3}, {Name: "glasses", Kind: feature.SigmoidHead, Width: 1}}
	d, err := feature.Concat(parts...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(t.Context(), m, d, &train.Options{Epochs: 60, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	return m
}

// Align brings the attack on every head down, and says the scores of each.
func TestAlignOnTwoHeads(t *testing.T) {
	data := dlfd.Data{Retain: twoLabels(120, 1), Forget: twoLabels(60, 2), Holdout: twoLabels(60, 3)}
	m := twoHeads(t, 1, data.Retain, data.Forget)
	res, err := dlfd.Align{}.Unlearn(t.Context(), m, data, &dlfd.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	first, last := res.Scores[0], res.Scores[len(res.Scores)-1]
	var auc float64
	for k := range 2 {
		auc += last.Heads[k].AUC / 2
		if first.Heads[k].AUC < .6 || last.Heads[k].AUC > first.Heads[k].AUC-.05 {
			t.Errorf("head %d: AUC %v before and %v after", k, first.Heads[k].AUC, last.Heads[k].AUC)
		}
	}
	if math.Abs(auc-last.AUC) > 1e-15 || last.Heads[0].Heads != nil {
		t.Errorf("the score is %v, the mean of the heads %v", last.AUC, auc)
	}
}

func TestAuditHeads(t *testing.T) {
	retain, forget, test := twoLabels(120, 1), twoLabels(60, 2), twoLabels(60, 4)
	m := twoHeads(t, 1, retain, forget)
	data := dlfd.AuditData{Retain: retain, Forget: forget, Test: test, Member: forget, NonMember: test}
	var opt dlfd.AuditOptions
	for seed := range uint64(3) {
		opt.Retrained = append(opt.Retrained, dlfd.Reference{Model: twoHeads(t, 10+seed, retain)})
	}
	got, err := dlfd.AuditHeads(t.Context(), m, data, &opt)
	if err != nil {
		t.Fatal(err)
	}
	var gap, test2, nomus float64
	for k, h := range got.Heads {
		if want := twoLabels(1, 1).Multi[k].Name; h.Name != want || h.Gap == nil || h.Gap.Band == nil {
			t.Fatalf("head %d is %q: %+v", k, h.Name, h.NotJudged)
		}
		gap, test2, nomus = gap+h.Gap.Mean/2, test2+h.TestAccuracy/2, nomus+h.NoMUS/2
		checkAccuracy(t, m, forget, k, h.ForgetAccuracy)
	}
	mean := got.Mean
	if math.Abs(*mean.Gap-gap) > 1e-15 || math.Abs(mean.TestAccuracy-test2) > 1e-15 || math.Abs(mean.NoMUS-nomus) > 1e-15 || mean.Attacked != 2 || *mean.Bands != *mean.Gap / *mean.Band {
		t.Errorf("means %+v, want gap %v, test %v, NoMUS %v", mean, gap, test2, nomus)
	}
	single := data
	single.Test = featuretest.NewBlobs(60, 16, 2, 1, 7, 1)
	audited := opt
	audited.Original = &dlfd.Reference{Model: m, Audited: got.Heads[0].Audited}
	one := featuretest.NewMLP(16, 4, 6, 1)
	for want, err := range map[string]error{
		"use AuditHeads":   errorOf(dlfd.Audit(t.Context(), m, data, nil)),
		"use Audit":        errorOf(dlfd.AuditHeads(t.Context(), one, data, nil)),
		"2 labels":         errorOf(dlfd.Audit(t.Context(), one, data, nil)),
		"1 labels":         errorOf(dlfd.AuditHeads(t.Context(), m, single, nil)),
		"Retrained 0: fea": errorOf(dlfd.AuditHeads(t.Context(), m, data, &dlfd.AuditOptions{Retrained: []dlfd.Reference{{Model: one}}})),
	} {
		if !errors.Is(err, feature.ErrHeads) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := dlfd.AuditHeads(t.Context(), m, data, &audited); !errors.Is(err, dlfd.ErrParameter) {
		t.Error(err)
	}
	if _, err := dlfd.AuditHeads(t.Context(), m, dlfd.AuditData{}, nil); !errors.Is(err, dlfd.ErrEmpty) {
		t.Error(err)
	}
}

// checkAccuracy counts by the logits, without the views.
func checkAccuracy(t *testing.T, m *featuretest.MLP, d *featuretest.Blobs, k int, got float64) {
	t.Helper()
	z, labels, err := feature.Predict(t.Context(), m, d, []string{"logits"}, 7)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, label := range labels {
		row := z[0].Row(i)
		tilt, glasses := label/2, label%2
		if k == 1 && (row[3] > 0) == (glasses == 1) || k == 0 && row[tilt] == max(row[0], row[1], row[2]) {
			right++
		}
	}
	if want := float64(right) / float64(len(labels)); math.Abs(got-want) > 1e-12 {
		t.Errorf("head %d: accuracy %v, want %v", k, got, want)
	}
}

func errorOf[T any](_ T, err error) error { return err }

// A multi-label classifier in an ONNX file goes in and out: it is read with the heads
// that its outputs say, unlearned, written, and read again as what it is in memory.
func TestHeadsThroughONNX(t *testing.T) {
	blobs := func(n int, seed uint64) *featuretest.Blobs {
		b := featuretest.NewBlobs(n, 16, 8, 2, 7, seed)
		b.Multi = []feature.Target{{Name: "smile", Classes: 2}, {Name: "glasses", Classes: 2}, {Name: "left", Classes: 2}}
		return b
	}
	data := dlfd.Data{Retain: blobs(96, 1), Forget: blobs(48, 2), Holdout: blobs(48, 3)}
	names := []string{"smile", "glasses", "left"}
	net, err := nn.MLP(nn.MLPConfig{Input: []int{16}, Heads: feature.Sigmoids(3, names...), Hidden: []int{32}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	all, err := feature.Concat(data.Retain, data.Forget)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(t.Context(), net, all, &train.Options{Epochs: 40}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, out := filepath.Join(dir, "in.onnx"), filepath.Join(dir, "out.onnx")
	if err := net.SaveONNX(path); err != nil {
		t.Fatal(err)
	}
	load := func(path string) *onnx.Model {
		m, err := onnx.Load(path, &onnx.Options{Heads: names})
		if err != nil {
			t.Fatal(err)
		}
		if h := m.Spec().Heads; !slices.Equal(h, net.Spec().Heads) {
			t.Fatalf("%s: heads %+v", path, h)
		}
		return m
	}
	m := load(path)
	res, err := dlfd.Align{Always: true}.Unlearn(t.Context(), m, data, nil)
	if err != nil || len(res.Scores[0].Heads) != 3 {
		t.Fatalf("%v: %+v", err, res)
	}
	if err := m.Save(out); err != nil {
		t.Fatal(err)
	}
	logits := func(m feature.Model) []float32 {
		z, _, err := feature.Predict(t.Context(), m, data.Holdout, []string{m.Spec().Logits}, 16)
		if err != nil {
			t.Fatal(err)
		}
		return z[0].Data
	}
	if want := logits(m); !slices.Equal(logits(load(out)), want) || slices.Equal(logits(load(path)), want) {
		t.Error("the file does not have the weights of the unlearned model")
	}
}

// A run on several heads that was stopped goes on to the same bits: the log-odds of every
// head are in the checkpoint.
func TestResumeOnTwoHeads(t *testing.T) {
	data := dlfd.Data{Retain: twoLabels(60, 1), Forget: twoLabels(30, 2), Holdout: twoLabels(30, 3)}
	start := twoHeads(t, 1, data.Retain, data.Forget)
	run := func(c train.Checkpoint, until int) ([]float32, error) {
		m, err := start.Clone()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err = dlfd.Align{Always: true}.Unlearn(ctx, m, data, &dlfd.Options{Seed: 1, BatchSize: 8, Checkpoint: c, Observer: func(e dlfd.Event) {
			if e.Point != nil && e.Step == until {
				cancel()
			}
		}})
		return weights(t, m), err
	}
	want, err := run(train.Checkpoint{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 4}
	if _, err := run(c, 17); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got, err := run(c, 0); err != nil || !slices.Equal(got, want) {
		t.Errorf("other weights than without a stop (%v)", err)
	}
}
