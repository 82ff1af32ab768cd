// Package finite tells finite numbers from NaN and the infinities.
package finite

import "math"

// Is reports whether v is neither NaN nor infinite. It looks at the bits: the
// arithmetic test v-v == 0 is false for a finite product on machines with a
// fused multiply-add, where x·y − v keeps the rounding error of v.
func Is[T float32 | float64](v T) bool {
	const exponent = 0x7ff << 52
	return math.Float64bits(float64(v))&exponent != exponent
}

// All reports whether every number of v is finite.
func All[T float32 | float64](v []T) bool { return First(v) < 0 }

// First returns the position of the first number of v that is not finite, or −1.
func First[T float32 | float64](v []T) int {
	for i, x := range v {
		if !Is(x) {
			return i
		}
	}
	return -1
}
