package main

// vector writes the elementwise kernels and reductions that both element
// types share.
func vector() {
	for _, e := range []*elem{f32, f64} {
		axpy(e)
		scale(e)
		binary(e, "mul", "the elementwise product of x and y", e.mul)
		binary(e, "add", "the elementwise sum of x and y", e.add)
		reduce(e, "sum", "x *T", []string{"x"}, "returns the sum of x", func(acc *reg, in []*reg) { e.accumulate("FADD", acc, in[0]) })
		reduce(e, "dot", "x, y *T", []string{"x", "y"}, "returns the sum of the products of x and y", func(acc *reg, in []*reg) { e.fma(acc, in[0], in[1]) })
		maximum(e)
	}
}

// mapping writes a kernel that computes every output element from the input
// elements of the same index; setup loads scalars.
func mapping(e *elem, name, params, doc string, unroll int, in, out []string, setup func() func(in []*reg) []*reg) {
	begin(e, name, params, "", doc)
	step := setup()
	l := &loop{e: e, unroll: unroll, in: in, out: out}
	l.body = func(_ int, in []*reg, _ bool) []*reg { return step(in) }
	l.emit()
	ret()
}

func axpy(e *elem) {
	mapping(e, "axpy", "n int, alpha T, x, y *T", "adds alpha·x to y.", 4, []string{"x", "y"}, []string{"y"}, func() func(in []*reg) []*reg {
		alpha := scalar(e, "alpha")
		return func(in []*reg) []*reg {
			e.fma(in[1], in[0], alpha)
			return in[1:]
		}
	})
}

func scale(e *elem) {
	mapping(e, "scale", "n int, alpha T, x, dst *T", "stores alpha·x in dst.", 4, []string{"x"}, []string{"dst"}, func() func(in []*reg) []*reg {
		alpha := scalar(e, "alpha")
		return func(in []*reg) []*reg { return []*reg{e.mul(in[0], alpha)} }
	})
}

func binary(e *elem, name, what string, op func(a, b *reg) *reg) {
	mapping(e, name, "n int, x, y, dst *T", "stores "+what+" in dst.", 4, []string{"x", "y"}, []string{"dst"}, func() func(in []*reg) []*reg {
		return func(in []*reg) []*reg { return []*reg{op(in[0], in[1])} }
	})
}

// reduce writes a sum of terms that are zero where all inputs are.
func reduce(e *elem, name, params string, in []string, what string, term func(acc *reg, in []*reg)) {
	begin(e, name, "n int, "+params, "T", what+".")
	acc := zeros(4)
	l := &loop{e: e, unroll: 4, in: in}
	l.body = func(u int, in []*reg, _ bool) []*reg {
		term(acc[u], in)
		return nil
	}
	l.emit()
	result(e, sum(e, acc), 0)
	ret()
}

// maximum writes the largest element.
func maximum(e *elem) {
	begin(e, "max", "n int, x *T", "T", "returns the largest element of x, −Inf for none. Whether NaN elements count is not defined.")
	acc := lowest(e)
	l := &loop{e: e, unroll: 4, in: []string{"x"}, repeat: true}
	l.body = func(u int, in []*reg, _ bool) []*reg {
		e.accumulate("FMAX", acc[u], in[0])
		return nil
	}
	l.emit()
	result(e, maxLanes(e, acc), 0)
	ret()
}

// lowest returns four registers of −Inf.
func lowest(e *elem) []*reg {
	acc := make([]*reg, 4)
	for i := range acc {
		acc[i] = e.bits(e.negInf())
	}
	return acc
}
