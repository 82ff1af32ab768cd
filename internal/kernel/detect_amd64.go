//go:build !noasm

package kernel

// useAsm is set once at start-up; only tests change it afterwards.
var useAsm = detect()

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
