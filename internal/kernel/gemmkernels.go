package kernel

// sgemmKernel returns the float32 kernel of this machine.
func sgemmKernel() *gemmKernel[float32] {
	switch {
	case useAsm && useWide:
		return &sgemmWide
	case useAsm:
		return &sgemmAsm
	}
	return &sgemmPlain
}

// dgemmKernel returns the float64 kernel of this machine.
func dgemmKernel() *gemmKernel[float64] {
	switch {
	case useAsm && useWide:
		return &dgemmWide
	case useAsm:
		return &dgemmAsm
	}
	return &dgemmPlain
}

// The block sizes keep a panel of B (kc×nr) and one of A (kc×mr) in a
// first-level cache of 32 KiB, l2 rows of A and a block of B (kc×nc) together
// in a second-level cache of 1 MiB; two panels of each and a cache of 48 KiB with
// AVX-512.
var (
	sgemmWide = gemmKernel[float32]{nr: 16, high: 2 * mr, wide: 32, kc: 320, nc: 256, mc: 4092, l2: 240,
		tile: tileWide32, pack: packAsm32, dot4: dot4Asm32, axpy4: axpy4Asm32, axpy: axpyAsm32}
	dgemmWide = gemmKernel[float64]{nr: 8, high: 2 * mr, wide: 16, kc: 320, nc: 192, mc: 4092, l2: 180,
		tile: tileWide64, pack: packAsm64, dot4: dot4Asm64, axpy4: axpy4Asm64, axpy: axpyAsm64}
	sgemmAsm = gemmKernel[float32]{nr: 16, high: mr, wide: 16, kc: 384, nc: 256, mc: 4092, l2: 240,
		tile: tileAsm32, pack: packAsm32, dot4: dot4Asm32, axpy4: axpy4Asm32, axpy: axpyAsm32}
	dgemmAsm = gemmKernel[float64]{nr: 8, high: mr, wide: 8, kc: 256, nc: 192, mc: 4092, l2: 180,
		tile: tileAsm64, pack: packAsm64, dot4: dot4Asm64, axpy4: axpy4Asm64, axpy: axpyAsm64}
	sgemmPlain = gemmKernel[float32]{nr: 16, high: mr, wide: 16, kc: 384, nc: 256, mc: 4092, l2: 240,
		tile: tilePlain[float32], pack: packPlain[float32], dot4: dot4Plain[float32], axpy4: axpy4Plain[float32], axpy: axpyPlain[float32]}
	dgemmPlain = gemmKernel[float64]{nr: 8, high: mr, wide: 8, kc: 256, nc: 192, mc: 4092, l2: 180,
		tile: tilePlain[float64], pack: packPlain[float64], dot4: dot4Plain[float64], axpy4: axpy4Plain[float64], axpy: axpyPlain[float64]}
)

// tilePlain works through the tile in pieces of 2×4, which fit the registers.
func tilePlain[T element](kc int, a, b []T, ldb, _ int, c []T, ldc, _, rows, cols int, add bool) {
	for i := 0; i < rows; i += 2 {
		for j := 0; j < cols; j += 4 {
			piece := tilePiece(kc, a[i:], b[j:], ldb)
			for r := range min(2, rows-i) {
				row := c[(i+r)*ldc+j:][:min(4, cols-j)]
				for s := range row {
					if add {
						row[s] += piece[4*r+s]
					} else {
						row[s] = piece[4*r+s]
					}
				}
			}
		}
	}
}

func tilePiece[T element](kc int, a, b []T, ldb int) [8]T {
	var c00, c01, c02, c03, c10, c11, c12, c13 T
	for p := range kc {
		u, v := a[p*mr:][:2:2], b[p*ldb:][:4:4]
		c00 += u[0] * v[0]
		c01 += u[0] * v[1]
		c02 += u[0] * v[2]
		c03 += u[0] * v[3]
		c10 += u[1] * v[0]
		c11 += u[1] * v[1]
		c12 += u[1] * v[2]
		c13 += u[1] * v[3]
	}
	return [8]T{c00, c01, c02, c03, c10, c11, c12, c13}
}

func packPlain[T element](across bool, w, kc int, src []T, ld int, dst []T, alpha T) {
	packAny(across, w, w, kc, src, ld, dst, alpha)
}

func dot4Plain[T element](a []T, ld int, x []T) [4]T {
	var s0, s1, s2, s3 T
	r0, r1, r2, r3 := a[:len(x)], a[ld:][:len(x)], a[2*ld:][:len(x)], a[3*ld:][:len(x)]
	for i, v := range x {
		s0 += v * r0[i]
		s1 += v * r1[i]
		s2 += v * r2[i]
		s3 += v * r3[i]
	}
	return [4]T{s0, s1, s2, s3}
}

func axpy4Plain[T element](coef [4]T, a []T, ld int, y []T) {
	r0, r1, r2, r3 := a[:len(y)], a[ld:][:len(y)], a[2*ld:][:len(y)], a[3*ld:][:len(y)]
	for i := range y {
		y[i] += coef[0]*r0[i] + coef[1]*r1[i] + coef[2]*r2[i] + coef[3]*r3[i]
	}
}
