package dlfd_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/synth"
)

// conv returns a small residual network: batch norm, dropout and all.
func conv(t *testing.T) *nn.Network {
	t.Helper()
	m, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{4, 8}, Blocks: []int{1, 1}, Dropout: .2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// images are blobs in the shape of images.
type images struct{ *featuretest.Blobs }

func (images) Shape() []int { return []int{1, 8, 8} }

func newImages(n int, seed uint64) images {
	b := featuretest.NewBlobs(n, 64, 3, 1.5, 7, seed)
	b.Scale = feature.Pixels{Mean: []float64{.5}, Std: []float64{.25}}
	return images{b}
}

func imageData() dlfd.Data {
	return dlfd.Data{Retain: newImages(40, 1), Forget: newImages(20, 2), Holdout: newImages(20, 3)}
}

func unlearn(t *testing.T, u dlfd.Unlearner, m feature.Trainable, data dlfd.Data) *dlfd.Result {
	t.Helper()
	res, err := u.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 1, BatchSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func weights(t *testing.T, m feature.Trainable) []float32 {
	t.Helper()
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(w...)
}

// The transport acts: without it, the weights differ.
func TestTransportActs(t *testing.T) {
	var got [2][]float32
	for i, weight := range []float64{0, dlfd.Off} {
		// Perturb at every step, and keep the last weights.
		d := dlfd.DLFD{Weight: weight, Steering: dlfd.Steering{Threshold: 1e-9, Cap: 1e-9}}
		m := conv(t)
		res := unlearn(t, d, m, imageData())
		if measured := res.Trace[0].DistanceBefore != 0; measured != (i == 0) {
			t.Fatalf("weight %v: the distance was taken: %v", weight, measured)
		}
		got[i] = weights(t, m)
	}
	if slices.Equal(got[0], got[1]) {
		t.Error("without transport the weights are the same")
	}
}

func TestFeaturesMoveAway(t *testing.T) {
	d := dlfd.DLFD{}
	d.Steering.Threshold = 1e-9
	for _, p := range unlearn(t, d, conv(t), imageData()).Trace {
		if p.DistanceAfter <= p.DistanceBefore {
			t.Errorf("step %d: distance went from %v to %v", p.Step, p.DistanceBefore, p.DistanceAfter)
		}
	}
}

func TestBitsDoNotDependOnGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, d := range []dlfd.Unlearner{dlfd.Align{}, dlfd.DLFD{}} {
		var first []float32
		for _, procs := range []int{1, 2, 4} {
			runtime.GOMAXPROCS(procs)
			m := conv(t)
			unlearn(t, d, m, imageData())
			if w := weights(t, m); first == nil {
				first = w
			} else if !slices.Equal(first, w) {
				t.Errorf("%s: weights at GOMAXPROCS %d differ from those at 1", dlfd.NameOf(d), procs)
			}
		}
	}
}

// memorized returns a model that has learnt forget samples by heart, and the
// data of the request.
func memorized(t *testing.T) (*featuretest.MLP, dlfd.Data) {
	t.Helper()
	return memorizedSets(t, 1)
}

// memorizedSets is memorized with sets that are larger by a factor.
func memorizedSets(t *testing.T, factor int) (*featuretest.MLP, dlfd.Data) {
	t.Helper()
	data := dlfd.Data{
		Retain:  featuretest.NewBlobs(120*factor, 6, 3, 1.2, 7, 1),
		Forget:  featuretest.NewBlobs(60*factor, 6, 3, 1.2, 7, 2),
		Holdout: featuretest.NewBlobs(120*factor, 6, 3, 1.2, 7, 3),
	}
	all, err := feature.Concat(data.Retain, data.Forget)
	if err != nil {
		t.Fatal(err)
	}
	m := featuretest.NewMLP(6, 64, 3, 1)
	if _, err := train.Fit(context.Background(), m, all, &train.Options{Epochs: 150, Optimizer: train.Adam{Rate: .01}}); err != nil {
		t.Fatal(err)
	}
	return m, data
}

func TestDefaultForgetsAndKeepsTheTask(t *testing.T) {
	m, data := memorizedSets(t, 3)
	_, report, err := feature.Halves(data.Forget)
	if err != nil {
		t.Fatal(err)
	}
	fresh := featuretest.NewBlobs(600, 6, 3, 1.2, 7, 4)
	judge := func(m feature.Model) *dlfd.Audited {
		a, err := dlfd.Audit(context.Background(), m, dlfd.AuditData{Retain: data.Retain, Forget: data.Forget, Test: fresh, Member: report, NonMember: fresh}, &dlfd.AuditOptions{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	retrained := featuretest.NewMLP(6, 64, 3, 2)
	if _, err := train.Fit(context.Background(), retrained, data.Retain, &train.Options{Epochs: 150, Optimizer: train.Adam{Rate: .01}}); err != nil {
		t.Fatal(err)
	}
	before := judge(m)
	res := unlearn(t, dlfd.Align{}, m, data)
	after, target := judge(m), judge(retrained).LossAttack.AUC
	if before.LossAttack.AUC < .55 || before.ForgetAccuracy < .95 {
		t.Fatalf("the model did not memorize (AUC %.3f, accuracy %.3f): the test shows nothing", before.LossAttack.AUC, before.ForgetAccuracy)
	}
	if far := math.Abs(after.LossAttack.AUC - target); far > math.Abs(before.LossAttack.AUC-target)/2 {
		t.Errorf("attack AUC went from %.3f to %.3f; a retrained model's is %.3f", before.LossAttack.AUC, after.LossAttack.AUC, target)
	}
	if after.TestAccuracy < before.TestAccuracy-.02 {
		t.Errorf("test accuracy fell from %.3f to %.3f", before.TestAccuracy, after.TestAccuracy)
	}
	if res.Stop != dlfd.Completed || len(res.Scores) != 2 || res.Scores[1].ForgetLoss <= res.Scores[0].ForgetLoss {
		t.Errorf("stop %q, scores %+v", res.Stop, res.Scores)
	}
}

func TestLedgerOfTheDefault(t *testing.T) {
	m := featuretest.NewMLP(6, 8, 3, 1)
	data := dlfd.Data{Retain: featuretest.NewBlobs(40, 6, 3, 1, 7, 1), Forget: featuretest.NewBlobs(18, 6, 3, 1, 7, 2), Holdout: featuretest.NewBlobs(21, 6, 3, 1, 7, 3)}
	res := unlearn(t, dlfd.Align{Epochs: 2}, m, data)
	// Ten steps: five over all 40 retain samples, four over the 28 that are
	// revisited, one of 8 from the next such pass. Beside the first five, the three
	// batches of one pass over forget, and as many of holdout; beside the next two, which
	// end the first two thirds, two more. Scores take half of forget and all of
	// holdout twice, and at the end all of retain are looked at once.
	retain, forget, holdout := int64(40+28+8), int64(18+2*8), int64(21+2*8)
	want := dlfd.Ledger{Forward: retain + forget + holdout + 2*(9+21) + 40, Backward: retain + forget, Steps: 10}
	if res.Ledger != want {
		t.Errorf("ledger is %+v, want %+v", res.Ledger, want)
	}
}

func TestLedgerOfDistancing(t *testing.T) {
	m := featuretest.NewMLP(6, 8, 3, 1)
	data := dlfd.Data{Retain: featuretest.NewBlobs(16, 6, 3, 1, 7, 1), Forget: featuretest.NewBlobs(16, 6, 3, 1, 7, 2), Holdout: featuretest.NewBlobs(16, 6, 3, 1, 7, 3)}
	d := dlfd.DLFD{}
	d.Steering.Threshold = 1e-9
	d.Synth.Steps = 5
	res := unlearn(t, d, m, data)
	// Two steps, each with 5 input gradients and one evaluation of the result on
	// 8 samples, 8 forget features and one training pass; a score before and one after, on half of forget and
	// on holdout.
	want := dlfd.Ledger{Forward: 2*8*(5+1+1+1) + 2*(8+16), Backward: 2 * 8 * (5 + 1), Steps: 2}
	if res.Ledger != want {
		t.Errorf("ledger is %+v, want %+v", res.Ledger, want)
	}
}

func TestBudgets(t *testing.T) {
	data := imageData()
	run := func(b dlfd.Budget, now func() time.Time) (*dlfd.Result, error) {
		return dlfd.Align{}.Unlearn(context.Background(), conv(t), data, &dlfd.Options{Seed: 1, BatchSize: 8, Budget: b, Now: now})
	}
	res, err := run(dlfd.Budget{Passes: 200}, nil)
	if err != nil || res.Stop != dlfd.BudgetSpent || res.Ledger.Steps == 0 || res.Ledger.Steps >= 15 {
		t.Errorf("200 passes: %v, %+v", err, res)
	}
	clock := time.Unix(0, 0)
	tick := func() time.Time { clock = clock.Add(time.Second); return clock }
	res, err = run(dlfd.Budget{Time: 10 * time.Second}, tick)
	if err != nil || res.Stop != dlfd.BudgetSpent || res.Ledger.Wall < 10*time.Second {
		t.Errorf("10 seconds: %v, %+v", err, res)
	}
	if _, err = run(dlfd.Budget{Time: time.Second}, nil); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("time without a clock: %v", err)
	}
}

func TestSettingsOutOfRange(t *testing.T) {
	for name, u := range map[string]dlfd.Unlearner{
		"shrink":        dlfd.Align{Shrink: 1.5},
		"perturb":       dlfd.Align{Perturb: math.NaN()},
		"match":         dlfd.Align{Match: -.5},
		"epochs":        dlfd.Align{Epochs: -1},
		"rate":          dlfd.Align{Rate: -1},
		"weight":        dlfd.DLFD{Weight: math.NaN()},
		"lambda":        dlfd.DLFD{Lambda: [2]float64{0, math.Inf(1)}},
		"threshold":     dlfd.DLFD{Steering: dlfd.Steering{Threshold: -1}},
		"every":         dlfd.DLFD{Steering: dlfd.Steering{Every: -1}},
		"sample":        dlfd.DLFD{Steering: dlfd.Steering{Sample: 1}},
		"DLFD's epochs": dlfd.DLFD{Epochs: -1},
		"synth":         dlfd.DLFD{Synth: synth.Synthesizer{StepSize: -1}, Steering: dlfd.Steering{Threshold: 1.1}},
	} {
		m := featuretest.NewMLP(6, 8, 3, 1)
		data := dlfd.Data{Retain: featuretest.NewBlobs(16, 6, 3, 1, 7, 1), Forget: featuretest.NewBlobs(16, 6, 3, 1, 7, 2), Holdout: featuretest.NewBlobs(16, 6, 3, 1, 7, 3)}
		if _, err := u.Unlearn(context.Background(), m, data, nil); !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A cap that nothing meets is told, and the last weights stay; one that all
// meet keeps the best.
func TestCheckpoints(t *testing.T) {
	m, data := memorized(t)
	d := dlfd.DLFD{}
	d.Synth.Steps, d.Steering.Every = 1, 2
	d.Steering.Cap = 1e-9
	w := weights(t, m)
	res := unlearn(t, d, m, data)
	if res.Stop != dlfd.CapNotMet || res.Best != res.Ledger.Steps || res.Last != nil || slices.Equal(w, weights(t, m)) {
		t.Errorf("impossible cap: stop %q, best %d of %d, last %v", res.Stop, res.Best, res.Ledger.Steps, res.Last != nil)
	}
	m, data = memorized(t)
	d.Steering.Cap = 2
	d.Rate = .5 // so that the last step is not the best
	res = unlearn(t, d, m, data)
	if res.Stop != dlfd.Completed || res.Best == res.Ledger.Steps || res.Last == nil {
		t.Fatalf("open cap: stop %q, best %d of %d", res.Stop, res.Best, res.Ledger.Steps)
	}
	if slices.Equal(weights(t, m), slices.Concat(res.Last...)) {
		t.Error("the model holds the last weights, not the best")
	}
}

func TestDistanceErrorsAreTold(t *testing.T) {
	broken := errors.New("broken distance")
	d := dlfd.DLFD{}
	d.Steering.Threshold = 1e-9
	d.Synth.Distance = distance.Func(func(*distance.Workspace, []float64, []float64, distance.Sample, distance.Sample) (float64, error) {
		return 0, broken
	})
	m := conv(t)
	w := weights(t, m)
	_, err := d.Unlearn(context.Background(), m, imageData(), &dlfd.Options{Seed: 1, BatchSize: 8})
	if !errors.Is(err, broken) || !slices.Equal(w, weights(t, m)) {
		t.Errorf("error %v", err)
	}
}

// No matrix of weights is longer after a run than it was before, however often: steps as
// long as a share of the weights would make them longer with every request.
func TestWeightsKeepTheirNorms(t *testing.T) {
	m, data := memorized(t)
	norms := func() (all []float64) {
		w, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range m.Spec().Params {
			var squares float64
			for _, v := range w[i] {
				squares += float64(v) * float64(v)
			}
			if len(p.Shape) > 1 {
				all = append(all, math.Sqrt(squares))
			}
		}
		return all
	}
	before := norms()
	for range 3 {
		unlearn(t, dlfd.Align{Always: true, Rate: .3}, m, data)
		for i, v := range norms() {
			if v > before[i]*(1+1e-5) {
				t.Errorf("matrix %d: norm %v, before the runs %v", i, v, before[i])
			}
		}
	}
}
