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
