package kernel

// Sgemm computes C = alpha·op(A)·op(B) + beta·C, where op(A) is m×k, op(B) is
// k×n, C is m×n, all row-major with the given row strides, and op transposes
// where tA or tB says so. With beta 0, C is overwritten and may hold NaN.
// scratch has at least SgemmScratch(m, n, k) elements.
func Sgemm(tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, scratch []float32) {
	gemmGeneric(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// SgemmScratch returns the number of scratch elements that Sgemm needs.
func SgemmScratch(m, n, k int) int { return 0 }

// Dgemm is Sgemm in float64.
func Dgemm(tA, tB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int, scratch []float64) {
	gemmGeneric(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// DgemmScratch returns the number of scratch elements that Dgemm needs.
func DgemmScratch(m, n, k int) int { return 0 }

func gemmGeneric[T float32 | float64](tA, tB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		for j := range row {
			if beta == 0 {
				row[j] = 0
			} else {
				row[j] *= beta
			}
		}
		for p := range k {
			v := alpha
			if tA {
				v *= a[p*lda+i]
			} else {
				v *= a[i*lda+p]
			}
			if tB {
				for j := range row {
					row[j] += v * b[j*ldb+p]
				}
				continue
			}
			for j, w := range b[p*ldb : p*ldb+n] {
				row[j] += v * w
			}
		}
	}
}
