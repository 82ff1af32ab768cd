package distancetest

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/distance"
)

// badArgumentsLaw: samples and slices that make no sense give an error.
func badArgumentsLaw(c *checker, s Size) error {
	type call struct {
		name   string
		gx, gy []float64
		x, y   distance.Sample
	}
	x, y := c.pair(s, false)
	with := func(z distance.Sample, v float64) distance.Sample {
		z = clone(z)
		z.X[len(z.X)-1] = v
		return z
	}
	wide := distance.Sample{N: y.N, Dim: y.Dim + 1, X: make([]float64, y.N*(y.Dim+1))}
	short := y
	short.X = short.X[:len(short.X)-1]
	calls := []call{
		{name: "NaN in x", x: with(x, math.NaN()), y: y},
		{name: "NaN in y", x: x, y: with(y, math.NaN())},
		{name: "+Inf in x", x: with(x, math.Inf(1)), y: y},
		{name: "-Inf in y", x: x, y: with(y, math.Inf(-1))},
		{name: "empty x", x: distance.Sample{Dim: s.Dim}, y: y},
		{name: "empty y", x: x, y: distance.Sample{Dim: s.Dim}},
		{name: "other dimension", x: x, y: wide},
		{name: "too few numbers", x: x, y: short},
		{name: "short gx", x: x, y: y, gx: make([]float64, len(x.X)-1)},
		{name: "long gy", x: x, y: y, gy: make([]float64, len(y.X)+1)},
	}
	for i, w := range c.badWeights(s.N) {
		z := x
		z.W = w
		calls = append(calls, call{name: fmt.Sprintf("bad weights %d", i), x: z, y: y})
	}
	for _, b := range calls {
		if v, err := c.d.Eval(nil, b.gx, b.gy, b.x, b.y); err == nil {
			return fmt.Errorf("%s: got the value %v and no error", b.name, v)
		} else if errors.Is(err, distance.ErrNotConverged) {
			return fmt.Errorf("%s: taken for non-convergence: %w", b.name, err)
		}
	}
	return nil
}

// badWeights are no weights of n points.
func (c *checker) badWeights(n int) [][]float64 {
	negative, nan := make([]float64, n), make([]float64, n)
	for i := range n {
		negative[i], nan[i] = 1/float64(n), 1/float64(n)
	}
	negative[0], nan[n-1] = -1, math.NaN()
	bad := [][]float64{negative, nan, make([]float64, n+1), make([]float64, n)}
	if !c.props.AnyMass {
		bad = append(bad, slices.Repeat([]float64{2 / float64(n)}, n), slices.Repeat([]float64{.9 / float64(n)}, n))
	}
	return bad
}

// weightsLaw: what does not declare itself Weighted refuses weights, or they
// change the value: they are never ignored.
func weightsLaw(c *checker, s Size) error {
	if c.props.Weighted || s.N < 2 || s.M < 2 {
		return nil // the laws for Weighted see it
	}
	x, y := c.pair(s, false)
	uniform, err := c.d.Eval(nil, nil, nil, x, y)
	if err != nil {
		return err
	}
	for k, side := range []string{"x", "y"} {
		wx, wy := x, y
		z := [2]*distance.Sample{&wx, &wy}[k]
		z.W = make([]float64, z.N)
		for i := range z.W {
			z.W[i] = 2 * float64(i+1) / float64(z.N*(z.N+1))
		}
		if v, err := c.d.Eval(nil, nil, nil, wx, wy); err == nil && v == uniform {
			return fmt.Errorf("weights of %s are ignored: the value stays %v, and there is no error", side, v)
		}
	}
	return nil
}

// extremesLaw: hard samples give a finite value with finite gradients, or an
// error; never NaN, and soon.
func extremesLaw(c *checker, s Size) error {
	x, y := c.pair(s, false)
	scaled := func(z distance.Sample, f, offset float64) distance.Sample {
		return mapped(z, func(_ int, row []float64) {
			for j := range row {
				row[j] = row[j]*f + offset
			}
		})
	}
	first := func(z distance.Sample) distance.Sample {
		return mapped(z, func(_ int, row []float64) { copy(row, x.Row(0)) })
	}
	twice := func(z distance.Sample) distance.Sample {
		z = clone(z)
		copy(z.Row(z.N-1), z.Row(0))
		return z
	}
	zero := func(z distance.Sample) distance.Sample {
		return mapped(z, func(i int, row []float64) {
			if i == 0 {
				clear(row)
			}
		})
	}
	for _, p := range []struct {
		name string
		x, y distance.Sample
	}{
		{"all points equal", first(x), first(y)},
		{"all points of y equal", x, first(y)},
		{"two equal points in x", twice(x), y},
		{"two equal points in y", x, twice(y)},
		{"a zero vector", zero(x), zero(y)},
		{"all zero", scaled(x, 0, 0), scaled(y, 0, 0)},
		{"scale 1e-3, offset 1e6", scaled(x, 1e-3, 1e6), scaled(y, 1e-3, 1e6)},
		{"scale 1e-150", scaled(x, 1e-150, 0), scaled(y, 1e-150, 0)},
		{"scale 1e8", scaled(x, 1e8, 0), scaled(y, 1e8, 0)},
		{"scale 1e100", scaled(x, 1e100, 0), scaled(y, 1e100, 0)},
		{"scales 1e-8 and 1e8", scaled(x, 1e-8, 0), scaled(y, 1e8, 0)},
	} {
		if err := finiteResult(c.d, p.x, p.y); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func finiteResult(d distance.Distance, x, y distance.Sample) error {
	r, err := eval(d, nil, x, y)
	if usable(err) != nil {
		return nil // a refusal is an answer
	}
	if !isFinite(r.value) {
		return fmt.Errorf("the value is %v, with error %v", r.value, err)
	}
	for k, g := range [2][]float64{r.gx, r.gy} {
		for i, v := range g {
			if !isFinite(v) {
				return fmt.Errorf("%s at row %d, coordinate %d is %v", [2]string{"gx", "gy"}[k], i/x.Dim, i%x.Dim, v)
			}
		}
	}
	return nil
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
