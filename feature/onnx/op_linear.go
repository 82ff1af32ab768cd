package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// buildGemm takes the fast way for a linear layer, and goes by elementary
// operators otherwise.
func buildGemm(b *builder, n *node) ([]value, error) {
	alpha, beta := n.float("alpha", 1), n.float("beta", 1)
	x, err := b.gemmRows(n)
	if err != nil {
		return nil, err
	}
	if !n.has(2) {
		beta = 0
	}
	w, err := b.gemmMatrix(n)
	if err != nil {
		return nil, err
	}
	if w != nil && beta != 0 && b.isBias(n, w.shape[1]) {
		return b.linear(n, x, w, alpha, beta)
	}
	y, err := b.product(n, x, w)
	if err != nil {
		return nil, err
	}
	if beta == 0 {
		return result(b.scale(n, y, alpha))
	}
	return b.addBias(n, y, alpha, beta)
}

// gemmRows returns the first matrix, its samples as rows.
func (b *builder) gemmRows(n *node) (dyn, error) {
	x, err := b.rowwise(n, 0)
	if err != nil {
		return x, err
	}
	if len(x.view) != 2 {
		return x, fmt.Errorf("%w: first input of shape %v, want a matrix", ErrFormat, x.view)
	}
	if n.int("transA", 0) != 0 {
		if x, err = b.dyn(n, 0); err != nil {
			return x, err
		}
		return b.transpose(n, x, []int{1, 0})
	}
	return x, nil
}

// gemmMatrix returns the second matrix, transposed as the attribute says, or
// nil if it is an activation.
func (b *builder) gemmMatrix(n *node) (*param, error) {
	if b.values[n.in[1]].d != nil {
		return nil, nil
	}
	p, err := b.weightInput(n, 1)
	if err != nil {
		return nil, err
	}
	if len(p.shape) != 2 {
		return nil, fmt.Errorf("%w: second input of shape %v, want a matrix", ErrFormat, p.shape)
	}
	if n.int("transB", 0) != 0 {
		p = p.transposed([]int{1, 0})
	}
	return p, nil
}

// isBias tells whether input 2 is a weight with one number an output.
func (b *builder) isBias(n *node, m int) bool {
	v := b.values[n.in[2]]
	if v.d != nil || v.p != nil && v.p.moved() {
		return false
	}
	view, _ := b.shapeOf(n, 2)
	return len(view) > 0 && sizeOf(view) == m && view[len(view)-1] == m
}

// matrix returns the graph's parameter for p and whether it is transposed.
func (b *builder) matrix(p *param) (v graph.Value, trans bool, err error) {
	v, err = b.weightAs(p.w, p.stored())
	return v, p.moved(), err
}

// linear is a layer in one operator: product, factors and bias. Its gradients sum over
// all rows at once.
func (b *builder) linear(n *node, x dyn, w *param, alpha, beta float64) ([]value, error) {
	m, trans, err := b.matrix(w)
	if err != nil {
		return nil, err
	}
	bias, err := b.param(n, 2, w.shape[1])
	if err != nil {
		return nil, err
	}
	op := graph.Gemm{TransB: trans, Alpha: float32(alpha), Beta: float32(beta)}
	return result(b.rows(n, x, op, w, m, bias))
}

// rows multiplies the last axis of x by a matrix.
func (b *builder) rows(n *node, x dyn, op graph.Gemm, w *param, in ...graph.Value) (dyn, error) {
	r := len(x.view)
	if x.axis == r-1 {
		return dyn{}, x.offBatch(r - 1)
	}
	view := append(slices.Clone(x.view[:r-1]), w.shape[1])
	in = append([]graph.Value{x.v}, in...)
	if len(b.g.Shape(x.v)) == 1 {
		return b.apply(n, op, view, x.axis, in...)
	}
	y, err := b.apply(n, graph.Rows{Gemm: op}, view, x.axis, in...)
	y.outer = x.outer
	return y, err
}

// product is the plain matrix product with w, or with input 1 where w is nil.
func (b *builder) product(n *node, x dyn, w *param) (dyn, error) {
	if w != nil {
		m, trans, err := b.matrix(w)
		if err != nil {
			return dyn{}, err
		}
		return b.rows(n, x, graph.Gemm{TransB: trans, Alpha: 1}, w, m)
	}
	y, err := b.dyn(n, 1)
	if err == nil && x.outer > 1 {
		_, err = b.dyn(n, 0) // says why not
	}
	if err == nil && len(y.view) != 2 {
		err = fmt.Errorf("%w: second input of shape %v, want a matrix", ErrFormat, y.view)
	}
	if err == nil && n.int("transB", 0) != 0 {
		y, err = b.transpose(n, y, []int{1, 0})
	}
	if err != nil {
		return y, err
	}
	return b.matmul(n, x, y)
}

// scale returns a·x.
func (b *builder) scale(n *node, x dyn, a float64) (dyn, error) {
	if a == 1 {
		return x, nil
	}
	y, err := b.apply(n, graph.Scale(a, 0), x.view, x.axis, x.v)
	y.outer = x.outer
	return y, err
}

// addBias returns alpha·y + beta·(input 2), which broadcasts.
func (b *builder) addBias(n *node, y dyn, alpha, beta float64) ([]value, error) {
	y, err := b.scale(n, y, alpha/beta)
	if err != nil {
		return nil, err
	}
	z, err := b.combine(n, graph.Add{}, y, b.values[n.in[2]])
	if err != nil {
		return nil, err
	}
	return result(b.scale(n, z, beta))
}

// combine applies a binary operator to d and a value that broadcasts to its shape.
func (b *builder) combine(n *node, op graph.Op, d dyn, v value) (dyn, error) {
	// Names that no tensor has.
	x, y := fmt.Sprintf("\x00%d.x", n.number), fmt.Sprintf("\x00%d.y", n.number)
	b.values[x], b.values[y] = value{d: &dyn{d.v, d.view, d.axis, d.outer}}, v
	c, err := b.align(&node{name: n.name, op: n.op, in: []string{x, y}, out: n.out, number: n.number}, false, 0, 1)
	if err != nil {
		return d, err
	}
	if !slices.Equal(c.view, d.view) {
		return d, fmt.Errorf("%w: shape %v changes when it is joined with another input", ErrFormat, d.view)
	}
	return b.aligned(n, op, c, c.in...)
}

// buildMatMul takes the way of a linear layer where the second factor is a matrix of
// weights, which is then read once for all rows, and multiplies matrix by matrix
// otherwise.
func buildMatMul(b *builder, n *node) ([]value, error) {
	if b.values[n.in[0]].d != nil && b.values[n.in[1]].d == nil {
		x := *b.values[n.in[0]].d
		w, err := b.weightInput(n, 1)
		if err != nil {
			return nil, err
		}
		if len(w.shape) == 2 && len(x.view) > 1 {
			return result(b.product(n, x, w))
		}
	}
	x, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	y, err := b.dyn(n, 1)
	if err != nil {
		return nil, err
	}
	return result(b.matmul(n, x, y))
}

// matmul multiplies activations by numpy's rule.
func (b *builder) matmul(n *node, x, y dyn) (dyn, error) {
	rx, ry := len(x.view), len(y.view)
	if rx == 0 || ry == 0 {
		return dyn{}, fmt.Errorf("%w: product of shapes %v and %v", ErrFormat, x.view, y.view)
	}
	if rx == 1 || ry == 1 {
		return b.vector(n, x, y)
	}
	r := max(rx, ry)
	for _, d := range []*dyn{&x, &y} {
		d.axis += truthInt(d.axis >= 0) * (r - len(d.view))
		for len(d.view) < r {
			d.view = slices.Insert(slices.Clone(d.view), 0, 1)
		}
	}
	axis, err := matmulAxis(x, y, r)
	if err != nil {
		return dyn{}, err
	}
	view, err := broadcast(x.view[:r-2], y.view[:r-2])
	if err != nil || x.view[r-1] != y.view[r-2] {
		return dyn{}, fmt.Errorf("%w: product of shapes %v and %v", ErrFormat, x.view, y.view)
	}
	view = append(view, x.view[r-2], y.view[r-1])
	// The batch axis stays, with its part of one sample, so that the last two
	// axes are matrices in every layout.
	a, err := b.as(x.v, x.view)
	if err != nil {
		return dyn{}, err
	}
	c, err := b.as(y.v, y.view)
	if err != nil {
		return dyn{}, err
	}
	return b.apply(n, graph.MatMul{}, view, axis, a, c)
}

// matmulAxis returns the batch axis of a product.
func matmulAxis(x, y dyn, r int) (int, error) {
	switch {
	case x.axis == r-1 || y.axis == r-2 && y.axis >= 0:
		return 0, fmt.Errorf("%w: the product sums over the batch", ErrUnsupported)
	case x.axis >= 0 && y.axis >= 0 && (x.axis != y.axis || x.axis >= r-2 || x.view[x.axis] != y.view[y.axis]):
		return 0, fmt.Errorf("%w: the factors have their batch on axes %d and %d", ErrUnsupported, x.axis, y.axis)
	}
	axis := max(x.axis, y.axis)
	for _, d := range []dyn{x, y} {
		if axis >= 0 && axis < r-2 && d.axis < 0 && d.view[axis] != 1 {
			return 0, fmt.Errorf("%w: a factor of shape %v varies along the batch axis", ErrUnsupported, d.view)
		}
	}
	return axis, nil
}

// truthInt counts a condition.
func truthInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// vector multiplies where one factor has one axis: an axis of length 1 is put
// in and taken away.
func (b *builder) vector(n *node, x, y dyn) (dyn, error) {
	rx, ry := len(x.view), len(y.view)
	var err error
	if rx == 1 {
		if x, err = b.relabel(x, []int{1, x.view[0]}, shiftAxis(x.axis, 1)); err != nil {
			return x, err
		}
	}
	if ry == 1 {
		if y, err = b.relabel(y, []int{y.view[0], 1}, y.axis); err != nil {
			return y, err
		}
	}
	z, err := b.matmul(n, x, y)
	if err != nil {
		return z, err
	}
	view, axis := z.view, z.axis
	if ry == 1 {
		view = view[:len(view)-1]
	}
	if rx == 1 {
		at := len(z.view) - 2
		view = slices.Delete(slices.Clone(view), at, at+1)
		axis -= truthInt(axis > at)
	}
	return b.relabel(z, view, axis)
}

// shiftAxis moves a batch axis, if there is one, by axes that come before it.
func shiftAxis(axis, by int) int {
	if axis < 0 {
		return axis
	}
	return axis + by
}

// relabel returns the same numbers under another view.
func (b *builder) relabel(d dyn, view []int, axis int) (dyn, error) {
	v, err := b.as(d.v, canon(view, axis))
	return dyn{v: v, view: slices.Clone(view), axis: axis}, err
}
