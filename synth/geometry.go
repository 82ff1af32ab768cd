package synth

import "math"

// space knows the size of a step, the ball and the box in the units of every
// number of a sample.
type space struct {
	kind   Step
	ball   Ball
	alpha  float64 // step length in pixel units
	radius float64 // ball radius in pixel units

	plane  int       // numbers a channel
	std    []float64 // of each channel: one pixel unit is 1/std
	lo, hi []float32 // box of each channel
}

func geometry(r *run) space {
	shape := r.X.Shape
	c := channels(shape[1:])
	s := space{kind: r.Step, ball: r.Ball, alpha: r.StepSize, radius: r.Epsilon}
	s.plane = 1
	for _, d := range shape[1:] {
		s.plane *= d
	}
	s.plane /= c
	for ch := range c {
		mean, std := r.Pixels.Channel(ch)
		lo, hi := -mean/std, (1-mean)/std
		if r.Box == NoBox {
			lo, hi = math.Inf(-1), math.Inf(1)
		}
		s.std = append(s.std, std)
		s.lo, s.hi = append(s.lo, float32(lo)), append(s.hi, float32(hi))
	}
	return s
}

// step moves one sample along the gradient and back into the ball and the box.
// The gradient is in model units; it is turned into pixel units first, where
// steepest ascent under a norm is what the kinds of step mean.
func (s *space) step(x, clean, grad []float32) {
	scale := s.length(grad)
	for i := range x {
		std := s.std[i/s.plane]
		g := float64(grad[i]) / std
		if s.kind == SignStep {
			g = sign(g)
		} else {
			g *= scale
		}
		x[i] += float32(s.alpha * g / std)
	}
	s.project(x, clean)
}

// length returns the factor that gives a gradient unit length, and 0 for a
// gradient that is zero: such a sample stays where it is.
func (s *space) length(grad []float32) float64 {
	var norm float64
	for i, g := range grad {
		v := float64(g) / s.std[i/s.plane]
		switch s.kind {
		case L2Step:
			norm = math.Hypot(norm, v)
		case LInfStep:
			norm = max(norm, math.Abs(v))
		}
	}
	if norm == 0 {
		return 0
	}
	return 1 / norm
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// project clips x into the ball around clean and then into the box. Clipping
// into the box cannot leave the ball where clean lies in the box.
func (s *space) project(x, clean []float32) {
	shrink := 1.0
	if s.ball == BallL2 {
		var norm float64
		for i := range x {
			norm = math.Hypot(norm, float64(x[i]-clean[i])*s.std[i/s.plane])
		}
		if norm > s.radius {
			shrink = s.radius / norm
		}
	}
	for i := range x {
		c := i / s.plane
		d := float64(x[i] - clean[i])
		if s.ball == BallLInf {
			r := s.radius / s.std[c]
			d = min(max(d, -r), r)
		} else {
			d *= shrink
		}
		if d != float64(x[i]-clean[i]) {
			x[i] = clean[i] + float32(d)
		}
		x[i] = min(max(x[i], s.lo[c]), s.hi[c])
	}
}
