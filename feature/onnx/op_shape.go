package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// transpose moves axes; the batch axis moves along.
func (b *builder) transpose(n *node, d dyn, perm []int) (dyn, error) {
	axis := slices.Index(perm, d.axis)
	view, offs := make([]int, len(perm)), make([][]int32, len(perm))
	all := d.pieces()
	var order []int // of the axes longer than one
	for i, p := range perm {
		view[i], offs[i] = d.view[p], all[p]
		if d.view[p] > 1 {
			order = append(order, p)
		}
	}
	if slices.IsSorted(order) { // nothing moves
		return b.apply(n, graph.Reshape{Shape: canon(view, axis)}, view, axis, d.v)
	}
	return b.table(n, d.v, offs, view, axis, 0)
}

// buildTranspose moves axes. A weight stays one, with its axes in another order, so
// that a linear layer can read it as it is stored.
func buildTranspose(b *builder, n *node) ([]value, error) {
	view, _ := b.shapeOf(n, 0)
	perm, err := n.perm(len(view))
	if err != nil {
		return nil, err
	}
	if p := b.values[n.in[0]].p; p != nil {
		return []value{{p: p.transposed(perm)}}, nil
	}
	d, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	return result(b.transpose(n, d, perm))
}

// reshaped gives an activation another view. As many elements must lie before
// the batch as did: on other axes, or in the batch axis itself. Else samples
// would mix.
func (b *builder) reshaped(n *node, d dyn, view []int, axis int) ([]value, error) {
	if sizeOf(view) != sizeOf(d.view) {
		return nil, fmt.Errorf("%w: %v cannot be reshaped to %v at every batch size", ErrUnsupported, d.view, view)
	}
	outer := 0
	if d.axis >= 0 {
		if outer = outerOf(d.before(), view, axis); outer == 0 {
			return nil, fmt.Errorf("%w: reshaping %v to %v would mix samples", ErrUnsupported, d.view, view)
		}
	}
	out, err := b.apply(n, graph.Reshape{Shape: canon(view, axis)}, view, axis, d.v)
	out.outer = outer
	return result(out, err)
}

// outerOf returns how much of the batch axis runs slower than the batch if before
// elements lie before it, or 0 if that cannot be.
func outerOf(before int, view []int, axis int) int {
	if axis < 0 {
		return 0
	}
	p := sizeOf(view[:axis])
	if p == 0 || before%p != 0 || view[axis]%(before/p) != 0 {
		return 0
	}
	return before / p
}

// reviewed gives input 0 another view of the same layout of samples: view[axis]
// is the batch axis. A weight stays one.
func (b *builder) reviewed(n *node, view []int, axis int) ([]value, error) {
	if p := b.values[n.in[0]].p; p != nil && !p.moved() {
		if sizeOf(view) != sizeOf(p.shape) {
			return nil, fmt.Errorf("%w: a weight of shape %v is reshaped to %v", ErrFormat, p.shape, view)
		}
		return []value{{p: &param{w: p.w, shape: view}}}, nil
	}
	d, err := b.rowwise(n, 0)
	if err != nil {
		return nil, err
	}
	return b.reshaped(n, d, view, axis)
}

// buildReshape resolves the target shape for every batch size, or for the one that the
// file fixes, and finds out where the batch is afterwards. That decides whether
// samples stay apart: see reshaped.
func buildReshape(b *builder, n *node) ([]value, error) {
	target, err := b.constant(n, 1)
	if err != nil {
		return nil, err
	}
	if len(target.v) > maxRank {
		return nil, fmt.Errorf("%w: %d axes", ErrLimit, len(target.v))
	}
	view, axis := b.shapeOf(n, 0)
	from := dyn{view: view, axis: axis}
	if d := b.values[n.in[0]].d; d != nil {
		from = *d
	}
	var to []int
	if b.fixed > 0 && axis >= 0 {
		to, axis, err = b.resolveFixed(from, target.v, n.int("allowzero", 0) != 0)
	} else {
		to, axis, err = resolveTerms(from, target.v, n.int("allowzero", 0) != 0)
	}
	if err != nil {
		return nil, err
	}
	return b.reviewed(n, to, axis)
}

// resolveFixed resolves a target shape where the batch size is known, and
// finds the batch axis: the one before which, or in whose slower part, as many
// elements lie as did.
func (b *builder) resolveFixed(d dyn, target []term, allowZero bool) ([]int, int, error) {
	from, want := slices.Clone(d.view), make([]int, len(target))
	from[d.axis] *= b.fixed
	for i, t := range target {
		want[i] = toInt(t.c + t.b*float64(b.fixed))
	}
	to, err := resolve(from, want, allowZero)
	if err != nil {
		return nil, 0, err
	}
	at, best := -1, 0
	for i, n := range to {
		view := slices.Clone(to)
		view[i] = n / b.fixed
		outer := outerOf(d.before(), view, i)
		if n%b.fixed != 0 || outer == 0 {
			continue
		}
		// Rather an axis of its own than a part of one, rather the batch alone.
		score := 1 + 2*truthInt(outer == 1) + truthInt(n == b.fixed)
		if score > best {
			at, best = i, score
		}
	}
	if at < 0 {
		return nil, 0, fmt.Errorf("%w: reshaping %v to %v would mix the %d samples of the fixed batch", ErrUnsupported, from, to, b.fixed)
	}
	to[at] /= b.fixed
	return to, at, nil
}

// resolveTerms resolves a target shape for any batch size.
func resolveTerms(d dyn, target []term, allowZero bool) ([]int, int, error) {
	dims := d.dims()
	to, axis, open := make([]int, len(target)), -1, -1
	rest := 1
	for i, t := range target {
		if t == (term{}) && !allowZero && i < len(dims) {
			t = dims[i]
		}
		switch {
		case t == term{c: -1} && open < 0:
			open, to[i] = i, 1
			continue
		case t.b != 0 && t.c == 0 && axis < 0:
			axis, to[i] = i, toInt(t.b)
		case t.b == 0:
			to[i] = toInt(t.c)
		}
		if to[i] < 1 || rest > maxAxis/to[i] {
			return nil, 0, fmt.Errorf("%w: target shape %v", ErrUnsupported, target)
		}
		rest *= to[i]
	}
	if open >= 0 {
		to[open] = sizeOf(d.view) / rest
		if axis < 0 && d.axis >= 0 {
			axis = open
		}
	}
	if axis < 0 && d.axis >= 0 && rest%sizeOf(d.view) == 0 {
		return nil, 0, &bakedError{rest / sizeOf(d.view), to}
	}
	if (axis < 0) != (d.axis < 0) {
		return nil, 0, fmt.Errorf("%w: the target shape %v fixes the batch size; export the model with a dynamic batch axis", ErrUnsupported, to)
	}
	return to, axis, nil
}

// bakedError is the error of a target shape that has the batch size as a number,
// because the exporter was not told that it varies.
type bakedError struct {
	size int
	to   []int
}

func (e *bakedError) Error() string {
	return fmt.Sprintf("%v: the target shape %v fixes the batch size; export the model with a dynamic batch axis", ErrUnsupported, e.to)
}

// Unwrap returns ErrUnsupported.
func (e *bakedError) Unwrap() error { return ErrUnsupported }

// buildFlatten makes a matrix, whose rows are the samples for the usual axis 1.
func buildFlatten(b *builder, n *node) ([]value, error) {
	view, batch := b.shapeOf(n, 0)
	a := int(n.int("axis", 1))
	if a < 0 {
		a += len(view)
	}
	if a < 0 || a > len(view) {
		return nil, fmt.Errorf("%w: axis %d of %d", ErrFormat, a, len(view))
	}
	axis := -1
	if batch >= 0 {
		axis = truthInt(batch >= a)
	}
	return b.reviewed(n, []int{sizeOf(view[:a]), sizeOf(view[a:])}, axis)
}

// buildSqueeze drops axes. The batch axis stays even where its entry is 1, which means
// one times the batch size, not a length of 1.
func buildSqueeze(b *builder, n *node) ([]value, error) {
	axes, given, err := b.axesOf(n, 1, 13)
	view, batch := b.shapeOf(n, 0)
	if err == nil {
		axes, err = inRange(axes, len(view))
	}
	if err != nil {
		return nil, err
	}
	var to []int
	axis := -1
	for i, d := range view {
		if i == batch {
			axis = len(to)
		}
		drop := slices.Contains(axes, i) || !given && d == 1 && i != batch
		if drop && (d != 1 || i == batch) {
			return nil, fmt.Errorf("%w: axis %d of %v (batch axis %d) is squeezed", ErrUnsupported, i, view, batch)
		}
		if !drop {
			to = append(to, d)
		}
	}
	return b.reviewed(n, to, axis)
}

// buildUnsqueeze puts in axes of length 1, counted in the result.
func buildUnsqueeze(b *builder, n *node) ([]value, error) {
	axes, _, err := b.axesOf(n, 1, 13)
	view, axis := b.shapeOf(n, 0)
	if err == nil && len(view)+len(axes) > maxRank {
		err = fmt.Errorf("%w: more than %d axes", ErrLimit, maxRank)
	}
	if err == nil {
		axes, err = inRange(axes, len(view)+len(axes))
	}
	if err != nil {
		return nil, err
	}
	to := slices.Clone(view)
	for _, a := range axes {
		to = slices.Insert(to, a, 1)
		axis += truthInt(axis >= a)
	}
	return b.reviewed(n, to, axis)
}

// buildConcat joins activations, weights and constants. Weights are repeated for every
// sample, as the class token of a vision transformer is.
func buildConcat(b *builder, n *node) ([]value, error) {
	view, _ := b.shapeOf(n, 0)
	axis, err := n.axis("axis", 1, len(view))
	if err != nil {
		return nil, err
	}
	// All but the axis agree, so values are laid out as if they were added, with
	// that axis of length 1.
	c, total := common{axis: -1, view: slices.Clone(view)}, 0
	for i := range n.in {
		v, batch := b.shapeOf(n, i)
		if d := b.values[n.in[i]].d; d != nil {
			if _, err := b.dyn(n, i); err != nil {
				return nil, err
			}
		}
		if len(v) != len(view) || batch == axis {
			return nil, fmt.Errorf("%w: shape %v, batch axis %d, is joined along axis %d", ErrUnsupported, v, batch, axis)
		}
		if batch >= 0 && c.axis >= 0 && batch != c.axis {
			return nil, fmt.Errorf("%w: the inputs have their batch on axes %d and %d", ErrUnsupported, c.axis, batch)
		}
		c.axis = max(c.axis, batch)
		total += v[axis]
	}
	c.view[axis] = total
	var in []graph.Value
	for i := range n.in {
		v, batch := b.shapeOf(n, i)
		if batch < 0 && c.axis >= 0 && v[c.axis] != 1 {
			return nil, fmt.Errorf("%w: input %d of shape %v varies along the batch axis", ErrUnsupported, i, v)
		}
		x, err := b.operand(n, i, c, true)
		if err != nil {
			return nil, err
		}
		in = append(in, x)
	}
	at := axis - truthInt(len(c.sample(c.view)) < len(view))
	return result(b.apply(n, graph.Concat{Axis: at}, c.view, c.axis, in...))
}
