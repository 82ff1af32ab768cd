package synth_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/testkit"
	"github.com/dlfd-go/unlearn/synth"
)

// scene is a model, a batch to perturb and the features to flee.
type scene struct {
	m      *testkit.MLP
	x      feature.Tensor
	labels []int
	ref    distance.Sample
}

// newScene has n samples to perturb and k to compare with, in a range of
// plausible pixels.
func newScene(t *testing.T, n, k int) scene {
	t.Helper()
	s := scene{m: testkit.NewMLP(6, 10, 3, 1)}
	s.m.Shape = []int{1, 2, 3}
	s.x, s.labels = pixels(t, n, 5)
	y, _ := pixels(t, k, 6)
	out := []feature.Tensor{feature.NewTensor(k, 10)}
	if err := s.m.Forward(context.Background(), y, []string{"hidden"}, out); err != nil {
		t.Fatal(err)
	}
	s.ref = distance.Sample{N: k, Dim: 10, X: make([]float64, len(out[0].Data))}
	for i, v := range out[0].Data {
		s.ref.X[i] = float64(v)
	}
	return s
}

// pixels returns samples with values in [.2, .8].
func pixels(t *testing.T, n int, seed uint64) (feature.Tensor, []int) {
	t.Helper()
	b, err := feature.ReadAll(testkit.NewBlobs(n, 6, 3, 1, 7, seed))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range b.X.Data {
		b.X.Data[i] = float32(.5 + .3*math.Tanh(float64(v)))
	}
	return feature.Tensor{Shape: []int{n, 1, 2, 3}, Data: b.X.Data}, b.Labels
}

func (s scene) run(t *testing.T, c synth.Synthesizer) (feature.Tensor, synth.Trace) {
	t.Helper()
	out := s.x.Clone()
	trace, err := c.Synthesize(context.Background(), s.m, out, s.x, s.labels, s.ref)
	if err != nil {
		t.Fatal(err)
	}
	return out, trace
}

var sinkhorn = distance.Sinkhorn{Epsilon: .05, Sharp: true}

func TestDistanceGrowsAndLossIsHeld(t *testing.T) {
	for _, step := range []synth.Step{synth.Sign, synth.L2, synth.LInf} {
		s := newScene(t, 12, 9) // different sizes on purpose
		_, trace := s.run(t, synth.Synthesizer{Distance: sinkhorn, Step: step, StepSize: .02, Epsilon: .2})
		if trace.DistanceAfter < 1.1*trace.DistanceBefore {
			t.Errorf("step %d: distance went from %v to %v", step, trace.DistanceBefore, trace.DistanceAfter)
		}
		if trace.Steps != 15 {
			t.Errorf("step %d: %d steps, want the default 15", step, trace.Steps)
		}
		_, pull := s.run(t, synth.Synthesizer{Distance: sinkhorn, Weight: -1, Step: step, StepSize: .02, Epsilon: .2})
		if pull.DistanceAfter >= pull.DistanceBefore {
			t.Errorf("step %d: pulled distance went from %v to %v", step, pull.DistanceBefore, pull.DistanceAfter)
		}
		_, down := s.run(t, synth.Synthesizer{Loss: 1, Step: step, StepSize: .02, Epsilon: .2})
		if down.LossAfter >= down.LossBefore || down.DistanceBefore != 0 {
			t.Errorf("step %d: loss went from %v to %v, distance %v", step, down.LossBefore, down.LossAfter, down.DistanceBefore)
		}
		_, up := s.run(t, synth.Synthesizer{Loss: -1, Step: step, StepSize: .02, Epsilon: .2})
		if up.LossAfter <= up.LossBefore {
			t.Errorf("step %d: raised loss went from %v to %v", step, up.LossBefore, up.LossAfter)
		}
	}
}

func TestResultStaysInBallAndBox(t *testing.T) {
	norm := feature.Pixels{Mean: []float64{.4}, Std: []float64{.25}}
	s := newScene(t, 10, 10)
	for i, v := range s.x.Data {
		s.x.Data[i] = (v - .4) / .25
	}
	lo, hi := float32(-.4/.25), float32(.6/.25)
	for _, ball := range []synth.Ball{synth.BallLInf, synth.BallL2} {
		const eps = .35
		out, _ := s.run(t, synth.Synthesizer{Distance: sinkhorn, StepSize: .1, Ball: ball, Epsilon: eps, Pixels: norm})
		touched := false
		for i := range out.Rows() {
			var linf, l2 float64
			for j, v := range out.Row(i) {
				if v < lo-1e-6 || v > hi+1e-6 {
					t.Fatalf("ball %d: %v is outside the box [%v, %v]", ball, v, lo, hi)
				}
				touched = touched || v == lo || v == hi
				d := .25 * math.Abs(float64(v-s.x.Row(i)[j]))
				linf, l2 = max(linf, d), math.Hypot(l2, d)
			}
			// float32 coordinates near 2 round to 1e-7 each.
			if radius := []float64{linf, l2}[ball]; radius > eps+1e-6 {
				t.Errorf("ball %d: row %d moved by %v, more than %v", ball, i, radius, eps)
			}
		}
		if ball == synth.BallLInf && !touched {
			t.Error("no pixel reached the box; the test shows nothing")
		}
	}
}

func TestStepsHaveTheLengthThatIsAsked(t *testing.T) {
	norm := feature.Pixels{Mean: []float64{.4}, Std: []float64{.25}}
	s := newScene(t, 5, 5)
	const alpha = .03
	for _, step := range []synth.Step{synth.Sign, synth.L2, synth.LInf} {
		out, _ := s.run(t, synth.Synthesizer{Distance: sinkhorn, Steps: 1, Step: step, StepSize: alpha, Epsilon: math.Inf(1), Box: synth.NoBox, Pixels: norm})
		for i := range out.Rows() {
			var linf, l2 float64
			for j, v := range out.Row(i) {
				d := .25 * math.Abs(float64(v-s.x.Row(i)[j]))
				linf, l2 = max(linf, d), math.Hypot(l2, d)
				if step == synth.Sign && math.Abs(d-alpha) > 1e-6 {
					t.Errorf("sign step moved a pixel by %v, want %v", d, alpha)
				}
			}
			got := map[synth.Step]float64{synth.Sign: linf, synth.L2: l2, synth.LInf: linf}[step]
			if math.Abs(got-alpha) > 1e-6 {
				t.Errorf("step %d moved row %d by %v, want %v", step, i, got, alpha)
			}
		}
	}
}

func TestUnitBoxIgnoresTheNormalisation(t *testing.T) {
	s := newScene(t, 6, 6)
	for i, v := range s.x.Data {
		s.x.Data[i] = (v - .5) / .1
	}
	out, _ := s.run(t, synth.Synthesizer{Box: synth.UnitBox, Epsilon: math.Inf(1), Pixels: feature.Pixels{Mean: []float64{.5}, Std: []float64{.1}}})
	for i, v := range s.x.Data {
		if want := min(max(v, 0), 1); out.Data[i] != want {
			t.Fatalf("element %d: %v became %v, want %v", i, v, out.Data[i], want)
		}
	}
}

func TestDetachedDistanceDoesNotAct(t *testing.T) {
	s := newScene(t, 8, 8)
	with, trace := s.run(t, synth.Synthesizer{Distance: distance.ReleasedSinkhorn{}, Detached: true, Weight: 3, Loss: .5, StepSize: .1})
	without, _ := s.run(t, synth.Synthesizer{Loss: .5, StepSize: .1})
	if !slices.Equal(with.Data, without.Data) {
		t.Error("a detached distance changed the result")
	}
	if trace.DistanceBefore == 0 || trace.DistanceBefore != trace.DistanceAfter {
		t.Errorf("distance of the clean batch: %v before, %v after", trace.DistanceBefore, trace.DistanceAfter)
	}
	attached, _ := s.run(t, synth.Synthesizer{Distance: sinkhorn, Weight: 3, Loss: .5, StepSize: .1})
	if slices.Equal(attached.Data, without.Data) {
		t.Error("an attached distance did not change the result; the test shows nothing")
	}
}

func TestSynthesizeLeavesItsArgumentsAlone(t *testing.T) {
	s := newScene(t, 4, 4)
	x, ref := slices.Clone(s.x.Data), slices.Clone(s.ref.X)
	s.run(t, synth.Synthesizer{Distance: sinkhorn, Loss: 1})
	if !slices.Equal(x, s.x.Data) || !slices.Equal(ref, s.ref.X) {
		t.Error("an argument was modified")
	}
	want, _ := s.run(t, synth.Synthesizer{Distance: sinkhorn, Loss: 1})
	inPlace := s.x.Clone()
	if _, err := (&synth.Synthesizer{Distance: sinkhorn, Loss: 1}).Synthesize(context.Background(), s.m, inPlace, inPlace, s.labels, s.ref); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(want.Data, inPlace.Data) {
		t.Error("writing over the input changed the result")
	}
}

// Inputs that are no images have no range.
func TestVectorsHaveNoBox(t *testing.T) {
	s := newScene(t, 6, 6)
	s.m.Shape, s.x.Shape = nil, []int{6, 6}
	for i := range s.x.Data {
		s.x.Data[i] += 7
	}
	out, _ := s.run(t, synth.Synthesizer{Loss: 1, StepSize: .02})
	for i, v := range out.Data {
		if d := math.Abs(float64(v - s.x.Data[i])); d > 8./255+1e-6 {
			t.Fatalf("element %d moved by %v", i, d)
		}
	}
}

func TestDistanceThatIsNotFinite(t *testing.T) {
	s := newScene(t, 4, 4)
	for name, d := range map[string]distance.Func{
		"value": func(*distance.Workspace, []float64, []float64, distance.Sample, distance.Sample) (float64, error) {
			return math.NaN(), nil
		},
		"gradient": func(_ *distance.Workspace, gx, _ []float64, _, _ distance.Sample) (float64, error) {
			for i := range gx {
				gx[i] = math.Inf(1)
			}
			return 1, nil
		},
	} {
		if _, err := (&synth.Synthesizer{Distance: d}).Synthesize(context.Background(), s.m, s.x.Clone(), s.x, s.labels, s.ref); !errors.Is(err, feature.ErrNotFinite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneSample(t *testing.T) {
	s := newScene(t, 1, 1)
	_, trace := s.run(t, synth.Synthesizer{Distance: sinkhorn, Loss: .1, StepSize: .02, Epsilon: .2})
	if trace.DistanceAfter <= trace.DistanceBefore {
		t.Errorf("distance went from %v to %v", trace.DistanceBefore, trace.DistanceAfter)
	}
}

func TestNonConvergenceIsCounted(t *testing.T) {
	s := newScene(t, 8, 8)
	_, trace := s.run(t, synth.Synthesizer{Distance: distance.Sinkhorn{Epsilon: 1e-4, MaxIter: 1, NewtonAfter: -1}, Steps: 3})
	if trace.NotConverged != 4 {
		t.Errorf("%d evaluations did not converge, want all 4", trace.NotConverged)
	}
}

func TestErrors(t *testing.T) {
	s := newScene(t, 4, 4)
	ctx := context.Background()
	for _, c := range []struct {
		name string
		s    synth.Synthesizer
		want error
	}{
		{"steps", synth.Synthesizer{Loss: 1, Steps: -1}, synth.ErrParameter},
		{"step size", synth.Synthesizer{Loss: 1, StepSize: math.NaN()}, synth.ErrParameter},
		{"epsilon", synth.Synthesizer{Loss: 1, Epsilon: -1}, synth.ErrParameter},
		{"weight", synth.Synthesizer{Loss: math.Inf(1)}, synth.ErrParameter},
		{"kind", synth.Synthesizer{Loss: 1, Step: 9}, synth.ErrParameter},
		{"tap", synth.Synthesizer{Loss: 1, Tap: "nowhere"}, feature.ErrNoTap},
		{"normalisation", synth.Synthesizer{Loss: 1, Pixels: feature.Pixels{Std: []float64{0}}}, feature.ErrNotFinite},
	} {
		if _, err := c.s.Synthesize(ctx, s.m, s.x.Clone(), s.x, s.labels, s.ref); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	ok := synth.Synthesizer{Distance: sinkhorn}
	if _, err := ok.Synthesize(ctx, s.m, s.x.Clone(), s.x, s.labels[:3], s.ref); !errors.Is(err, feature.ErrShape) {
		t.Errorf("missing label: %v", err)
	}
	if _, err := ok.Synthesize(ctx, s.m, feature.NewTensor(4, 5), feature.NewTensor(4, 5), s.labels, s.ref); !errors.Is(err, feature.ErrShape) {
		t.Errorf("wrong shape: %v", err)
	}
	bad := s.x.Clone()
	bad.Data[7] = float32(math.NaN())
	if _, err := ok.Synthesize(ctx, s.m, s.x.Clone(), bad, s.labels, s.ref); !errors.Is(err, feature.ErrNotFinite) {
		t.Errorf("NaN: %v", err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := ok.Synthesize(done, s.m, s.x.Clone(), s.x, s.labels, s.ref); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
