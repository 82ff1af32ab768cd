package onnx

import (
	"fmt"
	"math"
	"slices"
)

// Shape arithmetic is half of what exporters write: the shape of an activation, one of its
// entries, a product, a join, and at last a Reshape. It is computed when the file is read,
// with the batch size as an unknown, because only then can be checked what the
// Reshape does to the batch, and because nothing of it then costs anything in a run.

// folds computes operators on constants. An absent optional input is nil.
var folds map[string]func(b *builder, n *node, in []*konst) ([]konst, error)

// The table is filled here because folds, which look up operators, would make its
// initialization depend on itself.
func init() {
	folds = map[string]func(b *builder, n *node, in []*konst) ([]konst, error){
		"Add": arithmetic(func(t, u term, _ bool) (term, error) { return t.add(u), nil }),
		"Sub": arithmetic(func(t, u term, _ bool) (term, error) { return t.add(u.neg()), nil }),
		"Mul": arithmetic(func(t, u term, _ bool) (term, error) { return t.mul(u) }),
		"Div": arithmetic(func(t, u term, whole bool) (term, error) { return t.div(u, whole) }),
		"Pow": arithmetic(power),
		"Min": arithmetic(func(t, u term, _ bool) (term, error) { return pick(t, u, -1) }),
		"Max": arithmetic(func(t, u term, _ bool) (term, error) { return pick(t, u, 1) }),
		"Mod": foldMod,
		"Not": unary(func(v float64) float64 { return truth(v == 0) }), "Floor": unary(math.Floor), "Ceil": unary(math.Ceil),
		"Round": unary(math.RoundToEven), "Sqrt": unary(math.Sqrt), "Exp": unary(math.Exp), "Log": unary(math.Log),
		"Abs": unary(math.Abs), "Reciprocal": unary(func(v float64) float64 { return 1 / v }),
		"Neg": func(b *builder, _ *node, in []*konst) ([]konst, error) {
			return one(b.each(*in[0], func(t term) (term, error) { return t.neg(), nil }))
		},
		"Identity":        func(_ *builder, _ *node, in []*konst) ([]konst, error) { return []konst{*in[0]}, nil },
		"Cast":            foldCast,
		"Shape":           foldShape,
		"Size":            foldSize,
		"Concat":          foldConcat,
		"Gather":          foldGather,
		"Slice":           foldSlice,
		"Reshape":         foldReshape,
		"Squeeze":         foldSqueeze,
		"Unsqueeze":       foldUnsqueeze,
		"Where":           foldWhere,
		"ConstantOfShape": foldConstantOfShape,
		"Expand":          foldExpand,
		"Range":           foldRange,
		"ReduceProd":      foldReduceProd,
		"Transpose":       foldTranspose,
		"ScatterND":       foldScatterND,
		"Flatten":         foldFlatten,
		"Tile":            foldTile,
	}
	for name, holds := range relations {
		folds[name] = comparison(holds)
	}
}

// power returns t to the power of u. A term that depends on the batch size has the
// first power alone.
func power(t, u term, _ bool) (term, error) {
	if u == (term{c: 1}) {
		return t, nil
	}
	return fixed(t, u, math.Pow)
}

// relations are comparisons of terms, and logic on truths. They are errors where the
// answer depends on the batch size.
var relations = map[string]func(t, u term) (bool, error){
	"Equal": func(t, u term) (bool, error) { return t.same(u) },
	"Greater": func(t, u term) (bool, error) {
		s, err := t.compare(u)
		return s > 0, err
	},
	"Less": func(t, u term) (bool, error) {
		s, err := t.compare(u)
		return s < 0, err
	},
	"GreaterOrEqual": func(t, u term) (bool, error) {
		s, err := t.compare(u)
		return s >= 0, err
	},
	"LessOrEqual": func(t, u term) (bool, error) {
		s, err := t.compare(u)
		return s <= 0, err
	},
	"Xor": func(t, u term) (bool, error) { return (t.c != 0) != (u.c != 0), nil },
	"And": func(t, u term) (bool, error) { return t.c != 0 && u.c != 0, nil },
	"Or":  func(t, u term) (bool, error) { return t.c != 0 || u.c != 0, nil },
}

// one wraps the outcome of a fold with one output.
func one(k konst, err error) ([]konst, error) { return []konst{k}, err }

// arithmetic folds operators of one or more inputs from left to right. whole tells f
// that the type has no fractions, so that a division truncates.
func arithmetic(f func(t, u term, whole bool) (term, error)) func(*builder, *node, []*konst) ([]konst, error) {
	return func(b *builder, n *node, in []*konst) ([]konst, error) {
		k := *in[0]
		whole := !isFloat(k.typ)
		for _, next := range in[1:] {
			var err error
			if k, err = b.zip(k.typ, k, *next, func(t, u term) (term, error) { return f(t, u, whole) }); err != nil {
				return nil, err
			}
		}
		return []konst{k}, nil
	}
}

// comparison folds relations. They are errors where the answer depends on the batch
// size: a graph cannot take one way for some batches and another for others.
func comparison(f func(t, u term) (bool, error)) func(*builder, *node, []*konst) ([]konst, error) {
	return func(b *builder, n *node, in []*konst) ([]konst, error) {
		if err := inputs(in, 2, 2); err != nil {
			return nil, err
		}
		return one(b.zip(typeBool, *in[0], *in[1], func(t, u term) (term, error) {
			yes, err := f(t, u)
			return term{c: truth(yes)}, err
		}))
	}
}

// unary folds functions of one number, which must not depend on the batch size.
func unary(f func(v float64) float64) func(*builder, *node, []*konst) ([]konst, error) {
	return func(b *builder, n *node, in []*konst) ([]konst, error) {
		return one(b.each(*in[0], func(t term) (term, error) { return fixed(t, term{}, func(x, _ float64) float64 { return f(x) }) }))
	}
}

// fixed applies f to numbers that do not depend on the batch.
func fixed(t, u term, f func(x, y float64) float64) (term, error) {
	if t.b != 0 || u.b != 0 {
		return term{}, fmt.Errorf("%w: a function of the batch size", ErrUnsupported)
	}
	return term{c: f(t.c, u.c)}, nil
}

// pick returns the larger (want 1) or the smaller (want -1) of two terms.
func pick(t, u term, want int) (term, error) {
	s, err := t.compare(u)
	if s == want {
		return t, err
	}
	return u, err
}

// foldMod takes remainders: exporters compute paddings to whole windows so.
func foldMod(b *builder, n *node, in []*konst) ([]konst, error) {
	if err := inputs(in, 2, 2); err != nil {
		return nil, err
	}
	python := n.int("fmod", 0) == 0
	return one(b.zip(in[0].typ, *in[0], *in[1], func(t, u term) (term, error) { return t.mod(u, python) }))
}

// inputs returns an error unless between low and high inputs are there, the
// first low of them not empty.
func inputs(in []*konst, low, high int) error {
	if len(in) < low || len(in) > high {
		return fmt.Errorf("%w: %d inputs, want %d to %d", ErrFormat, len(in), low, high)
	}
	for i := range low {
		if in[i] == nil {
			return fmt.Errorf("%w: input %d is empty", ErrFormat, i)
		}
	}
	return nil
}

// foldCast rounds to the target type, so that folding a half-precision constant gives
// what another runtime computes. A truth that depends on the batch size is an
// error, as in a comparison.
func foldCast(b *builder, n *node, in []*konst) ([]konst, error) {
	to := n.int("to", 0)
	k, err := b.each(*in[0], func(t term) (term, error) {
		switch {
		case isFloat(to):
			t.c = rounded(to, t.c)
		case to == typeBool:
			yes, err := t.same(term{})
			return term{c: truth(!yes)}, err
		case t.b != math.Trunc(t.b) || t.b != 0 && t.c != math.Trunc(t.c):
			return term{}, fmt.Errorf("%w: rounding a number that depends on the batch size", ErrUnsupported)
		default:
			t.c = math.Trunc(t.c)
		}
		return t, nil
	})
	if width[to] == 0 {
		return nil, fmt.Errorf("%w: a cast to %s", ErrUnsupported, typeName(to))
	}
	k.typ = to
	return []konst{k}, err
}

// rounded returns the nearest number that a floating-point type has.
func rounded(typ int64, v float64) float64 {
	switch typ {
	case typeFloat:
		return float64(float32(v))
	case typeFloat16:
		return float64(fromHalf(toHalf(float32(v))))
	case typeBfloat16:
		return float64(math.Float32frombits(uint32(toBrain(float32(v))) << 16))
	}
	return v
}

// foldShape is the shape of a constant. That of an activation is buildShape's, with
// the batch size as an unknown.
func foldShape(b *builder, n *node, in []*konst) ([]konst, error) {
	dims := make([]term, len(in[0].shape))
	for i, d := range in[0].shape {
		dims[i] = term{c: float64(d)}
	}
	return one(shapeSlice(n, dims))
}

// shapeSlice applies the attributes start and end of Shape.
func shapeSlice(n *node, dims []term) (konst, error) {
	lo, hi := clampAxis(int(n.int("start", 0)), len(dims)), clampAxis(int(n.int("end", int64(len(dims)))), len(dims))
	dims = dims[lo:max(lo, hi)]
	return konst{typ: typeInt64, shape: []int{len(dims)}, v: dims}, nil
}

// clampAxis limits an end of a range of axes, as Shape's attributes are limited.
func clampAxis(a, rank int) int {
	if a < 0 {
		a += rank
	}
	return max(0, min(a, rank))
}

// foldSize counts the elements of a constant.
func foldSize(_ *builder, _ *node, in []*konst) ([]konst, error) {
	return []konst{number(typeInt64, float64(len(in[0].v)))}, nil
}

// foldConcat joins constants: most target shapes are joined from a part that is
// computed and a part that is not.
func foldConcat(b *builder, n *node, in []*konst) ([]konst, error) {
	axis, err := n.axis("axis", 0, len(in[0].shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(in[0].shape)
	for _, k := range in[1:] {
		if k == nil || len(k.shape) != len(shape) {
			return nil, fmt.Errorf("%w: constants of different ranks", ErrFormat)
		}
		shape[axis] += k.shape[axis]
	}
	out, err := b.newKonst(in[0].typ, shape)
	if err != nil {
		return nil, err
	}
	inner, outer, at := sizeOf(shape[axis+1:]), sizeOf(shape[:axis]), 0
	for _, k := range in {
		m := inner * k.shape[axis]
		if len(k.v) != outer*m {
			return nil, fmt.Errorf("%w: constants of shapes %v and %v", ErrFormat, in[0].shape, k.shape)
		}
		for o := range outer {
			copy(out.v[o*inner*shape[axis]+at:], k.v[o*m:(o+1)*m])
		}
		at += m
	}
	return []konst{out}, nil
}

// foldGather picks elements, such as one length of a shape.
func foldGather(b *builder, n *node, in []*konst) ([]konst, error) {
	if err := inputs(in, 2, 2); err != nil {
		return nil, err
	}
	axis, err := n.axis("axis", 0, len(in[0].shape))
	if err != nil {
		return nil, err
	}
	index, err := wrapped(*in[1], in[0].shape[axis])
	if err != nil {
		return nil, err
	}
	shape := slices.Concat(in[0].shape[:axis], in[1].shape, in[0].shape[axis+1:])
	out, err := b.newKonst(in[0].typ, shape)
	if err != nil {
		return nil, err
	}
	inner, length := sizeOf(in[0].shape[axis+1:]), in[0].shape[axis]
	for o := range sizeOf(in[0].shape[:axis]) {
		for i, k := range index {
			copy(out.v[(o*len(index)+i)*inner:][:inner], in[0].v[(o*length+k)*inner:])
		}
	}
	return []konst{out}, nil
}

// wrapped returns indices into an axis, negative ones counted from the end.
func wrapped(k konst, length int) ([]int, error) {
	index, err := k.ints()
	if err != nil {
		return nil, err
	}
	for i, v := range index {
		if index[i], err = wrapIndex(v, length); err != nil {
			return nil, err
		}
	}
	return index, nil
}

// foldReduceProd multiplies all elements of a list: exporters compute the length of a
// flattened axis so.
func foldReduceProd(b *builder, n *node, in []*konst) ([]konst, error) {
	if len(in) > 1 || len(in[0].shape) != 1 || len(n.ints("axes")) > 1 {
		return nil, fmt.Errorf("%w: product over some axes of a constant", ErrUnsupported)
	}
	total := term{c: 1}
	for _, t := range in[0].v {
		var err error
		if total, err = total.mul(t); err != nil {
			return nil, err
		}
	}
	k := konst{typ: in[0].typ, v: []term{total}}
	if n.int("keepdims", 1) != 0 {
		k.shape = []int{1}
	}
	return []konst{k}, nil
}

// foldWhere chooses by element. All three inputs broadcast.
func foldWhere(b *builder, n *node, in []*konst) ([]konst, error) {
	if err := inputs(in, 3, 3); err != nil {
		return nil, err
	}
	shape, err := broadcast(in[0].shape, in[1].shape)
	if err == nil {
		shape, err = broadcast(shape, in[2].shape)
	}
	if err != nil {
		return nil, err
	}
	var k [3]konst
	for i := range k {
		if k[i], err = b.spread(*in[i], shape); err != nil {
			return nil, err
		}
	}
	for i, t := range k[0].v {
		if t.c == 0 {
			k[1].v[i] = k[2].v[i]
		}
	}
	return []konst{k[1]}, nil
}

// foldRange counts: positions of windows and of tokens come of it. The number of
// elements is checked before they are made.
func foldRange(b *builder, n *node, in []*konst) ([]konst, error) {
	if err := inputs(in, 3, 3); err != nil {
		return nil, err
	}
	var v [3]float64
	for i, k := range in {
		x, err := k.plain()
		if err != nil || len(x) != 1 {
			return nil, fmt.Errorf("%w: range with bounds that depend on the batch size, or are not single numbers", ErrUnsupported)
		}
		v[i] = x[0]
	}
	if v[2] == 0 {
		return nil, fmt.Errorf("%w: range with step 0", ErrFormat)
	}
	count := math.Ceil((v[1] - v[0]) / v[2])
	if !(count < maxAxis) {
		return nil, fmt.Errorf("%w: range of %v elements", ErrLimit, count)
	}
	out, err := b.newKonst(in[0].typ, []int{max(int(count), 0)})
	for i := range out.v {
		out.v[i] = term{c: v[0] + float64(i)*v[2]}
	}
	return []konst{out}, err
}
