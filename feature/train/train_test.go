package train_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// scalar is a model with one parameter, for which optimizers can be followed
// by hand.
type scalar struct {
	*featuretest.MLP
	w []float32
}

func (s *scalar) Spec() feature.Spec {
	return feature.Spec{Params: []feature.Param{{Name: "w", Shape: []int{1}, Trainable: true}}}
}
func (s *scalar) GetParam(_ int, dst []float32) error { copy(dst, s.w); return nil }
func (s *scalar) SetParam(_ int, src []float32) error { copy(s.w, src); return nil }

func walk(t *testing.T, o train.Optimizer, grads []float32) []float64 {
	t.Helper()
	m := &scalar{w: []float32{1}}
	state, err := o.Start(m.Spec())
	if err != nil {
		t.Fatal(err)
	}
	var path []float64
	for _, g := range grads {
		if err := state.Step(m, [][]float32{{g}}, 1); err != nil {
			t.Fatal(err)
		}
		path = append(path, float64(m.w[0]))
	}
	return path
}

// The expected paths were computed with PyTorch 1.13 (torch.optim.SGD with lr
// .1, momentum .9, weight_decay .01; torch.optim.AdamW with lr .1, betas .9 and
// .999, eps 1e-8, weight_decay .01) from w = 1 with gradients .5, -.25, 2.
func TestOptimizersFollowPyTorch(t *testing.T) {
	grads := []float32{.5, -.25, 2}
	for _, c := range []struct {
		name string
		opt  train.Optimizer
		want []float64
	}{
		{"sgd", train.SGD{Rate: .1, Momentum: .9, WeightDecay: .01}, sgdPath},
		{"adam", train.Adam{Rate: .1, WeightDecay: .01}, adamPath},
	} {
		for i, v := range walk(t, c.opt, grads) {
			if math.Abs(v-c.want[i]) > 2e-6 { // a few float32 roundings near 1
				t.Errorf("%s after step %d: w = %.8f, want %.8f", c.name, i, v, c.want[i])
			}
		}
	}
}

func TestOptimizersRefuseBadSettings(t *testing.T) {
	m := &scalar{w: []float32{1}}
	for _, o := range []train.Optimizer{
		train.SGD{}, train.SGD{Rate: -1}, train.SGD{Rate: math.NaN()}, train.SGD{Rate: .1, Momentum: 1}, train.SGD{Rate: .1, WeightDecay: -1},
		train.SGD{Rate: .1, Momentum: math.NaN()}, train.SGD{Rate: .1, WeightDecay: math.Inf(1)}, train.Adam{Rate: .1, Beta1: math.NaN()},
		train.Muon{}, train.Muon{Rate: math.NaN()}, train.Muon{Rate: .1, Momentum: 1}, train.Muon{Rate: .1, Vectors: -1},
		train.Adam{}, train.Adam{Rate: .1, Beta1: 1}, train.Adam{Rate: .1, Epsilon: -1},
	} {
		if _, err := o.Start(m.Spec()); !errors.Is(err, train.ErrParameter) {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	state, err := train.SGD{Rate: 1}.Start(m.Spec())
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Step(m, [][]float32{{1, 2}}, 1); !errors.Is(err, feature.ErrShape) || m.w[0] != 1 {
		t.Errorf("long gradient: %v", err)
	}
	if err := state.Step(m, [][]float32{{1}}, math.NaN()); !errors.Is(err, train.ErrParameter) || m.w[0] != 1 {
		t.Errorf("scale NaN: %v", err)
	}
}

// A parameter that is unfrozen late takes its first step then: Adam's correction
// of the moments counts the steps of each parameter.
func TestAdamCountsStepsByParameter(t *testing.T) {
	late := featuretest.NewMLP(2, 2, 2, 1)
	state, err := train.Adam{Rate: .1}.Start(late.Spec())
	if err != nil {
		t.Fatal(err)
	}
	grads := feature.NewGradients(late.Spec())
	for i := range grads[0] {
		grads[0][i] = 1
	}
	other := slices.Clone(grads)
	other[0] = nil
	for range 5 {
		if err := state.Step(late, other, 1); err != nil {
			t.Fatal(err)
		}
	}
	before := slices.Clone(late.P[0])
	if err := state.Step(late, grads, 1); err != nil {
		t.Fatal(err)
	}
	for i, w := range late.P[0] {
		if moved := float64(before[i] - w); math.Abs(moved-.1) > 1e-6 { // a first step is Rate long
			t.Errorf("weight %d moved by %v at its first step, want .1", i, moved)
		}
	}
}

func TestFitLearnsBlobs(t *testing.T) {
	m := featuretest.NewMLP(4, 16, 3, 1)
	d := featuretest.NewBlobs(90, 4, 3, .4, 7, 8)
	var steps int
	opt := &train.Options{Epochs: 20, BatchSize: 16, Seed: 3, Observer: func(p train.Progress) {
		if p.Step != steps || p.Steps != 20*6 {
			t.Errorf("progress %+v at step %d", p, steps)
		}
		steps++
	}}
	history, err := train.Fit(context.Background(), m, d, opt)
	if err != nil || len(history) != 20 {
		t.Fatal(history, err)
	}
	if last := history[19]; last > .1 || history[0] < 3*last {
		t.Errorf("mean loss went from %.3f to %.3f", history[0], last)
	}
	logits, labels, err := feature.Predict(context.Background(), m, featuretest.NewBlobs(300, 4, 3, .4, 7, 9), []string{"logits"}, 64)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, want := range labels {
		row := logits[0].Row(i)
		if slices.Index(row, slices.Max(row)) == want {
			right++
		}
	}
	if right < 270 {
		t.Errorf("%d of 300 fresh samples right", right)
	}
}

func TestFitIsRepeatableAndSeeded(t *testing.T) {
	d := featuretest.NewBlobs(50, 4, 3, .4, 7, 8)
	run := func(seed uint64) feature.Weights {
		m := featuretest.NewMLP(4, 8, 3, 1)
		if _, err := train.Fit(context.Background(), m, d, &train.Options{Epochs: 2, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		w, _ := feature.Snapshot(m)
		return w
	}
	a, b, c := run(1), run(1), run(2)
	if !slices.Equal(a[0], b[0]) {
		t.Error("equal seeds gave different weights")
	}
	if slices.Equal(a[0], c[0]) {
		t.Error("different seeds gave equal weights")
	}
}

func TestFitTrainsOnlyWhatItIsAsked(t *testing.T) {
	m := featuretest.NewMLP(4, 8, 3, 1)
	before, _ := feature.Snapshot(m)
	opt := &train.Options{Epochs: 1, Train: func(p feature.Param) bool { return p.Name == "w2" }}
	if _, err := train.Fit(context.Background(), m, featuretest.NewBlobs(40, 4, 3, .4, 7, 8), opt); err != nil {
		t.Fatal(err)
	}
	after, _ := feature.Snapshot(m)
	for i, p := range m.Spec().Params {
		if changed := !slices.Equal(before[i], after[i]); changed != (p.Name == "w2") {
			t.Errorf("%s changed: %v", p.Name, changed)
		}
	}
}

func TestFitErrors(t *testing.T) {
	ctx := context.Background()
	m := featuretest.NewMLP(4, 8, 3, 1)
	if _, err := train.Fit(ctx, m, featuretest.NewBlobs(0, 4, 3, 1, 1, 1), nil); !errors.Is(err, feature.ErrEmpty) {
		t.Errorf("empty dataset: %v", err)
	}
	if _, err := train.Fit(ctx, m, featuretest.NewBlobs(9, 4, 3, 1, 1, 1), &train.Options{Epochs: -1}); !errors.Is(err, train.ErrParameter) {
		t.Errorf("negative epochs: %v", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	opt := &train.Options{Observer: func(p train.Progress) {
		if p.Step == 2 {
			cancel()
		}
	}}
	if _, err := train.Fit(stopped, m, featuretest.NewBlobs(400, 4, 3, 1, 1, 1), opt); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	bad := featuretest.NewBlobs(9, 4, 3, 1, 1, 1)
	bad.X.Data[5] = float32(math.NaN())
	if _, err := train.Fit(ctx, m, bad, nil); !errors.Is(err, feature.ErrNotFinite) {
		t.Errorf("NaN in a sample: %v", err)
	}
}

func TestStepRefusesGradientsThatAreNotFinite(t *testing.T) {
	m := featuretest.NewMLP(4, 8, 3, 1)
	before, _ := feature.Snapshot(m)
	s, err := train.NewStepper(m, train.SGD{Rate: .1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := feature.ReadAll(featuretest.NewBlobs(6, 4, 3, 1, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Step(context.Background(), feature.Mode{}, b.X, []string{"logits"}, func(_, cot []feature.Tensor) error {
		cot[0].Data[0] = float32(math.Inf(1))
		return nil
	}, 1)
	if !errors.Is(err, train.ErrDiverged) {
		t.Fatalf("infinite gradient: %v", err)
	}
	after, _ := feature.Snapshot(m)
	for i := range before {
		if !slices.Equal(before[i], after[i]) {
			t.Errorf("parameter %d moved", i)
		}
	}
	for _, g := range s.Gradients() {
		if slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
			t.Error("the gradient was not cleared")
		}
	}
}

var (
	sgdPath  = []float64{0.949000000, 0.927151000, 0.706559749}
	adamPath = []float64{0.899000002, 0.871467299, 0.803531067}
)

// A pass that tracks moves the running statistics; if the step then fails, they
// go back.
func TestStepRestoresRunningStatistics(t *testing.T) {
	m, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{4}, Blocks: []int{1}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	before, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	x := feature.NewTensor(4, 1, 8, 8)
	for i := range x.Data {
		x.Data[i] = float32(i % 7)
	}
	s, err := train.NewStepper(m, train.SGD{Rate: .1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Step(context.Background(), feature.Mode{Train: true, Track: true}, x, []string{m.Spec().Logits}, func(_, cot []feature.Tensor) error {
		cot[0].Data[0] = float32(math.Inf(1))
		return nil
	}, 1)
	if !errors.Is(err, train.ErrDiverged) {
		t.Fatalf("infinite gradient: %v", err)
	}
	after, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Spec().Params {
		if !slices.Equal(before[i], after[i]) {
			t.Errorf("%s changed", p.Name)
		}
	}
}

// normed is a perceptron with batch norm over its one hidden layer.
func normed(t *testing.T) *nn.Network {
	t.Helper()
	b := nn.NewBuilder(1, 4)
	m, err := b.Build(b.Linear("fc2", b.ReLU(b.BatchNorm("bn", b.Linear("fc1", b.Input(), 5))), 3))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Train is asked about running statistics, too.
func TestFitLeavesFrozenStatistics(t *testing.T) {
	for _, c := range []struct {
		name  string
		train func(feature.Param) bool
	}{
		{"the last layer", func(p feature.Param) bool { return strings.HasPrefix(p.Name, "fc2.") }},
		{"all but one statistic", func(p feature.Param) bool { return p.Name != "bn.running_mean" }},
		{"one statistic", func(p feature.Param) bool { return p.Name == "bn.running_var" }},
		{"everything", nil},
	} {
		m := normed(t)
		before, _ := feature.Snapshot(m)
		opt := &train.Options{Epochs: 1, BatchSize: 8, Train: c.train}
		if _, err := train.Fit(context.Background(), m, featuretest.NewBlobs(32, 4, 3, .4, 7, 8), opt); err != nil {
			t.Fatal(err)
		}
		after, _ := feature.Snapshot(m)
		for i, p := range m.Spec().Params {
			if changed := !slices.Equal(before[i], after[i]); changed != (c.train == nil || c.train(p)) {
				t.Errorf("%s is trained: %s changed: %v", c.name, p.Name, changed)
			}
		}
	}
}

// A last batch of one sample joins the one before; a set of one sample runs with
// the statistics that the model has.
func TestFitOnOneSampleMore(t *testing.T) {
	for n, steps := range map[int]int{33: 1, 64: 2, 65: 2, 66: 3, 1: 1} {
		got := 0
		m := normed(t)
		before, _ := feature.Snapshot(m)
		history, err := train.Fit(context.Background(), m, featuretest.NewBlobs(n, 4, 3, .4, 7, 8), &train.Options{Epochs: 2, Observer: func(p train.Progress) { got = p.Steps }})
		if err != nil || got != 2*steps || len(history) != 2 {
			t.Errorf("%d samples: %d steps in two epochs, want %d; losses %v, %v", n, got, 2*steps, history, err)
		}
		after, _ := feature.Snapshot(m)
		for i, p := range m.Spec().Params {
			if p.Kind == feature.Statistic && slices.Equal(before[i], after[i]) != (n == 1) {
				t.Errorf("%d samples: %s moved: %v", n, p.Name, n == 1)
			}
		}
	}
	plain := featuretest.NewMLP(4, 8, 3, 1) // no batch norm: as ever
	if n := train.BatchCount(plain.Spec(), featuretest.NewBlobs(33, 4, 3, 1, 7, 8), 32); n != 2 {
		t.Errorf("%d batches without batch norm, want 2", n)
	}
}

func TestDescentRefusesSettings(t *testing.T) {
	m, d := featuretest.NewMLP(4, 8, 3, 1), featuretest.NewBlobs(9, 4, 3, 1, 1, 1)
	for _, o := range []train.Options{{Epochs: -1}, {BatchSize: -1}, {BatchSize: math.MaxInt}, {BatchSize: train.MaxBatch + 1}, {Epochs: math.MaxInt, BatchSize: 1}} {
		if _, err := train.Fit(context.Background(), m, d, &o); !errors.Is(err, train.ErrParameter) || !errors.Is(err, feature.ErrParameter) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
