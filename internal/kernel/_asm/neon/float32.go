package main

// float32s writes the float32 kernels of network layers other than products.
func float32s() {
	activations()
	normalization()
	optimizers()
	float64Sums()
}

// each writes a mapping of float32 without scalars.
func each(name, params, doc string, unroll int, in []string, out string, step func(in []*reg) *reg) {
	mapping(f32, name, params, doc, unroll, in, []string{out}, func() func(in []*reg) []*reg {
		return func(in []*reg) []*reg { return []*reg{step(in)} }
	})
}

// passed returns dy where y is not ≤ 0, NaN included, and 0 elsewhere.
func passed(dy, y *reg) *reg { return bitwiseOf("BIC", dy, f32.two("FCMLE", y)) }

// relu returns max(0, v); NaN propagates.
func relu(v *reg) *reg { return f32.maxi(v, f32.keep(0)) }

func oneMinus(v *reg) *reg { return f32.sub(f32.keep(1), v) }

func sigmoid(x *reg) *reg {
	return f32.div(f32.keep(1), f32.add(expFull(f32, f32.two("FNEG", x)), f32.keep(1)))
}

func activations() {
	each("relu", "n int, x, dst *T", "stores max(0, x) in dst.", 4, []string{"x"}, "dst", func(in []*reg) *reg { return relu(in[0]) })
	each("reluGrad", "n int, dy, y, dx *T", "stores dy in dx where y is not ≤ 0, and 0 elsewhere.", 4, []string{"dy", "y"}, "dx", func(in []*reg) *reg { return passed(in[0], in[1]) })
	each("addReLU", "n int, x, y, dst *T", "stores max(0, x+y) in dst.", 4, []string{"x", "y"}, "dst", func(in []*reg) *reg { return relu(f32.add(in[0], in[1])) })
	each("sigmoid", "n int, x, dst *T", "stores 1/(1+exp(−x)) in dst.", 2, []string{"x"}, "dst", func(in []*reg) *reg { return sigmoid(in[0]) })
	each("silu", "n int, x, dst *T", "stores x/(1+exp(−x)) in dst.", 2, []string{"x"}, "dst", func(in []*reg) *reg { return f32.mul(in[0], sigmoid(in[0])) })
	each("sigmoidGrad", "n int, dy, y, dx *T", "stores dy·y·(1−y) in dx.", 4, []string{"dy", "y"}, "dx", func(in []*reg) *reg {
		return f32.mul(in[0], f32.mul(in[1], oneMinus(in[1])))
	})
	each("siluGrad", "n int, dy, x, dx *T", "stores dy·s·(1+x·(1−s)), s = 1/(1+exp(−x)), in dx.", 2, []string{"dy", "x"}, "dx", func(in []*reg) *reg {
		s := sigmoid(in[1])
		d := f32.constant(1)
		f32.fma(d, in[1], oneMinus(s))
		return f32.mul(in[0], f32.mul(s, d))
	})
	mapping(f32, "expShifted", "n int, top T, x, dst *T", "stores exp(x−top) in dst.", 2, []string{"x"}, []string{"dst"}, func() func(in []*reg) []*reg {
		top := scalar(f32, "top")
		return func(in []*reg) []*reg { return []*reg{expFull(f32, f32.sub(in[0], top))} }
	})
}

func normalization() {
	for _, rectify := range []bool{false, true} {
		suffix, doc, after := "", "", func(v *reg) *reg { return v }
		if rectify {
			suffix, doc, after = "ReLU", ", or 0 where that is below 0,", relu
		}
		mapping(f32, "scaleShift"+suffix, "n int, a, b T, x, dst *T", "stores a·x + b"+doc+" in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []*reg) []*reg {
			a, b := scalar(f32, "a"), scalar(f32, "b")
			return func(in []*reg) []*reg {
				v := duplicateOf(b)
				f32.fma(v, in[0], a)
				return []*reg{after(v)}
			}
		})
		mapping(f32, "normalize"+suffix, "n int, mean, a, b T, x, dst *T", "stores a·(x−mean) + b"+doc+" in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []*reg) []*reg {
			mean, a, b := scalar(f32, "mean"), scalar(f32, "a"), scalar(f32, "b")
			return func(in []*reg) []*reg {
				v := duplicateOf(b)
				f32.fma(v, f32.sub(in[0], mean), a)
				return []*reg{after(v)}
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
	mapping(f32, name, params, doc, 2, in, []string{"dx"}, func() func(in []*reg) []*reg {
		mean, a, b, c := scalar(f32, "mean"), scalar(f32, "a"), scalar(f32, "b"), scalar(f32, "c")
		return func(in []*reg) []*reg {
			dy := in[0]
			if masked {
				dy = passed(dy, in[2])
			}
			v := duplicateOf(c)
			f32.fma(v, f32.sub(in[1], mean), b)
			f32.fma(v, dy, a)
			return []*reg{v}
		}
	})
}

func optimizers() {
	mapping(f32, "axpby", "n int, a, b T, x, y *T", "stores a·x + b·y in y.", 4, []string{"x", "y"}, []string{"y"}, func() func(in []*reg) []*reg {
		a, b := scalar(f32, "a"), scalar(f32, "b")
		return func(in []*reg) []*reg {
			v := f32.mul(in[1], b)
			f32.fma(v, in[0], a)
			return []*reg{v}
		}
	})
	mapping(f32, "sgd", "n int, lr, mu, wd T, grad, v, w *T", "stores mu·v + grad + wd·w in v and subtracts lr·v from w.", 4, []string{"grad", "v", "w"}, []string{"v", "w"}, func() func(in []*reg) []*reg {
		lr, mu, wd := scalar(f32, "lr"), scalar(f32, "mu"), scalar(f32, "wd")
		return func(in []*reg) []*reg {
			v, w := in[0], in[2]
			f32.fma(v, w, wd)
			f32.fma(v, in[1], mu)
			f32.fms(w, v, lr)
			return []*reg{v, w}
		}
	})
	adam()
}

func adam() {
	mapping(f32, "adam", "n int, coef, grad, m, v, w *T",
		"takes an Adam step; coef has, 8 elements each, L2, β1, 1−β1, β2, 1−β2, 1/√c2, ε, lr/c1 and 1−lr·decay.",
		2, []string{"grad", "m", "v", "w"}, []string{"m", "v", "w"}, func() func(in []*reg) []*reg {
			coef := param("coef")
			var c [9]*reg
			for i := range c {
				c[i] = load(coef, 32*i)
			}
			return func(in []*reg) []*reg {
				g, w := in[0], in[3]
				f32.fma(g, w, c[0])
				w = f32.mul(w, c[8])
				m := f32.mul(in[1], c[1])
				f32.fma(m, g, c[2])
				v := f32.mul(in[2], c[3])
				f32.fma(v, f32.mul(g, g), c[4])
				root := duplicateOf(c[6])
				f32.fma(root, f32.two("FSQRT", v), c[5])
				return []*reg{m, v, f32.sub(w, f32.div(f32.mul(m, c[7]), root))}
			}
		})
}

// widen returns the elements as two registers of float64.
func widen(v *reg) [2]*reg { return [2]*reg{f32.two("FCVTL", v), f32.two("FCVTL2", v)} }

// float64Sums writes reductions of float32 elements in float64.
func float64Sums() {
	widenedSums("sum", "x *T", "returns the sum of x.", []string{"x"}, 1, func(acc, in []*reg) {
		for i, w := range widen(in[0]) {
			f64.accumulate("FADD", acc[i], w)
		}
	})
	widenedSums("dot", "x, y *T", "returns the sum of the products of x and y.", []string{"x", "y"}, 1, func(acc, in []*reg) {
		x, y := widen(in[0]), widen(in[1])
		for i := range x {
			f64.fma(acc[i], x[i], y[i])
		}
	})
	widenedSums("moments", "x *T", "returns the sums of x and of x².", []string{"x"}, 2, func(acc, in []*reg) {
		for i, w := range widen(in[0]) {
			f64.accumulate("FADD", acc[i], w)
			f64.fma(acc[2+i], w, w)
		}
	})
	widenedSums("sumDot", "x, y *T", "returns the sum of x and of the products of x and y.", []string{"x", "y"}, 2, sumDotTerms)
	widenedSums("sumDotReLU", "x, y, z *T", "is sumDot with x taken as 0 where z ≤ 0.", []string{"x", "y", "z"}, 2, func(acc, in []*reg) {
		sumDotTerms(acc, []*reg{passed(in[0], in[2]), in[1]})
	})
}

func sumDotTerms(acc, in []*reg) {
	x, y := widen(in[0]), widen(in[1])
	for i := range x {
		f64.accumulate("FADD", acc[i], x[i])
		f64.fma(acc[2+i], x[i], y[i])
	}
}

// widenedSums writes a kernel that returns count sums; term adds to 2·count
// accumulators and nothing where all inputs are 0.
func widenedSums(name, params, doc string, in []string, count int, term func(acc, in []*reg)) {
	returns := "(r0 float64)"
	if count == 2 {
		returns = "(r0, r1 float64)"
	}
	begin(f32, name+"Wide", "n int, "+params, returns, doc)
	acc := [][]*reg{zeros(2 * count), zeros(2 * count)}
	l := &loop{e: f32, unroll: 2, in: in}
	l.body = func(u int, in []*reg, _ bool) []*reg {
		term(acc[u], in)
		return nil
	}
	l.emit()
	for c := range count {
		s := sum(f64, []*reg{acc[0][2*c], acc[0][2*c+1], acc[1][2*c], acc[1][2*c+1]})
		result(f64, s, c)
	}
	ret()
}
