package dataset

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
)

// ComputePixels returns the mean and the standard deviation (with divisor n) of
// the pixels of d, channel by channel, in pixels: how d is normalized itself is
// undone. Give it to Set.Normalize or to ImageOptions, computed on the training
// data alone. The error wraps ErrEmpty if there are no samples, and
// feature.ErrNotFinite if a channel is constant, which cannot be normalized.
//
// Sums are in float64, image by image, merged by the update of Chan, Golub and
// LeVeque (1979), which is stable where a mean is large beside the deviation.
// The cost is one pass over d, or none for a Set that has a pack and is not
// normalized: the pack knows.
func ComputePixels(d feature.Dataset) (feature.Pixels, error) {
	if d.Len() == 0 || feature.Size(d.Shape()) == 0 {
		return feature.Pixels{}, fmt.Errorf("dataset: %w: pixels of %d samples of shape %v", ErrEmpty, d.Len(), d.Shape())
	}
	m, err := momentsOfSet(d)
	if err != nil {
		return feature.Pixels{}, err
	}
	var p feature.Pixels
	for _, c := range m {
		p.Mean = append(p.Mean, c.mean)
		p.Std = append(p.Std, c.std())
	}
	if err := p.Check(len(m)); err != nil {
		return p, featureError{err}
	}
	return p, nil
}

// momentsOfSet returns the moments of each channel.
func momentsOfSet(d feature.Dataset) ([]moments, error) {
	if s, ok := d.(*Set); ok && s.pixels.Mean == nil && s.pixels.Std == nil {
		if p, ok := s.source.(*packed); ok {
			return p.moments, nil
		}
	}
	m := make([]moments, channels(d.Shape()))
	err := eachPixels(d, func(_ int, x []float64) error {
		plane := len(x) / len(m)
		for c := range m {
			m[c].merge(momentsOf(x[c*plane : (c+1)*plane]))
		}
		return nil
	})
	return m, err
}

// moments are the count, the mean, the sum of squares about the mean, and the
// extremes, which tell a constant from rounding.
type moments struct{ n, mean, square, min, max float64 }

func (m moments) std() float64 {
	if m.min == m.max {
		return 0
	}
	return math.Sqrt(m.square / m.n)
}

func momentsOf(x []float64) moments {
	m := moments{n: float64(len(x)), min: slices.Min(x), max: slices.Max(x)}
	for _, v := range x {
		m.mean += v
	}
	m.mean /= m.n
	for _, v := range x {
		m.square += (v - m.mean) * (v - m.mean)
	}
	return m
}

func (m *moments) merge(o moments) {
	if m.n == 0 {
		*m = o
		return
	}
	n, delta := m.n+o.n, o.mean-m.mean
	m.square += o.square + delta*delta*m.n*o.n/n
	m.mean += delta * o.n / n
	m.n, m.min, m.max = n, min(m.min, o.min), max(m.max, o.max)
}
