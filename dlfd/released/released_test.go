package released_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/released"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
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

// images are blobs in the shape of images, whose normalization takes most pixels
// out of [0, 1].
type images struct{ *featuretest.Blobs }

func (images) Shape() []int { return []int{1, 8, 8} }

func newImages(n int, seed uint64) images {
	b := featuretest.NewBlobs(n, 64, 3, 1.5, 7, seed)
	b.Scale = feature.Pixels{Mean: []float64{.5}, Std: []float64{.25}}
	return images{b}
}

func run(t *testing.T, r released.Method, m feature.Trainable, retain, forget int) *dlfd.Result {
	t.Helper()
	data := dlfd.Data{Retain: newImages(retain, 1), Forget: newImages(forget, 2), Holdout: newImages(20, 3)}
	res, err := r.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 1, BatchSize: 8})
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

// Optimal transport never acts: without it, the weights are the same to the bit.
func TestTransportIsInert(t *testing.T) {
	var got [2][]float32
	for i, none := range []bool{false, true} {
		m := conv(t)
		// Perturb at every step, and keep the last weights.
		res := run(t, released.Method{NoDistance: none, Threshold: 1e-9, Cap: 1e-9}, m, 40, 24)
		if measured := res.Trace[0].DistanceBefore != 0; measured == none {
			t.Fatalf("without distance %t: it was taken: %t", none, measured)
		}
		got[i] = weights(t, m)
	}
	if !slices.Equal(got[0], got[1]) {
		t.Error("without transport the weights differ")
	}
}

// recorder notes what passes through a network.
type recorder struct {
	*nn.Network
	passes []pass
	inputs [2]float32 // the smallest and the largest input of a training pass
}

type pass struct {
	kind string // forward: of any purpose; input: a gradient in the input; train
	rows int
	mode feature.Mode
}

func (r *recorder) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	r.passes = append(r.passes, pass{kind: "forward", rows: x.Rows()})
	return r.Network.Forward(ctx, x, taps, out)
}

func (r *recorder) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	kind := "forward"
	if dx != nil {
		kind = "input"
	} else if dp != nil {
		kind = "train"
		r.inputs = [2]float32{min(r.inputs[0], slices.Min(x.Data)), max(r.inputs[1], slices.Max(x.Data))}
	}
	mode.Seed = 0
	r.passes = append(r.passes, pass{kind, x.Rows(), mode})
	return r.Network.GradMode(ctx, mode, x, taps, loss, dx, dp)
}

// The first step is in training mode, all later ones in evaluation; both scores
// are on everything after each step, none before the first; pairs of unequal
// length are skipped, so that the five batches make four steps.
func TestSequence(t *testing.T) {
	r := &recorder{Network: conv(t)}
	res := run(t, released.Method{Steps: 1, Threshold: 1e-9}, r, 36, 24)
	var want []pass
	for k := range 4 {
		mode, step := feature.Mode{}, feature.Mode{}
		if k == 0 {
			mode, step = feature.Mode{Train: true}, feature.Mode{Train: true, Track: true}
		}
		// Logits of the forget batch and of the clean batch, one step in the input,
		// the result; then training, then the scores.
		want = append(want, pass{"forward", 8, mode}, pass{"forward", 8, mode}, pass{"input", 8, mode}, pass{"forward", 8, mode},
			pass{"train", 8, step}, pass{"forward", 24, feature.Mode{}}, pass{"forward", 20, feature.Mode{}})
	}
	if !slices.Equal(r.passes, want) {
		t.Errorf("passes are\n%v, want\n%v", r.passes, want)
	}
	if res.Ledger.Steps != 4 || len(res.Scores) != 4 {
		t.Errorf("%d steps, %d scores", res.Ledger.Steps, len(res.Scores))
	}
	// Clamped, whatever the normalization.
	if r.inputs != [2]float32{0, 1} {
		t.Errorf("training samples are in %v, want [0, 1]", r.inputs)
	}
}

// A forget set smaller than a batch leaves nothing to pair.
func TestEverythingIsSkipped(t *testing.T) {
	m := conv(t)
	before := weights(t, m)
	res := run(t, released.Method{}, m, 16, 7)
	if res.Stop != dlfd.CapNotMet && res.Stop != dlfd.NothingDone || res.Ledger.Steps != 0 || !slices.Equal(before, weights(t, m)) {
		t.Errorf("stop %q after %d steps", res.Stop, res.Ledger.Steps)
	}
}

// TestMethodDefaults reads the documented defaults back.
func TestMethodDefaults(t *testing.T) {
	a, b := conv(t), conv(t)
	run(t, released.Method{}, a, 40, 24)
	run(t, released.Method{Distance: released.Sinkhorn{}, Steps: 15, StepSize: .4, Threshold: .15, Cap: .09, Epochs: 1, Rate: .008}, b, 40, 24)
	if !slices.Equal(weights(t, a), weights(t, b)) {
		t.Error("the zero value has other defaults")
	}
	for _, r := range []released.Method{{Steps: -1}, {StepSize: math.NaN()}, {Threshold: -1}, {Cap: math.Inf(1)}, {Epochs: -1}, {Rate: -1}} {
		data := dlfd.Data{Retain: newImages(16, 1), Forget: newImages(16, 2), Holdout: newImages(16, 3)}
		if _, err := r.Unlearn(context.Background(), a, data, nil); !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestBitsDoNotDependOnGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []float32
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		m := conv(t)
		run(t, released.Method{}, m, 40, 24)
		if first == nil {
			first = weights(t, m)
		} else if !slices.Equal(first, weights(t, m)) {
			t.Errorf("weights at GOMAXPROCS %d differ from those at 1", procs)
		}
	}
}

// The error of a distance ends the run, and the old weights come back.
func TestDistanceErrorsAreTold(t *testing.T) {
	broken := errors.New("broken distance")
	m := conv(t)
	before := weights(t, m)
	d := distance.Func(func(*distance.Workspace, []float64, []float64, distance.Sample, distance.Sample) (float64, error) {
		return 0, broken
	})
	data := dlfd.Data{Retain: newImages(40, 1), Forget: newImages(24, 2), Holdout: newImages(20, 3)}
	_, err := released.Method{Distance: d}.Unlearn(context.Background(), m, data, &dlfd.Options{BatchSize: 8})
	if !errors.Is(err, broken) || !slices.Equal(before, weights(t, m)) {
		t.Errorf("error %v", err)
	}
}
