package onnx

import (
	"fmt"
	"math"
	"slices"
)

// foldConstantOfShape fills a shape, which the limit of newKonst bounds.
func foldConstantOfShape(b *builder, n *node, in []*konst) ([]konst, error) {
	if slices.ContainsFunc(in[0].v, func(t term) bool { return t.b != 0 }) {
		return nil, errBatchShape
	}
	shape, err := in[0].ints()
	if err != nil {
		return nil, err
	}
	fill := number(typeFloat, 0)
	if a := n.attrs["value"]; a != nil && a.t != nil {
		if fill, err = b.read(a.t); err != nil {
			return nil, err
		}
	}
	if len(fill.v) != 1 {
		return nil, fmt.Errorf("%w: fill value has %d elements", ErrFormat, len(fill.v))
	}
	out, err := b.newKonst(fill.typ, shape)
	for i := range out.v {
		out.v[i] = fill.v[0]
	}
	return []konst{out}, err
}

// errBatchShape means that a constant has as many elements as the batch has samples.
var errBatchShape = fmt.Errorf("%w: the shape of a constant depends on the batch size", ErrUnsupported)

// buildFilled fills a shape with the batch size in it, as the first states of a
// recurrent layer have: the same numbers for every sample.
func buildFilled(b *builder, n *node) ([]value, error) {
	target, err := b.constant(n, 0)
	if err != nil {
		return nil, err
	}
	k, axis := konst{typ: typeFloat}, -1
	for i, t := range target.v {
		if t.b != 0 {
			if axis >= 0 || t.c != 0 || t.b != 1 {
				return nil, errBatchShape
			}
			axis, t = i, term{c: 1}
		}
		k.shape = append(k.shape, toInt(t.c))
	}
	shape := konst{typ: typeInt64, shape: []int{len(k.shape)}}
	for _, d := range k.shape {
		shape.v = append(shape.v, term{c: float64(d)})
	}
	filled, err := foldConstantOfShape(b, n, []*konst{&shape})
	if err != nil {
		return nil, err
	}
	if !isFloat(filled[0].typ) {
		return nil, errBatchShape
	}
	p, err := b.hidden(filled[0])
	if err != nil {
		return nil, err
	}
	d, err := b.lift(n, p)
	if err != nil {
		return nil, err
	}
	return result(b.relabel(d, d.view, axis))
}

// foldExpand repeats axes of length 1. The target broadcasts with the shape, so that
// it may have ones where the shape has more.
func foldExpand(b *builder, n *node, in []*konst) ([]konst, error) {
	if err := inputs(in, 2, 2); err != nil {
		return nil, err
	}
	shape, err := in[1].ints()
	if err != nil {
		return nil, err
	}
	if shape, err = broadcast(in[0].shape, shape); err != nil {
		return nil, err
	}
	return one(b.spread(*in[0], shape))
}

// foldReshape gives the same elements another shape; nothing is copied, since no fold
// changes its inputs.
func foldReshape(b *builder, n *node, in []*konst) ([]konst, error) {
	if err := inputs(in, 2, 2); err != nil {
		return nil, err
	}
	target, err := in[1].ints()
	if err != nil {
		return nil, err
	}
	shape, err := resolve(in[0].shape, target, n.int("allowzero", 0) != 0)
	return []konst{{typ: in[0].typ, shape: shape, v: in[0].v}}, err
}

// resolve replaces 0 and -1 in a target shape.
func resolve(from, target []int, allowZero bool) ([]int, error) {
	out, open, rest, n := slices.Clone(target), -1, 1, sizeOf(from)
	for i, d := range out {
		if d == 0 && !allowZero && i < len(from) {
			out[i], d = from[i], from[i]
		}
		switch {
		case d == -1 && open < 0:
			open = i
		case d < 0 || d > 0 && rest > math.MaxInt32/d:
			return nil, fmt.Errorf("%w: target shape %v", ErrFormat, target)
		default:
			rest *= d
		}
	}
	if open >= 0 {
		if rest == 0 {
			return nil, fmt.Errorf("%w: target shape %v has a length to find beside a zero", ErrFormat, target)
		}
		out[open] = n / rest
		rest *= out[open]
	}
	if rest != n || len(out) > maxRank {
		return nil, fmt.Errorf("%w: shape %v does not fit %v", ErrFormat, from, target)
	}
	return out, nil
}

// axesOf returns the axes that are input i (from an operator set on) or the
// attribute "axes", and whether there are any.
func (b *builder) axesOf(n *node, i, since int) ([]int, bool, error) {
	if b.f.opset >= since {
		if !n.has(i) {
			return nil, false, nil
		}
		k, err := b.constant(n, i)
		if err != nil {
			return nil, false, err
		}
		axes, err := k.ints()
		return axes, true, err
	}
	a, ok := n.attrs["axes"]
	if !ok {
		return nil, false, nil
	}
	axes := make([]int, len(a.ints))
	for i, v := range a.ints {
		axes[i] = int(v)
	}
	return axes, true, nil
}

// inRange makes axes non-negative, sorts them, and refuses those out of range
// and repeated ones.
func inRange(axes []int, rank int) ([]int, error) {
	out := slices.Clone(axes)
	for i, a := range out {
		if a < 0 {
			out[i] += rank
		}
		if out[i] < 0 || out[i] >= rank {
			return nil, fmt.Errorf("%w: axis %d of %d", ErrFormat, a, rank)
		}
	}
	slices.Sort(out)
	if len(slices.Compact(slices.Clone(out))) != len(out) {
		return nil, fmt.Errorf("%w: axes %v repeat", ErrFormat, axes)
	}
	return out, nil
}

// foldSqueeze drops axes of length 1: those named, or all.
func foldSqueeze(b *builder, n *node, in []*konst) ([]konst, error) {
	axes, given, err := b.axesOf(n, 1, 13)
	if err == nil {
		axes, err = inRange(axes, len(in[0].shape))
	}
	var shape []int
	for i, d := range in[0].shape {
		drop := slices.Contains(axes, i) || !given && d == 1
		if drop && d != 1 {
			return nil, fmt.Errorf("%w: axis %d of shape %v is squeezed", ErrFormat, i, in[0].shape)
		}
		if !drop {
			shape = append(shape, d)
		}
	}
	return []konst{{typ: in[0].typ, shape: shape, v: in[0].v}}, err
}

// foldUnsqueeze puts in axes of length 1. They are counted in the result, so that the
// sorted list can be put in from the front.
func foldUnsqueeze(b *builder, n *node, in []*konst) ([]konst, error) {
	axes, _, err := b.axesOf(n, 1, 13)
	if err == nil {
		axes, err = inRange(axes, len(in[0].shape)+len(axes))
	}
	if err == nil && len(in[0].shape)+len(axes) > maxRank {
		err = fmt.Errorf("%w: more than %d axes", ErrLimit, maxRank)
	}
	shape := slices.Clone(in[0].shape)
	for _, a := range axes {
		if err != nil {
			break
		}
		shape = slices.Insert(shape, a, 1)
	}
	return []konst{{typ: in[0].typ, shape: shape, v: in[0].v}}, err
}

// foldFlatten makes a matrix of a constant.
func foldFlatten(_ *builder, n *node, in []*konst) ([]konst, error) {
	shape := in[0].shape
	a := int(max(-maxRank, min(n.int("axis", 1), maxRank)))
	if a < 0 {
		a += len(shape)
	}
	if a < 0 || a > len(shape) {
		return nil, fmt.Errorf("%w: axis %d of %d", ErrFormat, a, len(shape))
	}
	return []konst{{typ: in[0].typ, shape: []int{sizeOf(shape[:a]), sizeOf(shape[a:])}, v: in[0].v}}, nil
}

// foldTile repeats every axis.
func foldTile(b *builder, n *node, in []*konst) ([]konst, error) {
	if err := inputs(in, 2, 2); err != nil {
		return nil, err
	}
	times, err := in[1].ints()
	if err == nil && len(times) != len(in[0].shape) {
		err = fmt.Errorf("%w: shape %v is repeated by %v", ErrFormat, in[0].shape, times)
	}
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(in[0].shape)
	for i, m := range times {
		if m < 0 || m > maxAxis {
			return nil, fmt.Errorf("%w: an axis is repeated by %d", ErrFormat, m)
		}
		shape[i] *= m
	}
	out, err := b.newKonst(in[0].typ, shape)
	if err != nil || len(out.v) == 0 {
		return []konst{out}, err
	}
	offs := make([][]int32, len(shape))
	for i, s := range stride(in[0].shape) {
		offs[i] = slices.Repeat(steps(in[0].shape[i], s), times[i])
	}
	index, err := b.cross(offs)
	for i, at := range index {
		out.v[i] = in[0].v[at]
	}
	return []konst{out}, err
}

// foldTranspose moves the axes of a constant.
func foldTranspose(b *builder, n *node, in []*konst) ([]konst, error) {
	perm, err := n.perm(len(in[0].shape))
	if err != nil {
		return nil, err
	}
	return one(b.permuted(*in[0], perm))
}

// permuted returns a constant with its axes in another order.
func (b *builder) permuted(k konst, perm []int) (konst, error) {
	shape, offs := make([]int, len(perm)), make([][]int32, len(perm))
	s := stride(k.shape)
	for i, p := range perm {
		shape[i], offs[i] = k.shape[p], steps(k.shape[p], s[p])
	}
	out, err := b.newKonst(k.typ, shape)
	if err != nil {
		return out, err
	}
	index, err := b.cross(offs)
	for i, at := range index {
		out.v[i] = k.v[at]
	}
	return out, err
}

// steps returns 0, step, 2·step ...
func steps(n, step int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i * step)
	}
	return out
}

// scaled returns the offsets of places along an axis.
func scaled(places []int, step int) []int32 {
	out := make([]int32, len(places))
	for i, p := range places {
		out[i] = int32(p * step)
	}
	return out
}

// cross returns the sums of one offset of every list, the last list running
// fastest; -1, nothing, wins over every sum. The result is valid until the next
// call: tables are large, and only their stretches are kept.
func (b *builder) cross(offs [][]int32) ([]int32, error) {
	total := 1
	for _, list := range offs {
		total *= len(list) // a shape that has been checked
	}
	if err := b.takes(total); err != nil {
		return nil, err
	}
	b.index = slices.Grow(b.index[:0], total)[:total]
	if total > 0 {
		crossInto(b.index, offs, 0)
	}
	return b.index, nil
}

// crossInto fills out with the sums that start with base.
func crossInto(out []int32, offs [][]int32, base int32) {
	if len(offs) == 0 {
		out[0] = base
		return
	}
	n := len(out) / len(offs[0])
	for i, v := range offs[0] {
		next := base + v
		if base < 0 || v < 0 {
			next = -1
		}
		if len(offs) == 1 {
			out[i] = next
		} else {
			crossInto(out[i*n:(i+1)*n], offs[1:], next)
		}
	}
}
