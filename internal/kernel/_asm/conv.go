package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// convolution writes the packing of B straight from an image, and sums over
// the taps of one plane.
func convolution() {
	packRuns()
	packGather()
	packGatherRows()
	packQuads()
	spread()
	copyRows()
	finishRows()
	taps()
	maxTaps()
}

// eachOffset writes the loop over n offsets: body gets a register with the
// byte offset of the next one.
func eachOffset(n, offsets reg.Register, body func(at reg.Register)) {
	Label("next")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	at := GP64()
	MOVLQSX(Mem{Base: offsets}, at)
	body(at)
	ADDQ(I32(4), offsets)
	DECQ(n)
	JMP(LabelRef("next"))
	Label("done")
	finish()
}

func packRuns() {
	fn(f32, "packRun16", "n int, img *T, offsets *int32, dst *T", "", "copies to dst, for each of n offsets, the 16 elements at img+offset.")
	n, img, offsets, dst := Load(Param("n"), GP64()), Load(Param("img"), GP64()), Load(Param("offsets"), GP64()), Load(Param("dst"), GP64())
	eachOffset(n, offsets, func(at reg.Register) {
		a, b := YMM(), YMM()
		VMOVUPS(Mem{Base: img, Index: at, Scale: 4}, a)
		VMOVUPS(Mem{Base: img, Index: at, Scale: 4, Disp: 32}, b)
		VMOVUPS(a, Mem{Base: dst})
		VMOVUPS(b, Mem{Base: dst, Disp: 32})
		ADDQ(I32(64), dst)
	})

	fn(f32, "packRun8", "n int, img0, img1 *T, offsets *int32, dst *T", "", "copies to dst, for each of n offsets, the 8 elements at img0+offset and at img1+offset.")
	n, offsets, dst = Load(Param("n"), GP64()), Load(Param("offsets"), GP64()), Load(Param("dst"), GP64())
	img0, img1 := Load(Param("img0"), GP64()), Load(Param("img1"), GP64())
	eachOffset(n, offsets, func(at reg.Register) {
		a, b := YMM(), YMM()
		VMOVUPS(Mem{Base: img0, Index: at, Scale: 4}, a)
		VMOVUPS(Mem{Base: img1, Index: at, Scale: 4}, b)
		VMOVUPS(a, Mem{Base: dst})
		VMOVUPS(b, Mem{Base: dst, Disp: 32})
		ADDQ(I32(64), dst)
	})

	fn(f32, "packRun4", "n int, img0, img1, img2, img3 *T, offsets *int32, dst *T", "", "copies to dst, for each of n offsets, the 4 elements at each img+offset.")
	n, offsets, dst = Load(Param("n"), GP64()), Load(Param("offsets"), GP64()), Load(Param("dst"), GP64())
	var imgs []reg.Register
	for _, name := range []string{"img0", "img1", "img2", "img3"} {
		imgs = append(imgs, Load(Param(name), GP64()))
	}
	eachOffset(n, offsets, func(at reg.Register) {
		for i, p := range imgs {
			x := XMM()
			VMOVUPS(Mem{Base: p, Index: at, Scale: 4}, x)
			VMOVUPS(x, Mem{Base: dst, Disp: 16 * i})
		}
		ADDQ(I32(64), dst)
	})
}

func packGather() {
	fn(f32, "packGather", "n int, img *T, offsets, lanes *int32, dst *T", "", "copies to dst, for each of n offsets, the 16 elements at img+offset+lanes[0:16].")
	n, img, offsets, dst := Load(Param("n"), GP64()), Load(Param("img"), GP64()), Load(Param("offsets"), GP64()), Load(Param("dst"), GP64())
	lanes := Load(Param("lanes"), GP64())
	low, high := YMM(), YMM()
	VMOVDQU(Mem{Base: lanes}, low)
	VMOVDQU(Mem{Base: lanes, Disp: 32}, high)
	eachOffset(n, offsets, func(at reg.Register) {
		base := GP64()
		LEAQ(Mem{Base: img, Index: at, Scale: 4}, base)
		for i, index := range []vec{low, high} {
			mask, v := YMM(), YMM()
			VPCMPEQD(mask, mask, mask)
			VXORPS(v, v, v)
			VGATHERDPS(mask, Mem{Base: base, Index: index, Scale: 4}, v)
			VMOVUPS(v, Mem{Base: dst, Disp: 32 * i})
		}
		ADDQ(I32(64), dst)
	})
}

// packGatherRows packs mr weights for each tap.
func packGatherRows() {
	fn(f32, "packGather6", "n int, w *T, offsets, lanes *int32, dst *T", "", "copies to dst, for each of n offsets, the 6 elements at w+offset+lanes[0:6]; lanes has 8 elements.")
	n, w, offsets, dst := Load(Param("n"), GP64()), Load(Param("w"), GP64()), Load(Param("offsets"), GP64()), Load(Param("dst"), GP64())
	lanes := Load(Param("lanes"), GP64())
	index := YMM()
	VMOVDQU(Mem{Base: lanes}, index)
	count := GP64()
	MOVQ(I32(mr), count)
	first := tailMask(f32, count)
	eachOffset(n, offsets, func(at reg.Register) {
		base, mask, v := GP64(), YMM(), YMM()
		LEAQ(Mem{Base: w, Index: at, Scale: 4}, base)
		VMOVUPS(first, mask)
		VXORPS(v, v, v)
		VGATHERDPS(mask, Mem{Base: base, Index: index, Scale: 4}, v)
		storeLow(f32, v, mr, Mem{Base: dst})
		ADDQ(I32(4*mr), dst)
	})
}

// taps writes the direct convolution of one plane at stride 1.
func taps() {
	fn(f32, "taps", "n int, img *T, taps int, offsets *int32, w, dst *T", "", "stores in dst[i] the sum over the taps of w[t]·img[i+offsets[t]], for i below n.")
	n, img, dst := Load(Param("n"), GP64()), Load(Param("img"), GP64()), Load(Param("dst"), GP64())
	count, offsets, weights := Load(Param("taps"), GP64()), Load(Param("offsets"), GP64()), Load(Param("w"), GP64())
	block := func(name string, vectors int, mask vec) {
		acc := zeros(vectors)
		t := GP64()
		XORQ(t, t)
		Label(name + "Tap")
		at, w := GP64(), YMM()
		MOVLQSX(Mem{Base: offsets, Index: t, Scale: 4}, at)
		VBROADCASTSS(Mem{Base: weights, Index: t, Scale: 4}, w)
		for i := range acc {
			from := Mem{Base: img, Index: at, Scale: 4, Disp: 32 * i}
			if mask == nil {
				VFMADD231PS(from, w, acc[i])
				continue
			}
			v := YMM()
			VMASKMOVPS(from, mask, v)
			VFMADD231PS(v, w, acc[i])
		}
		INCQ(t)
		CMPQ(t, count)
		JLT(LabelRef(name + "Tap"))
		for i := range acc {
			if mask == nil {
				VMOVUPS(acc[i], Mem{Base: dst, Disp: 32 * i})
			} else {
				VMASKMOVPS(acc[i], mask, Mem{Base: dst})
			}
		}
		ADDQ(I32(int32(32*vectors)), img)
		ADDQ(I32(int32(32*vectors)), dst)
		SUBQ(I32(int32(8*vectors)), n)
	}
	Label("wide")
	CMPQ(n, I32(64))
	JLT(LabelRef("single"))
	block("wide", 8, nil)
	JMP(LabelRef("wide"))
	Label("single")
	CMPQ(n, I32(8))
	JLT(LabelRef("last"))
	block("single", 1, nil)
	JMP(LabelRef("single"))
	Label("last")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	block("last", 1, tailMask(f32, n))
	Label("done")
	finish()
}

// maxTaps writes the maximum over the taps of one plane at stride 1, and where
// it came from. NaN wins, and stays.
func maxTaps() {
	fn(f32, "maxTaps", "n int, img *T, taps int, offsets, deltas *int32, dst, places *T", "",
		"stores in dst[i] the largest img[i+offsets[t]], −Inf if none is greater, and in places[i] the bits of its deltas[t], or of −1.")
	count, offsets, deltas := Load(Param("taps"), GP64()), Load(Param("offsets"), GP64()), Load(Param("deltas"), GP64())
	img := Load(Param("img"), GP64())
	at := GP64() // the byte offset of the outputs
	XORQ(at, at)
	l := &loop{e: f32, unroll: 1, out: []string{"dst", "places"}}
	l.body = func(_ int, _ []vec, mask reg.Register) []vec {
		name := "whole"
		if mask != nil {
			name = "last"
		}
		best, place := YMM(), YMM()
		VMOVUPS(negInf(f32), best)
		VPCMPEQD(place, place, place)
		t := GP64()
		XORQ(t, t)
		Label(name + "Tap")
		off, v, delta := GP64(), YMM(), YMM()
		MOVLQSX(Mem{Base: offsets, Index: t, Scale: 4}, off)
		LEAQ(Mem{Base: at, Index: off, Scale: 4}, off)
		from := Mem{Base: img, Index: off, Scale: 1}
		if mask == nil {
			VMOVUPS(from, v)
		} else {
			VMASKMOVPS(from, mask, v)
		}
		VBROADCASTSS(Mem{Base: deltas, Index: t, Scale: 4}, delta)
		greater, nan := YMM(), YMM()
		VCMPPS(Imm(0x1e), best, v, greater) // greater than, quiet
		VCMPPS(Imm(0x03), v, v, nan)        // unordered, quiet
		VORPS(nan, greater, greater)
		VBLENDVPS(greater, v, best, best)
		VBLENDVPS(greater, delta, place, place)
		INCQ(t)
		CMPQ(t, count)
		JLT(LabelRef(name + "Tap"))
		ADDQ(I32(32), at)
		return []vec{best, place}
	}
	l.emit()
	finish()
}

// packQuads packs by transposing squares of 8×8: positions come in fours.
func packQuads() {
	fn(f32, "packQuads", "n int, img *T, from, lanes *int32, dst *T", "",
		"copies to dst, for each of 8·n positions, the 16 elements at img+from[8i+j]+lanes[0:16]; each four of from are consecutive, the first of them is read.")
	n, img, from, dst := Load(Param("n"), GP64()), Load(Param("img"), GP64()), Load(Param("from"), GP64()), Load(Param("dst"), GP64())
	lanes := Load(Param("lanes"), GP64())
	Label("square")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	low, high := GP64(), GP64()
	MOVLQSX(Mem{Base: from}, low)
	MOVLQSX(Mem{Base: from, Disp: 16}, high)
	LEAQ(Mem{Base: img, Index: low, Scale: 4}, low)
	LEAQ(Mem{Base: img, Index: high, Scale: 4}, high)
	for half := range 2 {
		rows := make([]vec, 8)
		for i := range rows {
			rows[i] = YMM()
			lane := GP64()
			MOVLQSX(Mem{Base: lanes, Disp: 32*half + 4*i}, lane)
			VBROADCASTF128(Mem{Base: low, Index: lane, Scale: 4}, rows[i])
			VINSERTF128(Imm(1), Mem{Base: high, Index: lane, Scale: 4}, rows[i], rows[i])
		}
		transpose(f32, rows)
		for i, v := range rows {
			VMOVUPS(v, Mem{Base: dst, Disp: 64*i + 32*half})
		}
	}
	ADDQ(I32(32), from)
	ADDQ(I32(8*64), dst)
	DECQ(n)
	JMP(LabelRef("square"))
	Label("done")
	finish()
}
