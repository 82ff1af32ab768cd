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
	g, _ := feature.As[feature.ModeGrader](s.m)
	d := s.d
	if d == nil {
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
	err = g.GradMode(s.ctx, feature.Mode{Track: true}, s.x, s.taps, s.lossFunc, nil, nil)
	if err := want("Track without Train", err, feature.ErrMode); err != nil {
		return err
	}
	if s.tr != nil {
		return s.tracking(s.tr, g)
	}
	return nil
}

// tracking checks that parameters change by tracking alone, and only statistics;
// and that statistics move the same way with gradients and without.
func (s *suite) tracking(m feature.Trainable, g feature.ModeGrader) error {
	start, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	for _, track := range []bool{false, true} {
		mode := train
		mode.Track = track
		withGradients, err := snapshotAfter(m, start, func() error {
			return g.GradMode(s.ctx, mode, s.x, s.taps, s.lossFunc, nil, feature.NewGradients(m.Spec()))
		})
		if err != nil {
			return err
		}
		if err := checkMoves(m.Spec().Params, track, start, withGradients); err != nil {
			return err
		}
		alone, err := snapshotAfter(m, start, func() error { return feature.ForwardMode(s.ctx, asDifferentiable{s.d, g}, mode, s.x, nil, nil) })
		if err != nil {
			return err
		}
		for i, p := range m.Spec().Params {
			what := fmt.Sprintf("parameter %q after a pass with Track %t, with gradients and without", p.Name, track)
			if err := sameBits(what, withGradients[i], alone[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// asDifferentiable is a Differentiable with the modes of g.
type asDifferentiable struct {
	feature.Differentiable
	feature.ModeGrader
}

// snapshotAfter returns the parameters after f, which starts with those given.
func snapshotAfter(m feature.Trainable, start feature.Weights, f func() error) (feature.Weights, error) {
	if err := start.Restore(m); err != nil {
		return nil, err
	}
	if err := f(); err != nil {
		return nil, err
	}
	return feature.Snapshot(m)
}

// checkMoves checks which parameters a pass has moved. The statistics of frozen
// layers stay, so a model with frozen layers may move none.
func checkMoves(params []feature.Param, track bool, before, after feature.Weights) error {
	statistics, moved, frozen := 0, 0, false
	for i, p := range params {
		changed := sameBits("", before[i], after[i]) != nil
		if changed && (p.Kind != feature.Statistic || !track) {
			return fmt.Errorf("GradMode with Track %t changed parameter %q, a %v", track, p.Name, p.Kind)
		}
		switch {
		case p.Kind != feature.Statistic:
			frozen = frozen || !p.Trainable
		case changed:
			statistics, moved = statistics+1, moved+1
		default:
			statistics++
		}
	}
	if track && !frozen && statistics > 0 && moved == 0 {
		return fmt.Errorf("GradMode with Track moved none of %d statistics, and no layer is frozen", statistics)
	}
	return nil
}

// trainGradients compares the gradients in training with differences.
func (s *suite) trainGradients() error {
	g, _ := feature.As[feature.ModeGrader](s.m)
	loss := func() (sum, size float64, err error) {
		err = g.GradMode(s.ctx, train, s.x, s.taps, func(val, _ []feature.Tensor) error {
			if err := s.fits(val); err != nil {
				return err
			}
			sum, size = s.value(val)
			return nil
		}, nil, nil)
		return sum, size, err
	}
	dx := make([]float32, len(s.x.Data))
	var dp [][]float32
	if s.tr != nil {
		dp = feature.NewGradients(s.m.Spec())
	}
	if err := g.GradMode(s.ctx, train, s.x, s.taps, s.lossFunc, dx, dp); err != nil {
		return err
	}
	err := s.compare("input", s.x.Data, dx, 0, loss)
	if err == nil && s.tr != nil {
		err = s.compareParams(s.tr, dp, loss)
	}
	return err
}
