package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The coefficients are weighted minimax fits in float64, rounded to float32; the
// errors are those of the fits, relative to the function.
var (
	// erfNear: erf(x) ≈ x + x·p(x²) for |x| ≤ 0.9, to 1.2e−8.
	erfNear = []float64{0.1283791065216064, -0.3761252462863922, 0.11282140761613846, -0.02677891217172146, 0.005011966917663813, -0.000609037873800844}
	// erfFar: erfc(a) ≈ exp(p(a)) for 0.9 ≤ a ≤ 4, to 1.7e−9 of erf(a).
	erfFar = []float64{-0.00016644777497276664, -1.127797245979309, -0.6369760632514954, -0.10411367565393448, 0.022315213456749916, -0.0030654901638627052, 0.00019821965543087572}
	// tanhNear: tanh(x) ≈ x + x·x²·p(x²) for |x| ≤ 0.625, to 3.9e−9.
	tanhNear = []float64{-0.3333325982093811, 0.13331127166748047, -0.05372107774019241, 0.0205910112708807, -0.00566001096740365}
	// normalTail: Φ(−a)·exp(a²/2) ≈ t·p(1−t), t = 1/(1+0.3a), for 0 ≤ a ≤ 14.6, to 3.8e−9.
	normalTail = []float64{0.5, -0.8298072814941406, 0.6181478500366211, -0.08104551583528519, -0.13959819078445435, 0.02295100875198841, 0.010885680094361305, 0.07031843811273575, -0.07265565544366837, 0.02049015648663044}
)

const (
	erfSplit  = 0.9 // where erf turns from one form to the other
	erfOne    = 4   // from where on erf is 1 in float32
	tanhSplit = 0.625
	tanhOne   = 10   // from where on tanh is 1 in float32
	tailZero  = 14.6 // from where on Φ(−a) is 0 in float32
	density0  = 0.3989422804014327
	signBit   = 0x80000000
	magnitude = 0x7fffffff
)

// smooths writes the activations that are built on the error function and on
// the hyperbolic tangent.
func smooths() {
	mapping("erf", "n int, x, dst *T", "stores erf(x) in dst.", 2, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{erf(in[0])} }
	})
	mapping("gelu", "n int, x, dst *T", "stores x·Φ(x) in dst.", 2, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{gelu(in[0])} }
	})
	mapping("geluGrad", "n int, dy, x, dx *T", "stores dy·(Φ(x) + x·φ(x)) in dx.", 2, []string{"dy", "x"}, []string{"dx"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{op(VMULPS, in[0], geluSlope(in[1]))} }
	})
	tanhs()
}

// tanhs writes the hyperbolic tangent and its gradient.
func tanhs() {
	mapping("tanh", "n int, x, dst *T", "stores tanh(x) in dst.", 2, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{tanh(in[0])} }
	})
	mapping("tanhGrad", "n int, dy, y, dx *T", "stores dy·(1−y²) in dx.", 4, []string{"dy", "y"}, []string{"dx"}, func() func(in []vec) []vec {
		return func(in []vec) []vec {
			d := f32.constant(vconst(f32, 1))
			f32.fnma231(in[1], in[1], d)
			return []vec{op(VMULPS, in[0], d)}
		}
	})
}

// horner returns Σ cᵢxⁱ.
func horner(c []float64, x vec) vec {
	p := f32.constant(vconst(f32, c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		f32.fma213(vconst(f32, c[i]), x, p)
	}
	return p
}

func abs(x vec) vec { return op(VANDPS, x, bits(f32, magnitude)) }

// signed returns v, which is not negative, with the sign of x.
func signed(v, x vec) vec { return op(VORPS, v, op(VANDPS, x, bits(f32, signBit))) }

// atMost returns min(x, limit); NaN propagates, as the second source.
func atMost(x vec, limit float64) vec {
	v := f32.constant(vconst(f32, limit))
	VMINPS(x, v, v)
	return v
}

// beyond returns far where a exceeds the limit and near elsewhere, NaN included.
func beyond(a vec, limit float64, far, near vec) vec {
	const greaterQuiet = 0x1e
	m := YMM()
	VCMPPS(Imm(greaterQuiet), vconst(f32, limit), a, m)
	VBLENDVPS(m, far, near, near)
	return near
}

func erf(x vec) vec {
	a := abs(x)
	near := horner(erfNear, op(VMULPS, x, x))
	VFMADD213PS(x, x, near)
	far := oneMinus(expNegative(f32, horner(erfFar, atMost(a, erfOne))))
	return beyond(a, erfSplit, signed(far, x), near)
}

// tanh is 1 − 2/(exp(2a)+1) far from 0.
func tanh(x vec) vec {
	a, square := abs(x), op(VMULPS, x, x)
	near := op(VMULPS, square, horner(tanhNear, square))
	VFMADD213PS(x, x, near)
	limited := atMost(a, tanhOne)
	r := reduceExp(f32, op(VADDPS, limited, limited))
	power(f32, r.t)
	VFMADD213PS(vconst(f32, 1), r.t, r.p)
	two := f32.constant(vconst(f32, 2))
	return beyond(a, tanhSplit, signed(oneMinus(op(VDIVPS, two, r.p)), x), near)
}

// tail returns a = min(|x|, tailZero), exp(−a²/2), and Φ(−a)·exp(a²/2). The
// square is taken in two parts: the exponential would magnify its rounding error.
func tail(x vec) (a, e, q vec) {
	a = atMost(abs(x), tailZero)
	square := op(VMULPS, a, a)
	rest := YMM()
	VMOVUPS(a, rest)
	f32.fmsub213(square, a, rest)
	half := vconst(f32, 0.5)
	VMULPS(half, rest, rest)
	e = expFull(f32, op(VMULPS, square, vconst(f32, -0.5)))
	f32.fnma231(rest, e, e)
	t, one := f32.constant(vconst(f32, 0.3)), f32.constant(vconst(f32, 1))
	f32.fma213(one, a, t)
	VDIVPS(t, one, t)
	return a, e, op(VMULPS, t, horner(normalTail, oneMinus(t)))
}

// bySign returns positive where the sign of x is +, negative elsewhere.
func bySign(x, positive, negative vec) vec {
	VBLENDVPS(x, negative, positive, positive)
	return positive
}

func gelu(x vec) vec {
	_, e, q := tail(x)
	positive := op(VMULPS, x, oneMinus(op(VMULPS, e, q)))
	return bySign(x, positive, op(VMULPS, op(VMULPS, x, q), e)) // in this order e·q cannot be subnormal
}

// geluSlope returns Φ(x) + x·φ(x): with v = exp(−a²/2)·(a/√(2π) − q), it is 1 + v
// for positive x and −v for negative ones.
func geluSlope(x vec) vec {
	a, e, q := tail(x)
	f32.fmsub213(q, f32.constant(vconst(f32, density0)), a)
	v := op(VMULPS, e, a)
	return bySign(x, op(VADDPS, v, vconst(f32, 1)), op(VXORPS, v, bits(f32, signBit)))
}
