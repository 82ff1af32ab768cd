package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
)

// Stepper takes single training steps on one model and owns the gradient
// buffers.
type Stepper struct {
	Model     feature.Trainable
	optimizer OptimizerState
	grads     [][]float32
	keep      []bool      // by parameter: a statistic that does not move
	still     bool        // there are statistics, and none moves
	stats     [][]float32 // statistics before the step, nil for other parameters
	finite    []bool      // by parameter: its gradient is
	check     func(worker, i int)
	clear     func(worker, i int)
}

// NewStepper returns a Stepper that changes the parameters for which train
// returns true, or every one if train is nil: trainable ones along the gradient,
// statistics by passes with Mode.Track. All others stay as they are. An error is
// that of o.Start.
func NewStepper(m feature.Trainable, o Optimizer, train func(feature.Param) bool) (*Stepper, error) {
	state, err := o.Start(m.Spec())
	if err != nil {
		return nil, err
	}
	params := m.Spec().Params
	asked := func(p feature.Param) bool { return train == nil || train(p) }
	s := &Stepper{Model: m, optimizer: state, grads: feature.NewGradients(m.Spec()), keep: make([]bool, len(params)), stats: make([][]float32, len(params))}
	for i, p := range params {
		if !asked(p) {
			s.grads[i] = nil
		}
		if p.Kind == feature.Statistic {
			s.keep[i] = !asked(p)
			s.stats[i] = make([]float32, feature.Size(p.Shape))
		}
	}
	s.still = HasStatistics(m.Spec()) && !slices.ContainsFunc(params, func(p feature.Param) bool { return p.Kind == feature.Statistic && asked(p) })
	s.finite = make([]bool, len(s.grads))
	s.check = func(_, i int) { s.finite[i] = finite.Is(kernel.Sum32(s.grads[i])) }
	s.clear = func(_, i int) { clear(s.grads[i]) }
	return s, nil
}

// Step runs x forward in the given mode, lets loss fill the cotangents of the
// taps, and moves the parameters once with the learning rate scaled by scale.
// A gradient that is not finite gives an error wrapping ErrDiverged. After an
// error of the model, of loss or of the gradient every parameter, running
// statistics included, is as before; an error of the optimizer may leave some
// moved.
func (s *Stepper) Step(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, scale float64) error {
	return s.whole(mode, scale, func() error { return s.Accumulate(ctx, mode, x, taps, loss) })
}

// whole applies the gradient that accumulate leaves, or takes everything back.
func (s *Stepper) whole(mode feature.Mode, scale float64, accumulate func() error) error {
	if mode.Track {
		if err := s.saveStatistics(); err != nil {
			return err
		}
	}
	err := accumulate()
	if err == nil {
		err = s.Apply(scale)
	} else {
		s.Discard()
	}
	if err != nil && mode.Track {
		err = errors.Join(err, s.restoreStatistics(func(int) bool { return true }))
	}
	return err
}

// saveStatistics copies the parameters that a tracking pass moves.
func (s *Stepper) saveStatistics() error {
	for i, v := range s.stats {
		if v == nil {
			continue
		}
		if err := s.Model.GetParam(i, v); err != nil {
			return err
		}
	}
	return nil
}

// restoreStatistics puts those back for which back returns true.
func (s *Stepper) restoreStatistics(back func(i int) bool) error {
	for i, v := range s.stats {
		if v == nil || !back(i) {
			continue
		}
		if err := s.Model.SetParam(i, v); err != nil {
			return err
		}
	}
	return nil
}

// Accumulate adds the gradient of a loss to what earlier calls have left, and
// moves no parameter but, with Mode.Track, the statistics that the Stepper
// changes. Apply moves the others. After an error the sum holds nothing of use;
// call Discard.
func (s *Stepper) Accumulate(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc) error {
	mode.Track = mode.Track && !s.still
	if !mode.Track || !slices.Contains(s.keep, true) {
		return feature.Grad(ctx, s.Model, mode, x, taps, loss, nil, s.grads)
	}
	kept := make([][]float32, len(s.keep))
	for i, keep := range s.keep {
		if keep {
			kept[i] = make([]float32, len(s.stats[i]))
			if err := s.Model.GetParam(i, kept[i]); err != nil {
				return err
			}
		}
	}
	err := feature.Grad(ctx, s.Model, mode, x, taps, loss, nil, s.grads)
	for i, v := range kept {
		if v != nil {
			err = errors.Join(err, s.Model.SetParam(i, v))
		}
	}
	return err
}

// Apply moves the parameters along the accumulated gradient and clears it.
func (s *Stepper) Apply(scale float64) error {
	defer s.Discard()
	// The sum, in float64, of finite float32 numbers does not overflow.
	par.Each(len(s.grads), s.check)
	for i, ok := range s.finite {
		if !ok {
			return fmt.Errorf("train: %w: gradient of %q is not finite", ErrDiverged, s.Model.Spec().Params[i].Name)
		}
	}
	return s.optimizer.Step(s.Model, s.grads, scale)
}

// Discard clears the accumulated gradient.
func (s *Stepper) Discard() { par.Each(len(s.grads), s.clear) }

// Gradients returns the accumulated gradient of each parameter, nil for those
// that are not trained. A caller may change it before Apply.
func (s *Stepper) Gradients() [][]float32 { return s.grads }
