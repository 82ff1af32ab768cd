package kernel

import "unsafe"

// In this file y and dst have at least as many elements as x, and dst may be x or
// y.

// Sub32 stores xᵢ−yᵢ in dst.
func Sub32(dst, x, y []float32) {
	dst, y = dst[:len(x)], y[:len(x)]
	if useAsm {
		subF32(len(x), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = v - y[i]
	}
}

// Div32 stores xᵢ/yᵢ in dst.
func Div32(dst, x, y []float32) {
	dst, y = dst[:len(x)], y[:len(x)]
	if useAsm {
		divF32(len(x), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = v / y[i]
	}
}

// DivBy32 stores xᵢ/d in dst.
func DivBy32(dst, x []float32, d float32) {
	dst = dst[:len(x)]
	if useAsm {
		divByF32(len(x), d, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = v / d
	}
}

// DivInto32 stores d/xᵢ in dst.
func DivInto32(dst []float32, d float32, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		divIntoF32(len(x), d, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = d / v
	}
}

// MulAdd32 adds xᵢyᵢ to dst, with one rounding in assembly.
func MulAdd32(dst, x, y []float32) {
	dst, y = dst[:len(x)], y[:len(x)]
	if useAsm {
		mulAddF32(len(x), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] += v * y[i]
	}
}

// SoftmaxGrad stores yᵢ(dyᵢ − Σ dyⱼyⱼ) in dx, for y the output of Softmax; dx and y
// have at least len(dy) elements and dx may be dy. The sum is taken in float64.
func SoftmaxGrad(dx, dy, y []float32) {
	dx, y = dx[:len(dy)], y[:len(dy)]
	dot := float32(Dot32(dy, y))
	if useAsm {
		softmaxGradF32(len(dy), dot, unsafe.SliceData(dy), unsafe.SliceData(y), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = y[i] * (v - dot)
	}
}

// CopyRows copies rows of n elements, ld apart in src, to places ldd apart in dst.
func CopyRows(rows, n int, src []float32, ld int, dst []float32, ldd int) {
	copyRows(rows, n, src, ld, dst, ldd)
}
