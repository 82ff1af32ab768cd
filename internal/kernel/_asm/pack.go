package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
