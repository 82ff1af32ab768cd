package onnx

import (
	"fmt"
	"slices"
)

// Slicing, splitting, gathering and padding are tables of positions: for each axis a list
// of offsets, whose sums are where the elements come from. The graph has one operator for
// them all, and one gradient, which adds to where an element was taken from.

// buildSlice takes parts of axes. Along the batch axis it may only take all, which
// exporters write for a full slice of every axis.
func buildSlice(b *builder, n *node) ([]value, error) {
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	cuts, err := b.cuts(n, len(d.view))
	if err != nil {
		return nil, err
	}
	view, offs := slices.Clone(d.view), d.pieces()
	for i := range view {
		c, ok := cuts[i]
		if !ok || i == d.axis && c.whole(b.length(d, i)) {
			continue
		}
		if err := d.offBatch(i); err != nil {
			return nil, err
		}
		places, err := c.places(view[i])
		if err != nil {
			return nil, err
		}
		offs[i] = scaled(places, stride(d.view)[i])
		view[i] = len(places)
	}
	return result(b.table(n, d.v, offs, view, d.axis, 0))
}

// length returns the length of an axis, a number where the batch is fixed.
func (b *builder) length(d dyn, i int) term {
	t := d.dims()[i]
	if b.fixed > 0 {
		return term{c: t.c + t.b*float64(b.fixed)}
	}
	return t
}

// buildSplit makes a table for each part. Parts that nothing reads are left out,
// since their names are empty.
func buildSplit(b *builder, n *node) ([]value, error) {
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	axis, err := n.axis("axis", 0, len(d.view))
	if err == nil {
		err = d.offBatch(axis)
	}
	if err != nil {
		return nil, err
	}
	sizes, err := b.splitSizes(n, d.view[axis])
	if err != nil {
		return nil, err
	}
	var out []value
	lo := 0
	for i, m := range sizes {
		view, offs := slices.Clone(d.view), d.pieces()
		view[axis], offs[axis] = m, offs[axis][lo:lo+m]
		lo += m
		if n.out[i] == "" {
			out = append(out, value{})
			continue
		}
		part, err := b.table(n, d.v, offs, view, d.axis, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, value{d: &part})
	}
	return out, nil
}

// splitSizes returns the lengths of the parts: an attribute, an input, or equal
// ones, of which the last may be shorter.
func (b *builder) splitSizes(n *node, length int) ([]int, error) {
	var sizes []int
	switch {
	case b.f.opset < 13 && n.ints("split") != nil:
		for _, v := range n.ints("split") {
			sizes = append(sizes, int(max(-1, min(v, 1<<30))))
		}
	case b.f.opset >= 13 && n.has(1):
		k, err := b.constant(n, 1)
		if err != nil {
			return nil, err
		}
		if sizes, err = k.ints(); err != nil {
			return nil, err
		}
	default:
		part := (length + len(n.out) - 1) / len(n.out)
		for lo := 0; lo < len(n.out); lo++ {
			sizes = append(sizes, max(0, min(part, length-lo*part)))
		}
	}
	total := 0
	for _, m := range sizes {
		if m < 0 || m > length {
			return nil, fmt.Errorf("%w: an axis of %d is split into %v", ErrFormat, length, sizes)
		}
		total += m
	}
	if total != length || len(sizes) != len(n.out) {
		return nil, fmt.Errorf("%w: an axis of %d is split into %v, for %d outputs", ErrFormat, length, sizes, len(n.out))
	}
	return sizes, nil
}

// buildGather picks positions that are known when the file is read, such as the class
// token or the axes of a query, a key and a value.
func buildGather(b *builder, n *node) ([]value, error) {
	if b.values[n.in[0]].d == nil && b.values[n.in[1]].d != nil {
		return b.lookup(n)
	}
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	axis, err := n.axis("axis", 0, len(d.view))
	if err == nil {
		err = d.offBatch(axis)
	}
	if err != nil {
		return nil, err
	}
	k, err := b.constant(n, 1)
	if err != nil {
		return nil, err
	}
	index, err := wrapped(k, d.view[axis])
	if err != nil {
		return nil, err
	}
	offs := d.pieces()
	offs[axis] = scaled(index, stride(d.view)[axis])
	view := slices.Concat(d.view[:axis], k.shape, d.view[axis+1:])
	batch := d.axis
	if batch > axis {
		batch += len(k.shape) - 1
	}
	return result(b.table(n, d.v, offs, view, batch, 0))
}

// buildPad surrounds axes. Constant paddings become -1 in the table of positions,
// which stands for the fill value; other modes repeat positions.
func buildPad(b *builder, n *node) ([]value, error) {
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	pads, fill, err := b.pads(n, len(d.view))
	if err != nil {
		return nil, err
	}
	mode := n.text("mode", "constant")
	view, offs := slices.Clone(d.view), d.pieces()
	for i := range view {
		before, after := pads[i], pads[len(view)+i]
		if before == 0 && after == 0 {
			continue
		}
		if err := d.offBatch(i); err != nil {
			return nil, err
		}
		if offs[i], err = padded(offs[i], before, after, mode); err != nil {
			return nil, err
		}
		view[i] = len(offs[i])
	}
	return result(b.table(n, d.v, offs, view, d.axis, float32(fill)))
}

// pads returns how much is put before every axis, then after, and the value.
func (b *builder) pads(n *node, rank int) ([]int, float64, error) {
	var list []int
	if b.f.opset < 11 {
		for _, v := range n.ints("pads") {
			list = append(list, int(max(-1<<20, min(v, 1<<20))))
		}
		if len(list) != 2*rank {
			return nil, 0, fmt.Errorf("%w: %d pads for %d axes", ErrFormat, len(list), rank)
		}
		return list, n.float("value", 0), nil
	}
	k, err := b.constant(n, 1)
	if err != nil {
		return nil, 0, err
	}
	if list, err = k.ints(); err != nil {
		return nil, 0, err
	}
	fill, err := b.scalar(n, 2, 0)
	if err != nil {
		return nil, 0, err
	}
	list, err = b.padAxes(n, list, rank)
	return list, fill, err
}

// padAxes spreads pads of some axes (operator set 18) over all.
func (b *builder) padAxes(n *node, list []int, rank int) ([]int, error) {
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if n.has(3) {
		k, err := b.constant(n, 3)
		if err != nil {
			return nil, err
		}
		if axes, err = k.ints(); err != nil {
			return nil, err
		}
	}
	if len(list) != 2*len(axes) {
		return nil, fmt.Errorf("%w: %d pads for %d axes", ErrFormat, len(list), len(axes))
	}
	out := make([]int, 2*rank)
	for i, a := range axes {
		at, err := wrapAxis(int64(a), rank)
		if err != nil {
			return nil, err
		}
		out[at], out[rank+at] = list[i], list[len(axes)+i]
	}
	return out, nil
}

// padded returns the offsets of an axis with pads before and after; negative
// ones cut.
func padded(list []int32, before, after int, mode string) ([]int32, error) {
	n := len(list)
	if before > maxAxis || after > maxAxis || before+after+n < 1 {
		return nil, fmt.Errorf("%w: an axis of %d is padded by %d and %d", ErrUnsupported, n, before, after)
	}
	out := make([]int32, 0, n+before+after)
	for i := -before; i < n+after; i++ {
		at := i
		switch {
		case i >= 0 && i < n:
		case mode == "constant":
			out = append(out, -1)
			continue
		case mode == "edge":
			at = max(0, min(i, n-1))
		case mode == "wrap":
			at = ((i % n) + n) % n
		case mode == "reflect" && n > 1:
			period := 2 * (n - 1)
			at = ((i % period) + period) % period
			at = min(at, period-at)
		default:
			return nil, fmt.Errorf("%w: padding mode %q of an axis of %d", ErrUnsupported, mode, n)
		}
		out = append(out, list[at])
	}
	return out, nil
}

// buildDepthToSpace also does SpaceToDepth: both are a reshape, a transposition
// and a reshape.
func buildDepthToSpace(b *builder, n *node) ([]value, error) {
	d, err := b.images(n, 0)
	if err != nil {
		return nil, err
	}
	s := int(min(n.int("blocksize", 0), 1<<20))
	if len(d.view) != 4 || s < 1 {
		return nil, fmt.Errorf("%w: block size %d of shape %v", ErrFormat, s, d.view)
	}
	c, h, w := d.view[1], d.view[2], d.view[3]
	var first, perm, last []int
	switch {
	case n.op == "SpaceToDepth" && h%s == 0 && w%s == 0:
		first, perm, last = []int{1, c, h / s, s, w / s, s}, []int{0, 3, 5, 1, 2, 4}, []int{1, c * s * s, h / s, w / s}
	case n.op == "DepthToSpace" && c/s%s == 0 && c%s == 0 && n.text("mode", "DCR") == "DCR":
		first, perm, last = []int{1, s, s, c / s / s, h, w}, []int{0, 3, 4, 1, 5, 2}, []int{1, c / s / s, h * s, w * s}
	case n.op == "DepthToSpace" && c/s%s == 0 && c%s == 0:
		first, perm, last = []int{1, c / s / s, s, s, h, w}, []int{0, 1, 4, 2, 5, 3}, []int{1, c / s / s, h * s, w * s}
	default:
		return nil, fmt.Errorf("%w: block size %d of shape %v", ErrFormat, s, d.view)
	}
	if d, err = b.relabel(d, first, 0); err != nil {
		return nil, err
	}
	if d, err = b.transpose(n, d, perm); err != nil {
		return nil, err
	}
	return result(b.relabel(d, last, 0))
}
