package featuretest

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
)

// loss checks how a model calls the loss function.
func (s *suite) loss() error {
	d := s.d
	values, err := s.forward(s.x)
	if err != nil {
		return err
	}
	calls := 0
	var seen error
	before := s.x.Clone()
	err = d.Grad(s.ctx, s.x, s.taps, func(val, cot []feature.Tensor) error {
		calls++
		seen = errors.Join(seen, s.checkViews(values, val, cot))
		return s.lossFunc(val, cot)
	}, make([]float32, len(s.x.Data)), nil)
	if err != nil || seen != nil {
		return errors.Join(err, seen)
	}
	if calls != 1 {
		return fmt.Errorf("loss was called %d times", calls)
	}
	if err := sameBits("input after Grad", before.Data, s.x.Data); err != nil {
		return err
	}
	calls = 0
	if err := d.Grad(s.ctx, s.x, s.taps, func(_, _ []feature.Tensor) error { calls++; return nil }, nil, nil); err != nil {
		return fmt.Errorf("no gradient wanted: %w", err)
	}
	if calls != 1 {
		return fmt.Errorf("loss was called %d times with no gradient wanted", calls)
	}
	return nil
}

func (s *suite) checkViews(values, val, cot []feature.Tensor) error {
	if len(val) != len(values) || len(cot) != len(values) {
		return fmt.Errorf("loss sees %d values and %d cotangents of %d taps", len(val), len(cot), len(values))
	}
	for i, t := range values {
		if err := val[i].Check(t.Shape[1:]); err != nil || val[i].Rows() != t.Rows() {
			return fmt.Errorf("value of tap %q: shape %v, want %v", s.taps[i], val[i].Shape, t.Shape)
		}
		if err := cot[i].Check(t.Shape[1:]); err != nil || cot[i].Rows() != t.Rows() {
			return fmt.Errorf("cotangent of tap %q: shape %v, want %v", s.taps[i], cot[i].Shape, t.Shape)
		}
		if err := near(fmt.Sprintf("tap %q in Forward and in Grad", s.taps[i]), t.Data, val[i].Data); err != nil {
			return err
		}
		for _, v := range cot[i].Data {
			if v != 0 {
				return fmt.Errorf("cotangent of tap %q is not zero when the loss is called", s.taps[i])
			}
		}
	}
	return nil
}

func (s *suite) gradErrors() error {
	d := s.d
	dx := make([]float32, len(s.x.Data))
	for _, b := range s.badInputs() {
		if err := want(b.what, d.Grad(s.ctx, b.x, s.taps, s.lossFunc, nil, nil), b.err); err != nil {
			return err
		}
	}
	boom := errors.New("boom")
	fail := func(_, _ []feature.Tensor) error { return boom }
	if err := want("failing loss", d.Grad(s.ctx, s.x, s.taps, fail, dx, nil), boom); err != nil {
		return err
	}
	err := d.Grad(s.ctx, s.x, []string{"no such tap"}, fail, dx, nil)
	if err := want("unknown tap", err, feature.ErrNoTap); err != nil {
		return err
	}
	err = d.Grad(s.ctx, s.x, s.taps, s.lossFunc, dx[1:], nil)
	if err := want("input gradient too short", err, feature.ErrShape); err != nil {
		return err
	}
	if err := s.paramGradErrors(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	return want("cancelled context", d.Grad(ctx, s.x, s.taps, s.lossFunc, dx, nil), context.Canceled)
}

// paramGradErrors asks for gradients of parameters that a model must refuse.
func (s *suite) paramGradErrors() error {
	params := s.m.Spec().Params
	grad := func(dp [][]float32) error { return s.d.Grad(s.ctx, s.x, s.taps, s.lossFunc, nil, dp) }
	if err := want("one parameter gradient too many", grad(make([][]float32, len(params)+1)), feature.ErrShape); err != nil {
		return err
	}
	for i, p := range params {
		dp := make([][]float32, len(params))
		what, target := fmt.Sprintf("gradient of %q with an element too many", p.Name), feature.ErrShape
		dp[i] = make([]float32, feature.Size(p.Shape)+1)
		if p.Kind == feature.Statistic {
			what, target = fmt.Sprintf("gradient of %q, a statistic", p.Name), feature.ErrParam
			dp[i] = dp[i][1:]
		}
		if err := want(what, grad(dp), target); err != nil {
			return err
		}
	}
	if len(params) == 0 {
		return nil
	}
	return want("one parameter gradient too few", grad(make([][]float32, len(params)-1)), feature.ErrShape)
}

func (s *suite) inputGradient() error {
	d := s.d
	dx := make([]float32, len(s.x.Data))
	if err := d.Grad(s.ctx, s.x, s.taps, s.lossFunc, dx, nil); err != nil {
		return err
	}
	return s.compare("input", s.x.Data, dx, 0, func() (float64, float64, error) { return s.at(s.x) })
}

// directions is how many random directions are tried.
const directions = 3

// compare checks the gradient g of a loss at the point p, which it moves in
// place and restores, in random directions. floor is the size of a directional
// derivative that counts as zero.
func (s *suite) compare(what string, p, g []float32, floor float64, loss func() (float64, float64, error)) error {
	var square, scale float64
	for i, v := range g {
		square += float64(v) * float64(v)
		scale += float64(p[i]) * float64(p[i])
	}
	scale = math.Sqrt(scale / float64(len(p)))
	if scale == 0 {
		scale = 1
	}
	for range directions {
		v := make([]float64, len(p))
		var claim float64
		for i := range v {
			v[i] = scale * s.src.NormFloat64()
			claim += v[i] * float64(g[i])
		}
		if err := s.derivative(p, v, claim, scale*math.Sqrt(square)+floor, loss); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// derivative compares the claimed derivative of the loss at p in direction v
// with central differences of several steps: large ones cross kinks and small
// ones drown in rounding, so that the best one counts. typical is the standard
// deviation of the derivative over directions.
func (s *suite) derivative(p []float32, v []float64, claim, typical float64, loss func() (float64, float64, error)) error {
	saved := append([]float32(nil), p...)
	defer copy(p, saved)
	best := math.Inf(1)
	var found float64
	for k := 4; k <= 12; k++ {
		h := math.Ldexp(1, -k)
		var f [2]float64
		var size float64
		for side, sign := range []float64{1, -1} {
			for i := range p {
				p[i] = float32(float64(saved[i]) + sign*h*v[i])
			}
			var err error
			if f[side], size, err = loss(); err != nil {
				return err
			}
		}
		diff := (f[0] - f[1]) / (2 * h)
		// float32 has 24 bits; the errors of the terms add up at worst.
		noise := size * math.Ldexp(1, -24) / h
		if e := math.Abs(diff-claim) / (typical + math.Abs(diff) + 1e-12); e < best || math.IsInf(best, 1) {
			best, found = e, diff
		}
		if best <= s.opt.Tolerance {
			return nil
		}
		if noise > typical+math.Abs(diff) {
			break
		}
	}
	return fmt.Errorf("directional derivative is %g by differences, the gradient says %g (typical size %g)", found, claim, typical)
}
