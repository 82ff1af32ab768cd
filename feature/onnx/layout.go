package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// A layout says how an ONNX tensor with a batch axis lies in the graph, which keeps
// samples one after the other. Most of this package's refusals come from here: an
// operator that cannot be expressed sample by sample would mix them, and a model whose
// samples see one another has no gradient of a single one.

// apply adds a node to the graph and gives its result the view and batch axis.
func (b *builder) apply(n *node, op graph.Op, view []int, axis int, in ...graph.Value) (dyn, error) {
	if err := b.room(view); err != nil {
		return dyn{}, err
	}
	v, err := b.add(n.label(), op, in...)
	if err != nil {
		return dyn{}, err
	}
	if v, err = b.as(v, canon(view, axis)); err != nil {
		return dyn{}, err
	}
	return dyn{v: v, view: slices.Clone(view), axis: axis}, nil
}

// room returns an error if a sample of the given shape is too large.
func (b *builder) room(view []int) error {
	n := 1
	if sizeOf(view) == 0 {
		return fmt.Errorf("%w: an activation of shape %v is empty", ErrUnsupported, view)
	}
	for _, d := range view {
		if d < 1 || d > b.opt.MaxActivation/n {
			return fmt.Errorf("%w: an activation of shape %v is above %d elements a sample", ErrLimit, view, b.opt.MaxActivation)
		}
		n *= d
	}
	if len(view) > maxRank {
		return fmt.Errorf("%w: an activation has %d axes, more than %d", ErrLimit, len(view), maxRank)
	}
	return nil
}

// as returns v with another shape of a sample.
func (b *builder) as(v graph.Value, shape []int) (graph.Value, error) {
	if len(shape) == 0 {
		shape = []int{1}
	}
	if slices.Equal(b.g.Shape(v), shape) {
		return v, nil
	}
	return b.add("reshape", graph.Reshape{Shape: slices.Clone(shape)}, v)
}

// result wraps the outcome of apply as a node's only output.
func result(d dyn, err error) ([]value, error) {
	if err != nil {
		return nil, err
	}
	return []value{{d: &d}}, nil
}

// weightOf returns the graph's parameter behind p, in p's shape.
func (b *builder) weightOf(p *param) (graph.Value, error) {
	if p.moved() {
		return 0, fmt.Errorf("%w: a transposed weight is used as something else than a matrix", ErrUnsupported)
	}
	return b.weightAs(p.w, p.shape)
}

// weightAs returns the graph's parameter for w in the given shape.
func (b *builder) weightAs(w *weight, shape []int) (graph.Value, error) {
	if !w.made {
		if err := b.fetch(w); err != nil {
			return 0, err
		}
		if n := w.size(); sizeOf(shape) != n {
			return 0, fmt.Errorf("%w: a weight of %d elements is read in shape %v", ErrFormat, n, shape)
		}
		v, err := b.g.Param(shape...)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		w.v, w.made = v, true
		b.weights = append(b.weights, w)
		b.origin[v] = origin{weights: []*weight{w}}
		return v, nil
	}
	if slices.Equal(b.g.Shape(w.v), shape) {
		return w.v, nil
	}
	v, err := b.g.View(w.v, shape...)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	b.origin[v] = origin{weights: []*weight{w}}
	return v, nil
}

// fetch decodes the numbers of a weight.
func (b *builder) fetch(w *weight) error {
	if w.t == nil {
		return nil
	}
	if b.leftOut(w.t) {
		if w.t.external == nil {
			return nil
		}
		_, _, _, err := w.t.location()
		return err
	}
	if err := w.t.check(); err != nil {
		return err
	}
	if err := w.t.load(b.folder); err != nil {
		return err
	}
	var err error
	w.data, err = w.t.floats()
	return err
}

// size returns the number of elements.
func (w *weight) size() int {
	if w.t != nil {
		return w.t.size
	}
	return len(w.data)
}

// hidden returns a constant as a weight that is no parameter of the model.
func (b *builder) hidden(k konst) (*param, error) {
	v, err := k.plain()
	if err != nil {
		return nil, err
	}
	w := &weight{data: make([]float32, len(v))}
	for i, x := range v {
		w.data[i] = float32(x)
	}
	return &param{w: w, shape: k.shape}, nil
}

// param returns input i as a weight in the given shape; its number of elements
// must agree. The name of the shape is for errors.
func (b *builder) param(n *node, i int, shape ...int) (graph.Value, error) {
	p, err := b.weightInput(n, i)
	if err != nil {
		return 0, err
	}
	if sizeOf(p.shape) != sizeOf(shape) || p.moved() {
		return 0, fmt.Errorf("%w: input %d (%q) has shape %v, want %v", ErrFormat, i, n.in[i], p.shape, shape)
	}
	return b.weightAs(p.w, shape)
}

// weightInput returns input i, which must be an initializer or a constant.
func (b *builder) weightInput(n *node, i int) (*param, error) {
	if !n.has(i) {
		return nil, fmt.Errorf("%w: input %d is missing", ErrFormat, i)
	}
	switch v := b.values[n.in[i]]; {
	case v.p != nil:
		return v.p, nil
	case v.k != nil:
		// Pow mixes types, and numbers of words are compared with integers.
		if _, compares := comparisons[n.op]; !isFloat(v.k.typ) && n.op != "Pow" && !compares {
			return nil, fmt.Errorf("%w: input %d (%q) is %s, want floating point", ErrUnsupported, i, n.in[i], typeName(v.k.typ))
		}
		return b.hidden(*v.k)
	}
	return nil, fmt.Errorf("%w: input %d (%q) is computed, want an initializer", ErrUnsupported, i, n.in[i])
}

// dyn returns input i as an activation; weights and constants are repeated for
// every sample. Where something runs slower than the batch in its axis, it is
// refused: see rowwise.
func (b *builder) dyn(n *node, i int) (dyn, error) {
	d, err := b.rowwise(n, i)
	if err == nil && d.outer > 1 {
		err = fmt.Errorf("%w: input %d has its batch inside of axis %d", ErrUnsupported, i, d.axis)
	}
	return d, err
}

// rowwise is dyn for operators that do not care how the batch axis is made up;
// they hand on outer.
func (b *builder) rowwise(n *node, i int) (dyn, error) {
	v := b.values[n.in[i]]
	if v.d != nil {
		return *v.d, nil
	}
	p, err := b.weightInput(n, i)
	if err != nil {
		return dyn{}, err
	}
	return b.lift(n, p)
}

// lift makes an activation out of a weight.
func (b *builder) lift(n *node, p *param) (dyn, error) {
	shape := p.stored()
	if err := b.room(p.shape); err != nil {
		return dyn{}, err
	}
	v, err := b.weightAs(p.w, shape)
	if err != nil {
		return dyn{}, err
	}
	offs := make([][]int32, len(p.shape))
	s := stride(shape)
	for k, d := range p.shape {
		at := k
		if p.moved() {
			at = p.perm[k]
		}
		offs[k] = steps(d, s[at])
	}
	return b.table(n, v, offs, p.shape, -1, 0)
}

// table gathers elements of a sample of v: output element (i, j ...) is the
// element offs[0][i] + offs[1][j] + …, or fill where one of them is negative.
func (b *builder) table(n *node, v graph.Value, offs [][]int32, view []int, axis int, fill float32) (dyn, error) {
	if err := b.room(view); err != nil {
		return dyn{}, err
	}
	index, err := b.cross(offs)
	if err == nil {
		err = b.memory(runBytes * runs(index))
	}
	if err != nil {
		return dyn{}, err
	}
	op, err := graph.NewTake(b.g.Shape(v), canon(view, axis), index, fill)
	if err != nil {
		return dyn{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return b.apply(n, op, view, axis, v)
}

// pieces returns for every axis of d the offsets of its positions.
func (d dyn) pieces() [][]int32 {
	offs := make([][]int32, len(d.view))
	for i, s := range stride(d.view) {
		offs[i] = steps(d.view[i], s)
	}
	return offs
}

// offBatch returns an error if an axis is the batch axis.
func (d dyn) offBatch(axes ...int) error {
	for _, a := range axes {
		if a == d.axis {
			return fmt.Errorf("%w: the operator works along the batch axis (%d) and would mix samples", ErrUnsupported, a)
		}
	}
	return nil
}

// images returns input i, which must have the batch on axis 0.
func (b *builder) images(n *node, i int) (dyn, error) {
	d, err := b.dyn(n, i)
	if err == nil && !d.apart() {
		err = fmt.Errorf("%w: input %d has its batch on axis %d, want 0", ErrUnsupported, i, d.axis)
	}
	return d, err
}

// shapeOf returns the view and the batch axis of input i.
func (b *builder) shapeOf(n *node, i int) ([]int, int) {
	switch v := b.values[n.in[i]]; {
	case v.d != nil:
		return v.d.view, v.d.axis
	case v.p != nil:
		return v.p.shape, -1
	default:
		return v.k.shape, -1
	}
}
