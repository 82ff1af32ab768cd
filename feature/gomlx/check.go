package gomlx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
)

// The comparison of gradients with differences. Differences of a network of
// rectifiers in float32 are good to about 1e-3, and a wrong term is of order 1; a
// gradient of the wrong size agrees by chance in one direction of 20, and in both
// of 400.
const (
	checkRows       = 4
	checkDirections = 2
	checkTolerance  = .05
)

// comparison compares the gradients of a model with differences of a random
// quadratic function of its features and logits.
type comparison struct {
	m    *Model
	mode feature.Mode
	src  *rand.Rand
	x    feature.Tensor
	taps []string
	out  []feature.Tensor
	w, u [][]float64 // the function is Σ w·v + ½ Σ u·v² over all tapped values v
}

// check compares the gradients of the input and of every parameter in both modes.
func (m *Model) check() error {
	for _, mode := range []feature.Mode{{}, {Train: true, Seed: m.opt.Seed}} {
		err := newComparison(m, mode).all()
		if err != nil && mode.Train {
			return fmt.Errorf("%w (in training mode)", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func newComparison(m *Model, mode feature.Mode) *comparison {
	c := &comparison{m: m, mode: mode, src: rand.New(rand.NewPCG(m.opt.Seed, 0x636865636b))} // "check"
	c.x = feature.NewTensor(append([]int{checkRows}, m.spec.Input...)...)
	for i := range c.x.Data {
		c.x.Data[i] = float32(c.src.NormFloat64())
	}
	c.taps = slices.Compact([]string{m.spec.Features, m.spec.Logits})
	c.out = m.views(checkRows, c.taps)
	for _, t := range c.out {
		w, u := make([]float64, len(t.Data)), make([]float64, len(t.Data))
		scale := 1 / math.Sqrt(float64(len(t.Data))) // so that every tap has about the same part
		for i := range w {
			w[i], u[i] = scale*c.src.NormFloat64(), .3*scale*c.src.NormFloat64()
		}
		c.w, c.u = append(c.w, w), append(c.u, u)
	}
	return c
}

// value returns the function at the present input and parameters.
func (c *comparison) value() (sum float64, err error) {
	if err := feature.ForwardMode(context.Background(), c.m, c.mode, c.x, c.taps, c.out); err != nil {
		return 0, err
	}
	for k, t := range c.out {
		for i, v := range t.Data {
			v := float64(v)
			sum += c.w[k][i]*v + c.u[k][i]*v*v/2
		}
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return 0, fmt.Errorf("gomlx: %w: taps %q for normal inputs", feature.ErrNotFinite, c.taps)
	}
	return sum, nil
}

// gradients returns those of the input and of all parameters but statistics.
func (c *comparison) gradients() (dx []float32, dp [][]float32, err error) {
	dx, dp = make([]float32, len(c.x.Data)), make([][]float32, len(c.m.spec.Params))
	for i, p := range c.m.spec.Params {
		if p.Kind != feature.Statistic {
			dp[i] = make([]float32, feature.Size(p.Shape))
		}
	}
	err = c.m.GradMode(context.Background(), c.mode, c.x, c.taps, func(val, cot []feature.Tensor) error {
		for k, t := range val {
			for i, v := range t.Data {
				cot[k].Data[i] = float32(c.w[k][i] + c.u[k][i]*float64(v))
			}
		}
		return nil
	}, dx, dp)
	return dx, dp, err
}

// all compares all gradients.
func (c *comparison) all() error {
	dx, dp, err := c.gradients()
	if err != nil {
		return err
	}
	if err := c.compare("the input", c.x.Data, dx, 0, c.value); err != nil {
		return err
	}
	w, err := feature.Snapshot(c.m)
	if err != nil {
		return err
	}
	floor := insignificant(w, dp)
	for i, g := range dp {
		if g == nil {
			continue
		}
		err := c.compare(fmt.Sprintf("parameter %q", c.m.spec.Params[i].Name), w[i], g, floor, func() (float64, error) {
			if err := c.m.SetParam(i, w[i]); err != nil {
				return 0, err
			}
			return c.value()
		})
		if err = errors.Join(err, c.m.SetParam(i, w[i])); err != nil {
			return err
		}
	}
	return nil
}

// insignificant returns the size of a derivative that counts as zero beside the
// largest: some gradients are zero but for rounding, such as that of a bias before
// a norm.
func insignificant(w, dp [][]float32) float64 {
	var top float64
	for i, g := range dp {
		if len(g) > 0 {
			top = max(top, length(g)*length(w[i])/math.Sqrt(float64(len(g))))
		}
	}
	return 1e-3 * top
}

func length(v []float32) float64 {
	var sum float64
	for _, a := range v {
		sum += float64(a) * float64(a)
	}
	return math.Sqrt(sum)
}

// compare compares the gradient g at the point p, which it moves in place and
// restores, in random directions. value is the function at that point, and floor
// the size of a derivative that counts as zero.
func (c *comparison) compare(what string, p, g []float32, floor float64, value func() (float64, error)) error {
	saved := slices.Clone(p)
	defer copy(p, saved)
	scale := length(p) / math.Sqrt(float64(len(p)))
	if scale == 0 {
		scale = 1
	}
	v := make([]float64, len(p))
	for range checkDirections {
		var claim float64
		for i := range v {
			v[i] = scale * c.src.NormFloat64()
			claim += v[i] * float64(g[i])
		}
		found, err := derivative(p, saved, v, claim, scale*length(g)+floor, value)
		if err != nil {
			return fmt.Errorf("%w of %s", err, what)
		}
		if !agree(found, claim, scale*length(g)+floor) {
			return fmt.Errorf("gomlx: %w of %s: %.4g along a random direction, and %.4g by differences", ErrGradient, what, claim, found)
		}
	}
	return nil
}

// agree reports whether two derivatives are equal but for errors of differences;
// typical is the standard deviation of a derivative over directions.
func agree(found, claim, typical float64) bool {
	return math.Abs(found-claim) <= checkTolerance*(typical+math.Abs(found)+1e-12)
}

// derivative returns the central difference at saved, in the direction v, that is
// nearest to the claim, of several steps: large ones cross the kinks of rectifiers
// and small ones drown in rounding. It returns the first that agrees.
func derivative(p, saved []float32, v []float64, claim, typical float64, value func() (float64, error)) (float64, error) {
	best := math.Inf(1)
	for k := 5; k <= 11; k += 2 {
		h := math.Ldexp(1, -k)
		var f [2]float64
		for side, sign := range []float64{1, -1} {
			for i := range p {
				p[i] = float32(float64(saved[i]) + sign*h*v[i])
			}
			var err error
			if f[side], err = value(); err != nil {
				return 0, err
			}
		}
		d := (f[0] - f[1]) / (2 * h)
		if math.Abs(d-claim) < math.Abs(best-claim) {
			best = d
		}
		if agree(best, claim, typical) {
			break
		}
	}
	return best, nil
}
