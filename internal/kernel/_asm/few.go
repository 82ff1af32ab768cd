package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// few writes products with few columns, for which tiles are mostly empty: vectors
// go along the rows of panels of A instead.
func few() {
	for _, cols := range []int{1, 2, 4} {
		fewColumns(cols, 8/cols)
	}
}

func fewColumns(cols, panels int) {
	fn(f32, fmt.Sprintf("few%d", cols), "kc int, a *T, aStep int, b *T, dst *T", "",
		fmt.Sprintf("computes A·B for %d panels of A, aStep bytes apart, of kc packed columns of %d, kc at least 1, and the first %d of 16 columns of B. dst gets 8 elements for each panel and column, the first %d of which count.", panels, mr, cols, mr))
	kc, a, aStep, b := Load(Param("kc"), GP64()), Load(Param("a"), GP64()), Load(Param("aStep"), GP64()), Load(Param("b"), GP64())
	base := panelBases(a, aStep, panels)
	acc := zeros(cols * panels)
	step := func(load func(p int) vec) {
		var x []vec
		for j := range cols {
			v := YMM()
			VBROADCASTSS(Mem{Base: b, Disp: 4 * j}, v)
			x = append(x, v)
		}
		for p := range panels {
			v := load(p)
			for j := range cols {
				VFMADD231PS(v, x[j], acc[p*cols+j])
			}
		}
	}
	DECQ(kc)
	Label("loop")
	TESTQ(kc, kc)
	JLE(LabelRef("last"))
	step(func(p int) vec {
		v := YMM()
		VMOVUPS(base[p], v)
		return v
	})
	ADDQ(I32(4*mr), a)
	ADDQ(I32(64), b)
	for _, r := range moving(base, a) {
		ADDQ(I32(4*mr), r)
	}
	DECQ(kc)
	JMP(LabelRef("loop"))
	Label("last") // nothing behind the panels is read
	mask := tailMask(f32, constant(mr))
	step(func(p int) vec {
		v := YMM()
		VMASKMOVPS(base[p], mask, v)
		return v
	})
	dst := Load(Param("dst"), GP64())
	for i, v := range acc {
		VMOVUPS(v, Mem{Base: dst, Disp: 32 * i})
	}
	finish()
}

// panelBases returns the places of panels: those of multiples of 4 have registers
// of their own.
func panelBases(a, step reg.Register, panels int) []Mem {
	triple := GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, triple)
	var list []Mem
	base := a
	for p := range panels {
		if p == 4 {
			base = GP64()
			LEAQ(Mem{Base: a, Index: step, Scale: 4}, base)
		}
		at := Mem{Base: base}
		switch p % 4 {
		case 1, 2:
			at.Index, at.Scale = step, uint8(p%4)
		case 3:
			at.Index, at.Scale = triple, 1
		}
		list = append(list, at)
	}
	return list
}

// moving returns the registers of places beside a.
func moving(places []Mem, a reg.Register) []reg.Register {
	if len(places) > 4 {
		return []reg.Register{places[4].Base}
	}
	return nil
}
