package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// mr is the height of a tile: mr×2 accumulators, two vectors of B and two
// broadcasts of A fill the sixteen YMM registers.
const mr = 6

func gemm() {
	for _, e := range []*elem{f32, f64} {
		for rows := 1; rows <= mr; rows++ {
			tile(e, rows)
		}
		packRows(e, 2*e.lanes, "B")
		packRows(e, mr, "A")
		packCols(e, 2*e.lanes, "B")
		packCols(e, mr, "A")
		dot4(e)
		axpy4(e)
	}
}

// tileRegs are the registers of a micro-kernel.
type tileRegs struct {
	e                     *elem
	rows                  int
	kc, a, b, ldb, c, ldc reg.Register
}

// tile writes the micro-kernel rows×2·lanes: C (+)= A·B with A packed in
// columns of mr elements and the rows of B ldb bytes apart.
func tile(e *elem, rows int) {
	w := 2 * e.lanes
	fn(e, fmt.Sprintf("tile%d", rows), "kc int, a, b *T, ldb int, c *T, ldc, cols int, add bool", "",
		fmt.Sprintf("computes C = A·B, or C += A·B with add, for a tile of %d×cols elements, cols from 1 to %d: A in packed columns of %d, the kc rows of B ldb bytes and those of C ldc bytes apart.", rows, w, mr))
	t := &tileRegs{e: e, rows: rows}
	t.kc = Load(Param("kc"), GP64())
	t.a = Load(Param("a"), GP64())
	t.b = Load(Param("b"), GP64())
	t.ldb = Load(Param("ldb"), GP64())
	t.c = Load(Param("c"), GP64())
	t.ldc = Load(Param("ldc"), GP64())
	cols := Load(Param("cols"), GP64())
	CMPQ(cols, I32(int32(e.lanes)))
	JLE(LabelRef("narrow"))
	t.variant("wide", 2, cols)
	Label("narrow")
	t.variant("slim", 1, cols)
}

// variant writes the loop over kc and the update of C for width vectors.
func (t *tileRegs) variant(name string, width int, cols reg.Register) {
	row := GP64()
	MOVQ(t.c, row)
	for r := range t.rows {
		PREFETCHT0(Mem{Base: row, Disp: 32*width - 4})
		if r+1 < t.rows {
			ADDQ(t.ldc, row)
		}
	}
	acc := zeros(t.rows * width)
	const unroll = 4
	Label(name + "Loop4")
	CMPQ(t.kc, I32(unroll))
	JLT(LabelRef(name + "Loop1"))
	if width == 2 {
		PREFETCHT0(Mem{Base: t.a, Disp: 512})
	}
	for u := range unroll {
		t.rank1(acc, width, u)
	}
	ADDQ(I32(int32(unroll*mr*t.e.size)), t.a)
	SUBQ(I32(unroll), t.kc)
	JMP(LabelRef(name + "Loop4"))
	Label(name + "Loop1")
	TESTQ(t.kc, t.kc)
	JLE(LabelRef(name + "Store"))
	t.rank1(acc, width, 0)
	ADDQ(I32(int32(mr*t.e.size)), t.a)
	DECQ(t.kc)
	JMP(LabelRef(name + "Loop1"))
	Label(name + "Store")
	t.store(name, acc, width, cols)
}

// rank1 adds column u of A times the next row of B.
func (t *tileRegs) rank1(acc []reg.VecVirtual, width, u int) {
	e := t.e
	b := make([]reg.VecVirtual, width)
	for j := range b {
		b[j] = YMM()
		e.load(Mem{Base: t.b, Disp: 32 * j}, b[j])
	}
	ADDQ(t.ldb, t.b)
	for r := range t.rows {
		a := YMM()
		e.bcastMem(Mem{Base: t.a, Disp: (u*mr + r) * e.size}, a)
		for j := range b {
			e.fma231(b[j], a, acc[r*width+j])
		}
	}
}

// store writes the accumulators to C, or adds them to it; a tile narrower
// than its vectors goes through masks.
func (t *tileRegs) store(name string, acc []reg.VecVirtual, width int, cols reg.Register) {
	add := GP8()
	Load(Param("add"), add)
	CMPQ(cols, I32(int32(width*t.e.lanes)))
	JNE(LabelRef(name + "Masked"))
	TESTB(add, add)
	JZ(LabelRef(name + "Overwrite"))
	t.eachRow(width, func(i int, at Mem) { t.e.add(at, acc[i], acc[i]); t.e.load(acc[i], at) })
	finish()
	Label(name + "Overwrite")
	t.eachRow(width, func(i int, at Mem) { t.e.load(acc[i], at) })
	finish()

	Label(name + "Masked")
	over := GP64()
	MOVQ(cols, over)
	if width == 2 {
		SUBQ(I32(int32(t.e.lanes)), over)
	}
	mask := tailMask(t.e, over) // of the last vector
	TESTB(add, add)
	JZ(LabelRef(name + "MaskedOverwrite"))
	t.eachRow(width, func(i int, at Mem) {
		if i%width < width-1 {
			t.e.add(at, acc[i], acc[i])
			t.e.load(acc[i], at)
			return
		}
		old := YMM()
		t.e.mask(at, mask, old)
		t.e.add(old, acc[i], acc[i])
		t.e.mask(acc[i], mask, at)
	})
	finish()
	Label(name + "MaskedOverwrite")
	t.eachRow(width, func(i int, at Mem) {
		if i%width < width-1 {
			t.e.load(acc[i], at)
			return
		}
		t.e.mask(acc[i], mask, at)
	})
	finish()
}

func (t *tileRegs) eachRow(width int, do func(i int, at Mem)) {
	row := GP64()
	MOVQ(t.c, row)
	for r := range t.rows {
		for j := range width {
			do(r*width+j, Mem{Base: row, Disp: 32 * j})
		}
		if r+1 < t.rows {
			ADDQ(t.ldc, row)
		}
	}
}

// packRows writes the packing of a panel whose elements lie side by side in
// memory: dst[p][0:w] = alpha·src[p·ld : p·ld+w].
func packRows(e *elem, w int, which string) {
	fn(e, "pack"+which+"Rows", "kc int, src *T, ld int, dst *T, alpha T", "",
		fmt.Sprintf("copies kc rows of %d elements, ld bytes apart, times alpha to dst.", w))
	kc := Load(Param("kc"), GP64())
	src := Load(Param("src"), GP64())
	ld := Load(Param("ld"), GP64())
	dst := Load(Param("dst"), GP64())
	alpha := scalar(e, "alpha")
	var mask reg.VecVirtual
	if rest := w % e.lanes; rest != 0 {
		n := GP64()
		MOVQ(I32(int32(rest)), n)
		mask = tailMask(e, n)
	}
	row := func() {
		for j := 0; j < w; j += e.lanes {
			v := YMM()
			from, to := Mem{Base: src, Disp: j * e.size}, Mem{Base: dst, Disp: j * e.size}
			if j+e.lanes > w {
				e.mask(from, mask, v)
				e.mul(alpha, v, v)
				e.mask(v, mask, to)
				continue
			}
			e.load(from, v)
			e.mul(alpha, v, v)
			e.load(v, to)
		}
		ADDQ(ld, src)
		ADDQ(I32(int32(w*e.size)), dst)
	}
	ahead := GP64()
	MOVQ(ld, ahead)
	SHLQ(Imm(3), ahead)
	Label("four")
	CMPQ(kc, I32(4))
	JLT(LabelRef("one"))
	for range 4 {
		PREFETCHT0(Mem{Base: src, Index: ahead, Scale: 1})
		row()
	}
	SUBQ(I32(4), kc)
	JMP(LabelRef("four"))
	Label("one")
	TESTQ(kc, kc)
	JLE(LabelRef("done"))
	row()
	DECQ(kc)
	JMP(LabelRef("one"))
	Label("done")
	finish()
}

// packCols writes the packing of a panel whose elements are ld bytes apart:
// dst[p][i] = alpha·src[i·ld + p], by transposing squares of lanes×lanes.
func packCols(e *elem, w int, which string) {
	fn(e, "pack"+which+"Cols", "kc int, src *T, ld int, dst *T, alpha T", "",
		fmt.Sprintf("transposes %d rows of kc elements, ld bytes apart, times alpha into dst, %d elements for each of kc; kc is a multiple of %d.", w, w, e.lanes))
	kc := Load(Param("kc"), GP64())
	src := Load(Param("src"), GP64())
	ld := Load(Param("ld"), GP64())
	dst := Load(Param("dst"), GP64())
	alpha := scalar(e, "alpha")
	Label("square")
	TESTQ(kc, kc)
	JLE(LabelRef("done"))
	at := GP64()
	MOVQ(src, at)
	for first := 0; first < w; first += e.lanes {
		count := min(e.lanes, w-first)
		rows := make([]reg.VecVirtual, e.lanes)
		for i := range rows {
			rows[i] = YMM()
			if i >= count {
				VXORPS(rows[i], rows[i], rows[i])
				continue
			}
			e.load(Mem{Base: at}, rows[i])
			e.mul(alpha, rows[i], rows[i])
			ADDQ(ld, at)
		}
		transpose(e, rows)
		for i, v := range rows {
			to := Mem{Base: dst, Disp: (i*w + first) * e.size}
			storeLow(e, v, count, to)
		}
	}
	ADDQ(I32(32), src)
	ADDQ(I32(int32(e.lanes*w*e.size)), dst)
	SUBQ(I32(int32(e.lanes)), kc)
	JMP(LabelRef("square"))
	Label("done")
	finish()
}

// storeLow stores the first count lanes, count even.
func storeLow(e *elem, v reg.VecVirtual, count int, to Mem) {
	switch {
	case count == e.lanes:
		e.load(v, to)
	case e == f64: // 2 of 4
		VMOVUPD(v.AsX(), to)
	default: // 6 of 8
		VMOVUPS(v.AsX(), to)
		high := XMM()
		VEXTRACTF128(Imm(1), v, high)
		VMOVLPS(high, to.Offset(16))
	}
}

// transpose exchanges rows and columns of a square of registers in place.
func transpose(e *elem, r []reg.VecVirtual) {
	if e == f64 {
		transpose4(r)
		return
	}
	t := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	s := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			s[i+2*j], s[i+2*j+1] = YMM(), YMM()
			VSHUFPS(Imm(0x44), t[i+2+j], t[i+j], s[i+2*j])
			VSHUFPS(Imm(0xee), t[i+2+j], t[i+j], s[i+2*j+1])
		}
	}
	for i := range 4 {
		low, high := YMM(), YMM()
		VPERM2F128(Imm(0x20), s[i+4], s[i], low)
		VPERM2F128(Imm(0x31), s[i+4], s[i], high)
		r[i], r[i+4] = low, high
	}
}

func transpose4(r []reg.VecVirtual) {
	t := make([]reg.VecVirtual, 4)
	for i := 0; i < 4; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPD(r[i+1], r[i], t[i])
		VUNPCKHPD(r[i+1], r[i], t[i+1])
	}
	for i := range 2 {
		low, high := YMM(), YMM()
		VPERM2F128(Imm(0x20), t[i+2], t[i], low)
		VPERM2F128(Imm(0x31), t[i+2], t[i], high)
		r[i], r[i+2] = low, high
	}
}

// dot4 writes four dot products with one vector.
func dot4(e *elem) {
	fn(e, "dot4", "n int, a *T, ld int, x, out *T", "", "stores in out[0:4] the products of x with four rows of a, ld bytes apart.")
	n := Load(Param("n"), GP64())
	ld := Load(Param("ld"), GP64())
	x := Load(Param("x"), GP64())
	row := make([]reg.Register, 4)
	row[0] = Load(Param("a"), GP64())
	for i := 1; i < 4; i++ {
		row[i] = GP64()
		LEAQ(Mem{Base: row[i-1], Index: ld, Scale: 1}, row[i])
	}
	acc := zeros(8)
	at := GP64()
	XORQ(at, at)
	step := func(vectors int, mask reg.VecVirtual) {
		for u := range vectors {
			v := YMM()
			if mask == nil {
				e.load(Mem{Base: x, Index: at, Scale: 1, Disp: 32 * u}, v)
			} else {
				e.mask(Mem{Base: x, Index: at, Scale: 1}, mask, v)
			}
			for i, r := range row {
				from := Mem{Base: r, Index: at, Scale: 1, Disp: 32 * u}
				if mask == nil {
					e.fma231(from, v, acc[2*i+u])
					continue
				}
				w := YMM()
				e.mask(from, mask, w)
				e.fma231(w, v, acc[2*i+u])
			}
		}
		ADDQ(I32(int32(32*vectors)), at)
		SUBQ(I32(int32(e.lanes*vectors)), n)
	}
	Label("wide")
	CMPQ(n, I32(int32(2*e.lanes)))
	JLT(LabelRef("single"))
	step(2, nil)
	JMP(LabelRef("wide"))
	Label("single")
	CMPQ(n, I32(int32(e.lanes)))
	JLT(LabelRef("last"))
	step(1, nil)
	Label("last")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	step(1, tailMask(e, n))
	Label("done")
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
	n := Load(Param("n"), GP64())
	ld := Load(Param("ld"), GP64())
	y := Load(Param("y"), GP64())
	coef := Load(Param("coef"), GP64())
	row := make([]reg.Register, 4)
	row[0] = Load(Param("a"), GP64())
	var c []reg.VecVirtual
	for i := range 4 {
		if i > 0 {
			row[i] = GP64()
			LEAQ(Mem{Base: row[i-1], Index: ld, Scale: 1}, row[i])
		}
		v := YMM()
		e.bcastMem(Mem{Base: coef, Disp: i * e.size}, v)
		c = append(c, v)
	}
	at := GP64()
	XORQ(at, at)
	step := func(vectors int, mask reg.VecVirtual) {
		for u := range vectors {
			v := YMM()
			to := Mem{Base: y, Index: at, Scale: 1, Disp: 32 * u}
			if mask == nil {
				e.load(to, v)
			} else {
				e.mask(to, mask, v)
			}
			for i, r := range row {
				from := Mem{Base: r, Index: at, Scale: 1, Disp: 32 * u}
				if mask == nil {
					e.fma231(from, c[i], v)
					continue
				}
				w := YMM()
				e.mask(from, mask, w)
				e.fma231(w, c[i], v)
			}
			if mask == nil {
				e.load(v, to)
			} else {
				e.mask(v, mask, to)
			}
		}
		ADDQ(I32(int32(32*vectors)), at)
		SUBQ(I32(int32(e.lanes*vectors)), n)
	}
	Label("wide")
	CMPQ(n, I32(int32(4*e.lanes)))
	JLT(LabelRef("single"))
	step(4, nil)
	JMP(LabelRef("wide"))
	Label("single")
	CMPQ(n, I32(int32(e.lanes)))
	JLT(LabelRef("last"))
	step(1, nil)
	JMP(LabelRef("single"))
	Label("last")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	step(1, tailMask(e, n))
	Label("done")
	finish()
}
