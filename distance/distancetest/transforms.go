package distancetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/distance"
)

// The laws of distances that do not change, or change by a known factor, where the
// points are moved, turned or scaled.

// translationLaw: a common offset changes nothing, so the gradients have sum
// zero.
func translationLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		shift := func(_ int, row []float64) {
			for j := range row {
				row[j] += 3 - 2*float64(j)
			}
		}
		if err := c.both(d, x, y, mapped(x, shift), mapped(y, shift), same); err != nil {
			return err
		}
		if err := c.far(d, x, y); err != nil {
			return err
		}
		r, err := eval(d, nil, x, y)
		if err != nil {
			return err
		}
		for j := range s.Dim {
			var sum float64
			for i := j; i < len(r.gx); i += s.Dim {
				sum += r.gx[i]
			}
			for i := j; i < len(r.gy); i += s.Dim {
				sum += r.gy[i]
			}
			if err := closeTo(fmt.Sprintf("sum of the gradients at coordinate %d", j), sum, 0, largest(r.gx, r.gy), c.gradTol()); err != nil {
				return err
			}
		}
		return nil
	})
}

// far moves points with 20 binary places by 2²⁰, which is exact: only a distance
// that computes from the points as they stand, and not from their differences,
// loses digits.
func (c *checker) far(d distance.Distance, x, y distance.Sample) error {
	short := func(_ int, row []float64) {
		for j, v := range row {
			row[j] = math.Round(v*(1<<20)) / (1 << 20)
		}
	}
	x, y = mapped(x, short), mapped(y, short)
	away := func(_ int, row []float64) {
		for j := range row {
			row[j] += 1 << 20
		}
	}
	// Sums of such numbers are rounded by 1e-10; their squares, by 1e-4.
	rough := *c
	rough.opt.Tol = max(1e-6, c.valueTol(), c.gradTol())
	if err := rough.both(d, x, y, mapped(x, away), mapped(y, away), same); err != nil {
		return fmt.Errorf("by 2²⁰: %w", err)
	}
	return nil
}

// rotationLaw: a common reflection changes nothing but the directions.
func rotationLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		q := reflection(c.rng(s, 5), s.Dim)
		turn := func(_ int, row []float64) { q(row) }
		return c.both(d, x, y, mapped(x, turn), mapped(y, turn), func(r result) result {
			for _, g := range [2][]float64{r.gx, r.gy} {
				for i := 0; i < len(g); i += s.Dim {
					q(g[i : i+s.Dim])
				}
			}
			return r
		})
	})
}

// reflection returns the product of two Householder reflections.
func reflection(rnd *rand.Rand, dim int) func(row []float64) {
	var vs [2][]float64
	for k := range vs {
		vs[k] = make([]float64, dim)
		for j := range dim {
			vs[k][j] = rnd.NormFloat64()
		}
	}
	return func(row []float64) {
		for _, v := range vs {
			var dot, vv float64
			for j, w := range v {
				dot += w * row[j]
				vv += w * w
			}
			for j, w := range v {
				row[j] -= 2 * dot / vv * w
			}
		}
	}
}

func rowScaleLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		factor := func(i int) float64 { return .25 + float64(i%4) }
		scale := func(i int, row []float64) {
			for j := range row {
				row[j] *= factor(i)
			}
		}
		return c.both(d, x, y, mapped(x, scale), mapped(y, scale), func(r result) result {
			for _, g := range [2][]float64{r.gx, r.gy} {
				for i := range g {
					g[i] /= factor(i / s.Dim)
				}
			}
			return r
		})
	})
}

func homogeneousLaw(c *checker, s Size) error {
	return c.variants(s, func(_ distance.Distance, x, y distance.Sample) error {
		const factor = 2.5
		scale := func(_ int, row []float64) {
			for j := range row {
				row[j] *= factor
			}
		}
		// Settings that are taken from the data scale with them.
		return c.both(c.d, x, y, mapped(x, scale), mapped(y, scale), func(r result) result {
			r.value *= math.Pow(factor, c.props.Degree)
			for _, g := range [2][]float64{r.gx, r.gy} {
				for i := range g {
					g[i] *= math.Pow(factor, c.props.Degree-1)
				}
			}
			return r
		})
	})
}
