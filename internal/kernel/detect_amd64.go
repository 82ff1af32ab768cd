//go:build !noasm

package kernel

// useAsm and, on top of it, useWide are set at start-up; only Use and tests change
// them afterwards.
var (
	useAsm  = detect()
	useWide = useAsm && detectWide()
)

// detect follows the Intel manual, volume 1, 14.3 and 14.5.3: the CPU must know
// AVX, FMA and AVX2, and the operating system must save the YMM registers.
func detect() bool {
	const (
		fma     = 1 << 12 // leaf 1, ECX
		osxsave = 1 << 27
		avx     = 1 << 28
		avx2    = 1 << 5      // leaf 7, EBX
		ymm     = 1<<1 | 1<<2 // XCR0: SSE and AVX state
	)
	top, _, _, _ := cpuid(0, 0)
	if top < 7 {
		return false
	}
	_, _, ecx, _ := cpuid(1, 0)
	if need := uint32(fma | osxsave | avx); ecx&need != need {
		return false
	}
	if state, _ := xgetbv(); state&ymm != ymm {
		return false
	}
	_, ebx, _, _ := cpuid(7, 0)
	return ebx&avx2 != 0
}

// detectWide follows section 15.2: AVX-512 F, DQ, BW and VL, for masks BMI2, and
// an operating system that saves the mask and ZMM registers.
func detectWide() bool {
	const (
		bmi2    = 1 << 8 // leaf 7, EBX
		avx512f = 1 << 16
		dq      = 1 << 17
		bw      = 1 << 30
		vl      = 1 << 31
		zmm     = 7 << 5 // XCR0: mask registers, upper halves, upper registers
	)
	if state, _ := xgetbv(); state&zmm != zmm {
		return false
	}
	_, ebx, _, _ := cpuid(7, 0)
	need := uint32(bmi2 | avx512f | dq | bw | vl)
	return ebx&need == need
}

// hasTapRows reports whether there is assembly for convolutions with few outputs:
// that for AVX-512.
func hasTapRows() bool { return useWide && useAsm }

// depthLanes returns how many lanes the assembly for depthwise convolutions has, 0
// where there is none.
func depthLanes() int {
	switch {
	case useAsm && useWide:
		return 16
	case useAsm:
		return 8
	}
	return 0
}
