package kernel

import "unsafe"

// Dot returns Σ xᵢyᵢ; y has at least len(x) elements. The error is at most
// len(x)·2⁻⁵³·Σ|xᵢyᵢ|.
func Dot(x, y []float64) float64 {
	y = y[:len(x)]
	if useAsm {
		return dotF64(len(x), unsafe.SliceData(x), unsafe.SliceData(y))
	}
	return dotPlain(x, y)
}

// Sum returns Σ xᵢ, with an error of at most len(x)·2⁻⁵³·Σ|xᵢ|.
func Sum(x []float64) float64 {
	if useAsm {
		return sumF64(len(x), unsafe.SliceData(x))
	}
	return sumPlain(x)
}

// SqDist returns Σ (xᵢ−yᵢ)²; y has at least len(x) elements.
func SqDist(x, y []float64) float64 {
	y = y[:len(x)]
	if useAsm {
		return sqDistF64(len(x), unsafe.SliceData(x), unsafe.SliceData(y))
	}
	return sqDistPlain(x, y)
}

// Axpy adds alpha·x to y, which has at least len(x) elements.
func Axpy(alpha float64, x, y []float64) {
	y = y[:len(x)]
	if useAsm {
		axpyAsm64(alpha, x, y)
		return
	}
	axpyPlain(alpha, x, y)
}

// Scale stores alpha·x in dst, which has at least len(x) elements and may be x.
func Scale(dst []float64, alpha float64, x []float64) {
	dst = dst[:len(x)]
	if useAsm {
		scaleF64(len(x), alpha, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	scalePlain(dst, alpha, x)
}

// Mul stores xᵢyᵢ in dst; y and dst have at least len(x) elements and dst may
// be x or y.
func Mul(dst, x, y []float64) {
	dst, y = dst[:len(x)], y[:len(x)]
	if useAsm {
		mulF64(len(x), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst))
		return
	}
	mulPlain(dst, x, y)
}

// Add stores xᵢ+yᵢ in dst; y and dst have at least len(x) elements and dst may
// be x or y.
func Add(dst, x, y []float64) {
	dst, y = dst[:len(x)], y[:len(x)]
	if useAsm {
		addF64(len(x), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst))
		return
	}
	addPlain(dst, x, y)
}

// Dgemv computes y = alpha·op(A)·x + beta·y, where A is m×n, row-major with row
// stride lda, and op transposes where t says so: x then has m elements and y n,
// otherwise x has n and y m. With beta 0, y is overwritten and may hold NaN;
// with alpha 0, A and x are not read. A is read once.
func Dgemv(t bool, m, n int, alpha float64, a []float64, lda int, x []float64, beta float64, y []float64) {
	rows, cols := m, n
	if t {
		rows, cols = n, m
	}
	x, y = x[:cols], y[:rows]
	if beta == 0 {
		clear(y)
	} else if beta != 1 {
		Scale(y, beta, y)
	}
	if alpha == 0 || cols == 0 {
		return
	}
	if t {
		gemvT(dgemmKernel(), m, alpha, x, a, lda, y)
		return
	}
	gemvN(dgemmKernel(), m, alpha, a, lda, x, 1, y, 1)
}
