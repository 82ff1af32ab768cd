package kernel

import "unsafe"

func tileWide32(kc int, a, b []float32, ldb, bStep int, c []float32, ldc, cStep, rows, cols int, add bool) {
	pa, pb, pc := unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c)
	ldb, bStep, ldc, cStep = 4*ldb, 4*bStep, 4*ldc, 4*cStep
	switch rows {
	case 1:
		wideTile1F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 2:
		wideTile2F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 3:
		wideTile3F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 4:
		wideTile4F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 5:
		wideTile5F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 6:
		wideTile6F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 7:
		wideTile7F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 8:
		wideTile8F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 9:
		wideTile9F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 10:
		wideTile10F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 11:
		wideTile11F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	default:
		wideTile12F32(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	}
}

func tileWide64(kc int, a, b []float64, ldb, bStep int, c []float64, ldc, cStep, rows, cols int, add bool) {
	pa, pb, pc := unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c)
	ldb, bStep, ldc, cStep = 8*ldb, 8*bStep, 8*ldc, 8*cStep
	switch rows {
	case 1:
		wideTile1F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 2:
		wideTile2F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 3:
		wideTile3F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 4:
		wideTile4F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 5:
		wideTile5F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 6:
		wideTile6F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 7:
		wideTile7F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 8:
		wideTile8F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 9:
		wideTile9F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 10:
		wideTile10F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	case 11:
		wideTile11F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	default:
		wideTile12F64(kc, pa, pb, ldb, bStep, pc, ldc, cStep, cols, add)
	}
}
