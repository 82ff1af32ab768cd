package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// Exporters write attention as Einsum with all kinds of labels. Rather than an operator
// of its own with a gradient of its own, it becomes transpositions and one matrix
// product, whose gradients are tested. The batch axis is treated apart from the
// other labels: it stays in front, where matmul keeps samples apart, whichever of the
// operands have it.

// einsum is an equation of Einsum with two operands, by labels of axes.
type einsum struct {
	in  [2]string
	out string
}

// buildEinsum does Einstein sums of two operands as a matrix product: axes that
// both have and the result too number the products, axes that both have alone
// are summed, and the others are rows and columns.
func buildEinsum(b *builder, n *node) ([]value, error) {
	if len(n.in) != 2 {
		return nil, fmt.Errorf("%w: a sum over %d operands, want 2", ErrUnsupported, len(n.in))
	}
	e, err := parseEinsum(n.text("equation", ""))
	if err != nil {
		return nil, err
	}
	for i := range 2 {
		if view, _ := b.shapeOf(n, i); len(view) != len(e.in[i]) {
			return nil, fmt.Errorf("%w: equation %q for an operand of shape %v", ErrFormat, n.text("equation", ""), view)
		}
	}
	if v, ok, err := b.einsumLinear(n, e); ok || err != nil {
		return v, err
	}
	return b.einsumProduct(n, e)
}

// parseEinsum reads an equation such as "bik,bkj->bij". Without an arrow, the
// result has the labels that occur once, sorted.
func parseEinsum(s string) (einsum, error) {
	s = strings.ReplaceAll(s, " ", "")
	left, out, explicit := strings.Cut(s, "->")
	x, y, ok := strings.Cut(left, ",")
	e := einsum{[2]string{x, y}, out}
	bad := func(labels string) bool {
		for i, r := range labels {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') || strings.IndexRune(labels, r) != i {
				return true
			}
		}
		return len(labels) > maxRank
	}
	if !ok || bad(x) || bad(y) || bad(out) {
		return e, fmt.Errorf("%w: equation %q: want two operands with letters that do not repeat in one of them", ErrUnsupported, s)
	}
	if !explicit {
		var once []string
		for _, r := range x + y {
			if strings.Count(x+y, string(r)) == 1 {
				once = append(once, string(r))
			}
		}
		slices.Sort(once)
		e.out = strings.Join(once, "")
	}
	for _, r := range e.out {
		if !strings.ContainsRune(x+y, r) {
			return e, fmt.Errorf("%w: equation %q: %q is in the result alone", ErrFormat, s, r)
		}
	}
	return e, nil
}

// einsumLinear does x…k,kj->x…j with a weight, as MatMul does it.
func (b *builder) einsumLinear(n *node, e einsum) ([]value, bool, error) {
	x, w := b.values[n.in[0]], b.values[n.in[1]]
	r := len(e.in[0])
	if x.d == nil || w.p == nil || r < 2 || len(e.in[1]) != 2 {
		return nil, false, nil
	}
	rows, k := e.in[0][:r-1], e.in[0][r-1:]
	p := w.p
	switch {
	case e.in[1][:1] == k && e.out == rows+e.in[1][1:] && !strings.Contains(rows, e.in[1][1:]):
	case e.in[1][1:] == k && e.out == rows+e.in[1][:1] && !strings.Contains(rows, e.in[1][:1]):
		p = p.transposed([]int{1, 0})
	default:
		return nil, false, nil
	}
	if x.d.view[r-1] != p.shape[0] {
		return nil, false, fmt.Errorf("%w: a sum over axes of %d and %d elements", ErrFormat, x.d.view[r-1], p.shape[0])
	}
	v, err := result(b.product(n, *x.d, p))
	return v, true, err
}

// einsumProduct does any other sum.
func (b *builder) einsumProduct(n *node, e einsum) ([]value, error) {
	size := map[rune]int{}
	var d [2]dyn
	for i := range 2 {
		var err error
		if d[i], err = b.dyn(n, i); err != nil {
			return nil, err
		}
		if d[i], e.in[i], err = b.sumAlone(n, d[i], e.in[i], e.in[1-i]+e.out); err != nil {
			return nil, err
		}
		for k, r := range e.in[i] {
			if size[r] == 0 || size[r] == 1 {
				size[r] = d[i].view[k]
			}
			if d[i].view[k] != size[r] {
				return nil, fmt.Errorf("%w: axis %q has %d and %d elements", ErrFormat, r, size[r], d[i].view[k])
			}
		}
	}
	sample, err := sampleLabel(d, e)
	if err != nil {
		return nil, err
	}
	x, y := e.in[0], e.in[1]
	both, summed := pick2(x, func(r rune) bool { return strings.ContainsRune(y, r) && strings.ContainsRune(e.out, r) && r != sample }),
		pick2(x, func(r rune) bool { return strings.ContainsRune(y, r) && !strings.ContainsRune(e.out, r) })
	rows := pick2(x, func(r rune) bool { return !strings.ContainsRune(y, r) && r != sample })
	cols := pick2(y, func(r rune) bool { return !strings.ContainsRune(x, r) && r != sample })
	if sample != 0 && strings.ContainsRune(summed, sample) {
		return nil, fmt.Errorf("%w: the sum goes over the batch", ErrUnsupported)
	}
	a, err := b.matrices(n, d[0], x, sample, both, rows, summed)
	if err != nil {
		return nil, err
	}
	c, err := b.matrices(n, d[1], y, sample, both, summed, cols)
	if err != nil {
		return nil, err
	}
	z, err := b.matmul(n, a, c)
	if err != nil {
		return nil, err
	}
	return b.einsumResult(n, z, e, size, sample, both+rows+cols)
}

// pick2 returns the labels for which f holds.
func pick2(labels string, f func(r rune) bool) string {
	return strings.Map(func(r rune) rune {
		if f(r) {
			return r
		}
		return -1
	}, labels)
}

// sampleLabel returns the label of the batch axis, or 0.
func sampleLabel(d [2]dyn, e einsum) (rune, error) {
	sample := rune(0)
	for i := range 2 {
		if d[i].axis < 0 {
			continue
		}
		r := rune(e.in[i][d[i].axis])
		if sample != 0 && r != sample || d[i].view[d[i].axis] != 1 {
			return 0, fmt.Errorf("%w: the operands have their batch on axes %q and %q", ErrUnsupported, sample, r)
		}
		sample = r
	}
	for i := range 2 {
		if at := strings.IndexRune(e.in[i], sample); at >= 0 && d[i].axis != at && d[i].view[at] != 1 {
			return 0, fmt.Errorf("%w: an operand varies along the batch axis %q", ErrUnsupported, sample)
		}
	}
	return sample, nil
}

// sumAlone sums axes that occur nowhere else.
func (b *builder) sumAlone(n *node, d dyn, labels, others string) (dyn, string, error) {
	var axes []int
	for i, r := range labels {
		if !strings.ContainsRune(others, r) {
			axes = append(axes, i)
		}
	}
	if len(axes) == 0 {
		return d, labels, nil
	}
	if err := d.offBatch(axes...); err != nil {
		return d, labels, err
	}
	out, err := b.reduce(&node{op: n.op, name: n.name, out: n.out, number: n.number, attrs: map[string]*attribute{"keepdims": {}}}, d, graph.ReduceSum, axes)
	if err != nil {
		return d, labels, err
	}
	return *out[0].d, pick2(labels, func(r rune) bool { return strings.ContainsRune(others, r) }), nil
}

// matrices brings an operand into the form batch × numbers of the products × rows
// × columns. An axis that it does not have has length 1.
func (b *builder) matrices(n *node, d dyn, labels string, sample rune, both, rows, cols string) (dyn, error) {
	var perm []int
	if at := strings.IndexRune(labels, sample); sample != 0 && at >= 0 {
		perm = append(perm, at)
	}
	lengths := [3]int{1, 1, 1}
	for k, group := range []string{both, rows, cols} {
		for _, r := range group {
			at := strings.IndexRune(labels, r)
			perm = append(perm, at)
			lengths[k] *= d.view[at]
		}
	}
	if len(perm) != len(labels) {
		return d, fmt.Errorf("%w: operand %q", ErrUnsupported, labels)
	}
	d, err := b.transpose(n, d, perm)
	if err != nil {
		return d, err
	}
	axis := min(d.axis, 0) // the batch is in front, or there is none
	return b.relabel(d, []int{1, lengths[0], lengths[1], lengths[2]}, axis)
}

// einsumResult gives the products the axes of the result.
func (b *builder) einsumResult(n *node, z dyn, e einsum, size map[rune]int, sample rune, labels string) ([]value, error) {
	var view []int
	axis := -1
	if sample != 0 && strings.ContainsRune(e.out, sample) {
		view, axis, labels = append(view, 1), 0, string(sample)+labels
	}
	for _, r := range labels {
		if r != sample || axis < 0 {
			view = append(view, size[r])
		}
	}
	z, err := b.relabel(z, view, axis)
	if err != nil {
		return nil, err
	}
	perm := make([]int, 0, len(e.out))
	for _, r := range e.out {
		perm = append(perm, strings.IndexRune(labels, r))
	}
	return result(b.transpose(n, z, perm))
}
