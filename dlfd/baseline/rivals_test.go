package baseline_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// trainedOn returns an MLP that knows the blobs of three(), and the data.
func trainedOn(t *testing.T) (*featuretest.MLP, dlfd.Data) {
	t.Helper()
	m, d := featuretest.NewMLP(4, 12, 3, 1), three()
	all, err := feature.Concat(d.Retain, d.Forget)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(context.Background(), m, all, &train.Options{Epochs: 20, BatchSize: 16}); err != nil {
		t.Fatal(err)
	}
	return m, d
}

func three() dlfd.Data {
	return dlfd.Data{
		Retain:  featuretest.NewBlobs(60, 4, 3, .7, 7, 1),
		Forget:  featuretest.NewBlobs(24, 4, 3, .7, 7, 2),
		Holdout: featuretest.NewBlobs(30, 4, 3, .7, 7, 3),
	}
}

func runOn(t *testing.T, u dlfd.Unlearner, m feature.Trainable, d dlfd.Data, opt dlfd.Options) *dlfd.Result {
	t.Helper()
	res, err := u.Unlearn(context.Background(), m, d, &opt)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// taps returns the hidden activations and the logits for all samples.
func taps(t *testing.T, m *featuretest.MLP, x feature.Tensor) (hidden, logits feature.Tensor) {
	t.Helper()
	hidden, logits = feature.NewTensor(x.Rows(), m.Hidden), feature.NewTensor(x.Rows(), m.Out)
	if err := m.Forward(context.Background(), x, []string{"hidden", "logits"}, []feature.Tensor{hidden, logits}); err != nil {
		t.Fatal(err)
	}
	return hidden, logits
}

// softmax returns the distribution of a row of logits.
func softmax(z []float32) []float64 {
	p := make([]float64, len(z))
	var sum float64
	for i, v := range z {
		p[i] = math.Exp(float64(v))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// loss returns the mean cross-entropy.
func loss(t *testing.T, m *featuretest.MLP, x feature.Tensor, labels []int) float64 {
	t.Helper()
	_, z := taps(t, m, x)
	var sum float64
	for i, y := range labels {
		sum -= math.Log(softmax(z.Row(i))[y])
	}
	return sum / float64(len(labels))
}

func blobs(d feature.Dataset) *featuretest.Blobs { return d.(*featuretest.Blobs) }

// BoundaryShrink trains the wrong labels in: the loss of the right ones rises.
func TestBoundaryShrinkForgets(t *testing.T) {
	m, d := trainedOn(t)
	f := blobs(d.Forget)
	before := loss(t, m, f.X, f.Labels)
	res := runOn(t, baseline.BoundaryShrink{Rate: .02}, m, dlfd.Data{Forget: d.Forget}, dlfd.Options{BatchSize: 8})
	if after := loss(t, m, f.X, f.Labels); after < before+.2 {
		t.Errorf("the loss went from %v to %v", before, after)
	}
	if first, last := res.Trace[0].Loss, res.Trace[len(res.Trace)-1].Loss; last > first {
		t.Errorf("the loss of the wrong labels went from %v to %v", first, last)
	}
}

// UNSIR forgets a class that goes as a whole and keeps the others.
func TestUNSIRForgetsAClass(t *testing.T) {
	m, d := trainedOn(t)
	all, err := feature.Concat(d.Retain, d.Forget)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := feature.Labels(all)
	if err != nil {
		t.Fatal(err)
	}
	if d.Forget, d.Retain, err = feature.Partition(all, func(i int) bool { return labels[i] == 2 }); err != nil {
		t.Fatal(err)
	}
	forget, err := feature.ReadAll(d.Forget)
	if err != nil {
		t.Fatal(err)
	}
	before := loss(t, m, forget.X, forget.Labels)
	res := runOn(t, baseline.UNSIR{PerClass: 64, Impair: .02, Repair: .05}, m, d, dlfd.Options{BatchSize: 8})
	retain, err := feature.ReadAll(d.Retain)
	if err != nil {
		t.Fatal(err)
	}
	if after, keep := loss(t, m, forget.X, forget.Labels), loss(t, m, retain.X, retain.Labels); after < before+.3 || keep > .1 {
		t.Errorf("forget loss went from %v to %v, retain loss is %v (%s, %q)", before, after, keep, res.Stop, res.Notes)
	}
	if want := (64 + 56 + 56) / 8; res.Ledger.Steps != want {
		t.Errorf("%d steps, want %d", res.Ledger.Steps, want)
	}
}

// Where the repair does not mend what was impaired, the weights are the old ones, and
// the result says so.
func TestUNSIRSaysWhenItHarms(t *testing.T) {
	m, d := trainedOn(t)
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	res := runOn(t, baseline.UNSIR{Impair: .5, Repair: 1e-9}, m, d, dlfd.Options{BatchSize: 8})
	if res.Stop != dlfd.TaskHarmed || len(res.Notes) == 0 || !reflect.DeepEqual(old, feature.Weights(m.P[:])) {
		t.Errorf("stop %q, notes %q", res.Stop, res.Notes)
	}
}

// What the methods must do to a model that knows both sets by heart: forget some, and
// keep most.
func TestRivalsForget(t *testing.T) {
	off := baseline.Limit{Harm: dlfd.Off}
	for _, c := range []struct {
		u              dlfd.Unlearner
		retain, forget float64 // accuracy: at least, at most
	}{
		{baseline.DUCK{Limit: off, LambdaForget: 10, Target: .1, Epochs: 20, Rate: .005}, .9, .85},
		{baseline.AMUN{Descent: baseline.Descent{Epochs: 20, Rate: .1}, Limit: off}, .9, .9},
		{baseline.MSG{Descent: baseline.Descent{Epochs: 10, Rate: .05}, Share: .7}, .8, .96},
		{baseline.UNSIR{Limit: off, Impair: .2, Repair: .02}, .7, .9},
		{baseline.BoundaryShrink{Epochs: 4, Rate: .01}, .5, .5},
		{baseline.ReGUn{Descent: baseline.Descent{Epochs: 20, Rate: .05}, Lambda: 1}, .8, .8},
		{baseline.SSD{Alpha: 1, Lambda: .1, Limit: off}, .5, .96},
	} {
		m := trained(t)
		res := run(t, c.u, m)
		keep, _ := scores(t, m, task().Retain)
		lose, _ := scores(t, m, task().Forget)
		if keep < c.retain || lose > c.forget {
			t.Errorf("%s: accuracy %.3f on retain, want at least %v; %.3f on forget, want at most %v", res.Method, keep, c.retain, lose, c.forget)
		}
	}
}

// Every method runs on normalized images and a net with batch norm, whose statistics
// those without a retain set leave alone.
func TestRivalsOnImages(t *testing.T) {
	images := func(n int, seed uint64) *featuretest.Blobs {
		b := featuretest.NewBlobs(n, 3*6*6, 3, .5, 7, seed)
		b.X.Shape = []int{n, 3, 6, 6}
		b.Scale = feature.Pixels{Mean: []float64{.5}, Std: []float64{.2}}
		for i, v := range b.X.Data { // pixels from 0 to 1
			b.X.Data[i] = min(max(v, -2.5), 2.5)
		}
		return b
	}
	for _, list := range rivals() {
		m, err := nn.ResNet(nn.ResNetConfig{Input: []int{3, 6, 6}, Classes: 3, Widths: []int{4}, Blocks: []int{1}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		old, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		d := dlfd.Data{Retain: images(24, 1), Forget: images(9, 2), Holdout: images(12, 3)}
		res := runOn(t, list[0], m, d, dlfd.Options{BatchSize: 8})
		now, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		moved := map[feature.ParamKind]bool{}
		for i, p := range m.Spec().Params {
			moved[p.Kind] = moved[p.Kind] || !slices.Equal(old[i], now[i])
		}
		changed := res.Stop != dlfd.NothingDone && res.Stop != dlfd.TaskHarmed
		want := changed && !slices.Contains([]string{"SSD", "BoundaryShrink", "JiT"}, res.Method)
		if moved[feature.Weight] != changed || moved[feature.Statistic] != want {
			t.Errorf("%s: weights changed: %v; statistics changed: %v, want %v (%s, %q)", res.Method, moved[feature.Weight], moved[feature.Statistic], want, res.Stop, res.Notes)
		}
	}
}

// rivals has settings out of range for each of the methods here.
func rivals() [][]dlfd.Unlearner {
	return [][]dlfd.Unlearner{
		{baseline.UNSIR{}, baseline.UNSIR{Steps: -1}, baseline.UNSIR{Penalty: math.NaN()}, baseline.UNSIR{PerClass: -1}, baseline.UNSIR{Impair: -1}, baseline.UNSIR{Limit: baseline.Limit{Harm: -2}}},
		{baseline.SSD{}, baseline.SSD{Alpha: -1}, baseline.SSD{Lambda: math.Inf(1)}, baseline.SSD{Samples: -1}},
		{baseline.BoundaryShrink{}, baseline.BoundaryShrink{Epsilon: -1}, baseline.BoundaryShrink{Epochs: -1}, baseline.BoundaryShrink{Rate: math.NaN()}},
		{baseline.DUCK{}, baseline.DUCK{LambdaForget: -1}, baseline.DUCK{Temperature: math.Inf(1)}, baseline.DUCK{Target: 1.1}, baseline.DUCK{Epochs: -1}},
		{baseline.AMUN{}, baseline.AMUN{Radius: -1}, baseline.AMUN{Doublings: 100}, baseline.AMUN{Steps: -1}},
		{baseline.MSG{}, baseline.MSG{Share: 1.1}, baseline.MSG{Damp: -2}},
		{baseline.JiT{}, baseline.JiT{Sigma: -1}, baseline.JiT{Samples: -1}, baseline.JiT{Rate: math.NaN()}},
		{baseline.ReGUn{}, baseline.ReGUn{Lambda: -1}, baseline.ReGUn{Descent: baseline.Descent{Rate: -1}}},
	}
}

func TestRivalSettings(t *testing.T) {
	for _, list := range rivals() {
		m, d := trainedOn(t)
		res := runOn(t, list[0], m, d, dlfd.Options{})
		text, err := json.Marshal(res.Settings)
		if err != nil {
			t.Fatal(err)
		}
		again := reflect.New(reflect.TypeOf(list[0]))
		if err := json.Unmarshal(text, again.Interface()); err != nil || !reflect.DeepEqual(again.Elem().Interface(), res.Settings) {
			t.Errorf("%s reads back as %+v: %v", text, again.Elem(), err)
		}
		for _, u := range list[1:] {
			if _, err := u.Unlearn(context.Background(), m, d, nil); !errors.Is(err, dlfd.ErrParameter) {
				t.Errorf("%T %+v: %v", u, u, err)
			}
		}
	}
}
