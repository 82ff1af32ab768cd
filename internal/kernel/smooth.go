package kernel

import (
	"math"
	"unsafe"
)

// In this file dst and the second input have at least as many elements as the
// first input, and dst may be an input. NaN propagates. The errors of the
// assembly are bounds on what every 31st float32 number shows.

// Erf stores the error function of xᵢ in dst. The error is below 2 ulp (1.8
// measured, near 0.9).
func Erf(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		erfF32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = float32(math.Erf(float64(v)))
	}
}

// GELU stores xᵢ·Φ(xᵢ) in dst, for Φ the normal distribution function; the value
// at −Inf is NaN. The error is below 8 ulp (7.0 measured, near −9) for results above
// 2⁻¹²⁶ in size, and 4·2⁻¹⁴⁹ below.
//
// D. Hendrycks, K. Gimpel, Gaussian Error Linear Units, arXiv:1606.08415.
func GELU(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		geluF32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = float32(float64(v) * normal(float64(v)))
	}
}

// GELUGrad stores dyᵢ·(Φ(xᵢ) + xᵢ·φ(xᵢ)) in dx, for x the input of GELU and φ the
// normal density. The slope is 1 at +Inf and 0 at −Inf, and its error
// is below 2.5e−7 (2.1e−7 measured).
func GELUGrad(dx, dy, x []float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		geluGradF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = float32(float64(v) * geluSlope(float64(x[i])))
	}
}

// geluSlope limits x to where φ is not 0 in float64: Inf·0 would be NaN.
func geluSlope(x float64) float64 {
	x = max(-40, min(40, x))
	return normal(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// Tanh stores the hyperbolic tangent of xᵢ in dst. The error is below 2 ulp (1.4
// measured, near 0.64).
func Tanh(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		tanhF32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = float32(math.Tanh(float64(v)))
	}
}

// TanhGrad stores dyᵢ·(1−yᵢ²) in dx, for y the output of Tanh.
func TanhGrad(dx, dy, y []float32) {
	dx, y = dx[:len(dy)], y[:len(dy)]
	if useAsm {
		tanhGradF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(y), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		u := float64(y[i])
		dx[i] = float32(float64(v) * (1 - u*u))
	}
}
