package dlfd_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// plainNet returns a network with a shortcut and no batch norm, or with norms
// where they are inserted. The first layer has a bias if bias is set.
func plainNet(t *testing.T, norms, bias bool) *nn.Network {
	t.Helper()
	b := nn.NewBuilder(5, 1, 8, 8)
	conv := func(name string, x nn.Value, bias bool) nn.Value {
		x = b.Conv(name, x, nn.Conv{Out: 8, Kernel: 3, Pad: 1, Bias: bias})
		if norms {
			x = b.BatchNorm(name+".bn", x)
		}
		return x
	}
	x := b.ReLU(conv("one", b.Input(), bias))
	x = b.ReLU(b.Add(conv("three", b.ReLU(conv("two", x, true)), true), x))
	m, err := b.Build(b.Linear("fc", b.Flatten(b.GlobalAveragePool(x)), 3))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func logitsOf(t *testing.T, m feature.Model, d feature.Dataset) []float32 {
	t.Helper()
	x, index := feature.NewTensor(append([]int{d.Len()}, d.Shape()...)...), make([]int, d.Len())
	for i := range index {
		index[i] = i
	}
	if err := d.Read(index, x.Data, make([]int, d.Len())); err != nil {
		t.Fatal(err)
	}
	out := feature.NewTensor(d.Len(), m.Spec().Classes())
	if err := m.Forward(context.Background(), x, []string{m.Spec().Logits}, []feature.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	return out.Data
}

// TestInsertedNormsAreRealOnes: unlearning a model without batch norm gives what
// unlearning the model with norms of the same statistics gives, folded.
func TestInsertedNormsAreRealOnes(t *testing.T) {
	data := imageData()
	m, real := plainNet(t, false, true), plainNet(t, true, true)
	normed, err := m.InsertNorms(context.Background(), data.Retain)
	if err != nil {
		t.Fatal(err)
	}
	w, err := feature.Snapshot(normed)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Restore(real); err != nil {
		t.Fatal(err)
	}
	res := unlearn(t, dlfd.Align{Always: true}, m, data)
	if s := res.Settings.(dlfd.Align); s.Shrink != .181 || s.Rate != .025 || res.Ledger.Steps == 0 {
		t.Errorf("%d steps with the settings %+v, want some, with those of a model with batch norm", res.Ledger.Steps, s)
	}
	unlearn(t, dlfd.Align{Always: true}, real, data)
	a, b := logitsOf(t, m, data.Holdout), logitsOf(t, real, data.Holdout)
	var top, apart float64
	for i, v := range a {
		top, apart = max(top, math.Abs(float64(v))), max(apart, math.Abs(float64(v)-float64(b[i])))
	}
	if !(apart <= 1e-5*top) { // rounding of float32 over four layers
		t.Errorf("logits are %g apart, the largest is %g", apart, top)
	}
}

// TestNormsLeaveNothingBehind: a run that takes no step, is cancelled or panics
// leaves every bit.
func TestNormsLeaveNothingBehind(t *testing.T) {
	m := plainNet(t, false, true)
	before := weights(t, m)
	run := func(ctx context.Context, opt dlfd.Options) (*dlfd.Result, error) {
		opt.Seed, opt.BatchSize = 1, 8
		return dlfd.Align{Always: true}.Unlearn(ctx, m, imageData(), &opt)
	}
	res, err := run(context.Background(), dlfd.Options{Budget: dlfd.Budget{Passes: 1}})
	if err != nil || res.Stop != dlfd.BudgetSpent || res.Ledger.Steps != 0 {
		t.Errorf("a budget of one pass: %+v, %v", res, err)
	}
	if !slices.Equal(before, weights(t, m)) {
		t.Error("a run without a step changed the weights")
	}
	ctx, cancel := context.WithCancel(context.Background())
	stop := func(e dlfd.Event) {
		if e.Step == 3 {
			cancel()
		}
	}
	if _, err := run(ctx, dlfd.Options{Observer: stop}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run: %v", err)
	}
	if !slices.Equal(before, weights(t, m)) {
		t.Error("a cancelled run changed the weights")
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = run(context.Background(), dlfd.Options{Observer: func(e dlfd.Event) {
			if e.Step == 3 {
				panic("observer")
			}
		}})
	}()
	if !slices.Equal(before, weights(t, m)) {
		t.Error("a run that panicked changed the weights")
	}
}

// TestNormsAreCountedAndCanBeLeftOut compares the work with norms and without.
func TestNormsAreCountedAndCanBeLeftOut(t *testing.T) {
	align := dlfd.Align{Always: true, Shrink: .9, Rate: .01, Epochs: 1}
	bare := align
	bare.NoNorms = true
	a, b := unlearn(t, align, plainNet(t, false, true), imageData()), unlearn(t, bare, plainNet(t, false, true), imageData())
	// One pass of the 40 retain samples for the statistics that norms start from,
	// and 30 batches of 8 for those that they end with.
	if got := a.Ledger.Forward - b.Ledger.Forward; got != 40+30*8 || a.Ledger.Backward != b.Ledger.Backward {
		t.Errorf("ledger %+v with norms, %+v without", a.Ledger, b.Ledger)
	}
	c, d := plainNet(t, false, true), plainNet(t, false, true)
	keep := dlfd.Align{Always: true, Shrink: 1, Perturb: dlfd.Off}
	unlearn(t, keep, c, imageData())
	keep.NoNorms = true
	unlearn(t, keep, d, imageData())
	if !slices.Equal(weights(t, c), weights(t, d)) {
		t.Error("norms are inserted although the weights are neither shrunk nor perturbed")
	}
}

// TestNotesOnLayersWithoutNorm: a layer that cannot have a norm is named.
func TestNotesOnLayersWithoutNorm(t *testing.T) {
	res := unlearn(t, dlfd.Align{Always: true}, plainNet(t, false, false), imageData())
	if len(res.Notes) != 1 || !strings.HasPrefix(res.Notes[0], "one has no norm") {
		t.Errorf("notes are %q", res.Notes)
	}
	if res = unlearn(t, dlfd.Align{Always: true}, conv(t), imageData()); len(res.Notes) != 0 {
		t.Errorf("notes on a model with batch norm: %q", res.Notes)
	}
}

func TestBitsWithNorms(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []float32
	for _, threads := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(threads)
		m := plainNet(t, false, true)
		unlearn(t, dlfd.Align{Always: true}, m, imageData())
		if w := weights(t, m); first == nil {
			first = w
		} else if !slices.Equal(first, w) {
			t.Errorf("other bits on %d threads", threads)
		}
	}
}

// TestShallowModelsGetNoNorm: two hidden layers are unlearned as they are.
func TestShallowModelsGetNoNorm(t *testing.T) {
	_, data := memorized(t)
	var got [2][]float32
	for i, none := range []bool{false, true} {
		m, err := nn.MLP(nn.MLPConfig{Input: []int{6}, Hidden: []int{8, 8}, Classes: 3, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		unlearn(t, dlfd.Align{Always: true, NoNorms: none}, m, data)
		got[i] = weights(t, m)
	}
	if !slices.Equal(got[0], got[1]) {
		t.Error("a network of three layers was given norms")
	}
}

// TestDeepModelWithoutNormForgets: the zero value forgets what a network of four
// hidden layers without batch norm knows by heart, and keeps the task.
func TestDeepModelWithoutNormForgets(t *testing.T) {
	_, data := memorized(t)
	all, err := feature.Concat(data.Retain, data.Forget)
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.MLP(nn.MLPConfig{Input: []int{6}, Hidden: []int{32, 32, 32, 32}, Classes: 3, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(context.Background(), m, all, &train.Options{Epochs: 80, Optimizer: train.Adam{Rate: .003}}); err != nil {
		t.Fatal(err)
	}
	fresh := featuretest.NewBlobs(400, 6, 3, 1.2, 7, 4)
	accuracy := func(d feature.Dataset) float64 {
		labels, err := feature.Labels(d)
		if err != nil {
			t.Fatal(err)
		}
		right, z := 0., logitsOf(t, m, d)
		for i, l := range labels {
			if row := z[3*i : 3*i+3]; row[l] == slices.Max(row) {
				right++
			}
		}
		return right / float64(len(labels))
	}
	judge := func() (forget, test float64) { return accuracy(data.Forget), accuracy(fresh) }
	forgetBefore, testBefore := judge()
	unlearn(t, dlfd.Align{Epochs: 4}, m, data) // two are too few for so few samples
	forget, test := judge()
	if forgetBefore < .95 {
		t.Fatalf("the model did not memorize (accuracy %.3f on forget): the test shows nothing", forgetBefore)
	}
	// .06 is the deviation of an accuracy of 60 samples.
	t.Logf("accuracy on forget and test: %.3f, %.3f before, %.3f, %.3f after", forgetBefore, testBefore, forget, test)
	if gap := forget - test; gap > (forgetBefore-testBefore)/3 || gap < -.12 || test < testBefore-.04 {
		t.Errorf("accuracy on forget and test went from %.3f, %.3f to %.3f, %.3f", forgetBefore, testBefore, forget, test)
	}
}

// Session.Muon limits every matrix to the norm that it had before the run, also where norms
// were inserted, whose own parameters have no limit.
func TestMuonLimitsOldNorms(t *testing.T) {
	data := imageData()
	for _, insert := range []bool{false, true} {
		m := plainNet(t, false, true)
		want := make(map[string]float64)
		w, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range m.Spec().Params {
			var squares float64
			for _, v := range w[i] {
				squares += float64(v) * float64(v)
			}
			want[p.Name] = math.Sqrt(squares)
		}
		_, err = dlfd.Run(context.Background(), "limits", m, data, &dlfd.Options{BatchSize: 8}, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
			if insert {
				if _, err := s.InsertNorms(ctx); err != nil {
					return err
				}
			}
			params := s.Model.Spec().Params
			if inserted := len(params) > len(want); inserted != insert {
				t.Fatalf("%d parameters, %d before", len(params), len(want))
			}
			for i, got := range s.Muon(.1).MaxNorms {
				if math.Abs(got-want[params[i].Name]) > 1e-9 {
					t.Errorf("inserted %v: the limit of %q is %v, want %v", insert, params[i].Name, got, want[params[i].Name])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
