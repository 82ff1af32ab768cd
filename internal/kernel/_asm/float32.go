package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// float32s writes the float32 kernels of network layers other than products.
func float32s() {
	activations()
	normalization()
	optimizers()
	float64Sums()
}

// mapping writes a kernel that computes every output element from the input
// elements of the same index; setup loads scalars.
func mapping(name, params, doc string, unroll int, in, out []string, setup func() func(in []vec) []vec) {
	fn(f32, name, params, "", doc)
	step := setup()
	l := &loop{e: f32, unroll: unroll, in: in, out: out}
	l.body = func(_ int, in []vec, _ reg.Register) []vec { return step(in) }
	l.emit()
	finish()
}

// op applies a three-operand instruction: a∘b in a new register.
func op(ins func(...Op), a, b Op) vec {
	v := YMM()
	ins(b, a, v)
	return v
}

// positive returns the mask of the elements that are not ≤ 0: NaN counts.
func positive(y vec) vec {
	const notLessEqualQuiet = 0x16
	m := YMM()
	VCMPPS(Imm(notLessEqualQuiet), zeros(1)[0], y, m)
	return m
}

// relu returns max(0, v); NaN propagates, since it is the second source.
func relu(v vec) vec {
	r := zeros(1)[0]
	VMAXPS(v, r, r)
	return r
}

func activations() {
	mapping("relu", "n int, x, dst *T", "stores max(0, x) in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{relu(in[0])} }
	})
	mapping("reluGrad", "n int, dy, y, dx *T", "stores dy in dx where y is not ≤ 0, and 0 elsewhere.", 4, []string{"dy", "y"}, []string{"dx"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{op(VANDPS, in[0], positive(in[1]))} }
	})
	mapping("addReLU", "n int, x, y, dst *T", "stores max(0, x+y) in dst.", 4, []string{"x", "y"}, []string{"dst"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{relu(op(VADDPS, in[0], in[1]))} }
	})
	mapping("sigmoid", "n int, x, dst *T", "stores 1/(1+exp(−x)) in dst.", 2, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{sigmoid(in[0])} }
	})
	mapping("silu", "n int, x, dst *T", "stores x/(1+exp(−x)) in dst.", 2, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{op(VMULPS, in[0], sigmoid(in[0]))} }
	})
	mapping("sigmoidGrad", "n int, dy, y, dx *T", "stores dy·y·(1−y) in dx.", 4, []string{"dy", "y"}, []string{"dx"}, func() func(in []vec) []vec {
		return func(in []vec) []vec { return []vec{op(VMULPS, in[0], op(VMULPS, in[1], oneMinus(in[1])))} }
	})
	mapping("siluGrad", "n int, dy, x, dx *T", "stores dy·s·(1+x·(1−s)), s = 1/(1+exp(−x)), in dx.", 2, []string{"dy", "x"}, []string{"dx"}, func() func(in []vec) []vec {
		return func(in []vec) []vec {
			s := sigmoid(in[1])
			d := oneMinus(s)
			VFMADD213PS(vconst(f32, 1), in[1], d) // x·(1−s) + 1
			return []vec{op(VMULPS, in[0], op(VMULPS, s, d))}
		}
	})
	expShifted()
}

func oneMinus(v vec) vec {
	r := YMM()
	VMOVUPS(vconst(f32, 1), r)
	VSUBPS(v, r, r)
	return r
}

// sigmoid leaves x as it is.
func sigmoid(x vec) vec {
	t := expFull(f32, op(VXORPS, x, bits(f32, 0x80000000)))
	VADDPS(vconst(f32, 1), t, t)
	one := YMM()
	VMOVUPS(vconst(f32, 1), one)
	return op(VDIVPS, one, t)
}

// expShifted writes the first half of a softmax.
func expShifted() {
	mapping("expShifted", "n int, top T, x, dst *T", "stores exp(x−top) in dst.", 2, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
		top := scalar(f32, "top")
		return func(in []vec) []vec { return []vec{expFull(f32, op(VSUBPS, in[0], top))} }
	})
}

func normalization() {
	for _, rectify := range []bool{false, true} {
		suffix, doc, after := "", "", func(v vec) vec { return v }
		if rectify {
			suffix, doc, after = "ReLU", ", or 0 where that is below 0,", relu
		}
		mapping("scaleShift"+suffix, "n int, a, b T, x, dst *T", "stores a·x + b"+doc+" in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
			a, b := scalar(f32, "a"), scalar(f32, "b")
			return func(in []vec) []vec {
				VFMADD213PS(b, a, in[0])
				return []vec{after(in[0])}
			}
		})
		mapping("normalize"+suffix, "n int, mean, a, b T, x, dst *T", "stores a·(x−mean) + b"+doc+" in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []vec) []vec {
			mean, a, b := scalar(f32, "mean"), scalar(f32, "a"), scalar(f32, "b")
			return func(in []vec) []vec {
				VSUBPS(mean, in[0], in[0])
				VFMADD213PS(b, a, in[0])
				return []vec{after(in[0])}
			}
		})
	}
	normalizeGrad(false)
	normalizeGrad(true)
}

func normalizeGrad(masked bool) {
	name, params, in, doc := "normalizeGrad", "n int, mean, a, b, c T, dy, x, dx *T", []string{"dy", "x"}, "stores a·dy + b·(x−mean) + c in dx."
	if masked {
		name, params, in, doc = "normalizeGradReLU", "n int, mean, a, b, c T, dy, x, y, dx *T", []string{"dy", "x", "y"}, "is normalizeGrad with dy taken as 0 where y ≤ 0."
	}
	mapping(name, params, doc, 2, in, []string{"dx"}, func() func(in []vec) []vec {
		mean, a, b, c := scalar(f32, "mean"), scalar(f32, "a"), scalar(f32, "b"), scalar(f32, "c")
		return func(in []vec) []vec {
			dy := in[0]
			if masked {
				dy = op(VANDPS, dy, positive(in[2]))
			}
			VSUBPS(mean, in[1], in[1])
			VFMADD213PS(c, b, in[1])
			VFMADD231PS(a, dy, in[1])
			return in[1:2]
		}
	})
}

func optimizers() {
	mapping("axpby", "n int, a, b T, x, y *T", "stores a·x + b·y in y.", 4, []string{"x", "y"}, []string{"y"}, func() func(in []vec) []vec {
		a, b := scalar(f32, "a"), scalar(f32, "b")
		return func(in []vec) []vec {
			VMULPS(b, in[1], in[1])
			VFMADD231PS(a, in[0], in[1])
			return in[1:]
		}
	})
	mapping("sgd", "n int, lr, mu, wd T, grad, v, w *T", "stores mu·v + grad + wd·w in v and subtracts lr·v from w.", 4, []string{"grad", "v", "w"}, []string{"v", "w"}, func() func(in []vec) []vec {
		lr, mu, wd := scalar(f32, "lr"), scalar(f32, "mu"), scalar(f32, "wd")
		return func(in []vec) []vec {
			VFMADD231PS(wd, in[2], in[0])
			VFMADD213PS(in[0], mu, in[1])
			VFNMADD231PS(lr, in[1], in[2])
			return in[1:]
		}
	})
	adam()
}

// adam keeps its nine scalars in memory, from where the instructions read them.
func adam() {
	fn(f32, "adam", "n int, coef, grad, m, v, w *T", "",
		"takes an Adam step; coef has, 8 elements each, L2, β1, 1−β1, β2, 1−β2, 1/√c2, ε, lr/c1 and 1−lr·decay.")
	coef := Load(Param("coef"), GP64())
	at := func(i int) Mem { return Mem{Base: coef, Disp: 32 * i} }
	l := &loop{e: f32, unroll: 2, in: []string{"grad", "m", "v", "w"}, out: []string{"m", "v", "w"}}
	l.body = func(_ int, in []vec, _ reg.Register) []vec {
		g, m, v, w := in[0], in[1], in[2], in[3]
		VFMADD231PS(at(0), w, g)
		VMULPS(at(8), w, w)
		VMULPS(at(1), m, m)
		VFMADD231PS(at(2), g, m)
		VMULPS(at(3), v, v)
		VMULPS(g, g, g)
		VFMADD231PS(at(4), g, v)
		root, eps := YMM(), YMM()
		VSQRTPS(v, root)
		VMOVUPS(at(6), eps)
		VFMADD132PS(at(5), eps, root) // √v·(1/√c2) + ε
		step := op(VMULPS, m, at(7))
		VDIVPS(root, step, step)
		VSUBPS(step, w, w)
		return []vec{m, v, w}
	}
	l.emit()
	finish()
}

// widen returns the elements as two registers of float64.
func widen(v vec) [2]vec {
	low, high, half := YMM(), YMM(), XMM()
	VEXTRACTF128(Imm(1), v, half)
	VCVTPS2PD(v.AsX(), low)
	VCVTPS2PD(half, high)
	return [2]vec{low, high}
}

// float64Sums writes reductions of float32 elements in float64.
func float64Sums() {
	widenedSums("sum", "x *T", "returns the sum of x.", []string{"x"}, 1, func(acc []vec, in []vec) {
		w := widen(in[0])
		VADDPD(w[0], acc[0], acc[0])
		VADDPD(w[1], acc[1], acc[1])
	})
	widenedSums("dot", "x, y *T", "returns the sum of the products of x and y.", []string{"x", "y"}, 1, func(acc []vec, in []vec) {
		x, y := widen(in[0]), widen(in[1])
		VFMADD231PD(x[0], y[0], acc[0])
		VFMADD231PD(x[1], y[1], acc[1])
	})
	widenedSums("moments", "x *T", "returns the sums of x and of x².", []string{"x"}, 2, momentTerms)
	widenedSums("sumDot", "x, y *T", "returns the sum of x and of the products of x and y.", []string{"x", "y"}, 2, sumDotTerms)
	widenedSums("sumDotReLU", "x, y, z *T", "is sumDot with x taken as 0 where z ≤ 0.", []string{"x", "y", "z"}, 2, func(acc []vec, in []vec) {
		sumDotTerms(acc, []vec{op(VANDPS, in[0], positive(in[2])), in[1]})
	})
}

func momentTerms(acc []vec, in []vec) {
	for i, w := range widen(in[0]) {
		VADDPD(w, acc[i], acc[i])
		VFMADD231PD(w, w, acc[2+i])
	}
}

func sumDotTerms(acc []vec, in []vec) {
	x, y := widen(in[0]), widen(in[1])
	for i := range x {
		VADDPD(x[i], acc[i], acc[i])
		VFMADD231PD(x[i], y[i], acc[2+i])
	}
}

// widenedSums writes a kernel that returns count sums; term adds to 2·count
// accumulators and nothing where all inputs are 0.
func widenedSums(name, params, doc string, in []string, count int, term func(acc []vec, in []vec)) {
	returns := "(r0 float64)"
	if count == 2 {
		returns = "(r0, r1 float64)"
	}
	fn(f32, name+"Wide", "n int, "+params, returns, doc)
	acc := [][]vec{zeros(2 * count), zeros(2 * count)}
	l := &loop{e: f32, unroll: 2, in: in}
	l.body = func(u int, in []vec, _ reg.Register) []vec {
		term(acc[u], in)
		return nil
	}
	l.emit()
	for c := range count {
		s := sum(f64, []vec{acc[0][2*c], acc[0][2*c+1], acc[1][2*c], acc[1][2*c+1]})
		result(f64, s, c)
	}
	finish()
}
