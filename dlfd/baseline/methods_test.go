package baseline_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// set returns samples of one distribution, which overlap.
func set(n int, seed uint64) *featuretest.Blobs { return featuretest.NewBlobs(n, 6, 3, 1.2, 7, seed) }

func task() dlfd.Data {
	return dlfd.Data{Retain: set(120, 1), Forget: set(24, 2), Holdout: set(60, 3)}
}

// trained returns a model that knows retain and forget samples by heart.
func trained(t *testing.T) *featuretest.MLP {
	t.Helper()
	m, err := trainOnce()
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Clone()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*featuretest.MLP)
}

var trainOnce = sync.OnceValues(func() (*featuretest.MLP, error) {
	m := featuretest.NewMLP(6, 40, 3, 1)
	d := task()
	all, err := feature.Concat(d.Retain, d.Forget)
	if err != nil {
		return nil, err
	}
	_, err = train.Fit(context.Background(), m, all, &train.Options{Epochs: 60, BatchSize: 16, Optimizer: train.SGD{Rate: .1, Momentum: .9}})
	return m, err
})

// scores returns the share of samples whose largest logit is right, and the mean
// cross-entropy.
func scores(t *testing.T, m feature.Model, d feature.Dataset) (accuracy, loss float64) {
	t.Helper()
	out, labels, err := feature.Predict(context.Background(), m, d, []string{m.Spec().Logits}, 32)
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range labels {
		row := out[0].Row(i)
		if slices.Max(row) == row[label] {
			accuracy++
		}
		var sum float64
		for _, v := range row {
			sum += math.Exp(float64(v - row[label]))
		}
		loss += math.Log(sum)
	}
	n := float64(len(labels))
	return accuracy / n, loss / n
}

func run(t *testing.T, u dlfd.Unlearner, m feature.Trainable) *dlfd.Result {
	t.Helper()
	res, err := u.Unlearn(context.Background(), m, task(), &dlfd.Options{Seed: 5, BatchSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// What a method must do to a model that knows both sets by heart: forget some, and
// keep most.
func TestMethodsForget(t *testing.T) {
	off := baseline.Limit{Harm: dlfd.Off}
	for _, c := range []struct {
		u              dlfd.Unlearner
		retain, forget float64 // accuracy: at least, at most
	}{
		{baseline.NegGrad{Descent: baseline.Descent{Epochs: 12, Rate: .05}, Limit: off}, .1, .8},
		{baseline.RandomLabel{Descent: baseline.Descent{Epochs: 20, Rate: .1}, Limit: off}, .8, .5},
		{baseline.SalUn{Descent: baseline.Descent{Epochs: 20, Rate: .1}, Limit: off, Share: .5}, .8, .5},
		{baseline.SCRUB{Descent: baseline.Descent{Epochs: 20, Rate: .01}, Limit: off, MaxEpochs: 18}, .8, .9},
		{baseline.BadTeacher{Descent: baseline.Descent{Epochs: 20, Rate: .1}, Limit: off, Share: 1}, .8, .8},
		{baseline.Surgery{Descent: baseline.Descent{Epochs: 20, Rate: .2}, Limit: off, Forgetting: .5}, .9, .9},
		{baseline.ShortRetrain{Descent: baseline.Descent{Epochs: 10}}, .8, .95},
		{baseline.EUk{Descent: baseline.Descent{Epochs: 10}}, .8, 1},
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

// Of a model of five layers, CF-k and EU-k change the last k, statistics of norms
// included, and leave the rest to the bit.
func TestLastLayers(t *testing.T) {
	images := func(n int, seed uint64) feature.Dataset {
		b := featuretest.NewBlobs(n, 3*6*6, 3, 1, 7, seed)
		b.X.Shape = []int{n, 3, 6, 6}
		return b
	}
	for _, k := range []int{1, 2} {
		for _, u := range []dlfd.Unlearner{baseline.CFk{K: k}, baseline.EUk{K: k}} {
			m, err := nn.ResNet(nn.ResNetConfig{Input: []int{3, 6, 6}, Classes: 3, Widths: []int{4, 4}, Blocks: []int{1, 1}, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			old, err := feature.Snapshot(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.Unlearn(context.Background(), m, dlfd.Data{Retain: images(24, 1), Forget: images(6, 2)}, &dlfd.Options{Seed: 1, BatchSize: 8}); err != nil {
				t.Fatal(err)
			}
			now, err := feature.Snapshot(m)
			if err != nil {
				t.Fatal(err)
			}
			params := m.Spec().Params
			left := k // layers from the end, told by their weights
			for i := len(params) - 1; i >= 0; i-- {
				if same := slices.Equal(old[i], now[i]); same != (left <= 0) {
					t.Errorf("%s, k %d: %q is as before: %v", dlfd.NameOf(u), k, params[i].Name, same)
				}
				if len(params[i].Shape) > 1 {
					left--
				}
			}
		}
	}
	for _, u := range []dlfd.Unlearner{baseline.CFk{K: 3}, baseline.EUk{K: -1}} {
		m := featuretest.NewMLP(6, 8, 3, 1)
		if _, err := u.Unlearn(context.Background(), m, task(), nil); !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%+v on two layers: %v", u, err)
		}
	}
}

// EU-k trains from other weights than it found, CF-k from those.
func TestEUkForgetsTheOldLayers(t *testing.T) {
	last := func(u dlfd.Unlearner, scale float32) []float32 {
		m := featuretest.NewMLP(6, 8, 3, 1)
		for i := range m.P[2] {
			m.P[2][i] *= scale
		}
		run(t, u, m)
		return m.P[2]
	}
	if !slices.Equal(last(baseline.EUk{K: 1}, 1), last(baseline.EUk{K: 1}, 2)) {
		t.Error("EU-k depends on the old weights of the last layer")
	}
	if slices.Equal(last(baseline.CFk{K: 1}, 1), last(baseline.CFk{K: 1}, 2)) {
		t.Error("CF-k does not depend on the old weights of the last layer")
	}
}

func TestShortRetrainForgetsAllWeights(t *testing.T) {
	fresh := func(seed uint64) (feature.Trainable, error) { return featuretest.NewMLP(6, 8, 3, seed), nil }
	for _, u := range []dlfd.Unlearner{baseline.ShortRetrain{}, baseline.ShortRetrain{Fresh: fresh}, baseline.Retrain{Epochs: 2}} {
		a, b := featuretest.NewMLP(6, 8, 3, 1), featuretest.NewMLP(6, 8, 3, 2)
		run(t, u, a)
		run(t, u, b)
		for i := range a.P {
			if !slices.Equal(a.P[i], b.P[i]) {
				t.Errorf("%s: parameter %d depends on the old weights", dlfd.NameOf(u), i)
			}
		}
	}
}

// A convolutional net without norms has them while it is retrained.
func TestShortRetrainWithInsertedNorms(t *testing.T) {
	train := func(seed uint64, noNorms bool) (feature.Weights, int64) {
		b := nn.NewBuilder(seed, 3, 6, 6)
		x := b.Input()
		for _, name := range []string{"a", "b", "c"} {
			x = b.ReLU(b.Conv(name, x, nn.Conv{Out: 4, Kernel: 3, Pad: 1, Bias: true}))
		}
		m, err := b.Build(b.Linear("out", b.Flatten(x), 3))
		if err != nil {
			t.Fatal(err)
		}
		images := func(n int, seed uint64) feature.Dataset {
			d := featuretest.NewBlobs(n, 3*6*6, 3, 1, 7, seed)
			d.X.Shape = []int{n, 3, 6, 6}
			return d
		}
		res, err := baseline.ShortRetrain{NoNorms: noNorms}.Unlearn(context.Background(), m, dlfd.Data{Retain: images(24, 1), Forget: images(6, 2)}, &dlfd.Options{Seed: 1, BatchSize: 8})
		if err != nil {
			t.Fatal(err)
		}
		w, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		return w, res.Ledger.Forward
	}
	a, passes := train(1, false)
	b, _ := train(2, false)
	plain, plainPasses := train(1, true)
	if passes != 3*24+2*24 || plainPasses != 3*24+2*24 { // an insertion looks at the retain set once; one look at the end with norms, and two without, after which little is known
		t.Errorf("%d passes with norms, %d without", passes, plainPasses)
	}
	for i := range a {
		if !slices.Equal(a[i], b[i]) {
			t.Errorf("parameter %d depends on the old weights", i)
		}
		if slices.Equal(a[i], plain[i]) {
			t.Errorf("parameter %d is the same without norms", i)
		}
	}
}

// ShrinkPerturb is Align without the match, to the bit.
func TestShrinkPerturbIsAlignWithoutMatch(t *testing.T) {
	a, b, c := trained(t), trained(t), trained(t)
	res := run(t, baseline.ShrinkPerturb{}, a)
	want := run(t, dlfd.Align{Match: dlfd.Off, Always: true}, b)
	run(t, dlfd.Align{Always: true}, c)
	for i := range a.P {
		if !slices.Equal(a.P[i], b.P[i]) || slices.Equal(a.P[i], c.P[i]) {
			t.Errorf("parameter %d: with and without the match", i)
		}
	}
	if res.Ledger.Steps != want.Ledger.Steps || res.Ledger.Backward != want.Ledger.Backward {
		t.Errorf("ledger is %+v, that of Align %+v", res.Ledger, want.Ledger)
	}
	if s := res.Settings.(baseline.ShrinkPerturb); s.Shrink != .173 || s.Perturb != 2.773 || s.Rate != .09 || s.Revisit != .7 || s.Epochs != 5 {
		t.Errorf("settings are %+v", s)
	}
}

func norm1(m *featuretest.MLP) float64 {
	var sum float64
	for _, p := range m.P {
		for _, v := range p {
			sum += math.Abs(float64(v))
		}
	}
	return sum
}

// One step of all samples is w − rate·(∇CE + 5e-4·w + γ·sign w).
func TestL1Sparse(t *testing.T) {
	const rate, gamma = .1, .02
	m := featuretest.NewMLP(4, 6, 3, 1)
	m.P[1][0] = 0 // has no sign
	g := gradient(t, m, data().Retain)
	want, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		for j, w := range want[i] {
			sign := 0.
			if w != 0 {
				sign = math.Copysign(1, float64(w))
			}
			want[i][j] -= float32(rate * (float64(g[i][j]) + 5e-4*float64(w) + gamma*sign))
		}
	}
	unlearn(t, baseline.L1Sparse{Descent: baseline.Descent{Epochs: 1, Rate: rate}, Gamma: gamma}, m, 20)
	for i := range want {
		for j, w := range want[i] {
			if math.Abs(float64(m.P[i][j]-w)) > 1e-6 {
				t.Fatalf("parameter %d, element %d is %v, want %v", i, j, m.P[i][j], w)
			}
		}
	}
	// γ is half of that at the second of two steps.
	l, opt := baseline.L1Sparse{Descent: baseline.Descent{Epochs: 2}, Gamma: gamma}, &dlfd.Options{BatchSize: 120}
	two, err := l.Unlearn(context.Background(), trained(t), task(), opt)
	if err != nil {
		t.Fatal(err)
	}
	m = trained(t)
	if _, err := (stopAt{l, 1}).Unlearn(context.Background(), m, task(), opt); err != nil {
		t.Fatal(err)
	}
	if _, ce := scores(t, m, task().Retain); math.Abs(two.Trace[1].Loss-ce-gamma/2*norm1(m)) > 1e-4 {
		t.Errorf("the second loss is %v, want %v + γ/2·%v", two.Trace[1].Loss, ce, norm1(m))
	}
	plain, sparse := trained(t), trained(t)
	run(t, baseline.L1Sparse{Gamma: 1e-9}, plain)
	run(t, baseline.L1Sparse{Gamma: .05}, sparse)
	if norm1(sparse) > .9*norm1(plain) {
		t.Errorf("‖w‖₁ is %v with γ, %v without", norm1(sparse), norm1(plain))
	}
}

// SalUn changes the share of the weights in which the gradient on the forget set is
// largest, and no other.
func TestSalUnKeepsToTheMask(t *testing.T) {
	for _, share := range []float64{.1, .5, 1} {
		m := trained(t)
		g := gradient(t, m, task().Forget)
		var sizes []float64
		for _, v := range g {
			for _, x := range v {
				sizes = append(sizes, math.Abs(float64(x)))
			}
		}
		slices.Sort(sizes)
		least := sizes[len(sizes)-int(share*float64(len(sizes))+.5)]
		old, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		run(t, baseline.SalUn{Share: share}, m)
		wrong, changed := 0, 0
		for i := range old {
			for j, w := range old[i] {
				salient := math.Abs(float64(g[i][j])) >= least
				if m.P[i][j] != w {
					changed++
				}
				// Sums in another order differ in the last bits, which may move one weight
				// at the threshold.
				if (m.P[i][j] != w) != salient {
					wrong++
				}
			}
		}
		if wrong > 2 {
			t.Errorf("share %v: %d of %d weights changed, %d of them against the mask", share, changed, len(sizes), wrong)
		}
	}
}

// A run that harms the task goes back, ends and says so.
func TestLimit(t *testing.T) {
	m := trained(t)
	_, before := scores(t, m, task().Retain)
	res := run(t, baseline.NegGrad{Descent: baseline.Descent{Epochs: 40, Rate: .05}}, m)
	limit := before + .1*math.Log(3)
	_, after := scores(t, m, task().Retain) // fewer samples than a look takes: all of them
	if res.Stop != dlfd.TaskHarmed || after > limit || res.Best >= res.Ledger.Steps || res.Ledger.Steps == 120 || len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "above the limit") {
		t.Errorf("stop %q at step %d, best %d, retain loss %v of at most %v, notes %q", res.Stop, res.Ledger.Steps, res.Best, after, limit, res.Notes)
	}
	if err := res.Last.Restore(m); err != nil {
		t.Fatal(err)
	}
	if _, last := scores(t, m, task().Retain); last <= limit {
		t.Errorf("the last weights have a retain loss of %v, below the limit of %v", last, limit)
	}
	free := trained(t)
	res = run(t, baseline.NegGrad{Descent: baseline.Descent{Epochs: 40, Rate: .05}, Limit: baseline.Limit{Harm: dlfd.Off}}, free)
	if _, after := scores(t, free, task().Retain); res.Stop != dlfd.Completed || after <= limit || res.Ledger.Steps != 120 {
		t.Errorf("without a limit: %q, retain loss %v", res.Stop, after)
	}
	// Looks are due every 75 steps; the batches tell before.
	for _, u := range []dlfd.Unlearner{
		baseline.NegGradPlus{Descent: baseline.Descent{Epochs: 100, Rate: .1}, Beta: 5},
		baseline.Surgery{Descent: baseline.Descent{Epochs: 100, Rate: 2}, Forgetting: .9},
	} {
		m = trained(t)
		res = run(t, u, m)
		if _, after := scores(t, m, task().Retain); res.Stop != dlfd.TaskHarmed || res.Ledger.Steps >= 75 || after > limit {
			t.Errorf("%s between looks: %q after %d steps, retain loss %v", res.Method, res.Stop, res.Ledger.Steps, after)
		}
	}
	// SCRUB may make good what an ascent harms, but not everything.
	m = trained(t)
	res = run(t, baseline.SCRUB{Descent: baseline.Descent{Epochs: 20, Rate: .5}, MaxEpochs: 20}, m)
	if _, after := scores(t, m, task().Retain); res.Stop != dlfd.TaskHarmed || res.Ledger.Steps >= 20*(3+15) || after > limit {
		t.Errorf("SCRUB: %q after %d steps, retain loss %v", res.Stop, res.Ledger.Steps, after)
	}
	// A budget ends the run between looks; the last step is looked at all the same.
	m = trained(t)
	res, err := baseline.NegGrad{Descent: baseline.Descent{Epochs: 100, Rate: 300}}.Unlearn(context.Background(), m, task(), &dlfd.Options{BatchSize: 8, Budget: dlfd.Budget{Passes: 130}})
	if err != nil || res.Stop != dlfd.TaskHarmed || res.Best != 0 {
		t.Errorf("%v, %+v", err, res)
	}
}

// A watch, such as that of Rewind, sees the model after steps on the retain set alone.
func TestWatchOfSCRUB(t *testing.T) {
	var seen []int
	watch := func(_ context.Context, s *dlfd.Session, done bool) error {
		if !done {
			seen = append(seen, s.Result.Ledger.Steps)
		}
		return nil
	}
	if _, err := (baseline.SCRUB{Descent: baseline.Descent{Epochs: 2}, MaxEpochs: 1}).Unlearn(context.Background(), trained(t), task(), &dlfd.Options{BatchSize: 24, Watch: watch}); err != nil {
		t.Fatal(err)
	}
	if want := []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; !slices.Equal(seen, want) { // one step on forget, five on retain, five on retain
		t.Errorf("steps %v, want %v", seen, want)
	}
}

// A descent at a rate that is too large for the model harms the task without any
// ascent: the run says so, and the model has its old weights.
func TestDescentThatHarms(t *testing.T) {
	for _, u := range []dlfd.Unlearner{
		baseline.L1Sparse{Descent: baseline.Descent{Rate: 2}, Gamma: .5},
		baseline.CFk{Descent: baseline.Descent{Rate: 40}, K: 2},
	} {
		m := trained(t)
		old, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		res := run(t, u, m)
		now, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		if res.Stop != dlfd.TaskHarmed || len(res.Notes) != 1 || !slices.EqualFunc(old, now, slices.Equal[[]float32]) {
			t.Errorf("%s: %q, notes %q", res.Method, res.Stop, res.Notes)
		}
	}
}
