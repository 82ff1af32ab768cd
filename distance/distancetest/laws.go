package distancetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/distance"
)

// valueLaws hold for the distances that declare them.
var valueLaws = []law{
	{name: "permutation", check: permutationLaw, wide: true},
	{name: "descent", check: descentLaw},
	{name: "symmetry", applies: func(p distance.Properties) bool { return p.Symmetric }, check: symmetryLaw},
	{name: "nonnegative", applies: func(p distance.Properties) bool { return p.Nonnegative }, check: nonnegativeLaw},
	{name: "identity", applies: func(p distance.Properties) bool { return p.Definite }, check: identityLaw},
	{name: "triangle", applies: func(p distance.Properties) bool { return p.Root > 0 }, check: triangleLaw},
	{name: "translation", applies: func(p distance.Properties) bool { return p.Translation }, check: translationLaw},
	{name: "rotation", applies: func(p distance.Properties) bool { return p.Rotation }, check: rotationLaw},
	{name: "row scale", applies: func(p distance.Properties) bool { return p.RowScale }, check: rowScaleLaw},
	{name: "homogeneous", applies: func(p distance.Properties) bool { return p.Homogeneous }, check: homogeneousLaw},
	{name: "splitting", applies: func(p distance.Properties) bool { return p.Weighted }, check: splittingLaw},
	{name: "zero weight", applies: func(p distance.Properties) bool { return p.Weighted }, check: zeroWeightLaw},
	{name: "freeze", check: freezeLaw},
	{name: "reference", check: referenceLaw},
}

// both evaluates d at two pairs and compares: the value and the gradients of
// the second must be what want makes of the first.
func (c *checker) both(d distance.Distance, x, y, x2, y2 distance.Sample, want func(r result) result) error {
	r, err := eval(d, nil, x, y)
	if err != nil {
		return err
	}
	got, err := eval(d, nil, x2, y2)
	if err != nil {
		return err
	}
	w := want(r)
	if err := closeTo("value", got.value, w.value, c.unit, c.valueTol()); err != nil {
		return err
	}
	tol := max(c.gradTol(), c.valueTol())
	floor := max(c.unit, math.Abs(w.value)) / (1 + rms(x2.X) + rms(y2.X))
	if err := closeVec("gx", got.gx, w.gx, x.Dim, floor, tol); err != nil {
		return err
	}
	return closeVec("gy", got.gy, w.gy, x.Dim, floor, tol)
}

func same(r result) result { return r }

// permutationLaw: the order of the rows is nothing but the order of the
// gradient's rows.
func permutationLaw(c *checker, s Size) error {
	if c.props.Paired {
		return nil
	}
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		rnd := c.rng(s, 3)
		px, py := rnd.Perm(s.N), rnd.Perm(s.M)
		return c.both(d, x, y, permuted(x, px), permuted(y, py), func(r result) result {
			return result{r.value, permutedRows(r.gx, px, s.Dim), permutedRows(r.gy, py, s.Dim)}
		})
	})
}

func permuted(s distance.Sample, perm []int) distance.Sample {
	out := distance.Sample{N: s.N, Dim: s.Dim, X: permutedRows(tight(s).X, perm, s.Dim)}
	if s.W != nil {
		out.W = permutedRows(s.W, perm, 1)
	}
	if s.Labels != nil {
		out.Labels = permutedRows(s.Labels, perm, 1)
	}
	return out
}

func permutedRows[T any](g []T, perm []int, dim int) []T {
	out := make([]T, 0, len(g))
	for _, i := range perm {
		out = append(out, g[i*dim:(i+1)*dim]...)
	}
	return out
}

// descentLaw: a small step against the gradient lowers the value.
func descentLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		r, err := eval(d, nil, x, y)
		if err != nil {
			return err
		}
		slope := norm(r.gx) * norm(r.gx)
		if slope <= c.gradTol()*max(c.unit, math.Abs(r.value)) {
			return nil
		}
		for h := .1 * (1 + rms(x.X)) / norm(r.gx); h*slope > 1e-11*max(c.unit, math.Abs(r.value)); h /= 3 {
			v, err := d.Eval(nil, nil, nil, moved(x, r.gx, -h), y)
			if err != nil {
				return err
			}
			if v < r.value-.25*h*slope {
				return nil
			}
		}
		return fmt.Errorf("no step against gx lowers the value %v", r.value)
	})
}

// moved returns s + h·g.
func moved(s distance.Sample, g []float64, h float64) distance.Sample {
	return mapped(s, func(i int, row []float64) {
		for j := range row {
			row[j] += h * g[i*s.Dim+j]
		}
	})
}

func symmetryLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		return c.both(d, x, y, y, x, func(r result) result { return result{r.value, r.gy, r.gx} })
	})
}

func nonnegativeLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		v, err := d.Eval(nil, nil, nil, x, y)
		if err == nil && v < 0 {
			err = fmt.Errorf("the value is %v", v)
		}
		return err
	})
}

// identityLaw: a sample and its copy are at distance zero, where the gradient
// is zero too unless there is a kink.
func identityLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		r, err := eval(d, nil, x, y)
		if err != nil {
			return err
		}
		for _, z := range [2]distance.Sample{x, clone(x)} {
			at, err := eval(d, nil, x, z)
			if err != nil {
				return err
			}
			// Roots turn a rounding error of 1e-16 into one of 1e-8.
			scale := math.Abs(r.value) + rms(x.X)
			if err := closeTo("D(x, x)", at.value, 0, scale, max(c.valueTol(), 1e-7)); err != nil {
				return err
			}
			if c.props.Kinked {
				continue
			}
			zero := make([]float64, len(at.gx))
			floor := max(largest(r.gx, r.gy), 1e-3)
			if err := closeVec("gx at y = x", at.gx, zero, s.Dim, floor, 10*c.gradTol()); err != nil {
				return err
			}
		}
		return nil
	})
}

func triangleLaw(c *checker, s Size) error {
	z := c.sample(c.rng(s, 4), 0, s.N, s.Dim)
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		var root [3]float64
		for k, p := range [3][2]distance.Sample{{x, y}, {x, z}, {z, y}} {
			v, err := d.Eval(nil, nil, nil, p[0], p[1])
			if err != nil {
				return err
			}
			root[k] = math.Pow(max(v, 0), 1/c.props.Root)
		}
		if root[0] > (root[1]+root[2])*(1+c.valueTol()) {
			return fmt.Errorf("D(x, y)^(1/%v) = %v > %v + %v through a third sample", c.props.Root, root[0], root[1], root[2])
		}
		return nil
	})
}

// splittingLaw: a row of either side may be written twice with half its weight
// each; its gradient is then the sum of the two.
func splittingLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		split := func(z distance.Sample) distance.Sample {
			w := weightsOf(z)
			out := inserted(z, z.N, z.Row(0), w[0]/2, label(z, 0))
			out.W[0] /= 2
			return out
		}
		merge := func(g []float64) []float64 {
			last := len(g) - s.Dim
			for j := range s.Dim {
				g[j] += g[last+j]
			}
			return g[:last]
		}
		got, err := eval(d, nil, split(x), y)
		if err != nil {
			return err
		}
		got.gx = merge(got.gx)
		if err := c.matches(d, got, x, y); err != nil {
			return fmt.Errorf("of x: %w", err)
		}
		if got, err = eval(d, nil, x, split(y)); err != nil {
			return err
		}
		got.gy = merge(got.gy)
		if err := c.matches(d, got, x, y); err != nil {
			return fmt.Errorf("of y: %w", err)
		}
		return nil
	})
}

// inserted returns s with one more point before row at.
func inserted(s distance.Sample, at int, row []float64, w float64, label int) distance.Sample {
	out := distance.Sample{N: s.N + 1, Dim: s.Dim}
	out.X = slices.Insert(clone(s).X, at*s.Dim, row...)
	out.W = slices.Insert(weightsOf(s), at, w)
	if s.Labels != nil {
		out.Labels = slices.Insert(slices.Clone(s.Labels), at, label)
	}
	return out
}

func label(s distance.Sample, i int) int {
	if s.Labels == nil {
		return 0
	}
	return s.Labels[i]
}

// zeroWeightLaw: a row without weight does not matter, on either side, behind
// the others or among them.
func zeroWeightLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		row := slices.Clone(y.Row(0))
		row[s.Dim-1]++
		for _, at := range []int{x.N, x.N / 2, 0} {
			got, err := eval(d, nil, inserted(x, at, row, 0, label(y, 0)), y)
			if err == nil {
				got.gx, err = without(got.gx, at, s.Dim)
			}
			if err == nil {
				err = c.matches(d, got, x, y)
			}
			if err != nil {
				return fmt.Errorf("before row %d of x: %w", at, err)
			}
		}
		for _, at := range []int{y.N, y.N / 2} {
			got, err := eval(d, nil, x, inserted(y, at, row, 0, label(y, 0)))
			if err == nil {
				got.gy, err = without(got.gy, at, s.Dim)
			}
			if err == nil {
				err = c.matches(d, got, x, y)
			}
			if err != nil {
				return fmt.Errorf("before row %d of y: %w", at, err)
			}
		}
		return nil
	})
}

// without returns g without row at, which must be zero, up to the rounding of
// finite differences.
func without(g []float64, at, dim int) ([]float64, error) {
	for j, v := range g[at*dim : (at+1)*dim] {
		if !(math.Abs(v) <= 1e-9*max(1, largest(g))) {
			return nil, fmt.Errorf("the gradient at coordinate %d of a row with zero weight is %v", j, v)
		}
	}
	return slices.Delete(g, at*dim, (at+1)*dim), nil
}

// matches compares got with d at (x, y).
func (c *checker) matches(d distance.Distance, got result, x, y distance.Sample) error {
	want, err := eval(d, nil, x, y)
	if err != nil {
		return err
	}
	if err := closeTo("value", got.value, want.value, c.unit, c.valueTol()); err != nil {
		return err
	}
	floor := max(c.unit, math.Abs(want.value)) / (1 + rms(x.X) + rms(y.X))
	if err := closeVec("gx", got.gx, want.gx, x.Dim, floor, max(c.gradTol(), c.valueTol())); err != nil {
		return err
	}
	return closeVec("gy", got.gy, want.gy, x.Dim, floor, max(c.gradTol(), c.valueTol()))
}

func weightsOf(s distance.Sample) []float64 {
	w := make([]float64, s.N)
	for i := range w {
		w[i] = 1 / float64(s.N)
	}
	copy(w, s.W)
	return w
}

// freezeLaw: freezing changes nothing at the samples that it was done for.
func freezeLaw(c *checker, s Size) error {
	if _, ok := c.d.(distance.Freezer); !ok {
		return nil
	}
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		got, err := eval(d, nil, x, y)
		if err != nil {
			return err
		}
		return c.matches(c.d, got, x, y)
	})
}

func referenceLaw(c *checker, s Size) error {
	if c.opt.Reference == nil {
		return nil
	}
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		got, err := eval(d, nil, x, y)
		if err != nil {
			return err
		}
		return c.matches(c.opt.Reference, got, x, y)
	})
}
