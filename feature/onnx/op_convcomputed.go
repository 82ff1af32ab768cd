package onnx

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// A convolution of the graph packs its weight once a run and reads it many times, which
// needs a parameter. A computed weight is an activation that is equal for all samples,
// and the graph has no place for one value a batch. Networks with standardized weights
// are rare enough that the way over matrix products will do.

// convComputed convolves with a weight that the graph computes from others: in
// another order of axes, normalized, or standardized. It is a matrix product with
// the windows of the image side by side, much slower than graph.Conv, whose weight
// is a parameter as it is.
func (b *builder) convComputed(n *node, d dyn) ([]value, error) {
	k, err := b.dyn(n, 1)
	if err != nil {
		return nil, err
	}
	if k.axis >= 0 || len(d.view) < 3 || len(k.view) != len(d.view) {
		return nil, fmt.Errorf("%w: weight of shape %v (batch axis %d) for input of shape %v", ErrUnsupported, k.view, k.axis, d.view)
	}
	w, err := b.window(n, d, k.view[2:])
	if err == nil {
		err = w.autoPad(n)
	}
	if err == nil {
		err = b.windowLimits(w)
	}
	if err != nil {
		return nil, err
	}
	channels, groups := k.view[0], groups(n)
	if groups < 1 || channels%groups != 0 || d.view[1] != k.view[1]*groups {
		return nil, fmt.Errorf("%w: weight of shape %v in %d groups for input of shape %v", ErrFormat, k.view, groups, d.view)
	}
	x, size, err := b.windows(n, d, w)
	if err != nil {
		return nil, err
	}
	inner := sizeOf(k.view[1:])
	if x, err = b.relabel(x, []int{1, groups, inner, size[0] * size[1]}, 0); err != nil {
		return nil, err
	}
	if k, err = b.relabel(k, []int{groups, channels / groups, inner}, -1); err != nil {
		return nil, err
	}
	y, err := b.matmul(n, k, x)
	if err != nil {
		return nil, err
	}
	view := []int{1, channels, size[0], size[1]}
	if w.flat {
		view = []int{1, channels, size[1]}
	}
	if y, err = b.relabel(y, view, 0); err != nil || !n.has(2) {
		return result(y, err)
	}
	bias := b.values[n.in[2]]
	if bias.p == nil || bias.p.moved() || sizeOf(bias.p.shape) != channels {
		return nil, fmt.Errorf("%w: input 2 (%q) is computed, want an initializer of %d elements", ErrUnsupported, n.in[2], channels)
	}
	return result(b.combine(n, graph.Add{}, y, value{p: &param{w: bias.p.w, shape: perChannel(channels, len(view))}}))
}

// windows returns what the window sees at each of its places, as channels × height
// and width of the window × height and width of the output, and the latter.
func (b *builder) windows(n *node, d dyn, w window) (dyn, [2]int, error) {
	var size [2]int
	var places [2][]int32 // of an axis: of the window, then of the output
	for i := range 2 {
		length := w.image[1+i]
		extent := (w.kernel[i]-1)*w.Dilation[i] + 1
		free := length + w.Pad[i] + w.Pad[2+i] - extent
		if free < 0 {
			return d, size, fmt.Errorf("%w: a window of %v does not fit an image of %v", ErrUnsupported, w.kernel, w.image)
		}
		size[i] = free/w.Stride[i] + 1
		step := []int{w.image[2], 1}[i]
		if err := b.room([]int{w.kernel[i], size[i]}); err != nil {
			return d, size, err
		}
		for k := range w.kernel[i] {
			for o := range size[i] {
				at := o*w.Stride[i] + k*w.Dilation[i] - w.Pad[i]
				if at < 0 || at >= length {
					at = -1
				} else {
					at *= step
				}
				places[i] = append(places[i], int32(at))
			}
		}
	}
	channels := w.image[0]
	d, err := b.relabel(d, []int{1, channels, w.image[1], w.image[2]}, 0)
	if err != nil {
		return d, size, err
	}
	offs := [][]int32{{0}, steps(channels, w.image[1]*w.image[2]), places[0], places[1]}
	d, err = b.table(n, d.v, offs, []int{1, channels, len(places[0]), len(places[1])}, 0, 0)
	if err == nil {
		d, err = b.relabel(d, []int{1, channels, w.kernel[0], size[0], w.kernel[1], size[1]}, 0)
	}
	if err == nil {
		d, err = b.transpose(n, d, []int{0, 1, 2, 4, 3, 5})
	}
	return d, size, err
}
