package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// Exporters, frameworks and operator sets disagree about where the middle of a pixel
// lies. The coordinate transformations and roundings here are the standard's formulas,
// compared with its cases; they decide positions and weights when the file is read, so
// that a run only gathers and adds.

// resize is what Upsample and Resize do to one axis.
type resize struct {
	mode    string // nearest, linear or cubic
	coord   string // coordinate transformation
	nearest string // rounding of nearest
	cubicA  float64
	exclude bool // weights outside count nothing
}

// buildResize resizes one axis after the other: the product of interpolations along
// axes is what the standard defines. Nearest neighbors are a table of positions.
func buildResize(b *builder, n *node) ([]value, error) {
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	r := resize{mode: n.text("mode", "nearest"), coord: n.text("coordinate_transformation_mode", "half_pixel"),
		nearest: n.text("nearest_mode", "round_prefer_floor"), cubicA: n.float("cubic_coeff_a", -.75), exclude: n.int("exclude_outside", 0) != 0}
	if b.f.opset < 11 {
		r.coord, r.nearest = "asymmetric", "floor"
	}
	if n.int("antialias", 0) != 0 || n.text("keep_aspect_ratio_policy", "stretch") != "stretch" || r.coord == "tf_crop_and_resize" {
		return nil, fmt.Errorf("%w: antialiasing, cropping or keeping the aspect ratio", ErrUnsupported)
	}
	scales, sizes, err := b.resizeTargets(n, d)
	if err != nil {
		return nil, err
	}
	if r.mode == "nearest" {
		return b.resizeNearest(n, d, r, scales, sizes)
	}
	for i := range d.view {
		if scales[i] == 1 && sizes[i] == d.view[i] {
			continue
		}
		if d, err = b.resizeAxis(n, d, r, i, scales[i], sizes[i]); err != nil {
			return nil, err
		}
	}
	return result(b.copyOf(n, d))
}

// resizeTargets returns the scale and the new length of every axis.
func (b *builder) resizeTargets(n *node, d dyn) ([]float64, []int, error) {
	rank := len(d.view)
	scales, sizes, axes := slices.Repeat([]float64{1}, rank), slices.Clone(d.view), make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if list := n.ints("axes"); list != nil {
		axes = axes[:0]
		for _, a := range list {
			at, err := wrapAxis(a, rank)
			if err != nil {
				return nil, nil, err
			}
			axes = append(axes, at)
		}
	}
	given, exact, err := b.resizeInputs(n)
	if err != nil {
		return nil, nil, err
	}
	if len(given)+len(exact) != len(axes) {
		return nil, nil, fmt.Errorf("%w: %d scales and %d sizes for %d axes", ErrFormat, len(given), len(exact), len(axes))
	}
	for i, a := range axes {
		if exact != nil {
			if t := exact[i]; a == d.axis && (t == b.length(d, a) || t == d.dims()[a]) {
				continue // the batch stays
			} else if t.b != 0 {
				return nil, nil, fmt.Errorf("%w: axis %d is resized to the batch size", ErrUnsupported, a)
			}
			sizes[a] = toInt(exact[i].c)
			scales[a] = float64(sizes[a]) / float64(d.view[a])
		} else {
			scales[a] = given[i]
			sizes[a] = toInt(math.Floor(float64(d.view[a]) * given[i]))
		}
		if !(scales[a] > 0) || sizes[a] < 1 || sizes[a] > maxAxis {
			return nil, nil, fmt.Errorf("%w: axis %d of %v is scaled by %v", ErrUnsupported, a, d.view, scales[a])
		}
		if a == d.axis && scales[a] != 1 {
			return nil, nil, d.offBatch(a)
		}
	}
	return scales, sizes, nil
}

// resizeInputs returns scales or sizes, wherever the operator set has them.
func (b *builder) resizeInputs(n *node) ([]float64, []term, error) {
	if n.op == "Upsample" && b.f.opset < 9 {
		a := n.attrs["scales"]
		if a == nil {
			return nil, nil, fmt.Errorf("%w: no scales", ErrFormat)
		}
		var v []float64
		for _, s := range a.floats {
			v = append(v, float64(s))
		}
		return v, nil, nil
	}
	at := 1
	if b.f.opset >= 11 {
		at = 2
	}
	if n.has(at) {
		if v, err := b.numbers(n, at); err != nil || len(v) > 0 {
			return v, nil, err
		}
	}
	k, err := b.constant(n, 3)
	return nil, k.v, err
}

// source returns where output i of an axis lies in the input.
func (r resize) source(i int, scale float64, in, out int) (float64, error) {
	x := float64(i)
	switch r.coord {
	case "half_pixel":
		return (x+.5)/scale - .5, nil
	case "half_pixel_symmetric":
		adjust := float64(out) / (scale * float64(in))
		center := float64(in) / 2
		return center*(1-adjust) + (x+.5)/scale - .5, nil
	case "pytorch_half_pixel":
		if out == 1 {
			return 0, nil
		}
		return (x+.5)/scale - .5, nil
	case "align_corners":
		if out == 1 {
			return 0, nil
		}
		return x * float64(in-1) / float64(out-1), nil
	case "asymmetric":
		return x / scale, nil
	case "tf_half_pixel_for_nn":
		return (x + .5) / scale, nil
	}
	return 0, fmt.Errorf("%w: coordinate_transformation_mode %q", ErrUnsupported, r.coord)
}

// round returns the position that nearest takes. The modes differ for positions
// halfway, which even scales meet all the time.
func (r resize) round(x float64) (int, error) {
	switch r.nearest {
	case "round_prefer_floor":
		return int(math.Ceil(x - .5)), nil
	case "round_prefer_ceil":
		return int(math.Floor(x + .5)), nil
	case "floor":
		return int(math.Floor(x)), nil
	case "ceil":
		return int(math.Ceil(x)), nil
	}
	return 0, fmt.Errorf("%w: nearest_mode %q", ErrUnsupported, r.nearest)
}

// resizeNearest puts all axes into one table of positions.
func (b *builder) resizeNearest(n *node, d dyn, r resize, scales []float64, sizes []int) ([]value, error) {
	offs := d.pieces()
	for a, list := range offs {
		if scales[a] == 1 && sizes[a] == d.view[a] {
			continue
		}
		if err := b.room(sizes[a : a+1]); err != nil {
			return nil, err
		}
		next := make([]int32, sizes[a])
		for i := range next {
			x, err := r.source(i, scales[a], d.view[a], sizes[a])
			if err != nil {
				return nil, err
			}
			at, err := r.round(x)
			if err != nil {
				return nil, err
			}
			next[i] = list[max(0, min(at, len(list)-1))]
		}
		offs[a] = next
	}
	return result(b.table(n, d.v, offs, sizes, d.axis, 0))
}

// resizeAxis interpolates along one axis.
func (b *builder) resizeAxis(n *node, d dyn, r resize, axis int, scale float64, size int) (dyn, error) {
	view := slices.Clone(d.view)
	view[axis] = size
	if err := b.room(view); err != nil {
		return d, err
	}
	if err := b.memory(size * (resampleBytes + 4*tapBytes)); err != nil {
		return d, err
	}
	at := axis - truthInt(len(canon(d.view, d.axis)) < len(d.view))
	op := graph.Resample{Axis: at, Index: make([][]int, size), Weight: make([][]float64, size)}
	for i := range size {
		x, err := r.source(i, scale, d.view[axis], size)
		if err != nil {
			return d, err
		}
		if op.Index[i], op.Weight[i], err = r.taps(x, d.view[axis]); err != nil {
			return d, err
		}
	}
	return b.apply(n, op, view, d.axis, d.v)
}

// taps returns the elements of an axis of n and their weights for a position.
func (r resize) taps(x float64, n int) (index []int, weight []float64, err error) {
	base := math.Floor(x)
	t := x - base
	var w []float64
	first := int(base)
	switch r.mode {
	case "linear":
		w = []float64{1 - t, t}
	case "cubic":
		w = []float64{cubic(r.cubicA, t+1), cubic(r.cubicA, t), cubic(r.cubicA, 1-t), cubic(r.cubicA, 2-t)}
		first--
	default:
		return nil, nil, fmt.Errorf("%w: mode %q", ErrUnsupported, r.mode)
	}
	total := 0.0
	for i := range w {
		if k := first + i; r.exclude && (k < 0 || k >= n) {
			w[i] = 0
		}
		total += w[i]
		index = append(index, max(0, min(first+i, n-1)))
	}
	if r.exclude {
		for i := range w {
			w[i] /= total
		}
	}
	return index, w, nil
}

// cubic is the kernel of Keys (IEEE Transactions on Acoustics, Speech, and
// Signal Processing 29(6), 1981, equation 15) with parameter a.
func cubic(a, x float64) float64 {
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}
