package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// window is what convolutions and poolings have in common. Sequences are
// images of height 1.
type window struct {
	graph.Window
	kernel [2]int
	image  []int // channels, height, width
	flat   bool  // a sequence
	rank   int   // of the input
}

// window reads the attributes for input 0. kernel is the weight's shape beyond
// its first two axes, or nil for the attribute.
func (b *builder) window(n *node, d dyn, kernel []int) (window, error) {
	w := window{rank: len(d.view), flat: len(d.view) == 3}
	if w.rank != 3 && w.rank != 4 {
		return w, fmt.Errorf("%w: input of shape %v, want sequences or images", ErrUnsupported, d.view)
	}
	w.image = append([]int(nil), d.view[1:]...)
	if w.flat {
		w.image = []int{d.view[1], 1, d.view[2]}
	}
	spatial := w.rank - 2
	if kernel == nil {
		var err error
		if kernel, err = n.small("kernel_shape", spatial, 0); err != nil {
			return w, err
		}
	}
	if len(kernel) != spatial {
		return w, fmt.Errorf("%w: window %v over input of shape %v", ErrFormat, kernel, d.view)
	}
	strides, err := n.small("strides", spatial, 1)
	if err != nil {
		return w, err
	}
	dilations, err := n.small("dilations", spatial, 1)
	if err != nil {
		return w, err
	}
	pads, err := n.small("pads", 2*spatial, 0)
	if err != nil {
		return w, err
	}
	w.kernel, w.Stride, w.Dilation = pairOf(kernel, 1), pairOf(strides, 1), pairOf(dilations, 1)
	before, after := pairOf(pads[:spatial], 0), pairOf(pads[spatial:], 0)
	w.Pad = [4]int{before[0], before[1], after[0], after[1]}
	if w.Stride[0] < 1 || w.Stride[1] < 1 || w.Dilation[0] < 1 || w.Dilation[1] < 1 || w.kernel[0] < 1 || w.kernel[1] < 1 {
		return w, fmt.Errorf("%w: window %v, strides %v, dilations %v", ErrFormat, kernel, strides, dilations)
	}
	return w, nil
}

// pairOf puts height 1 before a sequence's width.
func pairOf(v []int, height int) [2]int {
	if len(v) == 1 {
		return [2]int{height, v[0]}
	}
	return [2]int{v[0], v[1]}
}

// autoPad computes padding so that the output has ⌈size/stride⌉ elements.
func (w *window) autoPad(n *node) error {
	mode := n.text("auto_pad", "NOTSET")
	switch mode {
	case "NOTSET", "":
		return nil
	case "VALID":
		w.Pad = [4]int{}
		return nil
	case "SAME_UPPER", "SAME_LOWER":
	default:
		return fmt.Errorf("%w: auto_pad %q", ErrUnsupported, mode)
	}
	for i := range 2 {
		size, s := w.image[1+i], w.Stride[i]
		total := max(0, ((size+s-1)/s-1)*s+(w.kernel[i]-1)*w.Dilation[i]+1-size)
		w.Pad[i], w.Pad[2+i] = total/2, total-total/2
		if mode == "SAME_LOWER" {
			w.Pad[i], w.Pad[2+i] = total-total/2, total/2
		}
	}
	return nil
}

// run applies op to images, and gives the result the rank of the input.
func (b *builder) run(n *node, d dyn, w window, op graph.Op, in ...graph.Value) ([]value, error) {
	x, err := b.as(d.v, w.image)
	if err != nil {
		return nil, err
	}
	in = append([]graph.Value{x}, in...)
	if err := b.windowLimits(w); err != nil {
		return nil, err
	}
	v, err := b.add(n.label(), op, in...)
	if err != nil {
		return nil, err
	}
	shape := b.g.Shape(v)
	view := append([]int{1}, shape...)
	if w.flat {
		view = []int{1, shape[0], shape[2]}
	}
	if err := b.room(view); err != nil {
		return nil, err
	}
	return result(b.relabel(dyn{v: v}, view, 0))
}

// windowLimits returns an error if a window or the padded image, which some kernels
// make, is too large.
func (b *builder) windowLimits(w window) error {
	if w.kernel[0]*w.kernel[1] > b.opt.MaxKernel {
		return fmt.Errorf("%w: a window of %d×%d is above %d elements (Options.MaxKernel)", ErrLimit, w.kernel[0], w.kernel[1], b.opt.MaxKernel)
	}
	padded := []int{w.image[0], w.image[1] + w.Pad[0] + w.Pad[2], w.image[2] + w.Pad[1] + w.Pad[3]}
	if err := b.room(padded); err != nil {
		return fmt.Errorf("with padding %v: %w", w.Pad, err)
	}
	return nil
}

// strideLimit returns an error if the strides of a convolution are too large: its
// gradient goes by the positions that are equal modulo the strides, of which there
// are as many as an area of that size has.
func (b *builder) strideLimit(w window) error {
	if area := w.Stride[0] * w.Stride[1]; area > b.opt.MaxKernel {
		return fmt.Errorf("%w: strides of %d×%d are above %d elements (Options.MaxKernel)", ErrLimit, w.Stride[0], w.Stride[1], b.opt.MaxKernel)
	}
	return nil
}

// kernels returns the weight of a convolution with four axes.
func (b *builder) kernels(n *node, d dyn) (graph.Value, window, error) {
	p, err := b.weightInput(n, 1)
	if err != nil {
		return 0, window{}, err
	}
	if len(d.view) < 3 || len(p.shape) != len(d.view) || p.moved() {
		return 0, window{}, fmt.Errorf("%w: weight of shape %v for input of shape %v", ErrUnsupported, p.shape, d.view)
	}
	w, err := b.window(n, d, p.shape[2:])
	if err != nil {
		return 0, w, err
	}
	v, err := b.weightAs(p.w, []int{p.shape[0], p.shape[1], w.kernel[0], w.kernel[1]})
	return v, w, err
}

// buildConv adds a convolution whose weight is a parameter as stored, or goes the slow
// way for one that is computed.
func buildConv(b *builder, n *node) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	if v := b.values[n.in[1]]; v.d != nil || v.p != nil && v.p.moved() {
		return b.convComputed(n, d)
	}
	weight, w, err := b.kernels(n, d)
	if err != nil {
		return nil, err
	}
	if err := w.autoPad(n); err != nil {
		return nil, err
	}
	for i := range 2 { // beyond that, there is one place for the window all the same
		free := w.image[1+i] + w.Pad[i] + w.Pad[2+i] - (w.kernel[i]-1)*w.Dilation[i] - 1
		w.Stride[i] = min(w.Stride[i], max(free+1, 1))
	}
	if err := b.strideLimit(w); err != nil {
		return nil, err
	}
	in := []graph.Value{weight}
	if n.has(2) {
		bias, err := b.param(n, 2, b.g.Shape(weight)[0])
		if err != nil {
			return nil, err
		}
		in = append(in, bias)
	}
	return b.run(n, d, w, graph.Conv{Window: w.Window, Group: groups(n)}, in...)
}

// groups returns the attribute "group"; 0, which is none, becomes -1, which the
// graph refuses.
func groups(n *node) int {
	g := n.int("group", 1)
	if g < 1 || g > 1<<20 {
		return -1
	}
	return int(g)
}

// buildConvTranspose adds the adjoint of a convolution. Its output's size is open where
// the stride is above 1, for which the standard has three attributes.
func buildConvTranspose(b *builder, n *node) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	weight, w, err := b.kernels(n, d)
	if err != nil {
		return nil, err
	}
	extra, err := n.small("output_padding", w.rank-2, 0)
	if err != nil {
		return nil, err
	}
	op := graph.ConvTranspose{Window: w.Window, Group: groups(n), Extra: pairOf(extra, 0)}
	if err := fitTranspose(&op, n, w); err != nil {
		return nil, err
	}
	for i := range 2 {
		if w.image[1+i] == 1 { // nothing to be apart from
			op.Stride[i], w.Stride[i] = 1, 1
		}
	}
	if err := b.strideLimit(w); err != nil {
		return nil, err
	}
	in := []graph.Value{weight}
	if n.has(2) && op.Group > 0 {
		bias, err := b.param(n, 2, b.g.Shape(weight)[1]*op.Group)
		if err != nil {
			return nil, err
		}
		in = append(in, bias)
	}
	return b.run(n, d, w, op, in...)
}

// fitTranspose sets the padding that output_shape or auto_pad ask for: what is
// too much of the whole output is cut off.
func fitTranspose(op *graph.ConvTranspose, n *node, w window) error {
	mode := n.text("auto_pad", "NOTSET")
	want, err := n.small("output_shape", w.rank-2, 0)
	if err != nil {
		return err
	}
	shape := pairOf(want, 1)
	if n.ints("output_shape") == nil {
		switch mode {
		case "NOTSET", "":
			return nil
		case "VALID":
			op.Pad = [4]int{}
			return nil
		}
		shape = [2]int{w.image[1] * w.Stride[0], w.image[2] * w.Stride[1]}
	}
	for i := range 2 {
		total := w.Stride[i]*(w.image[1+i]-1) + (w.kernel[i]-1)*w.Dilation[i] + 1 + op.Extra[i] - shape[i]
		if total < 0 { // more is wanted than there is
			op.Extra[i] -= total
			total = 0
		}
		op.Pad[i], op.Pad[2+i] = total-total/2, total/2
		if mode == "SAME_UPPER" {
			op.Pad[i], op.Pad[2+i] = total/2, total-total/2
		}
	}
	return nil
}

// buildMaxPool takes maxima. The second output, their places, is only for unpooling,
// which no classifier does.
func buildMaxPool(b *builder, n *node) ([]value, error) {
	if len(n.out) > 1 && n.out[1] != "" && b.isRead(n.out[1]) {
		return nil, fmt.Errorf("%w: the places of the maxima (%q) are used", ErrUnsupported, n.out[1])
	}
	return b.pool(n, func(w window, ceil bool) graph.Op {
		return graph.MaxPool{Window: w.Window, Kernel: w.kernel, Ceil: ceil}
	})
}

// buildAveragePool takes means. Whether padding counts differs between exporters:
// PyTorch counts it by default, TensorFlow does not.
func buildAveragePool(b *builder, n *node) ([]value, error) {
	include := n.int("count_include_pad", 0) != 0
	return b.pool(n, func(w window, ceil bool) graph.Op {
		return graph.AveragePool{Window: w.Window, Kernel: w.kernel, Ceil: ceil, IncludePad: include}
	})
}

// pool reads what both poolings have in common.
func (b *builder) pool(n *node, op func(w window, ceil bool) graph.Op) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	w, err := b.window(n, d, nil)
	if err == nil {
		err = w.autoPad(n)
	}
	if err != nil {
		return nil, err
	}
	return b.run(n, d, w, op(w, n.int("ceil_mode", 0) != 0))
}

// isRead tells whether some node or the model's output needs a name.
func (b *builder) isRead(name string) bool {
	return b.readsTensor(name) || slices.Contains(b.logits, name)
}

// buildGlobalPool pools all positions. They are axes of any number, so the maximum is a
// reduction.
func buildGlobalPool(b *builder, n *node) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	if len(d.view) < 3 {
		return nil, fmt.Errorf("%w: input of shape %v", ErrFormat, d.view)
	}
	view := []int{1, d.view[1]}
	var axes []int
	for i := range d.view[2:] {
		view, axes = append(view, 1), append(axes, 1+i)
	}
	var op graph.Op = graph.GlobalAveragePool{}
	if n.op == "GlobalMaxPool" {
		if op, err = b.newReduce(graph.ReduceMax, d.view[1:], axes); err != nil {
			return nil, err
		}
	}
	return result(b.apply(n, op, view, 0, d.v))
}
