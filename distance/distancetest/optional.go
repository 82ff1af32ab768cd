package distancetest

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
)

// optionalLaws hold for distances with more methods than Eval.
var optionalLaws = []law{
	{name: "plan", check: planLaw},
	{name: "weight gradient", check: weightLaw},
	{name: "pool", check: poolLaw},
}

// planLaw: the plan of a Planner is nonnegative, has the weights as marginals
// (unless they are free) and comes with the value of Eval.
func planLaw(c *checker, s Size) error {
	if _, ok := c.d.(distance.Planner); !ok {
		return nil
	}
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		want, err := d.Eval(nil, nil, nil, x, y)
		if err != nil {
			return err
		}
		plan := nans(s.N * s.M)
		got, err := d.(distance.Planner).Plan(nil, plan, x, y)
		if err != nil {
			return err
		}
		if err := closeTo("value of Plan", got, want, c.unit, c.valueTol()); err != nil {
			return err
		}
		row, col := make([]float64, s.N), make([]float64, s.M)
		for k, p := range plan {
			if !(p >= 0) {
				return fmt.Errorf("plan at row %d, column %d is %v", k/s.M, k%s.M, p)
			}
			row[k/s.M] += p
			col[k%s.M] += p
		}
		if c.props.AnyMass {
			return nil
		}
		if err := closeVec("row sums of the plan", row, weightsOf(x), 1, 0, 10*c.gradTol()); err != nil {
			return err
		}
		return closeVec("column sums of the plan", col, weightsOf(y), 1, 0, 10*c.gradTol())
	})
}

// weightLaw: moving mass between two points changes the value as the gradient
// in the weights says.
func weightLaw(c *checker, s Size) error {
	g, ok := c.d.(distance.WeightGradienter)
	if !ok || s.N < 2 || s.M < 2 {
		return nil
	}
	x, y := c.pair(s, true)
	ga, gb := nans(s.N), nans(s.M)
	v, err := g.EvalWeights(nil, ga, gb, x, y)
	if err != nil {
		return nil // not for these settings
	}
	want, err := c.d.Eval(nil, nil, nil, x, y)
	if err != nil {
		return err
	}
	if err := closeTo("value of EvalWeights", v, want, c.unit, c.valueTol()); err != nil {
		return err
	}
	d, err := c.frozen(x, y)
	if err != nil {
		return err
	}
	if err := c.moveMass("ga", d, ga, x, func(z distance.Sample) (float64, error) { return d.Eval(nil, nil, nil, z, y) }); err != nil {
		return err
	}
	return c.moveMass("gb", d, gb, y, func(z distance.Sample) (float64, error) { return d.Eval(nil, nil, nil, x, z) })
}

// moveMass tests one gradient by moving mass from each point to the next, or,
// where mass is free, by adding some.
func (c *checker) moveMass(name string, d distance.Distance, g []float64, s distance.Sample, at func(distance.Sample) (float64, error)) error {
	for i := range s.N - 1 {
		dir, want := map[int]float64{i: -1, i + 1: 1}, g[i+1]-g[i]
		if c.props.AnyMass {
			dir, want = map[int]float64{i: 1}, g[i]
		}
		asPoints := distance.Sample{N: s.N, Dim: 1, X: s.W}
		fd, err := fineSlope(asPoints, func(w distance.Sample) (float64, error) {
			z := s
			z.W = w.X
			return at(z)
		}, func(k int) float64 { return dir[k] })
		if err != nil {
			return err
		}
		if tol := 1e-5 + 10*c.gradTol(); !fd.kink && math.Abs(fd.value-want) > tol*max(largest(g), c.unit)+2*fd.err {
			return fmt.Errorf("%s at points %d and %d: moving mass changes the value by %v, the gradient says %v", name, i, i+1, fd.value, want)
		}
	}
	return nil
}
