package main

import "math"

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
func unary(name, scalars, doc, slopeDoc string, unroll int, value, slope func(x *reg, s map[string]*reg) *reg, names ...string) {
	params := "n int, "
	if scalars != "" {
		params += scalars + " T, "
	}
	load := func() map[string]*reg {
		s := map[string]*reg{}
		for _, name := range names {
			s[name] = scalar(f32, name)
		}
		return s
	}
	mapping(f32, name, params+"x, dst *T", "stores "+doc+" in dst.", unroll, []string{"x"}, []string{"dst"}, func() func(in []*reg) []*reg {
		s := load()
		return func(in []*reg) []*reg { return []*reg{value(in[0], s)} }
	})
	mapping(f32, name+"Grad", params+"dy, x, dx *T", "stores dy times "+slopeDoc+" in dx.", unroll, []string{"dy", "x"}, []string{"dx"}, func() func(in []*reg) []*reg {
		s := load()
		return func(in []*reg) []*reg { return []*reg{f32.mul(in[0], slope(in[1], s))} }
	})
}

// greater returns the mask of the elements for which a > b.
func greater(a, b *reg) *reg { return f32.three("FCMGT", a, b) }

// chosen returns yes where the mask is set, and no elsewhere.
func chosen(mask, yes, no *reg) *reg {
	v := duplicateOf(no)
	insert("BIT", v, yes, mask)
	return v
}

// limited returns min(high, max(low, x)); NaN propagates.
func limited(x, low, high *reg) *reg { return f32.mini(f32.maxi(x, low), high) }

// inside returns v where low < x < high, and 0 elsewhere.
func inside(x, low, high, v *reg) *reg {
	return bitwiseOf("AND", bitwiseOf("AND", greater(x, low), greater(high, x)), v)
}

func clips() {
	unary("clip", "lo, hi", "min(hi, max(lo, x))", "1 where lo < x < hi, and 0 elsewhere,", 4,
		func(x *reg, s map[string]*reg) *reg { return limited(x, s["lo"], s["hi"]) },
		func(x *reg, s map[string]*reg) *reg { return inside(x, s["lo"], s["hi"], f32.keep(1)) }, "lo", "hi")
}

func linearPieces() {
	unary("leakyReLU", "alpha", "x, or alpha·x where x < 0,", "1, or alpha where x < 0,", 4,
		func(x *reg, s map[string]*reg) *reg {
			return chosen(greater(f32.keep(0), x), f32.mul(x, s["alpha"]), x)
		},
		func(x *reg, s map[string]*reg) *reg {
			return chosen(greater(f32.keep(0), x), s["alpha"], f32.keep(1))
		}, "alpha")
	line := func(x *reg, s map[string]*reg) *reg {
		v := duplicateOf(s["beta"])
		f32.fma(v, x, s["alpha"])
		return v
	}
	unary("hardSigmoid", "alpha, beta", "alpha·x + beta limited to [0, 1]", "alpha where 0 < alpha·x + beta < 1, and 0 elsewhere,", 4,
		func(x *reg, s map[string]*reg) *reg { return limited(line(x, s), f32.keep(0), f32.keep(1)) },
		func(x *reg, s map[string]*reg) *reg {
			return inside(line(x, s), f32.keep(0), f32.keep(1), s["alpha"])
		}, "alpha", "beta")
	below := float64(math.Nextafter32(3, 0)) // FCMGT is the one comparison at hand
	unary("hardSwish", "", "x·(x+3)/6, with x+3 limited to [0, 6],", "the slope of hardSwish", 4,
		func(x *reg, _ map[string]*reg) *reg {
			v := limited(f32.add(x, f32.keep(3)), f32.keep(0), f32.keep(6))
			return f32.mul(x, f32.mul(v, f32.keep(1./6)))
		},
		func(x *reg, _ map[string]*reg) *reg {
			v := f32.constant(.5)
			f32.fma(v, x, f32.keep(1./3))
			v = bitwiseOf("BIC", v, greater(f32.keep(-below), x))
			return chosen(greater(x, f32.keep(below)), f32.keep(1), v)
		})
}

// elus writes gain·x above 0 and scale·(exp(rate·x) − 1) below.
func elus() {
	unary("elu", "gain, scale, rate", "gain·x where x > 0, and scale·(exp(rate·x) − 1) elsewhere,", "the slope of elu", 2,
		func(x *reg, s map[string]*reg) *reg {
			return chosen(greater(x, f32.keep(0)), f32.mul(s["gain"], x), f32.mul(s["scale"], expm1(f32.mul(s["rate"], x))))
		},
		func(x *reg, s map[string]*reg) *reg {
			below := f32.mul(f32.mul(s["scale"], s["rate"]), expFull(f32, f32.mul(s["rate"], x)))
			return chosen(greater(x, f32.keep(0)), s["gain"], below)
		}, "gain", "scale", "rate")
}

// expm1 returns exp(x) − 1 for x ≤ 0: with x = k·log 2 + r, it is 2ᵏ·(exp(r) − 1)
// + (2ᵏ − 1), of which the latter is exact.
func expm1(x *reg) *reg {
	n := expConst[4]
	x = f32.maxi(x, f32.keep(n.flush))
	t := f32.constant(n.shifter)
	f32.fma(t, x, f32.keep(log2e))
	k := f32.sub(t, f32.keep(n.shifter))
	f32.fms(x, k, f32.keep(n.ln2hi))
	f32.fms(x, k, f32.keep(n.ln2lo))
	p := duplicateOf(x) // exp(r) − 1 = r + r²·q(r)
	f32.fma(p, f32.mul(x, x), horner(f32, expPoly[4], x))
	power(f32, t)
	less := f32.sub(t, f32.keep(1))
	f32.fma(less, p, t)
	return less
}

// geluTanhs writes the tanh form of GELU, which is x·sigmoid(2u) with u = √(2/π)·(x + c·x³).
func geluTanhs() {
	unary("geluTanh", "", "x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2", "the slope of geluTanh", 2,
		func(x *reg, _ map[string]*reg) *reg {
			s, _ := geluGate(x, f32.mul(x, x))
			return f32.mul(x, s)
		},
		func(x *reg, _ map[string]*reg) *reg {
			x = limited(x, f32.keep(-geluEnd), f32.keep(geluEnd))
			square := f32.mul(x, x)
			s, t := geluGate(x, square)
			inner := f32.constant(2 * geluScale)
			f32.fma(inner, square, f32.keep(2*geluScale*3*geluCubic))
			d := duplicateOf(s) // s + s·x·(1−s)·(2u)', where 1−s is t·s, without cancellation
			f32.fma(d, s, f32.mul(f32.mul(x, inner), f32.mul(t, s)))
			return d
		})
}

// geluGate returns s = sigmoid(2u) and t = exp(−2u); square is x².
func geluGate(x, square *reg) (s, t *reg) {
	u := f32.constant(-2 * geluScale)
	f32.fma(u, square, f32.keep(-2*geluScale*geluCubic))
	t = expFull(f32, f32.mul(u, x))
	return f32.div(f32.keep(1), f32.add(t, f32.keep(1))), t
}

func quotients() {
	binary(f32, "sub", "x−y, element by element,", f32.sub)
	binary(f32, "div", "x/y, element by element,", f32.div)
	mapping(f32, "divBy", "n int, d T, x, dst *T", "stores x/d in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []*reg) []*reg {
		d := scalar(f32, "d")
		return func(in []*reg) []*reg { return []*reg{f32.div(in[0], d)} }
	})
	mapping(f32, "divInto", "n int, d T, x, dst *T", "stores d/x in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []*reg) []*reg {
		d := scalar(f32, "d")
		return func(in []*reg) []*reg { return []*reg{f32.div(d, in[0])} }
	})
	mapping(f32, "mulAdd", "n int, x, y, dst *T", "adds x·y to dst.", 4, []string{"x", "y", "dst"}, []string{"dst"}, func() func(in []*reg) []*reg {
		return func(in []*reg) []*reg {
			f32.fma(in[2], in[0], in[1])
			return in[2:]
		}
	})
	mapping(f32, "softmaxGrad", "n int, dot T, dy, y, dx *T", "stores y·(dy − dot) in dx.", 4, []string{"dy", "y"}, []string{"dx"}, func() func(in []*reg) []*reg {
		dot := scalar(f32, "dot")
		return func(in []*reg) []*reg { return []*reg{f32.mul(in[1], f32.sub(in[0], dot))} }
	})
}

// layerNorms writes what a row of layer normalization takes, whose elements have a
// scale and a shift each.
func layerNorms() {
	mapping(f32, "normRow", "n int, mean, inv T, x, scale, shift, dst *T", "stores (x−mean)·inv·scale + shift in dst.", 2, []string{"x", "scale", "shift"}, []string{"dst"}, func() func(in []*reg) []*reg {
		mean, inv := scalar(f32, "mean"), scalar(f32, "inv")
		return func(in []*reg) []*reg {
			f32.fma(in[2], f32.mul(f32.sub(in[0], mean), inv), in[1])
			return in[2:]
		}
	})
	mapping(f32, "normRowGrad", "n int, mean, a, b, c T, dy, x, scale, dx *T", "stores a·dy·scale + b·(x−mean) + c in dx.", 2, []string{"dy", "x", "scale"}, []string{"dx"}, func() func(in []*reg) []*reg {
		mean, a, b, c := scalar(f32, "mean"), scalar(f32, "a"), scalar(f32, "b"), scalar(f32, "c")
		return func(in []*reg) []*reg {
			v := duplicateOf(c)
			f32.fma(v, f32.sub(in[1], mean), b)
			f32.fma(v, f32.mul(in[0], in[2]), a)
			return []*reg{v}
		}
	})
	mapping(f32, "normRowParams", "n int, mean, inv T, dy, x, dscale, dshift *T", "adds dy·(x−mean)·inv to dscale and dy to dshift.", 2, []string{"dy", "x", "dscale", "dshift"}, []string{"dscale", "dshift"}, func() func(in []*reg) []*reg {
		mean, inv := scalar(f32, "mean"), scalar(f32, "inv")
		return func(in []*reg) []*reg {
			f32.fma(in[2], f32.mul(f32.sub(in[1], mean), inv), in[0])
			return []*reg{in[2], f32.add(in[3], in[0])}
		}
	})
	widenedSums("sumDotScaled", "x, y, z *T", "is sumDot with x·z instead of x.", []string{"x", "y", "z"}, 2, func(acc, in []*reg) {
		sumDotTerms(acc, []*reg{f32.mul(in[0], in[2]), in[1]})
	})
}
