package distancetest

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/distance"
)

// CheckCost tests a Cost of one's own, as Check tests a Distance: Matrix gives
// each pair what it gives the pair alone and overwrites its memory, VJP agrees
// with finite differences and adds to what is there, neither changes the
// samples, and both take little memory and any workspace.
func CheckCost(cost distance.Cost, opts ...Options) error {
	if cost == nil {
		return errors.New("distancetest: the cost is nil")
	}
	c, err := newChecker(pairSum(cost), withParts(opts, distance.Properties{Paired: true}))
	if err != nil {
		return err
	}
	errs := c.all()
	for _, l := range []law{
		{name: "pairs", check: func(c *checker, s Size) error { return pairsLaw(c, cost, s) }},
		{name: "adds", check: func(c *checker, s Size) error { return addsLaw(c, cost, s) }},
	} {
		errs = append(errs, c.run(l)...)
	}
	return errors.Join(errs...)
}

// withParts gives the options of a Distance made from a part the properties p
// and the law on weights, which parts never see, off.
func withParts(opts []Options, p distance.Properties) []Options {
	opts = slices.Clone(opts)
	if len(opts) == 0 {
		opts = append(opts, Options{})
	}
	if opts[0].Properties == nil {
		opts[0].Properties = &p
	}
	return opts
}

// pairSum is the Distance Σ gᵢⱼ c(xᵢ, yⱼ) with weights g that differ from pair
// to pair.
func pairSum(cost distance.Cost) distance.Func {
	return func(ws *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
		if err := distance.Check(gx, gy, x, y); err != nil {
			return 0, err
		}
		if x.W != nil || y.W != nil {
			return 0, distance.ErrWeights
		}
		ws = ws.Enter()
		defer ws.Leave()
		c, g := ws.Floats(x.N*y.N), pairWeights(ws, x.N, y.N)
		for k := range c {
			c[k] = math.NaN()
		}
		cost.Matrix(ws, c, x, y)
		clear(gx)
		clear(gy)
		var value float64
		for k, v := range c {
			value += g[k] * v
		}
		if !isFinite(value) {
			return 0, fmt.Errorf("%w: a sum of costs is %v", distance.ErrNotFinite, value)
		}
		cost.VJP(ws, gx, gy, g, c, x, y)
		return value, nil
	}
}

func pairWeights(ws *distance.Workspace, n, m int) []float64 {
	g := ws.Floats(n * m)
	for k := range g {
		g[k] = 1 + math.Sin(float64(1+3*k))/2
	}
	return g
}

// pairsLaw: the cost of a pair does not depend on the others.
func pairsLaw(c *checker, cost distance.Cost, s Size) error {
	x, y := c.pair(s, false)
	all := nans(s.N * s.M)
	cost.Matrix(new(distance.Workspace), all, x, y)
	one := []float64{0}
	for k, v := range all {
		i, j := k/s.M, k%s.M
		cost.Matrix(new(distance.Workspace), one, point(x, i), point(y, j))
		if err := closeTo(fmt.Sprintf("the cost of rows %d and %d among others and alone", i, j), v, one[0], c.unit, max(c.valueTol(), 1e-7)); err != nil {
			return err
		}
	}
	return nil
}

func point(s distance.Sample, i int) distance.Sample {
	return distance.Sample{N: 1, Dim: s.Dim, X: s.Row(i)}
}

// addsLaw: VJP adds to the gradients.
func addsLaw(c *checker, cost distance.Cost, s Size) error {
	x, y := c.pair(s, false)
	want, err := eval(c.d, nil, x, y)
	if err != nil {
		return err
	}
	ws := new(distance.Workspace).Enter()
	defer ws.Leave()
	g, costs := pairWeights(ws, s.N, s.M), ws.Floats(s.N*s.M)
	cost.Matrix(ws, costs, x, y)
	gx, gy := slices.Repeat([]float64{1}, len(x.X)), slices.Repeat([]float64{2}, len(y.X))
	cost.VJP(ws, gx, gy, g, costs, x, y)
	for i := range gx {
		gx[i]--
	}
	for j := range gy {
		gy[j] -= 2
	}
	if err := closeVec("gx, after what was there comes off", gx, want.gx, s.Dim, 1, 1e-9); err != nil {
		return err
	}
	return closeVec("gy, after what was there comes off", gy, want.gy, s.Dim, 1, 1e-9)
}

// CheckKernel tests a Kernel of one's own: Map writes the derivative that finite
// differences give, each number by itself, the same values with and without
// derivatives; Bandwidth is positive; the argument passes CheckCost; and the MMD
// of the kernel keeps the laws of a Distance.
func CheckKernel(k distance.Kernel, opts ...Options) error {
	if k == nil {
		return errors.New("distancetest: the kernel is nil")
	}
	c, err := newChecker(distance.MMD{Kernel: k}, opts)
	if err != nil {
		return err
	}
	errs := c.all()
	errs = append(errs, c.run(law{name: "map", check: func(c *checker, s Size) error { return mapLaw(c, k, s) }})...)
	if err := CheckCost(k.Argument(), opts...); err != nil {
		errs = append(errs, fmt.Errorf("the argument of the kernel: %w", err))
	}
	return errors.Join(errs...)
}

func mapLaw(c *checker, k distance.Kernel, s Size) error {
	x, y := c.pair(s, false)
	ws := new(distance.Workspace).Enter()
	defer ws.Leave()
	bandwidth, err := k.Bandwidth(ws, x, y)
	if err != nil {
		return err
	}
	if !(bandwidth > 0) || !isFinite(bandwidth) {
		return fmt.Errorf("the bandwidth is %v, want a finite number > 0", bandwidth)
	}
	at := nans(s.N * s.M)
	k.Argument().Matrix(ws, at, x, y)
	values := func(s []float64) []float64 {
		out := nans(len(s))
		k.Map(out, nil, s, bandwidth)
		return out
	}
	value, slope, before := nans(len(at)), nans(len(at)), slices.Clone(at)
	k.Map(value, slope, at, bandwidth)
	if !slices.Equal(at, before) {
		return errors.New("the call of Map changes its argument")
	}
	plain := values(at)
	for i, v := range at {
		if err := closeTo("Map without derivatives", plain[i], value[i], 0, 1e-12); err != nil {
			return err
		}
		if one := values(at[i : i+1]); one[0] != plain[i] {
			return fmt.Errorf("the kernel at s[%d] = %v is %v among others and %v alone", i, v, plain[i], one[0])
		}
		h := 1e-5 * math.Abs(v)
		if h == 0 {
			continue
		}
		fd := (values([]float64{v + h})[0] - values([]float64{v - h})[0]) / (2 * h)
		if err := closeTo(fmt.Sprintf("the derivative of Map at %v", v), slope[i], fd, 1e-6*math.Abs(value[i]/v), max(1e-5, c.gradTol())); err != nil {
			return err
		}
	}
	return nil
}

// CheckDependence tests a Dependence of one's own: with rows paired, it keeps
// the laws of a Distance between samples of one dimension, and between samples
// of two it still gives gradients; samples of different sizes are an error.
func CheckDependence(d distance.Dependence, opts ...Options) error {
	if d == nil {
		return errors.New("distancetest: the dependence is nil")
	}
	same := distance.Func(func(ws *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
		if err := distance.Check(gx, gy, x, y); err != nil {
			return 0, err
		}
		return d.EvalPaired(ws, gx, gy, x, y)
	})
	c, err := newChecker(same, withParts(opts, distance.Properties{Paired: true, EqualN: true, MinN: 2}))
	if err != nil {
		return err
	}
	errs := c.all()
	errs = append(errs, c.run(law{name: "dimensions", check: func(c *checker, s Size) error { return dimensionsLaw(c, d, s) }})...)
	return errors.Join(errs...)
}

func dimensionsLaw(c *checker, d distance.Dependence, s Size) error {
	x, _ := c.pair(s, false)
	y, short := c.sample(c.rng(s, 6), 1, s.N, s.Dim+2), c.sample(c.rng(s, 7), 1, s.N+1, s.Dim+2)
	if v, err := d.EvalPaired(nil, nil, nil, x, short); err == nil {
		return fmt.Errorf("%d and %d rows: got the value %v and no error", s.N, s.N+1, v)
	}
	gx, gy := nans(len(x.X)), nans(len(y.X))
	v, err := d.EvalPaired(nil, gx, gy, x, y)
	if err != nil {
		return err
	}
	rnd := c.rng(s, 8)
	floor := max(c.unit, math.Abs(v)) / (1 + rms(x.X) + rms(y.X))
	if err := c.along("gx", rnd, gx, x, floor, func(z distance.Sample) (float64, error) { return d.EvalPaired(nil, nil, nil, z, y) }); err != nil {
		return err
	}
	return c.along("gy", rnd, gy, y, floor, func(z distance.Sample) (float64, error) { return d.EvalPaired(nil, nil, nil, x, z) })
}
