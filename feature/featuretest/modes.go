package featuretest

import (
	"errors"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// train is the mode of the checks: fixed masks, no tracking.
var train = feature.Mode{Train: true, Seed: 7}

// modes checks what a mode may change.
func (s *suite) modes() error {
	g := s.m.(feature.ModeGrader)
	d, ok := s.m.(feature.Differentiable)
	if !ok {
		return fmt.Errorf("a ModeGrader must be Differentiable")
	}
	a, b := make([]float32, len(s.x.Data)), make([]float32, len(s.x.Data))
	err := errors.Join(d.Grad(s.ctx, s.x, s.taps, s.lossFunc, a, nil),
		g.GradMode(s.ctx, feature.Mode{}, s.x, s.taps, s.lossFunc, b, nil))
	if err != nil {
		return err
	}
	if err := sameBits("input gradient by Grad and in the zero Mode", a, b); err != nil {
		return err
	}
	clear(a)
	clear(b)
	err = errors.Join(g.GradMode(s.ctx, train, s.x, s.taps, s.lossFunc, a, nil),
		g.GradMode(s.ctx, train, s.x, s.taps, s.lossFunc, b, nil))
	if err != nil {
		return err
	}
	if err := sameBits("input gradient in training, two equal calls", a, b); err != nil {
		return err
	}
	if m, ok := s.m.(feature.Trainable); ok {
		return s.tracking(m, g)
	}
	return nil
}

// tracking checks that parameters change by tracking alone, and only those
// which are not trainable.
func (s *suite) tracking(m feature.Trainable, g feature.ModeGrader) error {
	params := m.Spec().Params
	fixed := 0
	for _, p := range params {
		if !p.Trainable {
			fixed++
		}
	}
	for _, track := range []bool{false, true} {
		before, err := feature.Snapshot(m)
		if err != nil {
			return err
		}
		mode := train
		mode.Track = track
		if err := g.GradMode(s.ctx, mode, s.x, s.taps, s.lossFunc, nil, feature.NewGradients(m.Spec())); err != nil {
			return err
		}
		after, err := feature.Snapshot(m)
		if err != nil {
			return err
		}
		moved := 0
		for i, p := range params {
			if sameBits("", before[i], after[i]) == nil {
				continue
			}
			if p.Trainable || !track {
				return fmt.Errorf("GradMode with Track %t changed parameter %q (trainable: %t)", track, p.Name, p.Trainable)
			}
			moved++
		}
		if track && fixed > 0 && moved == 0 {
			return fmt.Errorf("GradMode with Track moved none of %d parameters that are not trainable", fixed)
		}
	}
	return nil
}

// trainGradients compares the gradients in training with differences.
func (s *suite) trainGradients() error {
	g := s.m.(feature.ModeGrader)
	loss := func() (sum, size float64, err error) {
		err = g.GradMode(s.ctx, train, s.x, s.taps, func(val, _ []feature.Tensor) error {
			sum, size = s.value(val)
			return nil
		}, nil, nil)
		return sum, size, err
	}
	dx := make([]float32, len(s.x.Data))
	m, trainable := s.m.(feature.Trainable)
	var dp [][]float32
	if trainable {
		dp = feature.NewGradients(m.Spec())
	}
	if err := g.GradMode(s.ctx, train, s.x, s.taps, s.lossFunc, dx, dp); err != nil {
		return err
	}
	err := s.compare("input", s.x.Data, dx, 0, loss)
	if err == nil && trainable {
		err = s.compareParams(m, dp, loss)
	}
	return err
}
