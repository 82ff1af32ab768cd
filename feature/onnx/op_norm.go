package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// Norms over parts of a sample are a standardization, which the graph has, and a scale and
// a shift that broadcast. Batch norm alone is an operator of its own: in training, its
// sums go over the batch.

// buildBatchNorm adds a batch norm, which can train: its statistics are parameters that
// are not trainable, and GradMode moves them. Where an export has computed them,
// nothing could save them, and they stay.
func buildBatchNorm(b *builder, n *node) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	if len(d.view) < 2 || b.f.opset < 9 && n.int("spatial", 1) == 0 {
		return nil, fmt.Errorf("%w: normalization of every element of %v by itself", ErrUnsupported, d.view)
	}
	momentum := n.float("momentum", float64(float32(.9)))
	in := []graph.Value{d.v}
	for i := 1; i < 5; i++ {
		p, err := b.weightInput(n, i)
		if err != nil {
			return nil, err
		}
		if i >= 3 {
			if p.w.trainable, p.w.statistic = false, true; p.w.known {
				return nil, statisticKnown(p.w)
			}
			if p.w.t == nil { // nothing would save it if it moved
				momentum = 1
			}
		}
		v, err := b.param(n, i, d.view[1])
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	for i, name := range n.out[1:] {
		if name != "" && b.isRead(name) {
			return nil, fmt.Errorf("%w: statistics (output %d, %q) are used", ErrUnsupported, i+1, name)
		}
	}
	op := graph.BatchNorm{Epsilon: n.float("epsilon", float64(float32(1e-5))), Momentum: 1 - momentum}
	return result(b.apply(n, op, d.view, 0, in...))
}

// standardized normalizes groups of elements: the sample is seen as the given
// number of rows.
func (b *builder) standardized(n *node, d dyn, rows int) (dyn, error) {
	v, err := b.as(d.v, []int{rows, sizeOf(d.view) / rows})
	if err != nil {
		return d, err
	}
	op := graph.Standardize{Epsilon: n.float("epsilon", float64(float32(1e-5)))}
	return b.apply(n, op, d.view, d.axis, v)
}

// affine multiplies d by input i and adds input i+1, if it is there; both
// broadcast after they are given a shape.
func (b *builder) affine(n *node, d dyn, i int, shape []int) ([]value, error) {
	for k, op := range []graph.Op{graph.Mul{}, graph.Add{}} {
		if k > 0 && !n.has(i+1) {
			break
		}
		if b.values[n.in[i+k]].d != nil {
			return nil, fmt.Errorf("%w: input %d is computed, want an initializer", ErrUnsupported, i+k)
		}
		p, err := b.weightInput(n, i+k)
		if err != nil {
			return nil, err
		}
		want := shape
		if want == nil {
			want = p.shape
		}
		if sizeOf(want) != sizeOf(p.shape) || p.moved() {
			return nil, fmt.Errorf("%w: input %d has shape %v, want %v", ErrFormat, i+k, p.shape, want)
		}
		if d, err = b.combine(n, op, d, value{p: &param{w: p.w, shape: want}}); err != nil {
			return nil, err
		}
	}
	return []value{{d: &d}}, nil
}

// buildInstanceNorm standardizes each channel of each sample, and then scales and
// shifts as the norms below do.
func buildInstanceNorm(b *builder, n *node) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	if len(d.view) < 3 {
		return nil, fmt.Errorf("%w: input of shape %v", ErrFormat, d.view)
	}
	channels := d.view[1]
	if d, err = b.standardized(n, d, channels); err != nil {
		return nil, err
	}
	return b.affine(n, d, 1, perChannel(channels, len(d.view)))
}

// perChannel is the shape of one number a channel that broadcasts.
func perChannel(channels, rank int) []int {
	shape := slices.Repeat([]int{1}, rank-1)
	shape[0] = channels
	return shape
}

// buildGroupNorm has a scale and a shift for every group in operator sets 18 to
// 20, and for every channel since.
func buildGroupNorm(b *builder, n *node) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	groups := int(n.int("num_groups", 0))
	if len(d.view) < 3 || groups < 1 || groups > d.view[1] || d.view[1]%groups != 0 {
		return nil, fmt.Errorf("%w: %d groups of shape %v", ErrFormat, groups, d.view)
	}
	view := d.view
	if d, err = b.standardized(n, d, groups); err != nil {
		return nil, err
	}
	if b.f.opset >= 21 {
		return b.affine(n, d, 1, perChannel(view[1], len(view)))
	}
	if d, err = b.relabel(d, []int{1, groups, sizeOf(view) / groups}, 0); err != nil {
		return nil, err
	}
	out, err := b.affine(n, d, 1, []int{groups, 1})
	if err != nil {
		return nil, err
	}
	return result(b.relabel(*out[0].d, view, 0))
}

// buildLayerNorm standardizes the axes from the given one on. They must not have the
// batch among them: samples do not see one another.
func buildLayerNorm(b *builder, n *node) ([]value, error) {
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	axis, err := n.axis("axis", -1, len(d.view))
	if err != nil {
		return nil, err
	}
	if d.axis >= axis {
		return nil, d.offBatch(d.axis)
	}
	for i, name := range n.out[1:] {
		if name != "" && b.isRead(name) {
			return nil, fmt.Errorf("%w: statistics (output %d, %q) are used", ErrUnsupported, i+1, name)
		}
	}
	if d, err = b.standardized(n, d, sizeOf(d.view[:axis])); err != nil {
		return nil, err
	}
	return b.affine(n, d, 1, nil)
}

// buildLRN divides by a sum of squares over neighboring channels (AlexNet, GoogLeNet).
func buildLRN(b *builder, n *node) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	op := graph.LRN{Size: int(max(0, min(n.int("size", 0), 1<<20))), Alpha: n.float("alpha", 1e-4), Beta: n.float("beta", .75), Bias: n.float("bias", 1)}
	return result(b.apply(n, op, d.view, 0, d.v))
}

// buildSoftmax works along one axis since operator set 13, and over all axes
// from the given one on before.
func buildSoftmax(b *builder, n *node) ([]value, error) {
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	first := int64(1)
	if b.f.opset >= 13 {
		first = -1
	}
	axis, err := n.axis("axis", first, len(d.view))
	if err != nil {
		return nil, err
	}
	if b.f.opset < 13 {
		if d.axis >= axis {
			return nil, d.offBatch(d.axis)
		}
		return result(b.softmaxRows(n, d, sizeOf(d.view[axis:])))
	}
	if err := d.offBatch(axis); err != nil {
		return nil, err
	}
	if axis == len(d.view)-1 {
		return result(b.softmaxRows(n, d, d.view[axis]))
	}
	return b.softmaxAlong(n, d, axis)
}

// softmaxAlong brings the axis to the end and back.
func (b *builder) softmaxAlong(n *node, d dyn, axis int) ([]value, error) {
	perm := make([]int, len(d.view))
	for i := range perm {
		perm[i] = i
	}
	last := len(perm) - 1
	perm[axis], perm[last] = last, axis // its own inverse
	d, err := b.transpose(n, d, perm)
	if err == nil {
		d, err = b.softmaxRows(n, d, d.view[last])
	}
	if err != nil {
		return nil, err
	}
	return result(b.transpose(n, d, perm))
}

// softmaxRows works on rows of m elements.
func (b *builder) softmaxRows(n *node, d dyn, m int) (dyn, error) {
	v, err := b.as(d.v, []int{sizeOf(d.view) / m, m})
	if err != nil {
		return d, err
	}
	if n.op == "LogSoftmax" {
		return b.apply(n, graph.LogSoftmax{}, d.view, d.axis, v)
	}
	return b.apply(n, graph.Softmax{Axis: -1}, d.view, d.axis, v)
}
