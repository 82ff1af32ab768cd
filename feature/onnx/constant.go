package onnx

import (
	"fmt"
	"math"
	"slices"
)

// term is a number c + b·(batch size): shape arithmetic before the batch size is
// known.
type term struct{ c, b float64 }

// konst is a constant tensor. Integers beyond 2⁵³ are rounded, which no shape
// reaches; the largest int64 still means "to the end".
type konst struct {
	typ   int64
	shape []int
	v     []term
}

// number is a constant with one element.
func number(typ int64, v float64) konst { return konst{typ: typ, v: []term{{c: v}}} }

// sizeOf returns the product of a shape's lengths, which has been checked.
func sizeOf(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// newKonst returns zeros; the caller's size has been checked.
func (b *builder) newKonst(typ int64, shape []int) (konst, error) {
	n, limit := 1, b.opt.MaxTables/termBytes
	for _, d := range shape {
		if d < 0 || d > limit || d > 0 && n > limit/d {
			return konst{}, fmt.Errorf("%w: a constant of shape %v takes more than %d bytes (Options.MaxTables)", ErrLimit, shape, b.opt.MaxTables)
		}
		n *= d
	}
	if err := b.memory(termBytes * n); err != nil {
		return konst{}, err
	}
	return konst{typ: typ, shape: slices.Clone(shape), v: make([]term, n)}, nil
}

// leftOut tells whether Check has not read a tensor's values.
func (b *builder) leftOut(t *tensor) bool {
	return b.skimmed && t.size > 0 && t.raw == nil && len(t.typed) == 0
}

// read decodes a tensor of the file as a constant.
func (b *builder) read(t *tensor) (konst, error) {
	if b.leftOut(t) {
		return konst{}, fmt.Errorf("%s: %w", t.where, errLeftOut)
	}
	if err := t.check(); err != nil {
		return konst{}, err
	}
	k, err := b.newKonst(t.typ, t.dims)
	if err != nil {
		return k, fmt.Errorf("%s: %w", t.where, err)
	}
	if err := t.load(b.folder); err != nil {
		return k, err
	}
	return k, t.each(func(i int, v float64) { k.v[i] = term{c: v} })
}

// plain returns the numbers of a constant, which must not depend on the batch.
func (k konst) plain() ([]float64, error) {
	v := make([]float64, len(k.v))
	for i, t := range k.v {
		if t.b != 0 {
			return nil, fmt.Errorf("%w: element %d of a constant depends on the batch size", ErrUnsupported, i)
		}
		v[i] = t.c
	}
	return v, nil
}

// ints returns the numbers of a constant as integers.
func (k konst) ints() ([]int, error) {
	v, err := k.plain()
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = toInt(x)
	}
	return out, err
}

// toInt truncates, and limits to ±2⁵³.
func toInt(v float64) int {
	const limit = 1 << 53
	if v != v {
		return 0
	}
	return int(max(-limit, min(limit, v)))
}

// Sums and multiples of terms are terms, whatever the batch size.
func (t term) add(u term) term { return term{t.c + u.c, t.b + u.b} }
func (t term) neg() term       { return term{-t.c, -t.b} }

// mul multiplies, if one of the factors does not depend on the batch size: its square
// is no term, and no shape of a model needs it.
func (t term) mul(u term) (term, error) {
	if t.b != 0 && u.b != 0 {
		return term{}, fmt.Errorf("%w: a product of two numbers that depend on the batch size", ErrUnsupported)
	}
	return term{t.c * u.c, t.c*u.b + t.b*u.c}, nil
}

// div divides; whole says that the quotient is truncated.
func (t term) div(u term, whole bool) (term, error) {
	switch {
	case u == term{}:
		return term{}, fmt.Errorf("%w: a constant is divided by zero", ErrUnsupported)
	case u.b != 0:
		if q := t.b / u.b; q*u.c == t.c && (!whole || q == math.Trunc(q)) {
			return term{c: q}, nil
		}
	case !whole:
		return term{t.c / u.c, t.b / u.c}, nil
	case t.b == 0:
		return term{c: math.Trunc(t.c / u.c)}, nil
	case math.Mod(t.c, u.c) == 0 && math.Mod(t.b, u.c) == 0:
		return term{t.c / u.c, t.b / u.c}, nil
	}
	return term{}, fmt.Errorf("%w: a quotient that depends on the batch size", ErrUnsupported)
}

// mod is the remainder: with the divisor's sign as in Python, or with the dividend's
// as in C.
func (t term) mod(u term, python bool) (term, error) {
	if u.b != 0 || u.c == 0 || math.Mod(t.b, u.c) != 0 {
		return term{}, fmt.Errorf("%w: a remainder that depends on the batch size, or of zero", ErrUnsupported)
	}
	r := math.Mod(t.c, u.c)
	if python && r != 0 && (r < 0) != (u.c < 0) {
		r += u.c
	}
	return term{c: r}, nil
}

// compare returns the sign of t − u if it is the same for every batch size.
func (t term) compare(u term) (int, error) {
	d := t.add(u.neg())
	at := d.c + d.b // batch size 1
	sign := 0
	switch {
	case at > 0 && d.b >= 0:
		sign = 1
	case at < 0 && d.b <= 0:
		sign = -1
	case at != 0 || d.b != 0:
		return 0, fmt.Errorf("%w: a comparison that depends on the batch size", ErrUnsupported)
	}
	return sign, nil
}

// same tells whether t = u, if the answer does not depend on the batch size.
func (t term) same(u term) (bool, error) {
	d := t.add(u.neg())
	if d.b == 0 {
		return d.c == 0, nil
	}
	if root := -d.c / d.b; root >= 1 && root == math.Trunc(root) {
		return false, fmt.Errorf("%w: a comparison that depends on the batch size", ErrUnsupported)
	}
	return false, nil
}

// broadcast returns the common shape by numpy's rule.
func broadcast(a, c []int) ([]int, error) {
	r := max(len(a), len(c))
	out := make([]int, r)
	for i := range out {
		p, q := axisOf(a, r, i), axisOf(c, r, i)
		switch {
		case p == q || q == 1:
			out[i] = p
		case p == 1:
			out[i] = q
		default:
			return nil, fmt.Errorf("%w: shapes %v and %v do not broadcast", ErrFormat, a, c)
		}
	}
	return out, nil
}

// axisOf returns the length of axis i of shape, aligned right among r axes.
func axisOf(shape []int, r, i int) int {
	if i -= r - len(shape); i < 0 {
		return 1
	}
	return shape[i]
}

// stride returns the distance of neighbors along every axis.
func stride(shape []int) []int {
	s, step := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = step
		step *= shape[i]
	}
	return s
}

// spread returns k broadcast to a shape.
func (b *builder) spread(k konst, shape []int) (konst, error) {
	out, err := b.newKonst(k.typ, shape)
	if err != nil || slices.Equal(k.shape, shape) {
		copy(out.v, k.v)
		return out, err
	}
	at := newOdometer(k.shape, shape)
	for o := range out.v {
		out.v[o] = k.v[at.next()]
	}
	return out, nil
}

// odometer counts through a shape and tells where a tensor that broadcasts to it
// has the element.
type odometer struct {
	shape, step, count []int
	at                 int
}

// newOdometer counts through the shape to, where a tensor of the shape from repeats
// along its axes of length 1: they have step 0.
func newOdometer(from, to []int) *odometer {
	m := &odometer{shape: to, step: make([]int, len(to)), count: make([]int, len(to))}
	s, shift := stride(from), len(to)-len(from)
	for i, d := range from {
		if d > 1 {
			m.step[shift+i] = s[i]
		}
	}
	return m
}

// next returns the place of the current element and moves on.
func (m *odometer) next() int {
	at := m.at
	for i := len(m.shape) - 1; i >= 0; i-- {
		m.at += m.step[i]
		if m.count[i]++; m.count[i] < m.shape[i] {
			break
		}
		m.at -= m.step[i] * m.shape[i]
		m.count[i] = 0
	}
	return at
}

// zip applies f to the elements of two constants, broadcast.
func (b *builder) zip(typ int64, x, y konst, f func(t, u term) (term, error)) (konst, error) {
	shape, err := broadcast(x.shape, y.shape)
	if err != nil {
		return konst{}, err
	}
	out, err := b.newKonst(typ, shape)
	if err != nil {
		return konst{}, err
	}
	i, j := newOdometer(x.shape, shape), newOdometer(y.shape, shape)
	for o := range out.v {
		if out.v[o], err = f(x.v[i.next()], y.v[j.next()]); err != nil {
			return konst{}, err
		}
	}
	return out, nil
}

// each applies f to the elements of a constant.
func (b *builder) each(k konst, f func(t term) (term, error)) (konst, error) {
	out, err := b.newKonst(k.typ, k.shape)
	for i := range out.v {
		if out.v[i], err = f(k.v[i]); err != nil {
			return konst{}, err
		}
	}
	return out, err
}
