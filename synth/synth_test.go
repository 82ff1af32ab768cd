package synth_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/synth"
)

// scene is a model, a batch to perturb and the features to flee.
type scene struct {
	m      *featuretest.MLP
	x      feature.Tensor
	labels []int
	ref    distance.Sample
}

// newScene has n samples to perturb and k to compare with, in a range of
// plausible pixels.
func newScene(t *testing.T, n, k int) scene {
	t.Helper()
	s := scene{m: featuretest.NewMLP(6, 10, 3, 1)}
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

func (s scene) batch(b synth.Batch) synth.Batch {
	b.X, b.Labels, b.Reference = s.x, s.labels, s.ref
	return b
}

// pixels returns samples with values in [.2, .8].
func pixels(t *testing.T, n int, seed uint64) (feature.Tensor, []int) {
	t.Helper()
	b, err := feature.ReadAll(featuretest.NewBlobs(n, 6, 3, 1, 7, seed))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range b.X.Data {
		b.X.Data[i] = float32(.5 + .3*math.Tanh(float64(v)))
	}
	return feature.Tensor{Shape: []int{n, 1, 2, 3}, Data: b.X.Data}, b.Labels
}

// run synthesizes from the batch of the scene, with what b sets beside it.
func (s scene) run(t *testing.T, c synth.Synthesizer, b synth.Batch) (feature.Tensor, synth.Trace) {
	t.Helper()
	out := s.x.Clone()
	trace, err := c.Synthesize(context.Background(), s.m, out, s.batch(b))
	if err != nil {
		t.Fatal(err)
	}
	return out, trace
}

var sinkhorn = distance.Sinkhorn{Epsilon: .05, Sharp: true}

func TestDistanceGrowsAndLossIsHeld(t *testing.T) {
	for _, step := range []synth.Step{synth.SignStep, synth.L2Step, synth.LInfStep} {
		s := newScene(t, 12, 9) // different sizes on purpose
		_, trace := s.run(t, synth.Synthesizer{Distance: sinkhorn, Step: step, StepSize: .02, Epsilon: .2}, synth.Batch{})
		if trace.DistanceAfter < 1.1*trace.DistanceBefore {
			t.Errorf("step %d: distance went from %v to %v", step, trace.DistanceBefore, trace.DistanceAfter)
		}
		if trace.Steps != 15 {
			t.Errorf("step %d: %d steps, want the default 15", step, trace.Steps)
		}
		_, pull := s.run(t, synth.Synthesizer{Distance: sinkhorn, Step: step, StepSize: .02, Epsilon: .2}, synth.Batch{Weight: -1})
		if pull.DistanceAfter >= pull.DistanceBefore {
			t.Errorf("step %d: pulled distance went from %v to %v", step, pull.DistanceBefore, pull.DistanceAfter)
		}
		_, down := s.run(t, synth.Synthesizer{Step: step, StepSize: .02, Epsilon: .2}, synth.Batch{Lambda: 1})
		if down.LossAfter >= down.LossBefore || down.DistanceBefore != 0 {
			t.Errorf("step %d: loss went from %v to %v, distance %v", step, down.LossBefore, down.LossAfter, down.DistanceBefore)
		}
		_, up := s.run(t, synth.Synthesizer{Step: step, StepSize: .02, Epsilon: .2}, synth.Batch{Lambda: -1})
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
		out, _ := s.run(t, synth.Synthesizer{Distance: sinkhorn, StepSize: .1, Ball: ball, Epsilon: eps}, synth.Batch{Pixels: norm})
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
	for _, step := range []synth.Step{synth.SignStep, synth.L2Step, synth.LInfStep} {
		out, _ := s.run(t, synth.Synthesizer{Distance: sinkhorn, Steps: 1, Step: step, StepSize: alpha, Epsilon: synth.Off, Box: synth.NoBox}, synth.Batch{Pixels: norm})
		for i := range out.Rows() {
			var linf, l2 float64
			for j, v := range out.Row(i) {
				d := .25 * math.Abs(float64(v-s.x.Row(i)[j]))
				linf, l2 = max(linf, d), math.Hypot(l2, d)
				if step == synth.SignStep && math.Abs(d-alpha) > 1e-6 {
					t.Errorf("sign step moved a pixel by %v, want %v", d, alpha)
				}
			}
			got := map[synth.Step]float64{synth.SignStep: linf, synth.L2Step: l2, synth.LInfStep: linf}[step]
			if math.Abs(got-alpha) > 1e-6 {
				t.Errorf("step %d moved row %d by %v, want %v", step, i, got, alpha)
			}
		}
	}
}

func TestSynthesizeLeavesItsArgumentsAlone(t *testing.T) {
	s := newScene(t, 4, 4)
	x, ref := slices.Clone(s.x.Data), slices.Clone(s.ref.X)
	s.run(t, synth.Synthesizer{Distance: sinkhorn}, synth.Batch{Lambda: 1})
	if !slices.Equal(x, s.x.Data) || !slices.Equal(ref, s.ref.X) {
		t.Error("an argument was modified")
	}
	want, _ := s.run(t, synth.Synthesizer{Distance: sinkhorn}, synth.Batch{Lambda: 1})
	inPlace := s.x.Clone()
	if _, err := (&synth.Synthesizer{Distance: sinkhorn}).Synthesize(context.Background(), s.m, inPlace, synth.Batch{X: inPlace, Labels: s.labels, Reference: s.ref, Lambda: 1}); err != nil {
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
	out, _ := s.run(t, synth.Synthesizer{StepSize: .02}, synth.Batch{Lambda: 1})
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
		if _, err := (&synth.Synthesizer{Distance: d}).Synthesize(context.Background(), s.m, s.x.Clone(), s.batch(synth.Batch{})); !errors.Is(err, feature.ErrNotFinite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneSample(t *testing.T) {
	s := newScene(t, 1, 1)
	_, trace := s.run(t, synth.Synthesizer{Distance: sinkhorn, StepSize: .02, Epsilon: .2}, synth.Batch{Lambda: .1})
	if trace.DistanceAfter <= trace.DistanceBefore {
		t.Errorf("distance went from %v to %v", trace.DistanceBefore, trace.DistanceAfter)
	}
}

func TestNonConvergenceIsCounted(t *testing.T) {
	s := newScene(t, 8, 8)
	_, trace := s.run(t, synth.Synthesizer{Distance: distance.Sinkhorn{Epsilon: 1e-4, MaxIter: 1, NewtonAfter: -1}, Steps: 3}, synth.Batch{})
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
		b    synth.Batch
		want error
	}{
		{"steps", synth.Synthesizer{Steps: -1}, synth.Batch{Lambda: 1}, synth.ErrParameter},
		{"step size", synth.Synthesizer{StepSize: math.NaN()}, synth.Batch{Lambda: 1}, synth.ErrParameter},
		{"epsilon", synth.Synthesizer{Epsilon: -.5}, synth.Batch{Lambda: 1}, synth.ErrParameter},
		{"infinite epsilon", synth.Synthesizer{Epsilon: math.Inf(1)}, synth.Batch{Lambda: 1}, synth.ErrParameter},
		{"lambda", synth.Synthesizer{}, synth.Batch{Lambda: math.Inf(1)}, feature.ErrParameter},
		{"kind", synth.Synthesizer{Step: 9}, synth.Batch{Lambda: 1}, synth.ErrParameter},
		{"box", synth.Synthesizer{Box: 2}, synth.Batch{Lambda: 1}, synth.ErrParameter},
		{"tap", synth.Synthesizer{Tap: "nowhere"}, synth.Batch{Lambda: 1}, feature.ErrNoTap},
		{"normalization", synth.Synthesizer{}, synth.Batch{Lambda: 1, Pixels: feature.Pixels{Std: []float64{0}}}, feature.ErrNotFinite},
	} {
		if _, err := c.s.Synthesize(ctx, s.m, s.x.Clone(), s.batch(c.b)); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	ok := synth.Synthesizer{Distance: sinkhorn}
	if _, err := ok.Synthesize(ctx, s.m, s.x.Clone(), synth.Batch{X: s.x, Labels: s.labels[:3], Reference: s.ref}); !errors.Is(err, feature.ErrShape) {
		t.Errorf("missing label: %v", err)
	}
	if _, err := ok.Synthesize(ctx, s.m, feature.NewTensor(4, 5), synth.Batch{X: feature.NewTensor(4, 5), Labels: s.labels, Reference: s.ref}); !errors.Is(err, feature.ErrShape) {
		t.Errorf("wrong shape: %v", err)
	}
	bad := s.x.Clone()
	bad.Data[7] = float32(math.NaN())
	if _, err := ok.Synthesize(ctx, s.m, s.x.Clone(), synth.Batch{X: bad, Labels: s.labels, Reference: s.ref}); !errors.Is(err, feature.ErrNotFinite) {
		t.Errorf("NaN: %v", err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := ok.Synthesize(done, s.m, s.x.Clone(), s.batch(synth.Batch{})); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Settings can be written into a record whatever the distance is.
func TestSettingsAsJSON(t *testing.T) {
	for d, want := range map[string]distance.Distance{
		"distance.CORAL{Biased:true}": distance.CORAL{Biased: true},
		"distance.Func": distance.Func(func(*distance.Workspace, []float64, []float64, distance.Sample, distance.Sample) (float64, error) {
			return 0, nil
		}),
		"": nil,
	} {
		text, err := json.Marshal(synth.Synthesizer{Distance: want, Steps: 7})
		var got struct {
			Distance string
			Steps    int
		}
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		if err != nil || got.Distance != d || got.Steps != 7 {
			t.Errorf("%s: %s, %v", d, text, err)
		}
	}
}
