package kernel

import "unsafe"

// In this file x has rows of n elements, one after the other, and dst or a has one
// number for each of them. Rows may be short.

// ScaleRows stores every row times its number of a in dst, which may be x.
func ScaleRows(dst, x, a []float32, n int) {
	if depthLanes() > 0 {
		scaleRowsF32(len(a), n, unsafe.SliceData(x), unsafe.SliceData(a), unsafe.SliceData(dst))
		return
	}
	for i, v := range a {
		Scale32(dst[i*n:(i+1)*n], v, x[i*n:(i+1)*n])
	}
}

// SumRows stores the sum of every row over divisor in dst, computed in float64.
func SumRows(dst, x []float32, n int, divisor float64) {
	if depthLanes() > 0 {
		sumRowsF32(len(dst), n, unsafe.SliceData(x), unsafe.SliceData(dst), divisor)
		return
	}
	for i := range dst {
		dst[i] = float32(Sum32(x[i*n:(i+1)*n]) / divisor)
	}
}

// DotRows stores the product of every row of x and the same of y in dst, computed in
// float64.
func DotRows(dst, x, y []float32, n int) {
	if depthLanes() > 0 {
		dotRowsF32(len(dst), n, unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst), 1)
		return
	}
	for i := range dst {
		dst[i] = float32(Dot32(x[i*n:(i+1)*n], y[i*n:(i+1)*n]))
	}
}
