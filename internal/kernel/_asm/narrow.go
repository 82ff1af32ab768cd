package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// fourRows are the registers of a kernel that walks along four rows of a and
// one vector.
type fourRows struct {
	e   *elem
	n   reg.Register
	at  reg.Register // byte offset
	row [4]reg.Register
	vec reg.Register
}

func loadFourRows(e *elem, vector string) *fourRows {
	f := &fourRows{e: e, n: Load(Param("n"), GP64()), at: GP64(), vec: Load(Param(vector), GP64())}
	ld := Load(Param("ld"), GP64())
	f.row[0] = Load(Param("a"), GP64())
	for i := 1; i < 4; i++ {
		f.row[i] = GP64()
		LEAQ(Mem{Base: f.row[i-1], Index: ld, Scale: 1}, f.row[i])
	}
	XORQ(f.at, f.at)
	return f
}

// place is vector u of base.
func (f *fourRows) place(base reg.Register, u int) Mem {
	return Mem{Base: base, Index: f.at, Scale: 1, Disp: 32 * u}
}

func (f *fourRows) load(base reg.Register, u int, mask vec) vec {
	v := YMM()
	if mask == nil {
		f.e.load(f.place(base, u), v)
	} else {
		f.e.mask(f.place(base, u), mask, v)
	}
	return v
}

// multiplyAdd adds row r times x to acc.
func (f *fourRows) multiplyAdd(r, u int, x, acc, mask vec) {
	if mask == nil {
		f.e.fma231(f.place(f.row[r], u), x, acc)
		return
	}
	f.e.fma231(f.load(f.row[r], u, mask), x, acc)
}

// run emits body for wide steps of vectors, single vectors and a masked rest.
func (f *fourRows) run(vectors int, body func(u int, mask vec)) {
	step := func(count int) {
		for u := range count {
			body(u, nil)
		}
		ADDQ(I32(int32(32*count)), f.at)
		SUBQ(I32(int32(f.e.lanes*count)), f.n)
	}
	Label("wide")
	CMPQ(f.n, I32(int32(f.e.lanes*vectors)))
	JLT(LabelRef("single"))
	step(vectors)
	JMP(LabelRef("wide"))
	Label("single")
	CMPQ(f.n, I32(int32(f.e.lanes)))
	JLT(LabelRef("last"))
	step(1)
	JMP(LabelRef("single"))
	Label("last")
	TESTQ(f.n, f.n)
	JLE(LabelRef("done"))
	body(0, tailMask(f.e, f.n))
	Label("done")
}

// dot4 writes four dot products with one vector.
func dot4(e *elem) {
	fn(e, "dot4", "n int, a *T, ld int, x, out *T", "", "stores in out[0:4] the products of x with four rows of a, ld bytes apart.")
	f := loadFourRows(e, "x")
	acc := zeros(8)
	f.run(2, func(u int, mask vec) {
		x := f.load(f.vec, u, mask)
		for r := range f.row {
			f.multiplyAdd(r, u, x, acc[2*r+u], mask)
		}
	})
	out := Load(Param("out"), GP64())
	for i := range 4 {
		s := sum(e, acc[2*i:2*i+2])
		if e == f32 {
			VMOVSS(s, Mem{Base: out, Disp: 4 * i})
		} else {
			VMOVSD(s, Mem{Base: out, Disp: 8 * i})
		}
	}
	finish()
}

// axpy4 writes y += Σ coef[i]·row i of a.
func axpy4(e *elem) {
	fn(e, "axpy4", "n int, a *T, ld int, coef, y *T", "", "adds to y the sum of four rows of a, ld bytes apart, times coef[0:4].")
	f := loadFourRows(e, "y")
	coef := Load(Param("coef"), GP64())
	var c [4]vec
	for i := range c {
		c[i] = YMM()
		e.bcastMem(Mem{Base: coef, Disp: i * e.size}, c[i])
	}
	f.run(4, func(u int, mask vec) {
		y := f.load(f.vec, u, mask)
		for r := range f.row {
			f.multiplyAdd(r, u, c[r], y, mask)
		}
		if mask == nil {
			e.load(y, f.place(f.vec, u))
		} else {
			e.mask(y, mask, f.place(f.vec, u))
		}
	})
	finish()
}
