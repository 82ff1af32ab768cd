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
