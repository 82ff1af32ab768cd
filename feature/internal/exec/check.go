package exec

import (
	"fmt"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
)

// checkGrad checks the arguments of GradMode.
func (m *Model) checkGrad(mode feature.Mode, x feature.Tensor, taps []string, dx []float32, dp [][]float32) error {
	if err := feature.CheckGrad(m.spec, mode, x, taps, dx, dp); err != nil {
		return err
	}
	if mode.Train && x.Rows() == 1 && len(m.alone) > 0 {
		return fmt.Errorf("%w: batch norm %s cannot train on one sample", feature.ErrShape, m.alone[0])
	}
	return nil
}

func (m *Model) checkIndex(i int) error {
	if i < 0 || i >= len(m.exposed) {
		return m.wrap(fmt.Errorf("%w: %d of %d", feature.ErrParam, i, len(m.exposed)))
	}
	return nil
}

func (m *Model) checkParam(i, length int) error {
	if err := m.checkIndex(i); err != nil {
		return err
	}
	if want := len(m.param(i)); length != want {
		return m.wrap(fmt.Errorf("%w: parameter %q has %d elements, the slice %d", feature.ErrShape, m.spec.Params[i].Name, want, length))
	}
	return nil
}

// wrap puts the package's name before an error.
func (m *Model) wrap(err error) error { return &packageError{m.pkg, err} }

// packageError is an error of a package that embeds a Model. The checks of
// package feature name that package; its name gives way to the other, so that an
// error has one prefix.
type packageError struct {
	pkg string
	err error
}

func (e *packageError) Error() string {
	return e.pkg + ": " + strings.TrimPrefix(e.err.Error(), "feature: ")
}

// Unwrap returns the error below.
func (e *packageError) Unwrap() error { return e.err }
