package main

// expPoly are the coefficients of q in exp(r) ≈ 1 + r + r²·q(r) for |r| ≤ log(2)/2,
// by element size; they and the other constants are those of the kernels for
// amd64.
var expPoly = map[int][]float64{
	8: {0x1.0000000000001p-1, 0x1.5555555555556p-3, 0x1.5555555553d37p-5, 0x1.11111111109a6p-7, 0x1.6c16c1789d1d7p-10,
		0x1.a01a01a7cebcdp-13, 0x1.a019b8ca26fcfp-16, 0x1.71de0d85293b8p-19, 0x1.2891d4ffbb0f9p-22, 0x1.af390ba7e6f47p-26},
	4: {0.5, 0.16666576666119928, 0.04166655421298415, 0.008363232883682618, 0.0013926250831497611},
}

// expNumbers are the other constants of the exponential.
type expNumbers struct {
	shifter    float64 // 1.5·2^p: adding it rounds to an integer that stands in the low bits
	ln2hi      float64 // the leading bits of log 2, so that k·ln2hi is exact
	ln2lo      float64
	low, high  float64 // beyond these the result is 0 or +Inf
	flush      float64 // below this the result is subnormal or close to it
	exponentAt int
}

var expConst = map[int]expNumbers{
	8: {6755399441055744, 0x1.62e42fefa3800p-1, 5.497923018708371e-14, -746, 710, -708, 52},
	4: {12582912, 0.693115234375, 3.1946184945309415e-05, -104, 89, -87, 23},
}

const log2e = 1.4426950408889634

// reduced holds exp(r) and k, with x = k·log 2 + r; t has k in its low bits.
type reduced struct{ p, k, t *reg }

// reduceExp splits x, which is within the range of the result's exponent, and
// overwrites it. A coefficient of the polynomial is loaded where it is used: a
// multiply-add overwrites its summand, so a register that keeps it would have to
// be copied.
func reduceExp(e *elem, x *reg) reduced {
	n := expConst[e.size]
	t := e.constant(n.shifter)
	e.fma(t, x, e.keep(log2e))
	k := e.sub(t, e.keep(n.shifter))
	e.fms(x, k, e.keep(n.ln2hi))
	e.fms(x, k, e.keep(n.ln2lo))
	return reduced{horner(e, append([]float64{1, 1}, expPoly[e.size]...), x), k, t}
}

// horner returns Σ cᵢxⁱ, for two coefficients or more.
func horner(e *elem, c []float64, x *reg) *reg {
	p := e.keep(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		next := e.constant(c[i])
		e.fma(next, p, x)
		p = next
	}
	return p
}

// power turns k in the low bits of t into 2^k.
func power(e *elem, t *reg) {
	word("SHL", e.size, false, t, t, nil, expConst[e.size].exponentAt)
	e.accumulate("ADD", t, e.keep(1))
}

// expNegative returns exp(x) for x ≤ 0. Results under 1e−307 (1e-37) become a
// number of that size, not 0: for sums whose largest term is 1. NaN propagates.
func expNegative(e *elem, x *reg) *reg {
	r := reduceExp(e, e.maxi(x, e.keep(expConst[e.size].flush)))
	power(e, r.t)
	return e.mul(r.t, r.p)
}

// expFull returns exp(x) for all x, in two steps of the exponent so that
// subnormal results round once and overflow becomes +Inf.
func expFull(e *elem, x *reg) *reg {
	n := expConst[e.size]
	x = e.mini(e.maxi(x, e.keep(n.low)), e.keep(n.high))
	r := reduceExp(e, x)
	half := e.constant(n.shifter)
	e.fma(half, r.k, e.keep(0.5)) // the low bits hold k/2, rounded
	k1 := e.sub(half, e.keep(n.shifter))
	rest := e.add(e.sub(r.k, k1), e.keep(n.shifter))
	power(e, half)
	power(e, rest)
	return e.mul(e.mul(half, r.p), rest)
}

func exponentials() {
	for _, e := range []*elem{f32, f64} {
		mapping(e, "exp", "n int, x, dst *T", "stores exp(x) in dst.", 2, []string{"x"}, []string{"dst"}, func() func(in []*reg) []*reg {
			return func(in []*reg) []*reg { return []*reg{expFull(e, in[0])} }
		})
		sumExp(e)
	}
	maxDiff(f64)
	sumExpDiff(f64)
}

// onlyLow returns the low element of v and zeros, if it is the only one.
func onlyLow(e *elem, v *reg, one bool) *reg {
	if one {
		return e.two("FMOV scalar", v)
	}
	return v
}

func sumExp(e *elem) {
	begin(e, "sumExp", "n int, x *T, top T", "T",
		"returns Σ exp(x−top), for top the finite maximum of x.")
	top := scalar(e, "top")
	acc := zeros(4)
	l := &loop{e: e, unroll: 4, in: []string{"x"}}
	l.body = func(u int, in []*reg, one bool) []*reg {
		v := expNegative(e, e.sub(in[0], top))
		e.accumulate("FADD", acc[u], onlyLow(e, v, one))
		return nil
	}
	l.emit()
	result(e, sum(e, acc), 0)
	ret()
}

func maxDiff(e *elem) {
	begin(e, "maxDiff", "n int, f, c *T, scale T", "T",
		"returns the largest (f−c)·scale, −Inf for none. Whether NaN counts is not defined.")
	scale := scalar(e, "scale")
	acc := lowest(e)
	l := &loop{e: e, unroll: 4, in: []string{"f", "c"}, repeat: true}
	l.body = func(u int, in []*reg, _ bool) []*reg {
		e.accumulate("FMAX", acc[u], e.mul(e.sub(in[0], in[1]), scale))
		return nil
	}
	l.emit()
	result(e, maxLanes(e, acc), 0)
	ret()
}

func sumExpDiff(e *elem) {
	begin(e, "sumExpDiff", "n int, f, c *T, scale, top T", "T",
		"returns Σ exp((f−c)·scale−top), for top the finite maximum of (f−c)·scale.")
	scale, below := scalar(e, "scale"), e.two("FNEG", scalar(e, "top"))
	acc := zeros(4)
	l := &loop{e: e, unroll: 4, in: []string{"f", "c"}}
	l.body = func(u int, in []*reg, one bool) []*reg {
		x := duplicateOf(below)
		e.fma(x, e.sub(in[0], in[1]), scale) // may exceed 0 by a rounding error
		e.accumulate("FADD", acc[u], onlyLow(e, expNegative(e, x), one))
		return nil
	}
	l.emit()
	result(e, sum(e, acc), 0)
	ret()
}

// duplicateOf returns a copy of v that may be written to.
func duplicateOf(v *reg) *reg { return bitwiseOf("ORR", v, v) }
