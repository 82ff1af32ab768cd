package kernel

import (
	"math"
	"unsafe"
)

// Sum32 returns Σ xᵢ, added up in float64: the error is at most
// len(x)·2⁻⁵³·Σ|xᵢ|.
func Sum32(x []float32) float64 {
	if useAsm {
		return sumWideF32(len(x), unsafe.SliceData(x))
	}
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return s
}

// Dot32 returns Σ xᵢyᵢ, multiplied and added up in float64; y has at least
// len(x) elements. The error is at most len(x)·2⁻⁵³·Σ|xᵢyᵢ|.
func Dot32(x, y []float32) float64 {
	y = y[:len(x)]
	if useAsm {
		return dotWideF32(len(x), unsafe.SliceData(x), unsafe.SliceData(y))
	}
	var s float64
	for i, v := range x {
		s += float64(v) * float64(y[i])
	}
	return s
}

// Axpy32 adds alpha·x to y, which has at least len(x) elements.
func Axpy32(alpha float32, x, y []float32) {
	y = y[:len(x)]
	if useAsm {
		axpyAsm32(alpha, x, y)
		return
	}
	axpyPlain(alpha, x, y)
}

// Axpby32 stores a·x + b·y in y, which has at least len(x) elements.
func Axpby32(a float32, x []float32, b float32, y []float32) {
	y = y[:len(x)]
	if useAsm {
		axpbyF32(len(x), a, b, unsafe.SliceData(x), unsafe.SliceData(y))
		return
	}
	for i, v := range x {
		y[i] = a*v + b*y[i]
	}
}

// Scale32 stores alpha·x in dst, which has at least len(x) elements and may be
// x.
func Scale32(dst []float32, alpha float32, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		scaleF32(len(x), alpha, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	scalePlain(dst, alpha, x)
}

// Add32 stores xᵢ+yᵢ in dst; y and dst have at least len(x) elements and dst
// may be x or y.
func Add32(dst, x, y []float32) {
	dst, y = dst[:len(x)], y[:len(x)]
	if useAsm {
		addF32(len(x), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst))
		return
	}
	addPlain(dst, x, y)
}

// Mul32 stores xᵢyᵢ in dst; y and dst have at least len(x) elements and dst may
// be x or y.
func Mul32(dst, x, y []float32) {
	dst, y = dst[:len(x)], y[:len(x)]
	if useAsm {
		mulF32(len(x), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst))
		return
	}
	mulPlain(dst, x, y)
}

// Exp32 writes exp(xᵢ) into dst, which has at least len(x) elements and may be
// x. The error is below 1 ulp; exp(±Inf) and NaN are exact.
func Exp32(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		expAsm32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = exp32(v)
	}
}

func exp32(v float32) float32 { return float32(math.Exp(float64(v))) }

// Softmax writes exp(xᵢ)/Σ exp(xⱼ) into dst, which has at least len(x) elements
// and may be x. The sum is taken in float64. A NaN or +Inf among x, or nothing
// but −Inf, makes every element NaN.
func Softmax(dst, x []float32) {
	dst = dst[:len(x)]
	top := float32(math.Inf(-1))
	if useAsm {
		top = maxF32(len(x), unsafe.SliceData(x))
		expShiftedF32(len(x), top, unsafe.SliceData(x), unsafe.SliceData(dst))
	} else {
		for _, v := range x {
			top = max(top, v)
		}
		for i, v := range x {
			dst[i] = exp32(v - top)
		}
	}
	Scale32(dst, float32(1/Sum32(dst)), dst)
}
