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
