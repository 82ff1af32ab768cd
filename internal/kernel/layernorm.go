package kernel

import (
	"math"
	"unsafe"
)

// RowNorm is how a row of layer normalization is brought to mean 0 and variance 1.
type RowNorm struct {
	Mean, Inv float64 // Inv is 1/√(variance + epsilon)
}

// RowStats returns the norm of a row from its sums in float64. The variance is the
// biased one; its relative error is about 2⁻⁵²·(1 + mean²/variance), and it is not
// below 0.
func RowStats(x []float32, epsilon float64) RowNorm {
	n := float64(len(x))
	sum, squares := Moments(x)
	mean := sum / n
	variance := squares/n - float64(mean*mean)
	if variance < 0 { // NaN stays
		variance = 0
	}
	return RowNorm{mean, 1 / math.Sqrt(variance+epsilon)}
}

// NormRow stores (xᵢ−mean)·inv·scaleᵢ + shiftᵢ in dst, which may be x.
//
// J. L. Ba, J. R. Kiros, G. E. Hinton, Layer Normalization, arXiv:1607.06450.
func NormRow(dst, x, scale, shift []float32, s RowNorm) {
	dst, scale, shift = dst[:len(x)], scale[:len(x)], shift[:len(x)]
	mean, inv := float32(s.Mean), float32(s.Inv)
	if useAsm {
		normRowF32(len(x), mean, inv, unsafe.SliceData(x), unsafe.SliceData(scale), unsafe.SliceData(shift), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = (v-mean)*inv*scale[i] + shift[i]
	}
}

// NormRowGrad stores NormRow's gradient for x in dx, which may be dy: with g =
// dy·scale and x̂ = (x−mean)·inv, it is inv·(g − mean(g) − x̂·mean(g·x̂)).
func NormRowGrad(dx, dy, x, scale []float32, s RowNorm) {
	dx, x, scale = dx[:len(dy)], x[:len(dy)], scale[:len(dy)]
	n := float64(len(dy))
	sum, dot := sumDotScaled(dy, x, scale)
	b := -s.Inv * s.Inv * s.Inv * (dot - float64(s.Mean*sum)) / n
	normRowGrad(dx, dy, x, scale, float32(s.Mean), float32(s.Inv), float32(b), float32(-s.Inv*sum/n))
}

// normRowGrad stores a·dy·scale + b·(x−mean) + c in dx.
func normRowGrad(dx, dy, x, scale []float32, mean, a, b, c float32) {
	if useAsm {
		normRowGradF32(len(dy), mean, a, b, c, unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(scale), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = a*(v*scale[i]) + b*(x[i]-mean) + c
	}
}

// sumDotScaled returns Σ gᵢ and Σ gᵢxᵢ with g = dy·scale, in float64.
func sumDotScaled(dy, x, scale []float32) (sum, dot float64) {
	if useAsm {
		return sumDotScaledWideF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(scale))
	}
	for i, v := range dy {
		g := float64(v * scale[i])
		sum += g
		dot += float64(g * float64(x[i]))
	}
	return sum, dot
}

// NormRowParams adds NormRow's gradients for scale and shift to dscale and dshift.
func NormRowParams(dscale, dshift, dy, x []float32, s RowNorm) {
	dscale, dshift, x = dscale[:len(dy)], dshift[:len(dy)], x[:len(dy)]
	mean, inv := float32(s.Mean), float32(s.Inv)
	if useAsm {
		normRowParamsF32(len(dy), mean, inv, unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dscale), unsafe.SliceData(dshift))
		return
	}
	for i, v := range dy {
		dscale[i] += v * ((x[i] - mean) * inv)
		dshift[i] += v
	}
}
