package baseline

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
	"github.com/dlfd-go/unlearn/synth"
)

// within calls f with a session on a trained model.
func within(t *testing.T, f func(ctx context.Context, s *dlfd.Session, m *featuretest.MLP) error) {
	t.Helper()
	m := featuretest.NewMLP(4, 12, 3, 1)
	d := dlfd.Data{Retain: featuretest.NewBlobs(60, 4, 3, .7, 7, 1), Forget: featuretest.NewBlobs(24, 4, 3, .7, 7, 2)}
	all, err := feature.Concat(d.Retain, d.Forget)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(context.Background(), m, all, &train.Options{Epochs: 20, BatchSize: 16}); err != nil {
		t.Fatal(err)
	}
	_, err = dlfd.Run(context.Background(), "test", m, d, &dlfd.Options{BatchSize: 7}, dlfd.Needs{Retain: true, Forget: true}, func(ctx context.Context, s *dlfd.Session) error {
		return f(ctx, s, m)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// quotient returns the fourth-order difference quotient of f at 0.
func quotient(f func(h float64) float64) float64 {
	const h = .01 // rounding of float32 arguments near 1e-6, truncation near 1e-8
	return (8*(f(h)-f(-h)) - (f(2*h) - f(-2*h))) / (12 * h)
}

func TestCosineDistanceGradient(t *testing.T) {
	r := rng.Stream(1, "cosine")
	x, y, g := make([]float32, 5), make([]float64, 5), make([]float32, 5)
	for i := range x {
		x[i], y[i] = float32(r.NormFloat64()), r.NormFloat64()
	}
	cosineDistance(g, x, y, 2)
	for i := range x {
		want := quotient(func(h float64) float64 {
			moved := slices.Clone(x)
			moved[i] += float32(h)
			return 2 * cosineDistance(nil, moved, y, 1)
		})
		if math.Abs(float64(g[i])-want) > 1e-4 {
			t.Errorf("element %d: %v, want %v", i, g[i], want)
		}
	}
	if d := cosineDistance(nil, []float32{3, 4}, []float64{4, 3}, 1); math.Abs(d-.04) > 1e-15 {
		t.Errorf("1 − 24/25 is %v", d)
	}
	if d := cosineDistance(g, make([]float32, 5), y, 1); d != 1 {
		t.Errorf("zero has distance %v", d)
	}
}

func TestLipschitzGradient(t *testing.T) {
	a, b := []float32{1, .5, -2}, []float32{.3, 1.5, -1}
	ca, cb := make([]float32, 3), make([]float32, 3)
	v := lipschitz(ca, cb, a, b, 2, 3)
	if want := math.Sqrt(.49+1+1) / 2; math.Abs(v-want) > 1e-6 {
		t.Errorf("the ratio is %v, want %v", v, want)
	}
	for i := range a {
		want := quotient(func(h float64) float64 {
			moved := slices.Clone(a)
			moved[i] += float32(h)
			return 3 * lipschitz(make([]float32, 3), make([]float32, 3), moved, b, 2, 0)
		})
		if math.Abs(float64(ca[i])-want) > 1e-4 || ca[i] != -cb[i] {
			t.Errorf("element %d: %v and %v, want %v", i, ca[i], cb[i], want)
		}
	}
	if v := lipschitz(ca, cb, a, a, 2, 1); v != 0 || math.IsNaN(float64(ca[0])) {
		t.Errorf("equal outputs: %v, %v", v, ca)
	}
}

// Noise has the deviation asked for in pixel units, channel by channel, and leaves
// images in the pixel box.
func TestNoise(t *testing.T) {
	pixels := feature.Pixels{Mean: []float64{.5, .2}, Std: []float64{.5, .1}}
	n, err := newNoise(feature.Spec{Input: []int{2, 20, 20}}, pixels, .05)
	if err != nil {
		t.Fatal(err)
	}
	x := feature.NewTensor(2, 2, 20, 20) // gray .5 and .2
	for i := range x.Row(1) {
		x.Row(1)[i] = -1 // gray 0 and .1
	}
	all := n.around(x, 3, rng.Stream(1, "noise"))
	if all.Rows() != 8 || !slices.Equal(all.Row(0), x.Row(0)) || !slices.Equal(all.Row(1), x.Row(1)) {
		t.Fatalf("%d rows", all.Rows())
	}
	for c, want := range []float64{.05 / .5, .05 / .1} {
		var squares float64
		for k := range 3 {
			for _, v := range all.Row(2 + 2*k)[c*400 : (c+1)*400] {
				squares += float64(v) * float64(v) / 1200
			}
		}
		if got := math.Sqrt(squares); math.Abs(got/want-1) > .08 { // four standard errors of 1,200 draws
			t.Errorf("channel %d: deviation %v, want %v", c, got, want)
		}
	}
	if least := slices.Min(all.Row(3)[:400]); least != -1 {
		t.Errorf("a black pixel became %v", least)
	}
	if most := slices.Max(all.Row(3)[:400]); most <= -1 {
		t.Error("black pixels have no noise")
	}
}

// A neighbor is wrong, has the label that the model gives it, lies within the radius at
// which it was found, and was found at no smaller one.
func TestNeighborsAreTheNearest(t *testing.T) {
	within(t, func(ctx context.Context, s *dlfd.Session, m *featuretest.MLP) error {
		f := s.Data.Forget.(*featuretest.Blobs)
		n, err := newNeighbors(ctx, s)
		if err != nil {
			return err
		}
		if wrong := len(n.found); wrong > 8 {
			t.Fatalf("%d of 24 samples are wrong to begin with", wrong)
		}
		found := slices.Clone(n.found)
		searched := 0
		for radius := .1; len(n.missing) > 0 && radius < 50; radius *= 2 {
			by := synth.Synthesizer{Steps: 20, Step: synth.L2Step, StepSize: radius / 10, Ball: synth.BallL2, Epsilon: radius}
			before := len(n.found)
			if err := n.search(ctx, s, by); err != nil {
				return err
			}
			for _, i := range n.found[before:] {
				if d := euclidean(f.X.Row(i), n.set.x.Row(i)); d > radius*(1+1e-6) || d == 0 {
					t.Errorf("radius %v: neighbor of sample %d is at %v", radius, i, d)
				}
			}
			for _, i := range n.missing { // still right in the smaller ball
				if n.set.labels[i] != f.Labels[i] || !slices.Equal(n.set.x.Row(i), f.X.Row(i)) {
					t.Errorf("radius %v: sample %d has no neighbor, but has changed", radius, i)
				}
			}
			if len(n.found) > before && len(n.missing) > 0 {
				searched++
			}
		}
		if len(n.missing) > 0 || searched < 2 {
			t.Errorf("%d samples have no neighbor; neighbors at %d radii", len(n.missing), searched)
		}
		logits, err := logitsOf(ctx, m, n.set.x)
		if err != nil {
			return err
		}
		for _, i := range n.found {
			if got := highest(logits.Row(i), -1); got != n.set.labels[i] || got == f.Labels[i] {
				t.Errorf("the neighbor of sample %d (class %d) has label %d, the model says %d", i, f.Labels[i], n.set.labels[i], got)
			}
		}
		for _, i := range found { // its own neighbor
			if !slices.Equal(n.set.x.Row(i), f.X.Row(i)) {
				t.Errorf("sample %d was wrong already and has moved", i)
			}
		}
		return nil
	})
}

// AMUN teaches the wrong labels of the neighbors, which lie just behind the boundary to
// begin with.
func TestAMUNTeachesTheNeighbors(t *testing.T) {
	within(t, func(ctx context.Context, s *dlfd.Session, m *featuretest.MLP) error {
		u, err := AMUN{Descent: Descent{Epochs: 10, Rate: .05}}.resolve()
		if err != nil {
			return err
		}
		all, err := u.examples(ctx, s)
		if err != nil {
			return err
		}
		index := make([]int, 24) // behind the retain samples
		for i := range index {
			index[i] = 60 + i
		}
		part, err := feature.Subset(all, index)
		if err != nil {
			return err
		}
		b, err := feature.ReadAll(part)
		if err != nil {
			return err
		}
		loss := func() float64 {
			z, err := logitsOf(ctx, m, b.X)
			if err != nil {
				t.Fatal(err)
			}
			v, err := feature.CrossEntropy(z, feature.Tensor{}, b.Labels, 1)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		before := loss()
		if _, err := u.Unlearn(ctx, m, s.Data, nil); err != nil {
			return err
		}
		if after := loss(); before > math.Ln2 || after > .8*before { // at most ½ of two classes on the boundary
			t.Errorf("the loss on the neighbors went from %v to %v", before, after)
		}
		for _, withForget := range []bool{false, true} {
			u.WithForget = withForget
			if all, err = u.examples(ctx, s); err != nil {
				return err
			}
			if want := map[bool]int{false: 84, true: 108}[withForget]; all.Len() != want {
				t.Errorf("WithForget %v: %d samples, want %d", withForget, all.Len(), want)
			}
		}
		return nil
	})
}

// Labels are those of the second step along the sign of differences of the loss.
func TestBoundaryLabels(t *testing.T) {
	within(t, func(ctx context.Context, s *dlfd.Session, m *featuretest.MLP) error {
		const epsilon = .6
		f := s.Data.Forget.(*featuretest.Blobs)
		got, err := BoundaryShrink{Epsilon: epsilon}.relabel(ctx, s)
		if err != nil {
			return err
		}
		moved := f.X.Clone()
		for i, y := range f.Labels {
			for k, v := range f.X.Row(i) {
				slope := quotient(func(h float64) float64 {
					x := f.X.Clone().Slice(i, i+1)
					x.Data[k] = v + float32(h)
					z, err := logitsOf(ctx, m, x)
					if err != nil {
						t.Fatal(err)
					}
					ce, err := feature.CrossEntropy(z, feature.Tensor{}, []int{y}, 1)
					if err != nil {
						t.Fatal(err)
					}
					return ce
				})
				moved.Row(i)[k] += float32(math.Copysign(epsilon, slope))
			}
		}
		z, err := logitsOf(ctx, m, moved)
		if err != nil {
			return err
		}
		second := 0
		for i, y := range f.Labels {
			if got[i] == y {
				t.Errorf("sample %d keeps its label %d", i, y)
			}
			other := []int{(y + 1) % 3, (y + 2) % 3}
			want := other[0]
			if z.Row(i)[other[1]] > z.Row(i)[want] {
				want = other[1]
			}
			if got[i] != want {
				t.Errorf("sample %d: label %d, want %d", i, got[i], want)
			}
			if highest(z.Row(i), -1) == y {
				second++
			}
		}
		if second == 0 {
			t.Error("every neighbor is wrong: the test does not show that the right label is passed over")
		}
		return nil
	})
}

// The noise of UNSIR raises the loss above that of the noise it starts from, and the
// penalty makes it smaller.
func TestNoiseRaisesTheLoss(t *testing.T) {
	within(t, func(ctx context.Context, s *dlfd.Session, m *featuretest.MLP) error {
		made := func(u UNSIR) (loss, size float64) {
			u, err := u.resolve()
			if err != nil {
				t.Fatal(err)
			}
			d, err := u.noise(ctx, s, make([]bool, 3))
			if err != nil {
				t.Fatal(err)
			}
			z, err := logitsOf(ctx, m, d.x)
			if err == nil {
				loss, err = feature.CrossEntropy(z, feature.Tensor{}, d.labels, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			return loss, euclidean(d.x.Data, make([]float32, len(d.x.Data)))
		}
		start, _ := made(UNSIR{StepSize: 1e-12})
		end, free := made(UNSIR{Penalty: dlfd.Off})
		if end < start+1 {
			t.Errorf("the loss went from %v to %v", start, end)
		}
		if _, held := made(UNSIR{Penalty: 3}); held > .7*free {
			t.Errorf("the norm is %v with a penalty, %v without", held, free)
		}
		return nil
	})
}

// A class that goes as a whole has PerClass noises, any other forget sample one.
func TestNoiseLabels(t *testing.T) {
	got := UNSIR{PerClass: 3}.labels([]int{2, 0, 1, 2, 0}, []bool{false, false, true})
	if want := []int{2, 2, 2, 0, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
}

// adam takes the steps of train.Adam.
func TestAdamSteps(t *testing.T) {
	m := featuretest.NewMLP(2, 2, 2, 1)
	x := slices.Clone(m.P[0])
	state, err := train.Adam{Rate: .1}.Start(m.Spec())
	if err != nil {
		t.Fatal(err)
	}
	first, second := make([]float64, 4), make([]float64, 4)
	r := rng.Stream(1, "adam")
	for step := 1; step <= 5; step++ {
		g := make([]float32, 4)
		for i := range g {
			g[i] = float32(r.NormFloat64())
		}
		adam(x, g, first, second, .1, step)
		if err := state.Step(m, [][]float32{g, nil, nil, nil}, 1); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range m.P[0] {
		if math.Abs(float64(v-x[i])) > 1e-6 { // moments in float32 there
			t.Errorf("element %d: %v, want %v", i, x[i], v)
		}
	}
}
