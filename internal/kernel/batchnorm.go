package kernel

import "unsafe"

// Batch normalization of a channel is y = a·(x−mean) + b with a = γ/√(var+ε)
// and b = β over the planes of that channel in every sample. Statistics are
// sums over planes, so the caller adds up one plane after the other:
//
//	mean = Σx/n    var = Σx²/n − mean²
//
// The squares of float32 are exact in float64; the relative error of var is at
// most about n·2⁻⁵³·(1+mean²/var). For the gradients, with x̂ = (x−mean)/σ:
//
//	dβ = Σdy    dγ = (Σdy·x − mean·Σdy)/σ
//	dx = γ/σ·(dy − dβ/n − x̂·dγ/n)
//
// S. Ioffe, C. Szegedy, Batch Normalization, ICML 2015, section 3.

// Moments returns Σx and Σx², both added up in float64.
func Moments(x []float32) (sum, squares float64) {
	if useAsm {
		return momentsWideF32(len(x), unsafe.SliceData(x))
	}
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	return sum, squares
}

// Normalize stores a·(x−mean) + b in dst, which has at least len(x) elements
// and may be x.
func Normalize(dst, x []float32, mean, a, b float32) {
	dst = dst[:len(x)]
	if useAsm {
		normalizeF32(len(x), mean, a, b, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = a*(v-mean) + b
	}
}

// NormalizeReLU is Normalize followed by ReLU.
func NormalizeReLU(dst, x []float32, mean, a, b float32) {
	dst = dst[:len(x)]
	if useAsm {
		normalizeReLUF32(len(x), mean, a, b, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = max(0, a*(v-mean)+b)
	}
}

// shortRow is up to which length rows are normalized by numbers for every element,
// all means first: vectors that hold a part of a row each would be mostly empty.
const shortRow = 8

// NormTable returns the number of elements of NormalizeRows' table.
func NormTable(rows, n int) int {
	if n <= shortRow {
		return 3 * rows * n
	}
	return 3 * rows
}

// PutNorm writes mean, a and b of a row to the table.
func PutNorm(table []float32, row, n int, mean, a, b float32) {
	if n > shortRow {
		table[3*row], table[3*row+1], table[3*row+2] = mean, a, b
		return
	}
	third := len(table) / 3
	for i := row * n; i < (row+1)*n; i++ {
		table[i], table[third+i], table[2*third+i] = mean, a, b
	}
}

// NormalizeRows stores a·(x−mean) + b of rows of n elements in dst and limits the
// results. PutNorm has written all of table; dst may be x.
func NormalizeRows(dst, x, table []float32, n int, l Limits) {
	third := len(table) / 3
	mean, a, b := table[:third], table[third:2*third], table[2*third:]
	switch {
	case n > shortRow && depthLanes() > 0:
		normalizeRowsF32(third, n, unsafe.SliceData(x), unsafe.SliceData(table), unsafe.SliceData(dst), l.Low, l.High)
	case n > shortRow:
		for i := range third {
			to, from, t := dst[i*n:(i+1)*n], x[i*n:(i+1)*n], table[3*i:][:3]
			Normalize(to, from, t[0], t[1], t[2])
			l.apply(to, to, 0)
		}
	case depthLanes() > 0:
		normalizeEachF32(third, l.Low, l.High, unsafe.SliceData(x), unsafe.SliceData(mean), unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(dst))
	default:
		for i := range third {
			dst[i] = min(l.High, max(l.Low, a[i]*(x[i]-mean[i])+b[i]))
		}
	}
}

// ScaleShift stores a·x + b in dst, which has at least len(x) elements and may
// be x: batch normalization with mean folded into b, or a bias.
func ScaleShift(dst, x []float32, a, b float32) {
	dst = dst[:len(x)]
	if useAsm {
		scaleShiftF32(len(x), a, b, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = a*v + b
	}
}

// ScaleShiftReLU is ScaleShift followed by ReLU.
func ScaleShiftReLU(dst, x []float32, a, b float32) {
	dst = dst[:len(x)]
	if useAsm {
		scaleShiftReLUF32(len(x), a, b, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = max(0, a*v+b)
	}
}

// NormalizeSums returns Σdy and Σdy·x in float64: the sums of dβ and dγ. x has
// at least len(dy) elements.
func NormalizeSums(dy, x []float32) (sum, dot float64) {
	x = x[:len(dy)]
	if useAsm {
		return sumDotWideF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(x))
	}
	for i, v := range dy {
		sum += float64(v)
		dot += float64(v) * float64(x[i])
	}
	return sum, dot
}

// NormalizeSumsReLU is NormalizeSums behind a ReLU whose output is y.
func NormalizeSumsReLU(dy, x, y []float32) (sum, dot float64) {
	x, y = x[:len(dy)], y[:len(dy)]
	if useAsm {
		return sumDotReLUWideF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(y))
	}
	for i, v := range dy {
		v = passed(v, y[i])
		sum += float64(v)
		dot += float64(v) * float64(x[i])
	}
	return sum, dot
}

// NormalizeGrad stores a·dy + b·(x−mean) + c in dx: the gradient by x with
// a = γ/σ, b = −γ·dγ/(n·σ²) and c = −a·dβ/n. x and dx have at least len(dy)
// elements; dx may be dy or x.
func NormalizeGrad(dx, dy, x []float32, mean, a, b, c float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		normalizeGradF32(len(dy), mean, a, b, c, unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = a*v + (b*(x[i]-mean) + c)
	}
}

// NormalizeGradReLU is NormalizeGrad behind a ReLU whose output is y.
func NormalizeGradReLU(dx, dy, x, y []float32, mean, a, b, c float32) {
	dx, x, y = dx[:len(dy)], x[:len(dy)], y[:len(dy)]
	if useAsm {
		normalizeGradReLUF32(len(dy), mean, a, b, c, unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = a*passed(v, y[i]) + (b*(x[i]-mean) + c)
	}
}
