package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// winograd writes the transforms of F(2×2, 3×3) over eight tiles, or six rows
// of weights, at a time.
func winograd() {
	evenOdd()
	winoInput()
	winoOutput()
	winoWeights()
}

func evenOdd() {
	fn(f32, "evenOddRows", "rows, n int, x *T, xStep int, even, odd *T, step int", "",
		"stores the elements 0, 2, … of rows of n elements in even, and 1, 3, … in odd. The rows of x are xStep bytes apart, the others step bytes.")
	rows, n, xStep, step := Load(Param("rows"), GP64()), Load(Param("n"), GP64()), Load(Param("xStep"), GP64()), Load(Param("step"), GP64())
	x, even, odd := Load(Param("x"), GP64()), Load(Param("even"), GP64()), Load(Param("odd"), GP64())
	order := GLOBL("evenThenOdd", RODATA|NOPTR)
	for i, v := range []uint32{0, 2, 4, 6, 1, 3, 5, 7} {
		DATA(4*i, U32(v))
	}
	index := YMM()
	VMOVDQU(order, index)
	mask, evenMask, oddMask := evenOddMasks(n)
	Label("row")
	TESTQ(rows, rows)
	JLE(LabelRef("done"))
	from, toEven, toOdd, left := GP64(), GP64(), GP64(), GP64()
	MOVQ(x, from)
	MOVQ(even, toEven)
	MOVQ(odd, toOdd)
	MOVQ(n, left)
	v, high := YMM(), XMM()
	Label("next")
	CMPQ(left, I32(8))
	JLT(LabelRef("last"))
	VPERMPS(Mem{Base: from}, index, v)
	VEXTRACTF128(Imm(1), v, high)
	VMOVUPS(v.AsX(), Mem{Base: toEven})
	VMOVUPS(high, Mem{Base: toOdd})
	ADDQ(I32(32), from)
	ADDQ(I32(16), toEven)
	ADDQ(I32(16), toOdd)
	SUBQ(I32(8), left)
	JMP(LabelRef("next"))
	Label("last")
	TESTQ(left, left)
	JLE(LabelRef("end"))
	VMASKMOVPS(Mem{Base: from}, mask, v)
	VPERMPS(v, index, v)
	VEXTRACTF128(Imm(1), v, high)
	VMASKMOVPS(v.AsX(), evenMask, Mem{Base: toEven})
	VMASKMOVPS(high, oddMask, Mem{Base: toOdd})
	Label("end")
	ADDQ(xStep, x)
	ADDQ(step, even)
	ADDQ(step, odd)
	DECQ(rows)
	JMP(LabelRef("row"))
	Label("done")
	finish()
}

// evenOddMasks returns the masks of the last n modulo 8 elements and of their
// two halves.
func evenOddMasks(n reg.Register) (all, even, odd reg.VecVirtual) {
	rest, half := GP64(), GP64()
	MOVQ(n, rest)
	ANDQ(I32(7), rest)
	all = tailMask(f32, rest)
	MOVQ(rest, half)
	INCQ(half)
	SHRQ(Imm(1), half)
	even = tailMask(f32, half).AsX().(reg.VecVirtual)
	SHRQ(Imm(1), rest)
	odd = tailMask(f32, rest).AsX().(reg.VecVirtual)
	return all, even, odd
}

// winoInput: V = Bᵀ·d·B with Bᵀ = [1 0 −1 0; 0 1 1 0; 0 −1 1 0; 0 1 0 −1].
func winoInput() {
	fn(f32, "winoInput", "n int, even0, odd0, even1, odd1 *T, width int, dst *T, step int", "",
		"stores the sixteen transformed elements of n tiles in dst, step bytes apart. Tile i starts at even0[i]; the planes hold the even and odd columns of the even (0) and odd (1) rows, width bytes a row.")
	width, dst, stepArg := Load(Param("width"), GP64()), Load(Param("dst"), GP64()), Load(Param("step"), GP64())
	planes := [2][2]reg.Register{
		{Load(Param("even0"), GP64()), Load(Param("odd0"), GP64())},
		{Load(Param("even1"), GP64()), Load(Param("odd1"), GP64())},
	}
	at, below := GP64(), GP64() // byte offset of the tiles, and of their lower halves
	XORQ(at, at)
	MOVQ(width, below)
	from := func(i, j int) Mem {
		row := at
		if i >= 2 {
			row = below
		}
		return Mem{Base: planes[i%2][j%2], Index: row, Scale: 1, Disp: 4 * (j / 2)}
	}
	l := &loop{e: f32, unroll: 1}
	l.body = func(_ int, _ []vec, mask reg.Register) []vec {
		load := func(m Mem) vec {
			v := YMM()
			if mask == nil {
				VMOVUPS(m, v)
			} else {
				VMASKMOVPS(m, mask, v)
			}
			return v
		}
		to := GP64()
		LEAQ(Mem{Base: dst, Index: at, Scale: 1}, to)
		store := func(v vec) {
			if mask == nil {
				VMOVUPS(v, Mem{Base: to})
			} else {
				VMASKMOVPS(v, mask, Mem{Base: to})
			}
			ADDQ(stepArg, to)
		}
		rows := []struct {
			a, b int
			op   func(...Op)
		}{{0, 2, VSUBPS}, {1, 2, VADDPS}, {2, 1, VSUBPS}, {1, 3, VSUBPS}}
		for _, r := range rows {
			var t [4]vec
			for j := range t {
				t[j] = op(r.op, load(from(r.a, j)), load(from(r.b, j)))
			}
			store(op(VSUBPS, t[0], t[2]))
			store(op(VADDPS, t[1], t[2]))
			store(op(VSUBPS, t[2], t[1]))
			store(op(VSUBPS, t[1], t[3]))
		}
		ADDQ(I32(32), at)
		ADDQ(I32(32), below)
		return nil
	}
	l.emit()
	finish()
}

// winoOutput: Y = Aᵀ·M·A with Aᵀ = [1 1 1 0; 0 1 −1 −1].
func winoOutput() {
	fn(f32, "winoOutput", "n int, m *T, step int, top, bottom *T", "",
		"stores the 2×2 outputs of n tiles side by side in top and bottom, from their sixteen products at m, step bytes apart. It reads and writes as if n were a multiple of 8.")
	n, m, step := Load(Param("n"), GP64()), Load(Param("m"), GP64()), Load(Param("step"), GP64())
	dst := []reg.Register{Load(Param("top"), GP64()), Load(Param("bottom"), GP64())}
	row := []reg.Register{m, GP64(), GP64(), GP64()}
	fourStep := GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 1}, fourStep)
	ADDQ(fourStep, fourStep)
	for i := 1; i < 4; i++ {
		LEAQ(Mem{Base: row[i-1], Index: fourStep, Scale: 1}, row[i])
	}
	threeStep := GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, threeStep)
	from := func(i, j int) Mem {
		return []Mem{{Base: row[i]}, {Base: row[i], Index: step, Scale: 1}, {Base: row[i], Index: step, Scale: 2}, {Base: row[i], Index: threeStep, Scale: 1}}[j]
	}
	Label("next")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	var s [2][4]vec
	for j := range 4 {
		first, second := YMM(), YMM()
		VMOVUPS(from(1, j), first)
		VMOVUPS(from(2, j), second)
		s[0][j] = op(VADDPS, first, second)
		VADDPS(from(0, j), s[0][j], s[0][j])
		s[1][j] = op(VSUBPS, first, second)
		VSUBPS(from(3, j), s[1][j], s[1][j])
	}
	for i, t := range s {
		even := op(VADDPS, op(VADDPS, t[1], t[2]), t[0])
		odd := op(VSUBPS, op(VSUBPS, t[1], t[2]), t[3])
		low, high := op(VUNPCKLPS, even, odd), op(VUNPCKHPS, even, odd)
		a, b := YMM(), YMM()
		VPERM2F128(Imm(0x20), high, low, a)
		VPERM2F128(Imm(0x31), high, low, b)
		VMOVUPS(a, Mem{Base: dst[i]})
		VMOVUPS(b, Mem{Base: dst[i], Disp: 32})
		ADDQ(I32(64), dst[i])
	}
	for _, r := range row {
		ADDQ(I32(32), r)
	}
	SUBQ(I32(8), n)
	JMP(LabelRef("next"))
	Label("done")
	finish()
}

// winoWeights: U = G·g·Gᵀ with G = [1 0 0; ½ ½ ½; ½ −½ ½; 0 0 1].
func winoWeights() {
	fn(f32, "winoWeights", "n int, w *T, next, tap int, lanes *int32, dst *T, step int", "",
		"transforms n columns of six 3×3 kernels: the first taps at w+lanes[0:6], the others tap bytes on each, the columns next bytes apart; it stores six elements for each column, and the sixteen elements of the transform step bytes apart.")
	n, w, next, tap := Load(Param("n"), GP64()), Load(Param("w"), GP64()), Load(Param("next"), GP64()), Load(Param("tap"), GP64())
	lanes, dst, step := Load(Param("lanes"), GP64()), Load(Param("dst"), GP64()), Load(Param("step"), GP64())
	six := maskTable(f32).Offset(4 * (2*f32.lanes - mr))
	Label("next")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	var a [4][3]vec
	at := [3]reg.Register{GP64(), GP64(), GP64()} // the rows of the kernel
	threeTaps := GP64()
	LEAQ(Mem{Base: tap, Index: tap, Scale: 2}, threeTaps)
	MOVQ(w, at[0])
	LEAQ(Mem{Base: at[0], Index: threeTaps, Scale: 1}, at[1])
	LEAQ(Mem{Base: at[1], Index: threeTaps, Scale: 1}, at[2])
	for j := range 3 {
		var g [3]vec
		for i := range g {
			index, mask := YMM(), YMM()
			VMOVDQU(Mem{Base: lanes}, index)
			VMOVUPS(six, mask)
			g[i] = zeros(1)[0]
			VGATHERDPS(mask, Mem{Base: at[i], Index: index, Scale: 4}, g[i])
			ADDQ(tap, at[i])
		}
		a[0][j], a[1][j], a[2][j], a[3][j] = combine(g[0], g[1], g[2])
	}
	to := GP64()
	MOVQ(dst, to)
	for i := range a {
		u0, u1, u2, u3 := combine(a[i][0], a[i][1], a[i][2])
		for _, u := range []vec{u0, u1, u2, u3} {
			storeLow(f32, u, mr, Mem{Base: to})
			ADDQ(step, to)
		}
	}
	ADDQ(I32(4*mr), dst)
	ADDQ(next, w)
	DECQ(n)
	JMP(LabelRef("next"))
	Label("done")
	finish()
}

// combine multiplies a column by G; it uses up y.
func combine(x, y, z vec) (a, b, c, d vec) {
	s := op(VADDPS, x, z)
	VMULPS(vconst(f32, 0.5), s, s)
	VMULPS(vconst(f32, 0.5), y, y)
	return x, op(VADDPS, s, y), op(VSUBPS, s, y), z
}
