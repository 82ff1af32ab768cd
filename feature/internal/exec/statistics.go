package exec

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
)

const (
	// statisticSamples is the most samples that statistics are taken of: a mean
	// is then good to 1/√2048 = 2 % of the deviation, and the cost is that of a
	// few dozen batches.
	statisticSamples = 2048
	// statisticElements bounds the elements of all layers' outputs at a time.
	statisticElements = 1 << 24
)

// moments are sums over the outputs of a layer, by channel.
type moments struct {
	count       float64 // of numbers a channel
	sum, square []float64
}

func newMoments(channels int) *moments {
	return &moments{sum: make([]float64, channels), square: make([]float64, channels)}
}

// mean returns the mean of a channel.
func (m *moments) mean(ch int) float64 { return m.sum[ch] / m.count }

// variance returns the biased variance of a channel. Squares of float32 are exact
// in float64, so that the difference is good to about 2⁻⁵³·count relative to the
// square of the mean.
func (m *moments) variance(ch int) float64 {
	mean := m.mean(ch)
	return max(m.square[ch]/m.count-float64(mean*mean), 0)
}

// addPlanes takes in samples of channels with n numbers each.
func (m *moments) addPlanes(x []float32, n int) {
	channels := len(m.sum)
	for i := range len(x) / n {
		s, q := kernel.Moments(x[i*n : (i+1)*n])
		m.sum[i%channels] += s
		m.square[i%channels] += q
	}
	m.count += float64(len(x) / channels)
}

// addRows takes in rows of one number a channel.
func (m *moments) addRows(x []float32) {
	channels := len(m.sum)
	for i, v := range x {
		m.sum[i%channels] += float64(v)
		m.square[i%channels] += float64(v) * float64(v)
	}
	m.count += float64(len(x) / channels)
}

// statistics returns the moments of the layers' outputs on samples of d, at equal
// distances.
func (m *Model) statistics(ctx context.Context, layers []layer, d feature.Dataset) ([]*moments, error) {
	if !slices.Equal(d.Shape(), m.spec.Input) || d.Len() == 0 {
		return nil, fmt.Errorf("%w: %d samples of shape %v for a model of %v", feature.ErrShape, d.Len(), d.Shape(), m.spec.Input)
	}
	p := m.newProbe(layers)
	n := min(d.Len(), statisticSamples)
	for lo := 0; lo < n; lo += p.rows {
		index := make([]int, min(p.rows, n-lo))
		for i := range index {
			index[i] = (lo + i) * d.Len() / n
		}
		if err := p.run(ctx, d, index); err != nil {
			return nil, err
		}
	}
	return p.sums, nil
}

// probe runs a model forward to the outputs of layers.
type probe struct {
	m      *Model
	layers []layer
	sums   []*moments
	rows   int // samples at a time
	taps   []graph.Value
	x      []float32
	labels []int
	out    [][]float32
}

func (m *Model) newProbe(layers []layer) *probe {
	p := &probe{m: m, layers: layers}
	total := 0
	for _, l := range layers {
		p.taps = append(p.taps, l.end)
		p.sums = append(p.sums, newMoments(l.channels()))
		total += m.g.Size(l.end)
	}
	p.rows = max(1, min(64, statisticElements/total))
	p.x, p.labels = make([]float32, p.rows*feature.Size(m.spec.Input)), make([]int, p.rows)
	for _, l := range layers {
		p.out = append(p.out, make([]float32, p.rows*m.g.Size(l.end)))
	}
	return p
}

// run takes in some samples.
func (p *probe) run(ctx context.Context, d feature.Dataset, index []int) error {
	n := len(index)
	x := feature.Tensor{Shape: append([]int{n}, p.m.spec.Input...), Data: p.x[:n*feature.Size(p.m.spec.Input)]}
	if err := d.Read(index, x.Data, p.labels[:n]); err != nil {
		return err
	}
	if err := x.CheckFinite(); err != nil {
		return err
	}
	c := &call{taps: p.taps}
	for i, l := range p.layers {
		c.out = append(c.out, p.out[i][:n*p.m.g.Size(l.end)])
	}
	if err := p.m.forward(ctx, x, c); err != nil {
		return err
	}
	par.Each(len(p.layers), func(_, i int) {
		if l := p.layers[i]; l.last {
			p.sums[i].addRows(c.out[i])
		} else {
			p.sums[i].addPlanes(c.out[i], p.m.g.Size(l.end)/l.channels())
		}
	})
	return nil
}

// norm holds what a norm starts from.
type norm struct {
	epsilon                      float64
	exponent                     []int // the layer's weight and bias are multiplied by two to this power
	scale, shift, mean, variance []float32
}

// normEpsilon is what is added to the variance, as in PyTorch, or a thousandth of
// the mean variance of the channels where that is smaller, so that a layer of
// small numbers is normalized as well.
const normEpsilon = 1e-5

// norm returns the batch norm that does nothing to outputs with these moments but
// undo the exponents. In a channel that is constant on the samples the scale is
// √epsilon, so that there too the norm is the identity.
func (m *moments) norm(exponent []int) norm {
	channels := len(m.sum)
	scaled := make([]float64, channels) // variances
	var spread float64
	for ch := range channels {
		scaled[ch] = math.Ldexp(m.variance(ch), 2*exponent[ch])
		spread += scaled[ch] / float64(channels)
	}
	n := norm{epsilon: normEpsilon, exponent: exponent}
	if spread > 0 {
		n.epsilon = min(n.epsilon, spread/1000)
	}
	for ch := range channels {
		scale, variance := identity(scaled[ch], n.epsilon)
		mean := float32(m.mean(ch))
		n.scale, n.variance = append(n.scale, power(scale, -exponent[ch])), append(n.variance, variance)
		n.shift, n.mean = append(n.shift, mean), append(n.mean, power(mean, exponent[ch]))
	}
	return n
}

// power returns v·2ⁿ, which is exact.
func power(v float32, n int) float32 { return float32(math.Ldexp(float64(v), n)) }

// identity returns a scale and a variance near v whose quotient
// scale/√(variance + epsilon) is 1 in float32. A scale that is rounded by itself
// would leave every other channel one unit in the last place away, which deep
// networks magnify. The variance, the square less epsilon, is good to 2⁻²⁴, and its
// root to 2⁻²⁵, which rounds to 1.
func identity(v, epsilon float64) (scale, variance float32) {
	scale = float32(math.Sqrt(v + epsilon))
	square := float64(scale) * float64(scale)
	if square < epsilon {
		scale = math.Nextafter32(scale, 1)
		square = float64(scale) * float64(scale)
	}
	return scale, float32(square - epsilon)
}

// normLength is the root of three times the sum of the squares of a channel's
// weights that insertion aims at: what layers with batch norm have after
// training. It is 1.8 to 2.4 in a network for Fashion-MNIST whose layers have 2.4
// to 6.2 once their norms are folded into them; PyTorch's default initialization
// gives 1. Behind a norm the length of the weights does not matter for what a
// layer computes, but for how much a given noise and a given step change it: with
// the folded weights as they are, unlearning leaves more of what was memorized.
const normLength = 2

// exponents returns for each output channel of a layer the power of two that
// brings its weights nearest to normLength.
func exponents(l layer, w []float32) []int {
	squares, inner := make([]float64, l.channels()), feature.Size(l.shape[l.axis+1:])
	for i, v := range w {
		squares[i/inner%len(squares)] += float64(v) * float64(v)
	}
	list := make([]int, len(squares))
	for ch, q := range squares {
		if q > 0 {
			list[ch] = int(max(-exponentLimit, min(exponentLimit, math.Round(math.Log2(normLength/math.Sqrt(3*q))))))
		}
	}
	return list
}

// exponentLimit bounds the exponents of channels that are next to nothing: their
// variances are multiplied by four to this power.
const exponentLimit = 20

// params returns the weights in the order of the norm's inputs.
func (n norm) params() [][]float32 { return [][]float32{n.scale, n.shift, n.mean, n.variance} }
