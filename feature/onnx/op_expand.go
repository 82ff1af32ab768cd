package onnx

import (
	"fmt"
	"slices"
)

// Repeating is a table of positions too, in which offsets occur several times; its gradient
// sums over the copies.

// buildExpand repeats axes to a shape that is known, but for the batch size.
func buildExpand(b *builder, n *node) ([]value, error) {
	k, err := b.constant(n, 1)
	if err != nil {
		return nil, err
	}
	return b.expand(n, k.v, false)
}

// expand repeats axes of length 1 of input 0 to a target shape, or with tile, every
// axis by a factor.
func (b *builder) expand(n *node, target []term, tile bool) ([]value, error) {
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	rank := max(len(d.view), len(target))
	if rank > maxRank || tile && len(target) != len(d.view) {
		return nil, fmt.Errorf("%w: shape %v is repeated by %v", ErrFormat, d.view, target)
	}
	axis := shiftAxis(d.axis, rank-len(d.view))
	view, offs := make([]int, rank), make([][]int32, rank)
	pieces := d.pieces()
	for i := range rank {
		to := term{c: 1}
		if at := i - (rank - len(target)); at >= 0 {
			to = target[at]
		}
		list := []int32{0}
		if at := i - (rank - len(d.view)); at >= 0 {
			list = pieces[at]
		}
		view[i], axis, err = b.repeat(len(list), to, i, axis, tile)
		if err != nil {
			return nil, err
		}
		if err := b.room(view[i : i+1]); err != nil {
			return nil, err
		}
		offs[i] = slices.Repeat(list, view[i]/len(list))
	}
	if axis < 0 && slices.Equal(view, d.view) {
		return []value{b.values[n.in[0]]}, nil // a weight stays one
	}
	return result(b.table(n, d.v, offs, view, axis, 0))
}

// repeat returns the length of axis i, of length d, repeated to a length or by a
// factor, and the batch axis after that.
func (b *builder) repeat(d int, to term, i, axis int, tile bool) (int, int, error) {
	bad := fmt.Errorf("%w: axis %d of length %d is repeated to or by %v (batch axis %d)", ErrUnsupported, i, d, to, axis)
	if i == axis { // the batch itself: only what leaves it alone
		whole := to == term{c: 1} || !tile && (to == term{b: float64(d)} || b.fixed > 0 && to == term{c: float64(d * b.fixed)})
		if !whole {
			return 0, 0, bad
		}
		return d, axis, nil
	}
	if to.b != 0 || b.fixed > 1 && axis < 0 && i == 0 && to.c == float64(b.fixed) {
		// Something equal for all samples gets a batch axis.
		part := toInt(to.b)
		if to.b == 0 {
			part = 1
		}
		if d != 1 || axis >= 0 || to.b != 0 && to.c != 0 || part < 1 {
			return 0, 0, bad
		}
		return part, i, nil
	}
	m := toInt(to.c)
	switch {
	case tile && m >= 1 && m < maxAxis:
		return d * m, axis, nil
	case !tile && (m == 1 || m == d):
		return d, axis, nil
	case !tile && d == 1 && m > 1 && m < maxAxis:
		return m, axis, nil
	}
	return 0, 0, bad
}

// buildTile repeats axes by factors.
func buildTile(b *builder, n *node) ([]value, error) {
	k, err := b.constant(n, 1)
	if err != nil {
		return nil, err
	}
	return b.expand(n, k.v, true)
}
