package synth

import (
	"context"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// smooth networks: with rectifiers, a difference quotient straddles kinks.
func smoothModels(t *testing.T) map[string]feature.Differentiable {
	t.Helper()
	b := nn.NewBuilder(3, 1, 6, 6)
	x := b.Tanh(b.Conv("conv", b.Input(), nn.Conv{Out: 4, Kernel: 3, Stride: 2, Pad: 1}))
	x = b.Tap("bend", b.Tanh(b.Linear("hidden", b.Flatten(x), 8)))
	net, err := b.Build(b.Linear("fc", x, 3))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]feature.Differentiable{"conv net": net, "hand-written": featuretest.NewMLP(36, 8, 3, 1)}
}

// The gradient of the transport term in the input agrees with central
// differences to 1e-4 of its size in random directions. The models are float32,
// so steps of .05 and .1 leave rounding near 2e-6; truncation is removed by
// Richardson's extrapolation.
func TestDistanceGradientInTheInput(t *testing.T) {
	for name, m := range smoothModels(t) {
		for _, d := range []distance.Distance{
			distance.Sinkhorn{Epsilon: .05, Sharp: true},
			distance.Sinkhorn{Epsilon: .1},
			distance.Sinkhorn{Epsilon: .1, Debiased: true},
		} {
			got, want := directional(t, m, Synthesizer{Distance: d}, 3)
			scale := 0.0
			for i := range want {
				scale = max(scale, math.Abs(want[i]))
			}
			if scale < 1e-3 {
				t.Fatalf("%s: the gradient is %v; the test shows nothing", name, want)
			}
			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-4*scale {
					t.Errorf("%s, %+v: direction %d: difference quotient %.7f, gradient %.7f", name, d, i, got[i], want[i])
				}
			}
		}
	}
}

// directional returns difference quotients of the objective in random
// directions and the inner products with its gradient.
func directional(t *testing.T, m feature.Differentiable, s Synthesizer, weight float64) (quotients, products []float64) {
	t.Helper()
	spec := m.Spec()
	r := rng.Stream(9, "directions")
	x := feature.NewTensor(append([]int{7}, spec.Input...)...)
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64())
	}
	labels := []int{0, 1, 2, 0, 1, 2, 0}
	tap, err := spec.Tap(spec.Features)
	if err != nil {
		t.Fatal(err)
	}
	ref := distance.Sample{N: 5, Dim: feature.Size(tap.Shape)}
	for range ref.N * ref.Dim {
		ref.X = append(ref.X, math.Tanh(r.NormFloat64()))
	}
	run, err := s.resolve(spec, Batch{X: x, Labels: labels, Reference: ref, Weight: weight})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	dx := make([]float32, len(x.Data))
	if _, err := run.objective(ctx, m, x, dx); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		dir := make([]float64, len(dx))
		var product float64
		for i := range dir {
			dir[i] = r.NormFloat64() / math.Sqrt(float64(len(dir)))
			product += dir[i] * float64(dx[i])
		}
		at := func(h float64) float64 {
			moved := x.Clone()
			for i := range moved.Data {
				moved.Data[i] += float32(h * dir[i])
			}
			v, err := run.objective(ctx, m, moved, nil)
			if err != nil {
				t.Fatal(err)
			}
			return run.Weight * v.distance
		}
		central := func(h float64) float64 { return (at(h) - at(-h)) / (2 * h) }
		const h = .1
		quotients = append(quotients, (4*central(h/2)-central(h))/3)
		products = append(products, product)
	}
	return quotients, products
}
