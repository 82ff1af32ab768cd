// Package gotensor converts between gorgonia.org/tensor and feature.Tensor, for
// programs that hold their data in tensors of Gorgonia.
//
// Where the layouts agree the two share memory, so that writing through one is
// seen by the other; [From] tells whether they do. Nothing else of this module
// imports this package or Gorgonia.
package gotensor

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/dlfd-go/unlearn/feature"
)

// ErrType is wrapped by errors about elements that are no floating-point
// numbers.
var ErrType = errors.New("element type is not float32 or float64")

// From returns t as a feature.Tensor. shared tells that the result shares t's
// memory: t is float32, row-major and contiguous. Otherwise, for float64 (which
// is rounded), column-major tensors, slices, transpositions and masked tensors
// (masks are ignored), it is a copy. A scalar gives a shape of length 0. Errors
// wrap ErrType, or feature.ErrShape if t is nil. Cost: O(1) where shared.
func From(t *tensor.Dense) (out feature.Tensor, shared bool, err error) {
	if t == nil {
		return feature.Tensor{}, false, fmt.Errorf("gotensor: %w: no tensor", feature.ErrShape)
	}
	if dt := t.Dtype(); dt != tensor.Float32 && dt != tensor.Float64 {
		return feature.Tensor{}, false, fmt.Errorf("gotensor: %w: %v of shape %v", ErrType, dt, t.Shape())
	}
	shape := slices.Clone([]int(t.Shape()))
	if data, ok := t.Data().([]float32); ok && plain(t, len(data)) {
		return feature.Tensor{Shape: shape, Data: data}, true, nil
	}
	out = feature.Tensor{Shape: shape, Data: make([]float32, feature.Size(shape))}
	return out, false, gather(out.Data, t, shape)
}

// plain tells whether the elements lie one after the other in row-major order.
func plain(t *tensor.Dense, n int) bool {
	if n != feature.Size(t.Shape()) || t.DataOrder().IsColMajor() {
		return false
	}
	step := 1
	strides := t.Strides()
	if t.IsScalar() || len(strides) != t.Dims() {
		return t.IsScalar() || n == 1
	}
	for i := t.Dims() - 1; i >= 0; i-- {
		if strides[i] != step && t.Shape()[i] != 1 {
			return false
		}
		step *= t.Shape()[i]
	}
	return true
}

// gather copies elements in row-major order, by their coordinates.
func gather(dst []float32, t *tensor.Dense, shape []int) error {
	at := make([]int, len(shape))
	for i := range dst {
		v, err := t.At(at...)
		if err != nil {
			return fmt.Errorf("gotensor: element %v of shape %v: %w", at, shape, err)
		}
		switch v := v.(type) {
		case float32:
			dst[i] = v
		case float64:
			dst[i] = float32(v)
		}
		for k := len(at) - 1; k >= 0; k-- {
			if at[k]++; at[k] < shape[k] {
				break
			}
			at[k] = 0
		}
	}
	return nil
}

// To returns x as a tensor that shares its memory. x must have data as its shape
// says, else the error wraps feature.ErrShape. Cost: O(1).
func To(x feature.Tensor) (*tensor.Dense, error) {
	if len(x.Data) != feature.Size(x.Shape) || len(x.Data) == 0 {
		return nil, fmt.Errorf("gotensor: %w: tensor of shape %v has %d elements", feature.ErrShape, x.Shape, len(x.Data))
	}
	if len(x.Shape) == 0 {
		return tensor.New(tensor.FromScalar(x.Data[0])), nil
	}
	return tensor.New(tensor.WithShape(x.Shape...), tensor.WithBacking(x.Data)), nil
}
