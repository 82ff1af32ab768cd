package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemm512 writes the micro-kernels for AVX-512: two panels of A by two of B,
// as many as the AVX2 kernels take one of, so that both pack alike.
func gemm512() {
	for _, e := range []*elem{f32, f64} {
		for rows := 1; rows <= 2*mr; rows++ {
			tile512(e, rows)
		}
	}
}

// tile512Regs are the registers of a micro-kernel: 24 accumulators of 32.
type tile512Regs struct {
	e                                          *elem
	rows                                       int
	kc, a, aStep, b, bStep, ldb, c, cStep, ldc reg.Register
	last                                       reg.Register // mask of the last vector
}

func tile512(e *elem, rows int) {
	lanes := 2 * e.lanes
	fn(e, fmt.Sprintf("wideTile%d", rows), "kc int, a, b *T, ldb, bStep int, c *T, ldc, cStep, cols int, add bool", "",
		fmt.Sprintf("computes C = A·B, or C += A·B with add, for a tile of %d×cols elements, cols from 1 to %d: A in panels of packed columns of %d, the second kc columns on; the kc rows of B ldb bytes apart, in panels of %d, the second bStep bytes on; the rows of C ldc bytes apart, the second %d columns cStep bytes on.", rows, 2*lanes, mr, lanes, lanes))
	t := &tile512Regs{e: e, rows: rows}
	t.kc = Load(Param("kc"), GP64())
	t.a = Load(Param("a"), GP64())
	t.b = Load(Param("b"), GP64())
	t.ldb = Load(Param("ldb"), GP64())
	t.bStep = Load(Param("bStep"), GP64())
	t.c = Load(Param("c"), GP64())
	t.ldc = Load(Param("ldc"), GP64())
	t.cStep = Load(Param("cStep"), GP64())
	if rows > mr {
		t.aStep = GP64()
		IMUL3Q(I32(int32(mr*e.size)), t.kc, t.aStep)
	}
	cols := Load(Param("cols"), GP64())
	CMPQ(cols, I32(int32(lanes)))
	JLE(LabelRef("narrow"))
	SUBQ(I32(int32(lanes)), cols)
	t.variant("wide", 2, cols)
	Label("narrow")
	t.variant("slim", 1, cols)
}

// variant writes the loop over kc and the update of C for width vectors, the
// last of which has the given lanes.
func (t *tile512Regs) variant(name string, width int, lanes reg.Register) {
	t.last = lowMask(lanes)
	t.eachRow(width, func(_ int, at Mem) { PREFETCHT0(at) })
	acc := make([]vec, t.rows*width)
	for i := range acc {
		acc[i] = ZMM()
		VPXORD(acc[i], acc[i], acc[i])
	}
	const unroll = 4
	Label(name + "Loop4")
	CMPQ(t.kc, I32(unroll))
	JLT(LabelRef(name + "Loop1"))
	PREFETCHT0(Mem{Base: t.a, Disp: 512})
	if t.rows > mr {
		PREFETCHT0(Mem{Base: t.a, Index: t.aStep, Scale: 1, Disp: 512})
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
	t.store(name, acc, width)
}

// rank1 adds column u of A times the next row of B.
func (t *tile512Regs) rank1(acc []vec, width, u int) {
	b := []vec{ZMM(), nil}[:width]
	t.e.load(Mem{Base: t.b}, b[0])
	if width == 2 {
		b[1] = ZMM()
		t.e.load(Mem{Base: t.b, Index: t.bStep, Scale: 1}, b[1])
	}
	ADDQ(t.ldb, t.b)
	for r := range t.rows {
		at := Mem{Base: t.a, Disp: (u*mr + r%mr) * t.e.size}
		if r >= mr {
			at.Index, at.Scale = t.aStep, 1
		}
		a := ZMM()
		t.e.bcastMem(at, a)
		for j := range b {
			t.e.fma231(b[j], a, acc[r*width+j])
		}
	}
}

// store writes the accumulators to C, or adds them to it.
func (t *tile512Regs) store(name string, acc []vec, width int) {
	add := GP8()
	Load(Param("add"), add)
	TESTB(add, add)
	JZ(LabelRef(name + "Overwrite"))
	t.eachRow(width, func(i int, at Mem) {
		if i%width == width-1 {
			t.e.add(at, acc[i], t.last, acc[i])
			t.e.load(acc[i], t.last, at)
			return
		}
		t.e.add(at, acc[i], acc[i])
		t.e.load(acc[i], at)
	})
	finish()
	Label(name + "Overwrite")
	t.eachRow(width, func(i int, at Mem) {
		if i%width == width-1 {
			t.e.load(acc[i], t.last, at)
			return
		}
		t.e.load(acc[i], at)
	})
	finish()
}

func (t *tile512Regs) eachRow(width int, do func(i int, at Mem)) {
	row := GP64()
	MOVQ(t.c, row)
	for r := range t.rows {
		for j := range width {
			at := Mem{Base: row}
			if j == 1 {
				at.Index, at.Scale = t.cStep, 1
			}
			do(r*width+j, at)
		}
		if r+1 < t.rows {
			ADDQ(t.ldc, row)
		}
	}
}

// lowMask returns the mask of the first n lanes, n at most 16.
func lowMask(n reg.Register) reg.Register {
	ones, k := GP32(), K()
	MOVL(U32(0xffffffff), ones)
	BZHIL(n.(reg.GPVirtual).As32(), ones, ones)
	KMOVW(ones, k)
	return k
}
