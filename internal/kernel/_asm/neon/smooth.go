package main

// The coefficients are those of the kernels for amd64; their errors are relative
// to the function.
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
)

// smooths writes the activations that are built on the error function and on
// the hyperbolic tangent.
func smooths() {
	each("erf", "n int, x, dst *T", "stores erf(x) in dst.", 2, []string{"x"}, "dst", func(in []*reg) *reg { return erf(in[0]) })
	each("gelu", "n int, x, dst *T", "stores x·Φ(x) in dst.", 2, []string{"x"}, "dst", func(in []*reg) *reg { return gelu(in[0]) })
	each("geluGrad", "n int, dy, x, dx *T", "stores dy·(Φ(x) + x·φ(x)) in dx.", 2, []string{"dy", "x"}, "dx", func(in []*reg) *reg {
		return f32.mul(in[0], geluSlope(in[1]))
	})
	each("tanh", "n int, x, dst *T", "stores tanh(x) in dst.", 2, []string{"x"}, "dst", func(in []*reg) *reg { return tanh(in[0]) })
	each("tanhGrad", "n int, dy, y, dx *T", "stores dy·(1−y²) in dx.", 4, []string{"dy", "y"}, "dx", func(in []*reg) *reg {
		d := f32.constant(1)
		f32.fms(d, in[1], in[1])
		return f32.mul(in[0], d)
	})
}

// signed gives v, which is not negative, the sign of x.
func signed(v, x *reg) *reg {
	insert("BIT", v, x, f32.keepBits(signBit))
	return v
}

// beyond returns far where a exceeds the limit and near elsewhere, NaN included.
func beyond(a *reg, limit float64, far, near *reg) *reg {
	insert("BIT", near, far, f32.three("FCMGT", a, f32.keep(limit)))
	return near
}

func erf(x *reg) *reg {
	a := f32.two("FABS", x)
	near := duplicateOf(x)
	f32.fma(near, x, horner(f32, erfNear, f32.mul(x, x)))
	far := oneMinus(expNegative(f32, horner(f32, erfFar, f32.mini(a, f32.keep(erfOne)))))
	return beyond(a, erfSplit, signed(far, x), near)
}

// tanh is 1 − 2/(exp(2a)+1) far from 0.
func tanh(x *reg) *reg {
	a, square := f32.two("FABS", x), f32.mul(x, x)
	near := duplicateOf(x)
	f32.fma(near, x, f32.mul(square, horner(f32, tanhNear, square)))
	limited := f32.mini(a, f32.keep(tanhOne))
	r := reduceExp(f32, f32.add(limited, limited))
	power(f32, r.t)
	below := f32.constant(1)
	f32.fma(below, r.t, r.p)
	return beyond(a, tanhSplit, signed(oneMinus(f32.div(f32.keep(2), below)), x), near)
}

// tail returns a = min(|x|, tailZero), exp(−a²/2), and Φ(−a)·exp(a²/2). The
// square is taken in two parts: the exponential would magnify its rounding error.
func tail(x *reg) (a, e, q *reg) {
	a = f32.mini(f32.two("FABS", x), f32.keep(tailZero))
	square := f32.mul(a, a)
	rest := f32.two("FNEG", square)
	f32.fma(rest, a, a)
	rest = f32.mul(rest, f32.keep(0.5))
	e = expFull(f32, f32.mul(square, f32.keep(-0.5)))
	f32.fms(e, rest, e)
	t := f32.constant(1)
	f32.fma(t, a, f32.keep(0.3))
	t = f32.div(f32.keep(1), t)
	return a, e, f32.mul(t, horner(f32, normalTail, oneMinus(t)))
}

// bySign returns positive where the sign of x is +, negative elsewhere.
func bySign(x, positive, negative *reg) *reg {
	minus := V()
	word("SSHR", f32.size, false, minus, x, nil, 31)
	insert("BIT", positive, negative, minus)
	return positive
}

func gelu(x *reg) *reg {
	_, e, q := tail(x)
	positive := f32.mul(x, oneMinus(f32.mul(e, q)))
	return bySign(x, positive, f32.mul(f32.mul(x, q), e)) // in this order e·q cannot be subnormal
}

// geluSlope returns Φ(x) + x·φ(x): with v = exp(−a²/2)·(a/√(2π) − q), it is 1 + v
// for positive x and −v for negative ones.
func geluSlope(x *reg) *reg {
	a, e, q := tail(x)
	d := f32.two("FNEG", q)
	f32.fma(d, a, f32.keep(density0))
	v := f32.mul(e, d)
	return bySign(x, f32.add(v, f32.keep(1)), f32.two("FNEG", v))
}
