package feature

import "fmt"

// CheckForward returns an error unless the arguments of a Forward fit a model
// with this Spec: rows of the right shape and number, finite inputs, known taps,
// and an output of the right size for each. It is meant for implementations of
// Model, as are CheckGrad, CheckParam and CheckRead. Errors wrap ErrShape, ErrNotFinite or
// ErrNoTap. Cost: one pass over x.
func CheckForward(s Spec, x Tensor, taps []string, out []Tensor) error {
	if err := checkInput(s, x); err != nil {
		return err
	}
	if len(out) != len(taps) {
		return fmt.Errorf("feature: %w: %d outputs for %d taps", ErrShape, len(out), len(taps))
	}
	for i, name := range taps {
		t, err := s.Tap(name)
		if err != nil {
			return err
		}
		if want := x.Rows() * Size(t.Shape); len(out[i].Data) != want {
			return fmt.Errorf("feature: %w: output for tap %q has %d elements, want %d", ErrShape, name, len(out[i].Data), want)
		}
	}
	return nil
}

// CheckGrad returns an error unless the arguments of a GradMode, or with the zero
// Mode those of a Grad, fit a model with this Spec. It checks what CheckForward
// does, the lengths of the gradients, that no gradient of a Statistic is wanted,
// and that Mode.Track comes with Mode.Train. A gradient of a frozen weight may be
// wanted.
func CheckGrad(s Spec, mode Mode, x Tensor, taps []string, dx []float32, dp [][]float32) error {
	if err := checkInput(s, x); err != nil {
		return err
	}
	for _, name := range taps {
		if _, err := s.Tap(name); err != nil {
			return err
		}
	}
	if dx != nil && len(dx) != len(x.Data) {
		return fmt.Errorf("feature: %w: input gradient has %d elements, input has %d", ErrShape, len(dx), len(x.Data))
	}
	if dp != nil && len(dp) != len(s.Params) {
		return fmt.Errorf("feature: %w: %d parameter gradients for %d parameters", ErrShape, len(dp), len(s.Params))
	}
	for i, g := range dp {
		if g == nil {
			continue
		}
		if p := s.Params[i]; len(g) != Size(p.Shape) {
			return fmt.Errorf("feature: %w: gradient of %q has %d elements, want %d", ErrShape, p.Name, len(g), Size(p.Shape))
		} else if p.Kind == Statistic {
			return fmt.Errorf("feature: %w: %q is a statistic and has no gradient", ErrParam, p.Name)
		}
	}
	if mode.Track && !mode.Train {
		return fmt.Errorf("feature: %w: Track without Train", ErrMode)
	}
	return nil
}

// CheckParam returns an error unless a slice of the given length fits parameter i
// of a model with this Spec: ErrParam for an index out of range, ErrShape for
// another length. It is meant for implementations of GetParam and SetParam.
func CheckParam(s Spec, i, length int) error {
	if i < 0 || i >= len(s.Params) {
		return fmt.Errorf("feature: %w: %d of %d", ErrParam, i, len(s.Params))
	}
	if p := s.Params[i]; length != Size(p.Shape) {
		return fmt.Errorf("feature: %w: parameter %q has %d elements, the slice %d", ErrShape, p.Name, Size(p.Shape), length)
	}
	return nil
}

func checkInput(s Spec, x Tensor) error {
	if err := x.Check(s.Input); err != nil {
		return err
	}
	if s.Batch != 0 && x.Rows() != s.Batch {
		return fmt.Errorf("feature: %w: the model takes batches of %d, not of %d", ErrShape, s.Batch, x.Rows())
	}
	return x.CheckFinite()
}
