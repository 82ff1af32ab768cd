package onnx

import (
	"fmt"
	"math"
	"slices"
)

// Slice has had three forms: attributes, inputs, and inputs with steps. Ends may be the
// largest integer, meaning "to the end", or depend on the batch size, for slices of the
// batch axis that take all of it.

// foldSlice slices constants along their axes.
func foldSlice(b *builder, n *node, in []*konst) ([]konst, error) {
	cuts, err := b.cuts(n, len(in[0].shape))
	if err != nil {
		return nil, err
	}
	shape, offs := slices.Clone(in[0].shape), make([][]int32, len(in[0].shape))
	for i, s := range stride(in[0].shape) {
		offs[i] = steps(shape[i], s)
		if c, ok := cuts[i]; ok {
			places, err := c.places(shape[i])
			if err != nil {
				return nil, err
			}
			offs[i] = scaled(places, s)
			shape[i] = len(places)
		}
	}
	out, err := b.newKonst(in[0].typ, shape)
	if err != nil {
		return nil, err
	}
	index, err := b.cross(offs)
	for i, k := range index {
		out.v[i] = in[0].v[k]
	}
	return []konst{out}, err
}

// cut is what Slice does along one axis.
type cut struct {
	start, end term
	step       int
}

// cuts returns the slices of node n by axis.
func (b *builder) cuts(n *node, rank int) (map[int]cut, error) {
	lists, err := b.sliceLists(n)
	if err != nil {
		return nil, err
	}
	starts, ends := lists[0], lists[1]
	cuts := map[int]cut{}
	for i := range starts {
		axis, step := i, 1
		if lists[2] != nil {
			axis = toInt(lists[2][i].c)
		}
		if lists[3] != nil {
			step = toInt(lists[3][i].c)
		}
		if axis < 0 {
			axis += rank
		}
		if axis < 0 || axis >= rank || step == 0 {
			return nil, fmt.Errorf("%w: slice of axis %d of %d with step %d", ErrFormat, axis, rank, step)
		}
		cuts[axis] = cut{starts[i], ends[i], step}
	}
	return cuts, nil
}

// sliceLists returns starts, ends, axes and steps; the last two may be nil.
func (b *builder) sliceLists(n *node) (lists [4][]term, err error) {
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		switch {
		case b.f.opset < 10:
			for _, v := range n.ints(name) {
				lists[i] = append(lists[i], term{c: float64(v)})
			}
		case n.has(i + 1):
			k, err := b.constant(n, i+1)
			if err != nil {
				return lists, err
			}
			lists[i] = k.v
		}
		if len(lists[i]) != len(lists[0]) && (i == 1 || lists[i] != nil) {
			return lists, fmt.Errorf("%w: %d starts and %d %s", ErrFormat, len(lists[0]), len(lists[i]), name)
		}
	}
	return lists, nil
}

// places returns the positions that a cut of an axis of n takes.
func (c cut) places(n int) ([]int, error) {
	if c.start.b != 0 || c.end.b != 0 {
		return nil, fmt.Errorf("%w: a slice that depends on the batch size", ErrUnsupported)
	}
	lo, hi := toInt(c.start.c), toInt(c.end.c)
	if lo < 0 {
		lo += n
	}
	if hi < 0 {
		hi += n
	}
	var out []int
	if c.step > 0 {
		for i := max(lo, 0); i < min(hi, n); i += c.step {
			out = append(out, i)
		}
		return out, nil
	}
	for i := min(lo, n-1); i > max(hi, -1); i += c.step {
		out = append(out, i)
	}
	return out, nil
}

// whole tells whether a cut keeps all of an axis of length d.
func (c cut) whole(d term) bool {
	return c.step == 1 && c.start == term{} && (c.end == d || c.end.b == 0 && c.end.c >= math.MaxInt32)
}
