package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// expPoly are the coefficients of q in exp(r) ≈ 1 + r + r²·q(r) for |r| ≤ log(2)/2:
// the interpolation of (exp(r)−1−r)/r² at Chebyshev nodes. The relative error
// of the exponential is 1.6e−17 in float64 and 1e−8 in float32.
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
	exponentAt uint64
	one        uint64
}

var expConst = map[int]expNumbers{
	8: {6755399441055744, 0x1.62e42fefa3800p-1, 5.497923018708371e-14, -746, 710, -708, 52, 0x3ff0000000000000},
	4: {12582912, 0.693115234375, 3.1946184945309415e-05, -104, 89, -87, 23, 0x3f800000},
}

const log2e = 1.4426950408889634

// reduced holds exp(r) and k, with x = k·log 2 + r; t has k in its low bits.
type reduced struct{ p, k, t vec }

// reduceExp splits x, which is within the range of the result's exponent.
func reduceExp(e *elem, x vec) reduced {
	n := expConst[e.size]
	k, t := e.reg(), e.constant(vconst(e, log2e))
	e.fma213(vconst(e, n.shifter), x, t)
	e.sub(vconst(e, n.shifter), t, k)
	e.fnma231(vconst(e, n.ln2hi), k, x)
	e.fnma231(vconst(e, n.ln2lo), k, x)
	q := expPoly[e.size]
	p := e.constant(vconst(e, q[len(q)-1]))
	for i := len(q) - 2; i >= 0; i-- {
		e.fma213(vconst(e, q[i]), x, p)
	}
	e.fma213(vconst(e, 1), x, p)
	e.fma213(vconst(e, 1), x, p)
	return reduced{p, k, t}
}

// power turns k in the low bits of t into 2^k.
func power(e *elem, t vec) {
	n := expConst[e.size]
	if e.size == 4 {
		VPSLLD(Imm(n.exponentAt), t, t)
		plus(e, VPADDD, VPADDD_BCST)(bits(e, n.one), t, t)
		return
	}
	VPSLLQ(Imm(n.exponentAt), t, t)
	plus(e, VPADDQ, VPADDQ_BCST)(bits(e, n.one), t, t)
}

func plus(e *elem, plain, broadcast func(...Op)) func(...Op) {
	if e.zmm {
		return broadcast
	}
	return plain
}

// expNegative returns exp(x) for x ≤ 0. Results under 1e−307 (1e-37) become a
// number of that size, not 0: for sums whose largest term is 1. NaN propagates.
func expNegative(e *elem, x vec) vec {
	lim := e.constant(vconst(e, expConst[e.size].flush))
	e.maxi(x, lim, x) // the second source, x, where one is NaN
	r := reduceExp(e, x)
	power(e, r.t)
	e.mul(r.t, r.p, r.p)
	return r.p
}

// expFull returns exp(x) for all x, in two steps of the exponent so that
// subnormal results round once and overflow becomes +Inf.
func expFull(e *elem, x vec) vec {
	n := expConst[e.size]
	e.maxi(x, e.constant(vconst(e, n.low)), x)
	e.mini(x, e.constant(vconst(e, n.high)), x)
	r := reduceExp(e, x)
	half := e.constant(vconst(e, 0.5))
	e.fma213(vconst(e, n.shifter), r.k, half) // the low bits hold k/2, rounded
	k1 := e.reg()
	e.sub(vconst(e, n.shifter), half, k1)
	e.sub(k1, r.k, r.k)
	e.add(vconst(e, n.shifter), r.k, r.k)
	power(e, half)
	power(e, r.k)
	e.mul(half, r.p, r.p)
	e.mul(r.k, r.p, r.p)
	return r.p
}

func exponentials() {
	for _, e := range []*elem{f32, f64} {
		expMap(e)
		sumExp(e)
	}
	maxDiff(f64)
	sumExpDiff(f64)
}

// exponentials512 writes those of them that gain from AVX-512.
func exponentials512() {
	expMap(f32z)
	expMap(f64z)
	maximum(f64z)
	sumExp(f64z)
	maxDiff(f64z)
	sumExpDiff(f64z)
}

func expMap(e *elem) {
	fn(e, "exp", "n int, x, dst *T", "", "stores exp(x) in dst.")
	l := &loop{e: e, unroll: 2, in: []string{"x"}, out: []string{"dst"}}
	l.body = func(_ int, in []vec, _ reg.Register) []vec { return []vec{expFull(e, in[0])} }
	l.emit()
	finish()
}

// clearOutside zeroes the lanes outside the mask.
func clearOutside(e *elem, v vec, mask reg.Register) {
	switch {
	case mask == nil:
	case e.zmm:
		VMOVUPD_Z(v, mask, v) // only sums of float64 have masks
	default:
		e.and(mask, v, v)
	}
}

func sumExp(e *elem) {
	fn(e, "sumExp", "n int, x *T, top T", "T",
		"returns Σ exp(x−top), for top the finite maximum of x.")
	top := scalar(e, "top")
	acc := cleared(e, 4)
	l := &loop{e: e, unroll: 4, in: []string{"x"}}
	l.body = func(u int, in []vec, mask reg.Register) []vec {
		e.sub(top, in[0], in[0])
		v := expNegative(e, in[0])
		clearOutside(e, v, mask)
		e.add(v, acc[u], acc[u])
		return nil
	}
	l.emit()
	result(e, sum(e, acc), 0)
	finish()
}

func maxDiff(e *elem) {
	fn(e, "maxDiff", "n int, f, c *T, scale T", "T",
		"returns the largest (f−c)·scale, −Inf for none. Whether NaN counts is not defined.")
	scale := scalar(e, "scale")
	low := negInf(e)
	acc := make([]vec, 4)
	for i := range acc {
		acc[i] = e.constant(low)
	}
	l := &loop{e: e, unroll: 4, in: []string{"f", "c"}}
	l.body = func(u int, in []vec, mask reg.Register) []vec {
		e.sub(in[1], in[0], in[0])
		e.mul(scale, in[0], in[0])
		e.maxi(fill(e, in[0], mask, low), acc[u], acc[u])
		return nil
	}
	l.emit()
	result(e, maxLanes(e, acc), 0)
	finish()
}

func sumExpDiff(e *elem) {
	fn(e, "sumExpDiff", "n int, f, c *T, scale, top T", "T",
		"returns Σ exp((f−c)·scale−top), for top the finite maximum of (f−c)·scale.")
	scale, top := scalar(e, "scale"), scalar(e, "top")
	acc := cleared(e, 4)
	l := &loop{e: e, unroll: 4, in: []string{"f", "c"}}
	l.body = func(u int, in []vec, mask reg.Register) []vec {
		e.sub(in[1], in[0], in[0])
		e.fmsub213(top, scale, in[0]) // may exceed 0 by a rounding error
		v := expNegative(e, in[0])
		clearOutside(e, v, mask)
		e.add(v, acc[u], acc[u])
		return nil
	}
	l.emit()
	result(e, sum(e, acc), 0)
	finish()
}
