package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// convolution512 writes the packing of B from rows of any width.
func convolution512() {
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
