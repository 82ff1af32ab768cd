package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// planes writes loops over rows with numbers of their own, which may be short: a
// call each is dear.
func planes() {
	limitRows()
	normalizeRows()
	normalizeEach()
	scaleRows()
	foldRows("sumRows", "x, dst *T, divisor float64", []string{"x"}, "stores the sum of each of rows of n elements, divided by divisor, in dst; sums are float64.")
	foldRows("dotRows", "x, y, dst *T, divisor float64", []string{"x", "y"}, "stores the product of rows of n elements of x and y, divided by divisor, in dst; sums are float64.")
}

// limitRows writes the epilogue of products.
func limitRows() {
	fn(f32, "limitRows", "rows, n int, x *T, ld int, bias *T, low, high T", "",
		"adds bias, one number a row, to rows of n elements, ld bytes apart, and limits the sums to [low, high]. NaN stays.")
	x, ld, bias := Load(Param("x"), GP64()), Load(Param("ld"), GP64()), Load(Param("bias"), GP64())
	low, high := scalar(f32, "low"), scalar(f32, "high")
	b := YMM()
	eachRow(x, x, func() { VBROADCASTSS(Mem{Base: bias}, b) }, func(v vec) {
		VADDPS(b, v, v)
		VMAXPS(v, low, v)
		VMINPS(v, high, v)
	}, func() {
		ADDQ(ld, x)
		ADDQ(I32(4), bias)
	})
}

// normalizeRows writes batch normalization.
func normalizeRows() {
	fn(f32, "normalizeRows", "rows, n int, x, table, dst *T, low, high T", "",
		"stores a·(x−mean) + b, limited to [low, high], of rows of n elements in dst; table has mean, a and b of each row. NaN stays.")
	x, dst, table := Load(Param("x"), GP64()), Load(Param("dst"), GP64()), Load(Param("table"), GP64())
	low, high := scalar(f32, "low"), scalar(f32, "high")
	mean, a, b := YMM(), YMM(), YMM()
	eachRow(x, dst, func() {
		VBROADCASTSS(Mem{Base: table}, mean)
		VBROADCASTSS(Mem{Base: table, Disp: 4}, a)
		VBROADCASTSS(Mem{Base: table, Disp: 8}, b)
	}, func(v vec) {
		VSUBPS(mean, v, v)
		VFMADD213PS(b, a, v)
		VMAXPS(v, low, v)
		VMINPS(v, high, v)
	}, func() {
		size := Load(Param("n"), GP64())
		SHLQ(U8(2), size)
		ADDQ(size, x)
		ADDQ(size, dst)
		ADDQ(I32(12), table)
	})
}

// normalizeEach writes batch normalization of short rows.
func normalizeEach() {
	fn(f32, "normalizeEach", "n int, low, high T, x, mean, a, b, dst *T", "", "stores a·(x−mean) + b, limited to [low, high], in dst. NaN stays.")
	low, high := scalar(f32, "low"), scalar(f32, "high")
	l := &loop{e: f32, unroll: 2, in: []string{"x", "mean", "a", "b"}, out: []string{"dst"}}
	l.body = func(_ int, in []vec, _ reg.Register) []vec {
		v := in[0]
		VSUBPS(in[1], v, v)
		VFMADD213PS(in[3], in[2], v)
		VMAXPS(v, low, v)
		VMINPS(v, high, v)
		return in[:1]
	}
	l.emit()
	finish()
}

// scaleRows writes the product of planes and a number each.
func scaleRows() {
	fn(f32, "scaleRows", "rows, n int, x, a, dst *T", "", "stores rows of n elements times a number of a each in dst.")
	x, dst, a, b := Load(Param("x"), GP64()), Load(Param("dst"), GP64()), Load(Param("a"), GP64()), YMM()
	eachRow(x, dst, func() { VBROADCASTSS(Mem{Base: a}, b) }, func(v vec) { VMULPS(b, v, v) }, func() {
		size := Load(Param("n"), GP64())
		SHLQ(U8(2), size)
		ADDQ(size, x)
		ADDQ(size, dst)
		ADDQ(I32(4), a)
	})
}

// foldRows writes a sum over rows of the product of the inputs.
func foldRows(name, params string, inputs []string, doc string) {
	fn(f32, name, "rows, n int, "+params, "", doc)
	rows, dst := Load(Param("rows"), GP64()), Load(Param("dst"), GP64())
	var in []reg.Register
	for _, p := range inputs {
		in = append(in, Load(Param(p), GP64()))
	}
	divisor := scalar(f64, "divisor")
	Label("row")
	TESTQ(rows, rows)
	JLE(LabelRef("done"))
	n, acc := Load(Param("n"), GP64()), cleared(f64, 2)
	add := func(load func(p reg.Register, v vec)) {
		var halves [2][]vec
		for _, p := range in {
			v, high := YMM(), XMM()
			load(p, v)
			VEXTRACTF128(Imm(1), v, high)
			for i, half := range []reg.Register{v.AsX(), high} {
				wide := YMM()
				VCVTPS2PD(half, wide)
				halves[i] = append(halves[i], wide)
			}
		}
		for i, h := range halves {
			if len(h) == 1 {
				VADDPD(h[0], acc[i], acc[i])
			} else {
				VFMADD231PD(h[0], h[1], acc[i])
			}
		}
	}
	Label("eight")
	CMPQ(n, I32(8))
	JLT(LabelRef("last"))
	add(func(p reg.Register, v vec) { VMOVUPS(Mem{Base: p}, v) })
	for _, p := range in {
		ADDQ(I32(32), p)
	}
	SUBQ(I32(8), n)
	JMP(LabelRef("eight"))
	Label("last")
	TESTQ(n, n)
	JLE(LabelRef("end"))
	mask := tailMask(f32, n)
	add(func(p reg.Register, v vec) { VMASKMOVPS(Mem{Base: p}, mask, v) })
	for _, p := range in {
		LEAQ(Mem{Base: p, Index: n, Scale: 4}, p)
	}
	Label("end")
	total := sum(f64, acc)
	VDIVSD(divisor.AsX(), total, total)
	VCVTSD2SS(total, total, total)
	VMOVSS(total, Mem{Base: dst})
	ADDQ(I32(4), dst)
	DECQ(rows)
	JMP(LabelRef("row"))
	Label("done")
	finish()
}

// eachRow writes the loop over rows of n elements: before runs once a row, body
// changes a vector, and after goes to the next row.
func eachRow(src, dst reg.Register, before func(), body func(v vec), after func()) {
	rows, n := Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	rest, whole := GP64(), GP64()
	MOVQ(n, rest)
	ANDQ(I32(7), rest)
	mask := tailMask(f32, rest)
	MOVQ(n, whole)
	SUBQ(rest, whole)
	Label("row")
	TESTQ(rows, rows)
	JLE(LabelRef("done"))
	before()
	at, v := GP64(), YMM()
	XORQ(at, at)
	from, to := Mem{Base: src, Index: at, Scale: 4}, Mem{Base: dst, Index: at, Scale: 4}
	Label("eight")
	CMPQ(at, whole)
	JGE(LabelRef("last"))
	VMOVUPS(from, v)
	body(v)
	VMOVUPS(v, to)
	ADDQ(I32(8), at)
	JMP(LabelRef("eight"))
	Label("last")
	TESTQ(rest, rest)
	JLE(LabelRef("end"))
	VMASKMOVPS(from, mask, v)
	body(v)
	VMASKMOVPS(v, mask, to)
	Label("end")
	after()
	DECQ(rows)
	JMP(LabelRef("row"))
	Label("done")
	finish()
}
