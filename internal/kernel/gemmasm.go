package kernel

import "unsafe"

// The assembly takes pointers and strides in bytes.

func tileAsm32(kc int, a, b []float32, ldb, _ int, c []float32, ldc, _, rows, cols int, add bool) {
	pa, pb, pc := unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c)
	switch rows {
	case 1:
		tile1F32(kc, pa, pb, 4*ldb, pc, 4*ldc, cols, add)
	case 2:
		tile2F32(kc, pa, pb, 4*ldb, pc, 4*ldc, cols, add)
	case 3:
		tile3F32(kc, pa, pb, 4*ldb, pc, 4*ldc, cols, add)
	case 4:
		tile4F32(kc, pa, pb, 4*ldb, pc, 4*ldc, cols, add)
	case 5:
		tile5F32(kc, pa, pb, 4*ldb, pc, 4*ldc, cols, add)
	default:
		tile6F32(kc, pa, pb, 4*ldb, pc, 4*ldc, cols, add)
	}
}

func tileAsm64(kc int, a, b []float64, ldb, _ int, c []float64, ldc, _, rows, cols int, add bool) {
	pa, pb, pc := unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c)
	switch rows {
	case 1:
		tile1F64(kc, pa, pb, 8*ldb, pc, 8*ldc, cols, add)
	case 2:
		tile2F64(kc, pa, pb, 8*ldb, pc, 8*ldc, cols, add)
	case 3:
		tile3F64(kc, pa, pb, 8*ldb, pc, 8*ldc, cols, add)
	case 4:
		tile4F64(kc, pa, pb, 8*ldb, pc, 8*ldc, cols, add)
	case 5:
		tile5F64(kc, pa, pb, 8*ldb, pc, 8*ldc, cols, add)
	default:
		tile6F64(kc, pa, pb, 8*ldb, pc, 8*ldc, cols, add)
	}
}

func packAsm32(across bool, w, kc int, src []float32, ld int, dst []float32, alpha float32) {
	from, to := unsafe.SliceData(src), unsafe.SliceData(dst)
	whole := kc &^ 7 // whole squares; the rest goes the plain way
	switch {
	case across && w == mr:
		packARowsF32(kc, from, 4*ld, to, alpha)
		return
	case across:
		packBRowsF32(kc, from, 4*ld, to, alpha)
		return
	case w == mr:
		packAColsF32(whole, from, 4*ld, to, alpha)
	default:
		packBColsF32(whole, from, 4*ld, to, alpha)
	}
	if whole < kc {
		packAny(across, w, w, kc-whole, src[whole:], ld, dst[whole*w:], alpha)
	}
}

func packAsm64(across bool, w, kc int, src []float64, ld int, dst []float64, alpha float64) {
	from, to := unsafe.SliceData(src), unsafe.SliceData(dst)
	whole := kc &^ 3
	switch {
	case across && w == mr:
		packARowsF64(kc, from, 8*ld, to, alpha)
		return
	case across:
		packBRowsF64(kc, from, 8*ld, to, alpha)
		return
	case w == mr:
		packAColsF64(whole, from, 8*ld, to, alpha)
	default:
		packBColsF64(whole, from, 8*ld, to, alpha)
	}
	if whole < kc {
		packAny(across, w, w, kc-whole, src[whole:], ld, dst[whole*w:], alpha)
	}
}

func dot4Asm32(a []float32, ld int, x []float32) (out [4]float32) {
	dot4F32(len(x), unsafe.SliceData(a), 4*ld, unsafe.SliceData(x), &out[0])
	return out
}

func dot4Asm64(a []float64, ld int, x []float64) (out [4]float64) {
	dot4F64(len(x), unsafe.SliceData(a), 8*ld, unsafe.SliceData(x), &out[0])
	return out
}

func axpy4Asm32(coef [4]float32, a []float32, ld int, y []float32) {
	axpy4F32(len(y), unsafe.SliceData(a), 4*ld, &coef[0], unsafe.SliceData(y))
}

func axpy4Asm64(coef [4]float64, a []float64, ld int, y []float64) {
	axpy4F64(len(y), unsafe.SliceData(a), 8*ld, &coef[0], unsafe.SliceData(y))
}

func axpyAsm32(alpha float32, x, y []float32) {
	axpyF32(len(x), alpha, unsafe.SliceData(x), unsafe.SliceData(y))
}

func axpyAsm64(alpha float64, x, y []float64) {
	axpyF64(len(x), alpha, unsafe.SliceData(x), unsafe.SliceData(y))
}
