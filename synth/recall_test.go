package synth_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/synth"
)

// pictures are blobs in the shape of images with normalized pixels.
type pictures struct{ *featuretest.Blobs }

func (pictures) Shape() []int { return []int{1, 8, 8} }

var gray = feature.Pixels{Mean: []float64{.5}, Std: []float64{.25}}

func learnt(t *testing.T) (*nn.Network, feature.Dataset) {
	t.Helper()
	m, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{4, 8}, Blocks: []int{1, 1}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	d := pictures{featuretest.NewBlobs(240, 64, 3, .8, 7, 1)}
	if _, err := train.Fit(context.Background(), m, d, &train.Options{Epochs: 5}); err != nil {
		t.Fatal(err)
	}
	return m, d
}

// right returns the share of samples that m gets right.
func right(t *testing.T, m feature.Model, d feature.Dataset) float64 {
	t.Helper()
	out, labels, err := feature.Predict(context.Background(), m, d, []string{m.Spec().Logits}, 32)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, y := range labels {
		if row := out[0].Row(i); slices.Max(row) == row[y] {
			n++
		}
	}
	return float64(n) / float64(len(labels))
}

func TestRecall(t *testing.T) {
	m, real := learnt(t)
	other, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{8}, Blocks: []int{1}, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(context.Background(), other, real, &train.Options{Epochs: 5, Seed: 4}); err != nil {
		t.Fatal(err)
	}
	r := synth.Recall{PerClass: 10, BatchSize: 30, Steps: 100, Pixels: gray, Seed: 3}
	before := snapshot(t, m)
	d, err := r.Samples(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	r.Statistics = synth.Off
	free, err := r.Samples(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, snapshot(t, m)) {
		t.Error("the weights or the statistics of the model changed")
	}
	t.Logf("%d samples: loss %.3f, statistics %.3f; the model gets %.2f right, one that was trained on real samples %.2f (%.2f without statistics)", d.Len(), d.Loss, d.Statistics, right(t, m, d), right(t, other, d), right(t, other, free))
	if d.Len() != 30 || d.Loss > .3 || d.Statistics > .1 || right(t, m, d) < .95 {
		t.Errorf("%d samples, loss %v, statistics %v, %v right", d.Len(), d.Loss, d.Statistics, right(t, m, d))
	}
	if right(t, other, d) < .5 { // chance is .33
		t.Errorf("another model gets %v right", right(t, other, d))
	}
	all, err := feature.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	if lo, hi := slices.Min(all.X.Data), slices.Max(all.X.Data); lo < -2 || hi > 2 { // (0 − .5)/.25 and (1 − .5)/.25
		t.Errorf("pixels from %v to %v", lo, hi)
	}
	featuretest.RunDataset(t, d)
}

func snapshot(t *testing.T, m feature.Trainable) []float32 {
	t.Helper()
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(w...)
}

// Classes can be left out, a model without statistics recalls too, equal arguments give
// equal bits at any GOMAXPROCS, and seeds and batches others.
func TestRecallOfVectors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	m := featuretest.NewMLP(6, 16, 3, 1)
	if _, err := train.Fit(context.Background(), m, featuretest.NewBlobs(120, 6, 3, .6, 7, 1), &train.Options{Epochs: 20}); err != nil {
		t.Fatal(err)
	}
	var first []float32
	for i, procs := range []int{1, 4, 4} {
		runtime.GOMAXPROCS(procs)
		d, err := synth.Recall{PerClass: 13, BatchSize: 5, Steps: 100, Leave: func(c int) bool { return c == 1 }, Seed: uint64(i / 2)}.Samples(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		all, err := feature.ReadAll(d)
		if err != nil || d.Len() != 26 || slices.Contains(all.Labels, 1) || d.Statistics != 0 || right(t, m, d) < .95 {
			t.Fatalf("%d samples, labels %v, %v right, %v", d.Len(), all.Labels, right(t, m, d), err)
		}
		switch {
		case i == 0:
			first = all.X.Data
		case slices.Equal(first, all.X.Data) != (i == 1):
			t.Errorf("run %d: the samples are equal: %v", i, i != 1)
		}
	}
}

func TestRecallOutOfRange(t *testing.T) {
	m, _ := learnt(t)
	for name, r := range map[string]synth.Recall{
		"PerClass": {PerClass: -1}, "BatchSize": {BatchSize: 1}, "Steps": {Steps: -1}, "Rate": {Rate: math.Inf(1)},
		"Statistics": {Statistics: -.5}, "Variation": {Variation: math.NaN()}, "Norm": {Norm: -2}, "Box": {Box: 7},
	} {
		if _, err := r.Samples(context.Background(), m); !errors.Is(err, synth.ErrParameter) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := (synth.Recall{Pixels: feature.Pixels{Mean: []float64{1, 2}, Std: []float64{1, 1}}}).Samples(context.Background(), m); !errors.Is(err, feature.ErrShape) {
		t.Errorf("pixels of two channels: error is %v", err)
	}
	if _, err := (synth.Recall{Taps: []string{"none"}}).Samples(context.Background(), m); !errors.Is(err, feature.ErrNoTap) {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (synth.Recall{Steps: 2}).Samples(ctx, m); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
