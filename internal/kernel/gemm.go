package kernel

// Sgemm computes C = alpha·op(A)·op(B) + beta·C, where op(A) is m×k, op(B) is
// k×n, C is m×n, all row-major with the given row strides in elements, and op
// transposes where tA or tB says so. With beta 0, C is overwritten and may hold
// NaN; with alpha 0 or k 0, A and B are not read. Elements of C's rows beyond n
// are not touched. scratch has at least SgemmScratch(m, n, k) elements.
// See Stop.
//
// An element of C is a sum over k in blocks whose bounds depend on k alone.
// NaN and infinities propagate as in exact arithmetic, whatever the shape.
//
// Packing and blocking: K. Goto, R. van de Geijn, Anatomy of High-Performance
// Matrix Multiplication, ACM TOMS 34(3), 2008.
func Sgemm(tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, scratch []float32, stop Stop) {
	p := product[float32]{tA: tA, tB: tB, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: c, ldc: ldc, stop: stop}
	p.run(sgemmKernel(), scratch)
}

// SgemmScratch returns the number of scratch elements that Sgemm needs.
func SgemmScratch(m, n, k int) int { return sgemmKernel().scratch(m, n, k) }

// Dgemm is Sgemm in float64.
func Dgemm(tA, tB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int, scratch []float64) {
	p := product[float64]{tA: tA, tB: tB, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: c, ldc: ldc}
	p.run(dgemmKernel(), scratch)
}

// DgemmScratch returns the number of scratch elements that Dgemm needs.
func DgemmScratch(m, n, k int) int { return dgemmKernel().scratch(m, n, k) }

type element interface{ float32 | float64 }

// mr is the height of a packed panel of A, the same for every kernel.
const mr = 6

// gemmKernel is the innermost part of a matrix product and the sizes that
// suit it. Strides are in elements.
type gemmKernel[T element] struct {
	nr         int // width of a packed panel of B
	high, wide int // a tile of C at most, whole panels; they divide the block sizes
	kc, mc, nc int // largest block of k, of A's rows, of B's columns
	l2         int // rows of A that stay in the second-level cache while B passes

	// tile computes C = A·B or, with add, C += A·B for rows×cols elements, at
	// most high×wide: a holds panels of kc columns of mr elements, b panels of
	// kc rows of nr, which start bStep apart, as panels of C are cStep apart.
	tile func(kc int, a, b []T, ldb, bStep int, c []T, ldc, cStep, rows, cols int, add bool)
	// pack copies a panel of op(A) or op(B), w wide, into dst, w elements for
	// each of kc; across says that these w lie side by side in src.
	pack func(across bool, w, kc int, src []T, ld int, dst []T, alpha T)
	// dot4 multiplies four rows of a, ld apart, by x.
	dot4 func(a []T, ld int, x []T) [4]T
	// axpy4 adds to y four rows of a, ld apart, times coef.
	axpy4 func(coef [4]T, a []T, ld int, y []T)
	axpy  func(alpha T, x, y []T)
}

// product is one call.
type product[T element] struct {
	tA, tB  bool
	m, n, k int
	alpha   T
	a       []T
	lda     int
	b       []T
	ldb     int
	beta    T
	c       []T
	ldc     int
	stop    Stop
	packed  []T // op(A) packed by packA, instead of a
	packedB []T // op(B) packed by PackB, instead of b
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// align is the slack in elements with which a panel can start at a cache line.
const align = 64 / 4

// blockK returns the length of k's blocks: equal, at most g.kc, a multiple of 8,
// not 0.
func (g *gemmKernel[T]) blockK(k int) int {
	blocks := max(1, (k+g.kc-1)/g.kc)
	return max(8, roundUp((k+blocks-1)/blocks, 8))
}

func (g *gemmKernel[T]) scratch(m, n, k int) int {
	kc := g.blockK(k)
	blocked := kc*(roundUp(min(m, g.mc), mr)+roundUp(min(n, g.nc), g.nr)) + 2*align
	narrow := narrowest * max(m, k)
	return max(blocked, narrow)
}

func (p *product[T]) run(g *gemmKernel[T], scratch []T) {
	if p.m == 0 || p.n == 0 {
		return
	}
	if p.alpha == 0 || p.k == 0 {
		p.scale()
		return
	}
	if p.beta != 0 && p.beta != 1 {
		p.scale()
		p.beta = 1
	}
	if p.packed == nil && p.packedB == nil && p.narrow(g, scratch) {
		return
	}
	p.blocked(g, alignSlice(scratch))
}

// scale multiplies C by beta.
func (p *product[T]) scale() {
	for i := range p.m {
		row := p.c[i*p.ldc : i*p.ldc+p.n]
		if p.beta == 0 {
			clear(row)
			continue
		}
		for j := range row {
			row[j] *= p.beta
		}
	}
}

// blocked is the general path: blocks of k, of rows, of columns.
func (p *product[T]) blocked(g *gemmKernel[T], scratch []T) {
	kc := g.blockK(p.k)
	for k0 := 0; k0 < p.k; k0 += kc {
		kb := min(kc, p.k-k0)
		add := p.beta == 1 || k0 > 0
		for i0 := 0; i0 < p.m; i0 += g.mc {
			mb := min(g.mc, p.m-i0)
			pa, free := p.blockA(g, scratch, k0, kb, i0, mb)
			for j0 := 0; j0 < p.n && !p.stop.Now(); j0 += g.nc {
				p.columns(g, pa, free, k0, kb, i0, mb, j0, min(g.nc, p.n-j0), add)
			}
		}
	}
}

// blockA returns the packed block of op(A) and the rest of scratch.
func (p *product[T]) blockA(g *gemmKernel[T], scratch []T, k0, kb, i0, mb int) (pa, free []T) {
	if p.packed != nil {
		start := k0*roundUp(p.m, mr) + i0*kb
		return p.packed[start : start+roundUp(mb, mr)*kb], scratch
	}
	size := roundUp(mb, mr) * kb
	pa, free = scratch[:size], scratch[roundUp(size, align):]
	packA(g, p.tA, p.a, p.lda, p.alpha, k0, kb, i0, mb, pa)
	return pa, free
}

func packA[T element](g *gemmKernel[T], tA bool, a []T, lda int, alpha T, k0, kb, i0, mb int, dst []T) {
	for i := 0; i < mb; i += mr {
		at := (i0+i)*lda + k0
		if tA {
			at = k0*lda + i0 + i
		}
		packPanel(g, tA, mr, min(mr, mb-i), kb, a[at:], lda, dst[i*kb:], alpha)
	}
}

// packPanel packs a panel of which only the first have of w lines exist.
func packPanel[T element](g *gemmKernel[T], across bool, w, have, kb int, src []T, ld int, dst []T, alpha T) {
	if have == w {
		g.pack(across, w, kb, src, ld, dst, alpha)
		return
	}
	clear(dst[:w*kb])
	packAny(across, w, have, kb, src, ld, dst, alpha)
}

// packAny is the plain form of pack, for have lines out of w.
func packAny[T element](across bool, w, have, kb int, src []T, ld int, dst []T, alpha T) {
	if across {
		for p := range kb {
			to := dst[p*w:][:have]
			for i, v := range src[p*ld:][:have] {
				to[i] = alpha * v
			}
		}
		return
	}
	for i := range have {
		for p, v := range src[i*ld:][:kb] {
			dst[p*w+i] = alpha * v
		}
	}
}

// columns multiplies a packed block of A by the columns [j0, j0+nb) of B.
func (p *product[T]) columns(g *gemmKernel[T], pa, scratch []T, k0, kb, i0, mb, j0, nb int, add bool) {
	if p.packedB != nil {
		g.block(pa, p.blockB(g, p.packedB, k0, kb, j0, nb), nil, 0, kb, mb, nb, p.c[i0*p.ldc+j0:], p.ldc, add, p.stop)
		return
	}
	direct := !p.tB && mb <= mr // each element of B is used once: read it in place
	pb := scratch[:kb*roundUp(nb, g.nr)]
	p.packB(g, direct, k0, kb, j0, nb, pb)
	var inPlace []T
	if direct {
		inPlace = p.b[k0*p.ldb+j0:]
	}
	g.block(pa, pb, inPlace, p.ldb, kb, mb, nb, p.c[i0*p.ldc+j0:], p.ldc, add, p.stop)
}

// block multiplies mb packed rows by nb packed columns; whole panels of
// inPlace, unless it is nil, stand for those of pb.
func (g *gemmKernel[T]) block(pa, pb, inPlace []T, ldb, kb, mb, nb int, c []T, ldc int, add bool, stop Stop) {
	for top := 0; top < mb && !stop.Now(); top += g.l2 {
		end := min(mb, top+g.l2)
		for j := 0; j < nb; {
			cols, b, ld, step := min(g.wide, nb-j), inPlace, g.nr, kb*g.nr
			if whole := cols / g.nr * g.nr; inPlace != nil && whole > 0 {
				cols, b, ld, step = whole, inPlace[j:], ldb, g.nr
			} else {
				b = pb[j*kb:]
			}
			for i := top; i < end; i += g.high {
				g.tile(kb, pa[i*kb:], b, ld, step, c[i*ldc+j:], ldc, g.nr, min(g.high, end-i), cols, add)
			}
			j += cols
		}
	}
}

// packB packs the columns [j0, j0+nb) of k's block; with direct, only the last
// panel where it is not full. It walks down k in short runs across all panels,
// so that the rows of B are read in long stretches.
func (p *product[T]) packB(g *gemmKernel[T], direct bool, k0, kb, j0, nb int, pb []T) {
	const run = 16
	first := 0
	if direct {
		first = nb / g.nr * g.nr
	}
	for q := 0; q < kb; q += run {
		for j := first; j < nb; j += g.nr {
			at := (k0+q)*p.ldb + j0 + j
			if p.tB {
				at = (j0+j)*p.ldb + k0 + q
			}
			packPanel(g, !p.tB, g.nr, min(g.nr, nb-j), min(run, kb-q), p.b[at:], p.ldb, pb[j*kb+q*g.nr:], 1)
		}
	}
}
