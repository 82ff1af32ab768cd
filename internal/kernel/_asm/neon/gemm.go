package main

import "fmt"

// mr is the height of a tile: mr×4 accumulators, four vectors of B and three or
// four of A fill the 32 vector registers.
//
// A turn of the main loop of tile6F32, four columns of A by four rows of B, has 96
// multiply-adds in 115 instructions and loads 22 vectors; XNNPACK's kernel of 6×8
// (f32-gemm 6x8 neonfma ld128) has 48 in 60 and loads 14. A core with two pipes for
// multiply-adds needs 48 cycles for a turn, or 29 to decode it at four instructions
// a cycle; one with four pipes and eight instructions, 24 and 15. With a latency of
// four cycles these need 8 and 16 accumulators. So the multiply-adds bound it, at
// 16 and 32 operations a cycle. This is arithmetic: nothing was timed on arm64.
const (
	mr       = 6
	tileWide = 4 // vectors of a row
)

func gemm() {
	for _, e := range []*elem{f32, f64} {
		for rows := 1; rows <= mr; rows++ {
			tile(e, rows)
		}
		packRows(e, tileWide*e.lanes, "B")
		packRows(e, mr, "A")
		packCols(e, tileWide*e.lanes, "B")
		packCols(e, mr, "A")
		dot4(e)
		axpy4(e)
	}
}

// tileRegs are the registers of a micro-kernel.
type tileRegs struct {
	e              *elem
	rows           int
	kc, a, b, ldb  *reg
	ldc, cols, add *reg
	row            []*reg // of C
}

// tile writes the micro-kernel rows×4·lanes: C (+)= A·B with A packed in columns
// of mr elements and the rows of B ldb bytes apart.
func tile(e *elem, rows int) {
	w := tileWide * e.lanes
	begin(e, fmt.Sprintf("tile%d", rows), "kc int, a, b *T, ldb int, c *T, ldc, cols int, add bool", "",
		fmt.Sprintf("computes C = A·B, or C += A·B with add, for a tile of %d×cols elements, cols from 1 to %d: A in packed columns of %d, the kc rows of B ldb bytes and those of C ldc bytes apart.", rows, w, mr))
	fn.frame = width * mr
	t := &tileRegs{e: e, rows: rows, kc: param("kc"), a: param("a"), b: param("b"), ldb: param("ldb"), ldc: param("ldc"), cols: param("cols"), add: param("add")}
	t.row = []*reg{param("c")}
	for r := 1; r < rows; r++ {
		t.row = append(t.row, R())
		plus(t.row[r], t.row[r-1], t.ldc)
	}
	for vectors := 1; vectors < tileWide; vectors++ {
		compare(t.cols, e.lanes*vectors)
		jump("LE", fmt.Sprintf("width%d", vectors))
	}
	for vectors := tileWide; vectors > 0; vectors-- {
		label(fmt.Sprintf("width%d", vectors))
		t.variant(vectors)
	}
	t.partial()
}

// variant writes the loop over kc and the update of C for rows of some vectors.
func (t *tileRegs) variant(vectors int) {
	acc := zeros(t.rows * vectors)
	const unroll = 4
	whole("four", t.kc, unroll, func() { t.rank(acc, vectors, unroll) })
	whole("one", t.kc, 1, func() { t.rank(acc, vectors, 1) })
	t.update(acc, vectors)
}

// rank adds the products of count columns of A and rows of B. Once the vectors
// of a row of B are used they are loaded from the next row, and A is loaded a
// column ahead, so that few products wait for a load on a processor that keeps the
// order of instructions.
func (t *tileRegs) rank(acc []*reg, vectors, count int) {
	a := &panelA{t: t, count: count}
	a.load(0)
	b := loadMany(t.b, 0, vectors)
	for u := range count {
		more := u+1 < count
		if plus(t.b, t.b, t.ldb); more && t.e == f32 {
			a.load(u + 1)
		}
		var next []*reg
		for j := range vectors {
			for r := range t.rows {
				at := u*mr + r
				t.e.fmaElement(acc[r*vectors+j], b[j], a.vector[at/t.e.lanes], at%t.e.lanes)
			}
			if more && (j%2 == 1 || j == vectors-1) {
				next = append(next, loadMany(t.b, width*len(next), j+1-len(next))...)
			}
		}
		if more && t.e == f64 { // there is no room before
			a.load(u + 1)
		}
		b = next
	}
	plus(t.a, t.a, count*mr*t.e.size)
}

// panelA loads the vectors of some packed columns, each once.
type panelA struct {
	t      *tileRegs
	count  int // of columns
	vector [4 * mr / 2]*reg
}

// load loads what column u needs and is not there.
func (p *panelA) load(u int) {
	e := p.t.e
	for i := u * mr / e.lanes; i*e.lanes < u*mr+p.t.rows; i++ {
		if p.vector[i] != nil {
			continue
		}
		switch both := i + 1; {
		case i*e.lanes+e.lanes > p.count*mr: // half of a vector at the end
			p.vector[i] = V()
			ins(1, "FMOVD %[3]v(%[2]v), %[1]v", p.vector[i], p.t.a, width*i)
		case both*e.lanes < u*mr+p.t.rows && both*e.lanes+e.lanes <= p.count*mr:
			p.vector[i], p.vector[both] = loadTwo(p.t.a, width*i)
		default:
			p.vector[i] = load(p.t.a, width*i)
		}
	}
}

// update writes the accumulators to C, or adds them to it. The last vector of
// each row goes by way of the frame if the tile is narrower than it.
func (t *tileRegs) update(acc []*reg, vectors int) {
	last := make([]*reg, t.rows)
	rows := make([][]*reg, t.rows)
	for r := range t.rows {
		rows[r] = acc[r*vectors : (r+1)*vectors]
		last[r] = rows[r][vectors-1]
	}
	narrow := fresh("narrow")
	compare(t.cols, t.e.lanes*vectors)
	jump("NE", narrow)
	t.write(rows, vectors)
	ret()
	label(narrow)
	t.write(rows, vectors-1)
	for r, v := range last {
		ins(0, "FMOVQ %v, buf-%v(SP)", v, width*(mr-r))
	}
	for _, row := range t.row {
		plus(row, row, width*(vectors-1))
	}
	minus(t.cols, t.cols, t.e.lanes*(vectors-1))
	jump("", "partial")
}

// write stores the first vectors of each row.
func (t *tileRegs) write(rows [][]*reg, vectors int) {
	alone := fresh("overwrite")
	ifZero(t.add, alone)
	for r, v := range rows {
		for j, old := range loadMany(t.row[r], 0, vectors) {
			t.e.accumulate("FADD", v[j], old)
		}
	}
	label(alone)
	for r, v := range rows {
		saveMany(v[:vectors], t.row[r], 0)
	}
}

// partial writes cols elements of each row, fewer than a vector, from the frame.
func (t *tileRegs) partial() {
	label("partial")
	from, i, v, old := R(), R(), V(), V()
	shift := map[*elem]int{f32: 2, f64: 3}[t.e]
	ins(1, "MOVD $buf-%[2]v(SP), %[1]v", from, width*mr)
	add := map[*elem]string{f32: "FADDS", f64: "FADDD"}[t.e]
	for _, row := range t.row {
		next, alone := fresh("element"), fresh("alone")
		move(i, 0)
		label(next)
		ins(1, t.e.scalarMove()+" (%[2]v)(%[3]v<<%[4]v), %[1]v", v, from, i, shift)
		ifZero(t.add, alone)
		ins(1, t.e.scalarMove()+" (%[2]v)(%[3]v<<%[4]v), %[1]v", old, row, i, shift)
		ins(1, add+" %[3]v, %[2]v, %[1]v", v, v, old)
		label(alone)
		ins(0, t.e.scalarMove()+" %v, (%v)(%v<<%v)", v, row, i, shift)
		plus(i, i, 1)
		compare(i, t.cols)
		jump("LT", next)
		plus(from, from, width)
	}
	ret()
}
