package synth

import (
	"context"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// normed returns a smooth network with batch norm, whose running statistics are not
// those of the noise that it is run on.
func normed(t *testing.T) *nn.Network {
	t.Helper()
	b := nn.NewBuilder(3, 2, 6, 6)
	x := b.Tap("norm", b.BatchNorm("bn1", b.Conv("conv1", b.Input(), nn.Conv{Out: 4, Kernel: 3, Pad: 1})))
	x = b.Tap("bend", b.Tanh(b.BatchNorm("bn2", b.Conv("conv2", b.Tanh(x), nn.Conv{Out: 5, Kernel: 3, Stride: 2}))))
	m, err := b.Build(b.Linear("fc", b.Flatten(x), 3))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Spec().Params {
		if p.Kind != feature.Statistic {
			continue
		}
		v := make([]float32, feature.Size(p.Shape))
		for k := range v {
			v[k] = .3 + .1*float32(k)
		}
		if err := m.SetParam(i, v); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func noise(seed uint64, shape ...int) feature.Tensor {
	x, r := feature.NewTensor(shape...), rng.Stream(seed, "noise")
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64())
	}
	return x
}

// The gradient of each term agrees with central differences in random directions to 1e-3
// of its size: the network is float32, steps of .005 and .01 leave rounding near 1e-5 of the
// loss, and truncation is removed by Richardson's extrapolation.
func TestRecallGradient(t *testing.T) {
	m := normed(t)
	for name, r := range map[string]Recall{
		"class":      {Statistics: Off, Variation: Off, Norm: Off},
		"statistics": {Statistics: 20, Variation: Off, Norm: Off},
		"variation":  {Statistics: Off, Variation: 20, Norm: Off},
		"norm":       {Statistics: Off, Variation: Off, Norm: 20},
	} {
		c, err := r.resolve(m.Spec())
		if err != nil {
			t.Fatal(err)
		}
		x, labels := noise(1, 6, 2, 6, 6), []int{0, 1, 2, 0, 1, 2}
		at := func(dir []float32, h float32) float64 {
			moved := x.Clone()
			for i, d := range dir {
				moved.Data[i] += h * d
			}
			v, err := c.loss(context.Background(), m, moved, labels, make([]float32, len(x.Data)))
			if err != nil {
				t.Fatal(err)
			}
			return v.cross + max(r.Statistics, 0)*v.statistics + max(r.Variation, 0)*v.variation + max(r.Norm, 0)*v.norm
		}
		dx := make([]float32, len(x.Data))
		if _, err := c.loss(context.Background(), m, x, labels, dx); err != nil {
			t.Fatal(err)
		}
		for k := range 4 {
			dir := noise(uint64(10+k), 6, 2, 6, 6).Data
			var product float64
			for i, d := range dir {
				product += float64(d) * float64(dx[i])
			}
			narrow, wide := (at(dir, .005)-at(dir, -.005))/.01, (at(dir, .01)-at(dir, -.01))/.02
			if quotient := (4*narrow - wide) / 3; math.Abs(quotient-product) > 1e-3*max(math.Abs(product), .5) {
				t.Errorf("%s, direction %d: difference quotient %.6f, gradient %.6f", name, k, quotient, product)
			}
		}
	}
}

// Behind one batch norm, R is the closed form of the documentation.
func TestRecallStatisticsOfOneLayer(t *testing.T) {
	const n, mean, variance, scale = 8, .7, 2.5, 1.5
	b := nn.NewBuilder(3, 1, 4, 4)
	x := b.Tap("norm", b.BatchNorm("bn", b.Input()))
	m, err := b.Build(b.Linear("fc", b.Flatten(x), 3))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []float32{scale, 0, mean, variance} { // γ, β, μ, σ²
		if err := m.SetParam(i, []float32{v}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Recall{Taps: []string{"norm"}}.resolve(m.Spec())
	if err != nil {
		t.Fatal(err)
	}
	in := noise(2, n, 1, 4, 4)
	var sum, squares float64
	for _, v := range in.Data {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	size := float64(len(in.Data))
	const epsilon = 1e-5 // of nn's batch norm, inside the root
	batchMean, sigma := sum/size, math.Sqrt(variance+epsilon)
	s := math.Sqrt(squares/size - batchMean*batchMean)
	apart := (1-s/sigma)*(1-s/sigma) + (batchMean-mean)*(batchMean-mean)/(sigma*sigma)
	all := (s*s + (batchMean-mean)*(batchMean-mean)) / (sigma * sigma)
	got, err := c.loss(context.Background(), m, in, make([]int, n), make([]float32, len(in.Data)))
	if want := apart / all; err != nil || math.Abs(got.statistics-want) > 1e-4*want { // epsilon/s² of the batch's root
		t.Errorf("R is %.6f, %v; want %.6f", got.statistics, err, want)
	}
}
