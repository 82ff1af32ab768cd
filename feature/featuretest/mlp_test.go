package featuretest

import (
	"context"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

func TestMLPKeepsTheLaws(t *testing.T) { Run(t, NewMLP(5, 7, 3, 1), nil) }

// The hand-written gradients are checked by central differences in random
// directions, through both taps at once. The loss is a sum of squares, so in
// float32 with step h = 1e-2 truncation and rounding are both near 1e-4.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	m := NewMLP(5, 7, 3, 1)
	r := rng.Stream(2, "test")
	x := feature.NewTensor(4, 5)
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64())
	}
	value := func(val, cot []feature.Tensor) (sum float64) {
		for i, v := range val {
			for j, f := range v.Data {
				w := math.Sin(float64(j + 1 + i))
				sum += w * float64(f) * float64(f) / 2
				if cot != nil {
					cot[i].Data[j] += float32(w * float64(f))
				}
			}
		}
		return sum
	}
	taps := []string{"logits", "hidden"}
	dx, dp := make([]float32, len(x.Data)), feature.NewGradients(m.Spec())
	loss := func(val, cot []feature.Tensor) error { value(val, cot); return nil }
	if err := m.Grad(context.Background(), x, taps, loss, dx, dp); err != nil {
		t.Fatal(err)
	}
	at := func() float64 {
		out := []feature.Tensor{feature.NewTensor(4, 3), feature.NewTensor(4, 7)}
		if err := m.Forward(context.Background(), x, taps, out); err != nil {
			t.Fatal(err)
		}
		return value(out, nil)
	}
	groups := map[string][2][]float32{"x": {x.Data, dx}}
	for i, p := range m.Spec().Params {
		groups[p.Name] = [2][]float32{m.P[i], dp[i]}
	}
	for name, g := range groups {
		const h = 1e-2
		dir, want := make([]float32, len(g[0])), 0.0
		for i := range dir {
			dir[i] = float32(r.NormFloat64())
			want += float64(dir[i]) * float64(g[1][i])
		}
		shift := func(s float32) {
			for i := range dir {
				g[0][i] += s * dir[i]
			}
		}
		shift(h)
		up := at()
		shift(-2 * h)
		down := at()
		shift(h)
		if got := (up - down) / (2 * h); math.Abs(got-want) > 2e-3*(1+math.Abs(want)) {
			t.Errorf("%s: difference quotient %.6f, gradient %.6f", name, got, want)
		}
	}
}
