package kernel

import "math"

// Coefficients of the odd polynomial aσ + bσ³ + cσ⁵ that is applied five times to the
// singular values of a matrix: it takes all from about .003 to 1 to between .7 and 1.2.
// They are those of K. Jordan et al., Muon: an optimizer for hidden layers in neural
// networks, 2024.
const (
	orthogonalRounds                      = 5
	orthogonal1, orthogonal3, orthogonal5 = 3.4445, -4.7750, 2.0315
)

// Orthogonalize replaces the row-major rows×cols matrix x by one with the same singular
// vectors, and singular values near 1 in the place of all that are not far below the root
// of the sum of squares. A matrix of zeros stays. The polynomial works on the Gram matrix
// of the shorter side, n = min(rows, cols), so that the long side is passed over twice
// only: about 4n²·max(rows, cols) + 40n³ operations. scratch has at least
// OrthogonalizeScratch(rows, cols) elements. The bits do not depend on the number of
// processors.
func Orthogonalize(rows, cols int, x, scratch []float32) {
	x = x[:rows*cols]
	_, squares := Moments(x)
	if squares == 0 {
		return
	}
	Scale32(x, float32(1/math.Sqrt(squares)), x)
	n, long, wide := rows, cols, true
	if cols < rows {
		n, long, wide = cols, rows, false
	}
	cut := func(size int) (part []float32) {
		part, scratch = scratch[:size], scratch[size:]
		return part
	}
	gram, whole, poly, next := cut(n*n), cut(n*n), cut(n*n), cut(n*n)
	out := cut(len(x))
	square := func(a, b, c []float32) { Sgemm(false, false, n, n, n, 1, a, n, b, n, 0, c, n, scratch, nil) }

	Sgemm(!wide, wide, n, n, long, 1, x, cols, x, cols, 0, gram, n, scratch, nil)
	for k := range orthogonalRounds {
		square(gram, gram, poly)
		for i, g := range gram {
			poly[i] = orthogonal3*g + orthogonal5*poly[i]
		}
		for i := range n {
			poly[i*n+i] += orthogonal1
		}
		if k == 0 {
			copy(whole, poly)
		} else {
			square(poly, whole, next)
			whole, next = next, whole
		}
		if k < orthogonalRounds-1 {
			square(poly, gram, next)
			square(next, poly, gram)
		}
	}
	if wide {
		Sgemm(false, false, n, cols, n, 1, whole, n, x, cols, 0, out, cols, scratch, nil)
	} else {
		Sgemm(false, false, rows, n, n, 1, x, cols, whole, n, 0, out, cols, scratch, nil)
	}
	copy(x, out)
}

// OrthogonalizeScratch returns the number of scratch elements that Orthogonalize needs.
func OrthogonalizeScratch(rows, cols int) int {
	n, long := min(rows, cols), max(rows, cols)
	gemm := max(SgemmScratch(n, n, long), SgemmScratch(n, n, n), SgemmScratch(n, long, n), SgemmScratch(long, n, n))
	return 4*n*n + rows*cols + gemm
}
