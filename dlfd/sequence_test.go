package dlfd_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/synth"
)

// recorder notes what passes through a network.
type recorder struct {
	*nn.Network
	passes []pass
}

type pass struct {
	kind string // forward: for a score; look: a loss without a gradient; input; train
	rows int
	mode feature.Mode
}

func (r *recorder) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	r.passes = append(r.passes, pass{kind: "forward", rows: x.Rows()})
	return r.Network.Forward(ctx, x, taps, out)
}

func (r *recorder) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	kind := "look"
	if dx != nil {
		kind = "input"
	} else if dp != nil {
		kind = "train"
	}
	mode.Seed = 0
	r.passes = append(r.passes, pass{kind, x.Rows(), mode})
	return r.Network.GradMode(ctx, mode, x, taps, loss, dx, dp)
}

var (
	evaluate = feature.Mode{}
	plain    = feature.Mode{Train: true}
	tracked  = feature.Mode{Train: true, Track: true}
)

func record(t *testing.T, d dlfd.Unlearner, retain, forget int) ([]pass, *dlfd.Result) {
	t.Helper()
	r := &recorder{Network: conv(t)}
	res := unlearn(t, d, r, dlfd.Data{Retain: newImages(retain, 1), Forget: newImages(forget, 2), Holdout: newImages(20, 3)})
	return r.passes, res
}

// The default: training mode throughout, running statistics follow retain
// batches alone, and 30 batches settle them at the end.
func TestDefaultSequence(t *testing.T) {
	got, _ := record(t, dlfd.Align{Epochs: 1}, 16, 8)
	want := []pass{{"forward", 4, evaluate}, {"forward", 20, evaluate}, // the first score
		{"look", 8, plain}, {"train", 8, plain}, {"train", 8, tracked}, // holdout, forget, retain
		{"train", 8, tracked}}
	for range 30 {
		want = append(want, pass{"look", 8, tracked})
	}
	want = append(want, pass{"forward", 8, evaluate}, pass{"forward", 8, evaluate}, // is the task there?
		pass{"forward", 8, evaluate}, pass{"forward", 8, evaluate}, // no: was it before?
		pass{"forward", 4, evaluate}, pass{"forward", 20, evaluate})
	if !slices.Equal(got, want) {
		t.Errorf("passes are\n%v, want\n%v", got, want)
	}
}

// λ grows from the first value to the second: here from nothing, which leaves a
// batch as it is, to a loss that falls.
func TestLambdaGrows(t *testing.T) {
	d := dlfd.DLFD{}
	d.Weight, d.Synth.Box = dlfd.Off, synth.NoBox
	d.Steering.Threshold = 1e-9
	_, res := record(t, d, 40, 20)
	first, last := res.Trace[0], res.Trace[len(res.Trace)-1]
	if first.LossAfter != first.LossBefore || last.LossAfter >= last.LossBefore {
		t.Errorf("loss went from %v to %v at first, from %v to %v at last", first.LossBefore, first.LossAfter, last.LossBefore, last.LossAfter)
	}
}

// Below the threshold batches are left as they are.
func TestThresholdStopsDistancing(t *testing.T) {
	d := dlfd.DLFD{}
	d.Steering.Threshold = 1.1 // no score is above
	got, _ := record(t, d, 40, 20)
	if slices.ContainsFunc(got, func(p pass) bool { return p.kind == "input" }) {
		t.Error("a batch was perturbed")
	}
}

func TestBestCheckpointHasTheBestScore(t *testing.T) {
	m, data := memorized(t)
	d := dlfd.DLFD{}
	d.Synth.Steps, d.Steering.Every, d.Steering.Cap, d.Rate = 1, 1, 2, .2
	d.Epochs = 2
	res := unlearn(t, d, m, data)
	best, step := -1., 0
	for _, s := range res.Scores {
		if nomus := (s.Accuracy + 1 - s.Forgetting) / 2; nomus > best {
			best, step = nomus, s.Step
		}
	}
	if res.Best != step {
		t.Errorf("best step is %d, scores say %d: %+v", res.Best, step, res.Scores)
	}
	if step == 0 && res.Stop != dlfd.NothingDone {
		t.Errorf("the weights are the old ones; stop is %q", res.Stop)
	}
}

// A method that ends with weights that are not finite is an error, and the old
// weights come back.
func TestDivergedWeightsAreRefused(t *testing.T) {
	m := conv(t)
	before := weights(t, m)
	_, err := dlfd.Run(context.Background(), "Mine", m, imageData(), &dlfd.Options{Seed: 1}, dlfd.Needs{}, func(_ context.Context, s *dlfd.Session) error {
		w := make([]float32, feature.Size(s.Model.Spec().Params[0].Shape))
		w[3] = float32(math.Inf(1))
		return s.Model.SetParam(0, w)
	})
	if !errors.Is(err, feature.ErrNotFinite) || !slices.Equal(before, weights(t, m)) {
		t.Errorf("error %v", err)
	}
}

// A budget that is spent from the start leaves the model as it came.
func TestSpentBudgetLeavesTheModel(t *testing.T) {
	m := conv(t)
	before := weights(t, m)
	clockless := &dlfd.Options{Seed: 1, Budget: dlfd.Budget{Passes: 1}}
	res, err := dlfd.Align{}.Unlearn(context.Background(), m, imageData(), clockless)
	if err != nil || res.Stop != dlfd.BudgetSpent {
		t.Fatalf("%v, %+v", err, res)
	}
	if !slices.Equal(before, weights(t, m)) && res.Ledger.Steps == 0 {
		t.Error("no step was taken, and the weights changed")
	}
}

func TestCycleOverNothing(t *testing.T) {
	_, err := dlfd.Run(context.Background(), "Mine", conv(t), dlfd.Data{}, &dlfd.Options{Seed: 1}, dlfd.Needs{}, func(_ context.Context, s *dlfd.Session) error {
		next, stop := s.Cycle(nil, "order")
		defer stop()
		_, err := next()
		return err
	})
	if !errors.Is(err, dlfd.ErrEmpty) {
		t.Errorf("error %v", err)
	}
}
