package distancetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/dlfd-go/unlearn/distance"
)

// timeout is how long one law at one size may take before it counts as
// hanging; all take milliseconds.
const timeout = 20 * time.Second

// guard turns a panic or a call that does not return into an error.
func guard(f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("panic: %v", r)
			}
		}()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(timeout):
		return fmt.Errorf("no answer within %v", timeout)
	}
}

// result is one evaluation.
type result struct {
	value  float64
	gx, gy []float64
}

func eval(d distance.Distance, ws *distance.Workspace, x, y distance.Sample) (result, error) {
	r := result{gx: nans(x.N * x.Dim), gy: nans(y.N * y.Dim)}
	var err error
	r.value, err = d.Eval(ws, r.gx, r.gy, x, y)
	return r, err
}

// guarded returns a slice of n NaN between guard cells, and what tells whether
// these are as they were.
func guarded(n int) (g []float64, intact func() error) {
	const cells, mark = 8, 12345.678
	all := make([]float64, n+2*cells)
	for i := range all {
		all[i] = mark
	}
	g = all[cells : cells+n]
	copy(g, nans(n))
	return g, func() error {
		for i, v := range all {
			if outside := i - cells; (outside < 0 || outside >= n) && v != mark {
				return fmt.Errorf("element %d, outside of a slice of %d, was written to", outside, n)
			}
		}
		return nil
	}
}

func nans(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = math.NaN()
	}
	return x
}

// rng returns the generator for one purpose at one size.
func (c *checker) rng(s Size, purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.opt.Seed, purpose<<48|uint64(s.N)<<32|uint64(s.M)<<16|uint64(s.Dim)))
}

// pair draws two samples, with random weights if asked for.
func (c *checker) pair(s Size, weighted bool) (x, y distance.Sample) {
	r := c.rng(s, 1)
	x, y = c.sample(r, 0, s.N, s.Dim), c.sample(r, 1, s.M, s.Dim)
	if weighted {
		x.W, y.W = weights(r, s.N), weights(r, s.M)
		if c.props.AnyMass {
			scale(x.W, 1.3)
			scale(y.W, .8)
		}
	}
	return x, y
}

func (c *checker) sample(r *rand.Rand, side, n, dim int) distance.Sample {
	if c.opt.Sample != nil {
		return c.opt.Sample(r.Uint64(), side, n, dim)
	}
	x := make([]float64, n*dim)
	for i := range x {
		// Two clouds that overlap, neither of them centered.
		x[i] = r.NormFloat64() + .5 + .7*float64(side)
	}
	// Only class-conditional distances read the labels.
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % 2
	}
	return distance.Sample{N: n, Dim: dim, X: x, Labels: labels}
}

func weights(r *rand.Rand, n int) []float64 {
	w := make([]float64, n)
	var sum float64
	for i := range w {
		w[i] = .2 + r.Float64()
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

func scale(x []float64, f float64) {
	for i := range x {
		x[i] *= f
	}
}

// variants are the pairs that a law is tested on: uniform and, for a Weighted
// distance, weighted.
func (c *checker) variants(s Size, f func(d distance.Distance, x, y distance.Sample) error) error {
	for _, weighted := range []bool{false, true} {
		if weighted && !c.props.Weighted || !weighted && c.props.Weighted && s.large() {
			continue
		}
		x, y := c.pair(s, weighted)
		d, err := c.frozen(x, y)
		if err != nil {
			return err
		}
		if err := f(d, x, y); err != nil {
			if weighted {
				return fmt.Errorf("with weights: %w", err)
			}
			return err
		}
	}
	return nil
}

// frozen returns d with the settings fixed that it takes from the data.
func (c *checker) frozen(x, y distance.Sample) (distance.Distance, error) {
	f, ok := c.d.(distance.Freezer)
	if !ok {
		return c.d, nil
	}
	d, err := f.Freeze(nil, x, y)
	if err != nil {
		return nil, fmt.Errorf("in Freeze: %w", err)
	}
	return d, nil
}

// closeTo compares two numbers whose natural size is scale.
func closeTo(what string, got, want, scale, tol float64) error {
	if math.Abs(got-want) <= tol*max(math.Abs(got), math.Abs(want), scale) {
		return nil
	}
	return fmt.Errorf("%s: got %v, want %v within %.2g", what, got, want, tol)
}

// closeVec compares two gradients with dim columns in the norm of the larger.
func closeVec(what string, got, want []float64, dim int, floor, tol float64) error {
	var scale float64
	for i, v := range want {
		scale = max(scale, math.Abs(v), math.Abs(got[i]))
	}
	scale = max(scale, floor)
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= tol*scale) {
			return fmt.Errorf("%s at row %d, coordinate %d: got %v, want %v within %.2g", what, i/dim, i%dim, got[i], v, tol*scale)
		}
	}
	return nil
}

func largest(xs ...[]float64) (m float64) {
	for _, x := range xs {
		for _, v := range x {
			m = max(m, math.Abs(v))
		}
	}
	return m
}

// usable returns nil for errors that come with a value.
func usable(err error) error {
	if errors.Is(err, distance.ErrNotConverged) {
		return nil
	}
	return err
}

func clone(s distance.Sample) distance.Sample {
	s.X = append([]float64(nil), s.X...)
	s.W, s.Labels = slices.Clone(s.W), slices.Clone(s.Labels)
	return s
}

// mapped returns a copy of s with every row replaced.
func mapped(s distance.Sample, f func(i int, row []float64)) distance.Sample {
	s = clone(s)
	for i := range s.N {
		f(i, s.Row(i))
	}
	return s
}
