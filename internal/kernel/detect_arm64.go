//go:build !noasm

package kernel

// useAsm is true at start-up: every arm64 processor that Go runs on has NEON,
// with vectors of 128 bits and fused multiply-add. Nothing is wider here.
var useAsm, useWide = true, false

// hasTapRows reports whether there is assembly for convolutions with few outputs.
func hasTapRows() bool { return useAsm }

// depthLanes is 0: depthwise convolutions copy their planes here.
func depthLanes() int { return 0 }
