package kernel

// PackedB returns the number of elements that PackB writes for k×n elements.
func PackedB(n, k int) int { return k * roundUp(n, sgemmKernel().nr) }

// PackB brings op(B), k×n as in Sgemm, into the order in which SgemmPacked reads it:
// worth its cost where several products share B. dst has PackedB(n, k) elements.
// What is packed belongs to the path of kernels in use; see Use.
func PackB(tB bool, n, k int, b []float32, ldb int, dst []float32) {
	g := sgemmKernel()
	p := product[float32]{tB: tB, n: n, k: k, b: b, ldb: ldb}
	kc := g.blockK(k)
	for k0 := 0; k0 < k; k0 += kc {
		kb := min(kc, k-k0)
		for j0 := 0; j0 < n; j0 += g.nc {
			nb := min(g.nc, n-j0)
			p.packB(g, false, k0, kb, j0, nb, p.blockB(g, dst, k0, kb, j0, nb))
		}
	}
}

// blockB returns the place of a block in what PackB writes.
func (p *product[T]) blockB(g *gemmKernel[T], packed []T, k0, kb, j0, nb int) []T {
	start := k0*roundUp(p.n, g.nr) + j0*kb
	return packed[start : start+roundUp(nb, g.nr)*kb]
}

// SgemmPacked is Sgemm with an A that is not transposed and op(B) packed by PackB. Its
// bits are those of Sgemm, unless m or n is 4 or less.
func SgemmPacked(m, n, k int, alpha float32, a []float32, lda int, packed []float32, beta float32, c []float32, ldc int, scratch []float32, stop Stop) {
	p := product[float32]{m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, packedB: packed, beta: beta, c: c, ldc: ldc, stop: stop}
	p.run(sgemmKernel(), scratch)
}
