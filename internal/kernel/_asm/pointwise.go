package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Predicates of VCMPPS: all but the last are false where an operand is NaN.
const (
	lessThan     = 0x11
	greaterEqual = 0x1d
	greaterThan  = 0x1e
	notLessEqual = 0x16
)

const (
	geluScale = 0.7978845608028654 // √(2/π)
	geluCubic = 0.044715
	geluEnd   = 10 // from where on the slope of the tanh form of GELU is 0 or 1 in float32
)

// pointwise writes piecewise linear activations, those with exponentials that
// are not in other families, and what softmax, layer normalization and
// broadcasting are built from.
func pointwise() {
	clips()
	linearPieces()
	elus()
	geluTanhs()
	quotients()
	layerNorms()
}

// unary writes a mapping from x to dst with the given scalars, and its gradient,
// the product of dy and the slope at x.
func unary(name, scalars, doc, slopeDoc string, unroll int, value, slope func(x vec, s map[string]vec) vec, names ...string) {
	params := "n int, "
	if scalars != "" {
		params += scalars + " T, "
	}
	load := func() map[string]vec {
		s := map[string]vec{}
		for _, name := range names {
			s[name] = scalar(f32, name)
		}
		return s
	}
	mapping(name, params+"x, dst *T", "stores "+doc+" in dst.", unroll, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		s := load()
		return func(in []vec) []vec { return []vec{value(in[0], s)} }
	})
	mapping(name+"Grad", params+"dy, x, dx *T", "stores dy times "+slopeDoc+" in dx.", unroll, []string{"dy", "x"}, []string{"dx"}, func() func(in []vec) []vec {
		s := load()
		return func(in []vec) []vec { return []vec{op(VMULPS, in[0], slope(in[1], s))} }
	})
}

// compared returns the mask of the elements for which x∘y holds.
func compared(predicate uint8, x vec, y Op) vec {
	m := YMM()
	VCMPPS(Imm(uint64(predicate)), y, x, m)
	return m
}

// chosen returns yes where the mask is set, and no elsewhere.
func chosen(mask, yes, no vec) vec {
	v := YMM()
	VBLENDVPS(mask, yes, no, v)
	return v
}

func one() vec { return f32.constant(vconst(f32, 1)) }

// limited returns min(high, max(low, x)); NaN propagates, as the second source.
func limited(x, low, high vec) vec {
	v := YMM()
	VMAXPS(x, low, v)
	VMINPS(v, high, v)
	return v
}

// inside returns v where low < x < high, and 0 elsewhere.
func inside(x, low, high, v vec) vec {
	return op(VANDPS, op(VANDPS, compared(greaterThan, x, low), compared(lessThan, x, high)), v)
}

func clips() {
	unary("clip", "lo, hi", "min(hi, max(lo, x))", "1 where lo < x < hi, and 0 elsewhere,", 4,
		func(x vec, s map[string]vec) vec { return limited(x, s["lo"], s["hi"]) },
		func(x vec, s map[string]vec) vec { return inside(x, s["lo"], s["hi"], one()) }, "lo", "hi")
}

func linearPieces() {
	unary("leakyReLU", "alpha", "x, or alpha·x where x < 0,", "1, or alpha where x < 0,", 4,
		func(x vec, s map[string]vec) vec {
			return chosen(compared(lessThan, x, zeros(1)[0]), op(VMULPS, x, s["alpha"]), x)
		},
		func(x vec, s map[string]vec) vec {
			return chosen(compared(lessThan, x, zeros(1)[0]), s["alpha"], one())
		}, "alpha")
	line := func(x vec, s map[string]vec) vec {
		v := YMM()
		VMOVUPS(x, v)
		VFMADD213PS(s["beta"], s["alpha"], v)
		return v
	}
	unary("hardSigmoid", "alpha, beta", "alpha·x + beta limited to [0, 1]", "alpha where 0 < alpha·x + beta < 1, and 0 elsewhere,", 4,
		func(x vec, s map[string]vec) vec { return limited(line(x, s), zeros(1)[0], one()) },
		func(x vec, s map[string]vec) vec { return inside(line(x, s), zeros(1)[0], one(), s["alpha"]) }, "alpha", "beta")
	unary("hardSwish", "", "x·(x+3)/6, with x+3 limited to [0, 6],", "the slope of hardSwish", 4,
		func(x vec, _ map[string]vec) vec {
			v := limited(op(VADDPS, x, vconst(f32, 3)), zeros(1)[0], f32.constant(vconst(f32, 6)))
			return op(VMULPS, x, op(VMULPS, v, vconst(f32, 1./6)))
		},
		func(x vec, _ map[string]vec) vec {
			v := YMM()
			VMOVUPS(x, v)
			third := f32.constant(vconst(f32, 1./3))
			VFMADD213PS(vconst(f32, .5), third, v)
			v = op(VANDPS, v, compared(notLessEqual, x, vconst(f32, -3)))
			return chosen(compared(greaterEqual, x, vconst(f32, 3)), one(), v)
		})
}

// elus writes gain·x above 0 and scale·(exp(rate·x) − 1) below.
func elus() {
	unary("elu", "gain, scale, rate", "gain·x where x > 0, and scale·(exp(rate·x) − 1) elsewhere,", "the slope of elu", 2,
		func(x vec, s map[string]vec) vec {
			return chosen(compared(greaterThan, x, zeros(1)[0]), op(VMULPS, s["gain"], x), op(VMULPS, s["scale"], expm1(op(VMULPS, s["rate"], x))))
		},
		func(x vec, s map[string]vec) vec {
			below := op(VMULPS, op(VMULPS, s["scale"], s["rate"]), expFull(f32, op(VMULPS, s["rate"], x)))
			return chosen(compared(greaterThan, x, zeros(1)[0]), s["gain"], below)
		}, "gain", "scale", "rate")
}

// expm1 returns exp(x) − 1 for x ≤ 0: with x = k·log 2 + r, it is 2ᵏ·(exp(r) − 1)
// + (2ᵏ − 1), of which the latter is exact.
func expm1(x vec) vec {
	n := expConst[4]
	x = op(VMAXPS, f32.constant(vconst(f32, n.flush)), x) // the second source, x, where one is NaN
	k, t := YMM(), f32.constant(vconst(f32, log2e))
	f32.fma213(vconst(f32, n.shifter), x, t)
	f32.sub(vconst(f32, n.shifter), t, k)
	f32.fnma231(vconst(f32, n.ln2hi), k, x)
	f32.fnma231(vconst(f32, n.ln2lo), k, x)
	p := horner(expPoly[4], x)
	square := op(VMULPS, x, x)
	f32.fma213(x, square, p) // exp(r) − 1 = r + r²·q(r)
	power(f32, t)
	less := op(VSUBPS, t, vconst(f32, 1))
	f32.fma213(less, t, p)
	return p
}

// geluTanhs writes the tanh form of GELU, which is x·sigmoid(2u) with u = √(2/π)·(x + c·x³).
func geluTanhs() {
	unary("geluTanh", "", "x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2", "the slope of geluTanh", 2,
		func(x vec, _ map[string]vec) vec {
			s, _ := geluGate(x, op(VMULPS, x, x))
			return op(VMULPS, x, s)
		},
		func(x vec, _ map[string]vec) vec {
			x = limited(x, f32.constant(vconst(f32, -geluEnd)), f32.constant(vconst(f32, geluEnd)))
			square := op(VMULPS, x, x)
			s, t := geluGate(x, square)
			inner := f32.constant(vconst(f32, 2*geluScale*3*geluCubic))
			f32.fma213(vconst(f32, 2*geluScale), square, inner)
			d := op(VMULPS, op(VMULPS, x, inner), op(VMULPS, t, s)) // 1−s is t·s, without cancellation
			f32.fma213(s, s, d)                                     // s + s·x·(1−s)·(2u)'
			return d
		})
}

// geluGate returns s = sigmoid(2u) and t = exp(−2u); square is x².
func geluGate(x, square vec) (s, t vec) {
	u := f32.constant(vconst(f32, -2*geluScale*geluCubic))
	f32.fma213(vconst(f32, -2*geluScale), square, u)
	t = expFull(f32, op(VMULPS, u, x))
	return op(VDIVPS, one(), op(VADDPS, t, vconst(f32, 1))), t
}

func quotients() {
	binary(f32, "sub", "x−y, element by element,", func(ops ...Op) { VSUBPS(ops[0], ops[1], ops[2]) })
	binary(f32, "div", "x/y, element by element,", func(ops ...Op) { VDIVPS(ops[0], ops[1], ops[2]) })
	mapping("divBy", "n int, d T, x, dst *T", "stores x/d in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		d := scalar(f32, "d")
		return func(in []vec) []vec { return []vec{op(VDIVPS, in[0], d)} }
	})
	mapping("divInto", "n int, d T, x, dst *T", "stores d/x in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		d := scalar(f32, "d")
		return func(in []vec) []vec { return []vec{op(VDIVPS, d, in[0])} }
	})
	mapping("mulAdd", "n int, x, y, dst *T", "adds x·y to dst.", 4, []string{"x", "y", "dst"}, []string{"dst"}, func() func(in []vec) []vec {
		return func(in []vec) []vec {
			VFMADD231PS(in[0], in[1], in[2])
			return in[2:]
		}
	})
	mapping("softmaxGrad", "n int, dot T, dy, y, dx *T", "stores y·(dy − dot) in dx.", 4, []string{"dy", "y"}, []string{"dx"}, func() func(in []vec) []vec {
		dot := scalar(f32, "dot")
		return func(in []vec) []vec { return []vec{op(VMULPS, in[1], op(VSUBPS, in[0], dot))} }
	})
}

// layerNorms writes what a row of layer normalization takes, whose elements have a
// scale and a shift each.
func layerNorms() {
	mapping("normRow", "n int, mean, inv T, x, scale, shift, dst *T", "stores (x−mean)·inv·scale + shift in dst.", 2, []string{"x", "scale", "shift"}, []string{"dst"}, func() func(in []vec) []vec {
		mean, inv := scalar(f32, "mean"), scalar(f32, "inv")
		return func(in []vec) []vec {
			v := op(VMULPS, op(VSUBPS, in[0], mean), inv)
			VFMADD213PS(in[2], in[1], v)
			return []vec{v}
		}
	})
	mapping("normRowGrad", "n int, mean, a, b, c T, dy, x, scale, dx *T", "stores a·dy·scale + b·(x−mean) + c in dx.", 2, []string{"dy", "x", "scale"}, []string{"dx"}, func() func(in []vec) []vec {
		mean, a, b, c := scalar(f32, "mean"), scalar(f32, "a"), scalar(f32, "b"), scalar(f32, "c")
		return func(in []vec) []vec {
			v := op(VSUBPS, in[1], mean)
			VFMADD213PS(c, b, v)
			VFMADD231PS(a, op(VMULPS, in[0], in[2]), v)
			return []vec{v}
		}
	})
	mapping("normRowParams", "n int, mean, inv T, dy, x, dscale, dshift *T", "adds dy·(x−mean)·inv to dscale and dy to dshift.", 2, []string{"dy", "x", "dscale", "dshift"}, []string{"dscale", "dshift"}, func() func(in []vec) []vec {
		mean, inv := scalar(f32, "mean"), scalar(f32, "inv")
		return func(in []vec) []vec {
			v := op(VMULPS, op(VSUBPS, in[1], mean), inv)
			VFMADD213PS(in[2], in[0], v)
			return []vec{v, op(VADDPS, in[3], in[0])}
		}
	})
	widenedSums("sumDotScaled", "x, y, z *T", "is sumDot with x·z instead of x.", []string{"x", "y", "z"}, 2, func(acc []reg.VecVirtual, in []reg.VecVirtual) {
		sumDotTerms(acc, []vec{op(VMULPS, in[0], in[2]), in[1]})
	})
}
