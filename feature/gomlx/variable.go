package gomlx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature"
)

// variable is a variable of the store as a parameter.
type variable struct {
	v     *model.Variable
	order order
	moves bool // it is a statistic that Mode.Track moves
}

// wrap adds the name of the parameter to an error.
func (p variable) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("gomlx: parameter %q: %w", p.v.Path(), err)
}

// newVariable describes v as a parameter. Whether the graph changes it in
// training is what makes it a statistic, whatever its name.
func newVariable(v *model.Variable, changed bool, o Options) (variable, feature.Param, error) {
	if v.DType() != dtypes.Float32 {
		return variable{}, feature.Param{}, fmt.Errorf("gomlx: %w: variable %q is %v, and parameters are float32", ErrGraph, v.Path(), v.DType())
	}
	p := feature.Param{Name: v.Path(), Kind: feature.Statistic}
	switch {
	case !changed:
		p.Kind = o.Kind(v)
		p.Trainable = v.Trainable
	case v.Trainable:
		return variable{}, p, fmt.Errorf("gomlx: %w: it changes the variable %q, which is trainable", ErrGraph, v.Path())
	}
	if !changed && p.Kind != feature.Weight && p.Kind != feature.Bias {
		return variable{}, p, fmt.Errorf("gomlx: %w: Kind %v of variable %q, which the graph does not change", feature.ErrParameter, p.Kind, v.Path())
	}
	dims := v.Shape().Dimensions
	axes := axesOf(v, p.Kind, o)
	if !isPermutation(axes, len(dims)) {
		return variable{}, p, fmt.Errorf("gomlx: %w: Axes %v of variable %q, whose shape is %v", feature.ErrParameter, axes, v.Path(), dims)
	}
	for _, a := range axes {
		p.Shape = append(p.Shape, dims[a])
	}
	return variable{v: v, order: newOrder(dims, axes), moves: changed}, p, nil
}

// axesOf returns the order of the axes: for weights what Options says, or
// PyTorch's.
func axesOf(v *model.Variable, kind feature.ParamKind, o Options) []int {
	rank := v.Shape().Rank()
	if kind == feature.Weight && rank >= 2 {
		if axes := o.Axes(v); axes != nil {
			return axes
		}
		return outputsFirst(rank)
	}
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	return axes
}

// outputsFirst turns height, width, inputs, outputs into outputs, inputs, height,
// width.
func outputsFirst(rank int) []int {
	axes := []int{rank - 1, rank - 2}
	for i := range rank - 2 {
		axes = append(axes, i)
	}
	return axes
}

func isPermutation(axes []int, n int) bool {
	sorted := slices.Sorted(slices.Values(axes))
	for i, a := range sorted {
		if a != i {
			return false
		}
	}
	return len(axes) == n
}

// kindByName is the default of Options.Kind.
func kindByName(v *model.Variable) feature.ParamKind {
	switch v.Name() {
	case "biases", "bias", "offset", "beta":
		return feature.Bias
	}
	return feature.Weight
}

// order says where the elements of a parameter are in its variable: along axis k
// of the parameter there are sizes[k] elements, strides[k] apart.
type order struct{ sizes, strides []int }

// newOrder returns the order of a parameter whose axis k is axis axes[k] of a
// variable with the given shape.
func newOrder(shape, axes []int) order {
	strides := make([]int, len(shape))
	step := 1
	for a := len(shape) - 1; a >= 0; a-- {
		strides[a] = step
		step *= shape[a]
	}
	if len(axes) == 0 || slices.IsSorted(axes) { // one run of all elements
		return order{[]int{step}, []int{1}}
	}
	var o order
	for _, a := range axes {
		o.sizes, o.strides = append(o.sizes, shape[a]), append(o.strides, strides[a])
	}
	return o
}

// runs calls f for each run along the last axis of the parameter, whose first
// element is number p there and number v in the variable.
func (o order) runs(f func(p, v int)) {
	outer := len(o.sizes) - 1
	at := make([]int, outer)
	v := 0
	for p := 0; p < feature.Size(o.sizes); p += o.sizes[outer] {
		f(p, v)
		for k := outer - 1; k >= 0; k-- {
			at[k]++
			v += o.strides[k]
			if at[k] < o.sizes[k] {
				break
			}
			v -= at[k] * o.strides[k]
			at[k] = 0
		}
	}
}

// last returns the length of a run and the distance of its elements in the
// variable.
func (o order) last() (n, step int) {
	k := len(o.sizes) - 1
	return o.sizes[k], o.strides[k]
}

// gather copies the elements of a variable into a parameter.
func (o order) gather(param, flat []float32) {
	n, step := o.last()
	o.runs(func(p, v int) {
		for i := range n {
			param[p+i] = flat[v+i*step]
		}
	})
}

// scatter copies the elements of a parameter into a variable.
func (o order) scatter(flat, param []float32) {
	n, step := o.last()
	o.runs(func(p, v int) {
		for i := range n {
			flat[v+i*step] = param[p+i]
		}
	})
}

// add adds the elements of a variable's gradient to a parameter's.
func (o order) add(param, flat []float32) {
	n, step := o.last()
	o.runs(func(p, v int) {
		for i := range n {
			param[p+i] += flat[v+i*step]
		}
	})
}
