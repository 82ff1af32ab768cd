package kernel

import "unsafe"

// narrowest is the number of rows or columns up to which narrow products go
// without packing.
const narrowest = 4

// lookEvery is after how many rows or columns, a multiple of 4, a narrow product
// looks at Stop.
const lookEvery = 64

// narrow computes products with few rows or few columns, for which packing
// would cost more than the product, and reports whether it did.
func (p *product[T]) narrow(g *gemmKernel[T], scratch []T) bool {
	switch {
	case p.m <= 1 && !p.tB:
		p.rowsByAxpy(g, scratch)
	case p.m <= narrowest && p.tB:
		p.rowsByDot(g, scratch)
	case p.n <= narrowest && p.tA:
		p.colsByAxpy(g, scratch)
	case p.n <= narrowest:
		p.colsByDot(g, scratch)
	default:
		return false
	}
	return true
}

// rowsByAxpy adds up the rows of B, times an element of A each.
func (p *product[T]) rowsByAxpy(g *gemmKernel[T], scratch []T) {
	for i := range p.m {
		row := p.c[i*p.ldc : i*p.ldc+p.n]
		if p.beta == 0 {
			clear(row)
		}
		coef := p.rowA(i, scratch, true)
		gemvT(g, p.k, p.alpha, coef, p.b, p.ldb, row, p.stop)
	}
}

// rowsByDot multiplies rows of A by the rows of B, four of B at a time.
func (p *product[T]) rowsByDot(g *gemmKernel[T], scratch []T) {
	for j := 0; j < p.n; j += 4 {
		if j%lookEvery == 0 && p.stop.Now() {
			return
		}
		count := min(4, p.n-j)
		for i := range p.m {
			gemvN(g, count, p.alpha, p.b[j*p.ldb:], p.ldb, p.rowA(i, scratch[i*p.k:], j == 0), p.beta, p.c[i*p.ldc+j:], 1)
		}
	}
}

// colsByDot multiplies columns of B by the rows of A, four of A at a time.
func (p *product[T]) colsByDot(g *gemmKernel[T], scratch []T) {
	for i := 0; i < p.m; i += 4 {
		if i%lookEvery == 0 && p.stop.Now() {
			return
		}
		count := min(4, p.m-i)
		for j := range p.n {
			gemvN(g, count, p.alpha, p.a[i*p.lda:], p.lda, p.colB(j, scratch[j*p.k:], i == 0), p.beta, p.c[i*p.ldc+j:], p.ldc)
		}
	}
}

// colsByAxpy adds up the rows of A, times an element of B each, into vectors
// that become the columns of C.
func (p *product[T]) colsByAxpy(g *gemmKernel[T], scratch []T) {
	clear(scratch[:p.n*p.m])
	k := 0
	for ; k+4 <= p.k; k += 4 {
		if k%lookEvery == 0 && p.stop.Now() {
			return
		}
		for j := range p.n {
			coef := [4]T{p.alpha * p.atB(k, j), p.alpha * p.atB(k+1, j), p.alpha * p.atB(k+2, j), p.alpha * p.atB(k+3, j)}
			g.axpy4(coef, p.a[k*p.lda:], p.lda, scratch[j*p.m:][:p.m])
		}
	}
	for ; k < p.k; k++ {
		for j := range p.n {
			g.axpy(p.alpha*p.atB(k, j), p.a[k*p.lda:][:p.m], scratch[j*p.m:][:p.m])
		}
	}
	for j := range p.n {
		p.putColumn(j, scratch[j*p.m:][:p.m])
	}
}

func (p *product[T]) putColumn(j int, col []T) {
	for i, v := range col {
		if p.beta == 0 {
			p.c[i*p.ldc+j] = v
		} else {
			p.c[i*p.ldc+j] += v
		}
	}
}

func (p *product[T]) atB(k, j int) T {
	if p.tB {
		return p.b[j*p.ldb+k]
	}
	return p.b[k*p.ldb+j]
}

// rowA returns row i of op(A); a scattered row is in scratch, where fresh says
// to put it.
func (p *product[T]) rowA(i int, scratch []T, fresh bool) []T {
	if !p.tA {
		return p.a[i*p.lda:][:p.k]
	}
	return gather(scratch[:p.k], p.a[i:], p.lda, fresh)
}

// colB is rowA for column j of op(B).
func (p *product[T]) colB(j int, scratch []T, fresh bool) []T {
	if p.tB {
		return p.b[j*p.ldb:][:p.k]
	}
	return gather(scratch[:p.k], p.b[j:], p.ldb, fresh)
}

func gather[T element](dst, src []T, stride int, fresh bool) []T {
	for i := 0; fresh && i < len(dst); i++ {
		dst[i] = src[i*stride]
	}
	return dst
}

// gemvN computes y = alpha·A·x + beta·y for beta 0 or 1, with m rows of len(x)
// elements and the elements of y inc apart.
func gemvN[T element](g *gemmKernel[T], m int, alpha T, a []T, lda int, x []T, beta T, y []T, inc int) {
	i := 0
	for ; i+4 <= m; i += 4 {
		d := g.dot4(a[i*lda:], lda, x)
		for r, v := range d {
			put(y, (i+r)*inc, alpha*v, beta)
		}
	}
	for ; i < m; i++ {
		d := g.dot4(a[i*lda:], 0, x) // the same row four times
		put(y, i*inc, alpha*d[0], beta)
	}
}

func put[T element](y []T, i int, v, beta T) {
	if beta == 0 {
		y[i] = v
	} else {
		y[i] += v
	}
}

// gemvT computes y += alpha·Aᵀ·x with k rows of len(y) elements.
func gemvT[T element](g *gemmKernel[T], k int, alpha T, x, a []T, lda int, y []T, stop Stop) {
	i := 0
	for ; i+4 <= k; i += 4 {
		if i%lookEvery == 0 && stop.Now() {
			return
		}
		coef := [4]T{alpha * x[i], alpha * x[i+1], alpha * x[i+2], alpha * x[i+3]}
		g.axpy4(coef, a[i*lda:], lda, y)
	}
	for ; i < k; i++ {
		g.axpy(alpha*x[i], a[i*lda:][:len(y)], y)
	}
}

// alignSlice drops elements until the slice starts at a cache line.
func alignSlice[T element](s []T) []T {
	var v T
	off := uintptr(unsafe.Pointer(unsafe.SliceData(s))) % 64
	if off == 0 {
		return s
	}
	return s[(64-off)/unsafe.Sizeof(v):]
}
