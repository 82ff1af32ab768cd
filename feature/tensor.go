package feature

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// Errors that the functions of this package and the models behind its
// interfaces wrap.
var (
	ErrShape     = errors.New("shape mismatch")
	ErrNotFinite = errors.New("value is not finite")
	ErrLabel     = errors.New("label out of range")
	ErrNoTap     = errors.New("no such tap")
	ErrParam     = errors.New("no such parameter")
	ErrMode      = errors.New("invalid mode")
	ErrClasses   = errors.New("class names differ")
	ErrParameter = errors.New("invalid parameter") // of a setting out of range
	ErrEmpty     = errors.New("dataset is empty")
	ErrDiverged  = errors.New("training diverged") // of a loss or a gradient that is not finite
	ErrLimit     = errors.New("beyond a limit")    // of memory or work
)

// Tensor is a dense array in row-major order. Axis 0 is the batch; images are
// n×channels×height×width. A Tensor is a view: copying one shares Data.
type Tensor struct {
	Shape []int
	Data  []float32 // len(Data) is the product of Shape
}

// NewTensor returns a tensor of zeros.
func NewTensor(shape ...int) Tensor {
	return Tensor{Shape: slices.Clone(shape), Data: make([]float32, Size(shape))}
}

// Size returns the number of elements of an array of the given shape, which is
// 1 for an empty shape.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Rows returns the length of axis 0, and 0 for a tensor without axes.
func (t Tensor) Rows() int {
	if len(t.Shape) == 0 {
		return 0
	}
	return t.Shape[0]
}

// RowLen returns the number of elements of one row: the product of all axes
// but the first.
func (t Tensor) RowLen() int {
	if len(t.Shape) == 0 {
		return 0
	}
	return Size(t.Shape[1:])
}

// Row returns the elements of row i, sharing memory with t.
func (t Tensor) Row(i int) []float32 {
	n := t.RowLen()
	return t.Data[i*n : (i+1)*n : (i+1)*n]
}

// Slice returns rows [i, j), sharing memory with t.
func (t Tensor) Slice(i, j int) Tensor {
	n := t.RowLen()
	shape := slices.Clone(t.Shape)
	shape[0] = j - i
	return Tensor{Shape: shape, Data: t.Data[i*n : j*n : j*n]}
}

// Clone returns a copy that shares nothing with t.
func (t Tensor) Clone() Tensor {
	return Tensor{Shape: slices.Clone(t.Shape), Data: slices.Clone(t.Data)}
}

// Check returns an error wrapping ErrShape unless t has at least one row, each
// of the given shape, and as much data as its shape says.
func (t Tensor) Check(row []int) error {
	if len(t.Shape) == 0 || t.Shape[0] < 1 || !slices.Equal(t.Shape[1:], row) {
		return fmt.Errorf("feature: %w: tensor is %v, want [n≥1 %v]", ErrShape, t.Shape, row)
	}
	if len(t.Data) != Size(t.Shape) {
		return fmt.Errorf("feature: %w: tensor of shape %v has %d elements", ErrShape, t.Shape, len(t.Data))
	}
	return nil
}

// CheckFinite returns an error wrapping ErrNotFinite that names the row and
// the element of the first NaN or infinity in t.
func (t Tensor) CheckFinite() error {
	if i := finite.First(t.Data); i >= 0 {
		n := max(t.RowLen(), 1)
		return fmt.Errorf("feature: %w: row %d, element %d is %v", ErrNotFinite, i/n, i%n, t.Data[i])
	}
	return nil
}

// Pixels is the affine map between pixel values in [0, 1] and the numbers that
// a model sees: value = (pixel − Mean) / Std, channel by channel. The zero
// Pixels is the identity. A single entry applies to every channel.
type Pixels struct {
	Mean, Std []float64
}

// Channel returns the mean and the standard deviation of channel c.
func (p Pixels) Channel(c int) (mean, std float64) {
	mean, std = at(p.Mean, c, 0), at(p.Std, c, 1)
	return mean, std
}

func at(v []float64, c int, otherwise float64) float64 {
	switch {
	case len(v) == 0:
		return otherwise
	case len(v) == 1:
		return v[0]
	}
	return v[c]
}

// Check returns an error wrapping ErrShape unless p fits the number of
// channels, every mean is finite and every deviation finite and positive.
func (p Pixels) Check(channels int) error {
	for _, v := range [][]float64{p.Mean, p.Std} {
		if len(v) > 1 && len(v) != channels {
			return fmt.Errorf("feature: %w: normalization has %d channels, image has %d", ErrShape, len(v), channels)
		}
	}
	for c := range channels {
		mean, std := p.Channel(c)
		if !(std > 0) || !finite.Is(std) || !finite.Is(mean) {
			return fmt.Errorf("feature: %w: normalization of channel %d has mean %v, std %v", ErrNotFinite, c, mean, std)
		}
	}
	return nil
}
