package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type vec = reg.VecVirtual

// vector writes the elementwise kernels and reductions that both element
// types share.
func vector() {
	for _, e := range []*elem{f32, f64} {
		axpy(e)
		scale(e)
		binary(e, "mul", "the elementwise product of x and y", e.mul)
		binary(e, "add", "the elementwise sum of x and y", e.add)
		reduce(e, "sum", "x *T", []string{"x"}, "returns the sum of x", func(acc vec, in []vec) { e.add(in[0], acc, acc) })
		reduce(e, "dot", "x, y *T", []string{"x", "y"}, "returns the sum of the products of x and y", func(acc vec, in []vec) { e.fma231(in[0], in[1], acc) })
		maximum(e)
	}
}

func axpy(e *elem) {
	fn(e, "axpy", "n int, alpha T, x, y *T", "", "adds alpha·x to y.")
	alpha := scalar(e, "alpha")
	l := &loop{e: e, unroll: 4, in: []string{"x", "y"}, out: []string{"y"}}
	l.body = func(_ int, in []vec, _ reg.Register) []vec {
		e.fma231(in[0], alpha, in[1])
		return in[1:]
	}
	l.emit()
	finish()
}

func scale(e *elem) {
	fn(e, "scale", "n int, alpha T, x, dst *T", "", "stores alpha·x in dst.")
	alpha := scalar(e, "alpha")
	l := &loop{e: e, unroll: 4, in: []string{"x"}, out: []string{"dst"}}
	l.body = func(_ int, in []vec, _ reg.Register) []vec {
		e.mul(alpha, in[0], in[0])
		return in
	}
	l.emit()
	finish()
}

func binary(e *elem, name, what string, op func(...Op)) {
	fn(e, name, "n int, x, y, dst *T", "", "stores "+what+" in dst.")
	l := &loop{e: e, unroll: 4, in: []string{"x", "y"}, out: []string{"dst"}}
	l.body = func(_ int, in []vec, _ reg.Register) []vec {
		op(in[1], in[0], in[0])
		return in[:1]
	}
	l.emit()
	finish()
}

// reduce writes a sum of terms that are zero where all inputs are.
func reduce(e *elem, name, params string, in []string, what string, term func(acc vec, in []vec)) {
	fn(e, name, "n int, "+params, "T", what+".")
	acc := zeros(4)
	l := &loop{e: e, unroll: 4, in: in}
	l.body = func(u int, in []vec, _ reg.Register) []vec {
		term(acc[u], in)
		return nil
	}
	l.emit()
	s := sum(e, acc)
	result(e, s, 0)
	finish()
}

// maximum writes the largest element; NaN elements may be ignored or win.
func maximum(e *elem) {
	fn(e, "max", "n int, x *T", "T", "returns the largest element of x, −Inf for none. Whether NaN elements count is not defined.")
	low := negInf(e)
	acc := make([]vec, 4)
	for i := range acc {
		acc[i] = e.constant(low)
	}
	l := &loop{e: e, unroll: 4, in: []string{"x"}}
	l.body = func(u int, in []vec, mask reg.Register) []vec {
		e.maxi(fill(e, in[0], mask, low), acc[u], acc[u])
		return nil
	}
	l.emit()
	result(e, maxLanes(e, acc), 0)
	finish()
}

func negInf(e *elem) Mem {
	if e.size == 4 {
		return bits(e, 0xff800000)
	}
	return bits(e, 0xfff0000000000000)
}

// fill replaces the lanes outside the mask by those of rest.
func fill(e *elem, v vec, mask reg.Register, rest Mem) vec {
	if mask == nil {
		return v
	}
	r := e.constant(rest)
	switch {
	case e.zmm:
		e.load(v, mask, r)
	case e.size == 4:
		VBLENDVPS(mask, v, r, r)
	default:
		VBLENDVPD(mask, v, r, r)
	}
	return r
}

// maxLanes joins the accumulators and returns the low XMM of their maximum.
func maxLanes(e *elem, acc []vec) vec {
	for i := range acc[1:] {
		e.maxi(acc[i+1], acc[0], acc[0])
	}
	low, high, all := XMM(), XMM(), halve(e, acc[0], e.maxi)
	VEXTRACTF128(Imm(1), all, high)
	e.maxi(high, all.AsX(), low)
	if e.size == 4 {
		VMOVHLPS(low, low, high)
		VMAXPS(high, low, low)
		VMOVSHDUP(low, high)
		VMAXSS(high, low, low)
		return low
	}
	VUNPCKHPD(low, low, high)
	VMAXSD(high, low, low)
	return low
}
