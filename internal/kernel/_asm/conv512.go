package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// convolution512 writes the packing of B from rows of any width.
func convolution512() { packPieces() }

// tapRows512 writes direct convolutions with few outputs, for which packing
// costs more than it saves.
func tapRows512() {
	for rows := 1; rows <= 4; rows++ {
		tapRows(rows)
	}
}

func packPieces() {
	fn(f32, "packPieces", "n int, img *T, offsets, starts, masks *int32, dst *T", "",
		"copies to dst, for each of n offsets, the 16 elements i at img+offset+starts[j]+i for the j below 4 whose mask has bit i, or 0.")
	n, offsets, dst := Load(Param("n"), GP64()), Load(Param("offsets"), GP64()), Load(Param("dst"), GP64())
	img, starts, masks := Load(Param("img"), GP64()), Load(Param("starts"), GP64()), Load(Param("masks"), GP64())
	var base, k [4]reg.Register
	for i := range 4 {
		base[i], k[i] = GP64(), K()
		MOVLQSX(Mem{Base: starts, Disp: 4 * i}, base[i])
		LEAQ(Mem{Base: img, Index: base[i], Scale: 4}, base[i])
		KMOVW(Mem{Base: masks, Disp: 4 * i}, k[i])
	}
	eachOffset(n, offsets, func(at reg.Register) {
		v := ZMM()
		VMOVUPS_Z(Mem{Base: base[0], Index: at, Scale: 4}, k[0], v)
		for i := 1; i < 4; i++ {
			VMOVUPS(Mem{Base: base[i], Index: at, Scale: 4}, k[i], v)
		}
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(I32(64), dst)
	})
}

// tapRowsRegs are the registers of a direct convolution.
type tapRowsRegs struct {
	rows                               int
	n, img, dst, ldd, taps, offsets, a reg.Register
}

// tapRows writes the direct convolution of one plane with few outputs.
func tapRows(rows int) {
	fn(f32, fmt.Sprintf("tapRows%d", rows), "n int, img *T, taps int, offsets *int32, a, dst *T, ldd int", "",
		fmt.Sprintf("stores in element i of row r of dst, rows ldd bytes apart, the sum over the taps of a[%d·t+r]·img[i+offsets[t]], for i below n and %d rows.", mr, rows))
	k := &tapRowsRegs{rows: rows}
	k.n, k.img, k.dst, k.ldd = Load(Param("n"), GP64()), Load(Param("img"), GP64()), Load(Param("dst"), GP64()), Load(Param("ldd"), GP64())
	k.taps, k.offsets, k.a = Load(Param("taps"), GP64()), Load(Param("offsets"), GP64()), Load(Param("a"), GP64())
	Label("wide")
	CMPQ(k.n, I32(64))
	JLT(LabelRef("single"))
	k.block("wide", 4, nil)
	JMP(LabelRef("wide"))
	Label("single")
	CMPQ(k.n, I32(16))
	JLT(LabelRef("last"))
	k.block("single", 1, nil)
	JMP(LabelRef("single"))
	Label("last")
	TESTQ(k.n, k.n)
	JLE(LabelRef("done"))
	k.block("last", 1, lowMask(k.n))
	Label("done")
	finish()
}

// block writes the sums of some vectors of every row; mask, unless nil, is that
// of the only one.
func (k *tapRowsRegs) block(name string, vectors int, mask reg.Register) {
	acc := cleared(f32z, k.rows*vectors)
	t, weights := GP64(), GP64()
	XORQ(t, t)
	MOVQ(k.a, weights)
	Label(name + "Tap")
	CMPQ(t, k.taps)
	JGE(LabelRef(name + "Store"))
	k.tap(t, weights, acc, vectors, mask)
	INCQ(t)
	ADDQ(I32(4*mr), weights)
	JMP(LabelRef(name + "Tap"))
	Label(name + "Store")
	row := GP64()
	MOVQ(k.dst, row)
	for i, v := range acc {
		to := Mem{Base: row, Disp: 64 * (i % vectors)}
		if mask == nil {
			VMOVUPS(v, to)
		} else {
			VMOVUPS(v, mask, to)
		}
		if i%vectors == vectors-1 {
			ADDQ(k.ldd, row)
		}
	}
	ADDQ(I32(int32(64*vectors)), k.img)
	ADDQ(I32(int32(64*vectors)), k.dst)
	SUBQ(I32(int32(16*vectors)), k.n)
}

// tap adds the products with one tap.
func (k *tapRowsRegs) tap(t, weights reg.Register, acc []vec, vectors int, mask reg.Register) {
	at := GP64()
	MOVLQSX(Mem{Base: k.offsets, Index: t, Scale: 4}, at)
	b := make([]vec, vectors)
	for j := range b {
		b[j] = ZMM()
		from := Mem{Base: k.img, Index: at, Scale: 4, Disp: 64 * j}
		if mask == nil {
			VMOVUPS(from, b[j])
		} else {
			VMOVUPS_Z(from, mask, b[j])
		}
	}
	for r := range k.rows {
		w := ZMM()
		VBROADCASTSS(Mem{Base: weights, Disp: 4 * r}, w)
		for j := range b {
			VFMADD231PS(b[j], w, acc[r*vectors+j])
		}
	}
}
