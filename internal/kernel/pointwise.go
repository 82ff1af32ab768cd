package kernel

import (
	"math"
	"unsafe"
)

// In this file dst and the second input have at least as many elements as the
// first input, and dst may be an input. NaN propagates; the gradients multiply dy
// by the slope at x, the input, also where that is 0.

// Clip stores min(hi, max(lo, xᵢ)) in dst: hi where lo > hi.
func Clip(dst, x []float32, lo, hi float32) {
	dst = dst[:len(x)]
	if useAsm {
		clipF32(len(x), lo, hi, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = min(hi, max(lo, v))
	}
}

// ClipGrad stores dyᵢ in dx where lo < xᵢ < hi, and 0·dyᵢ elsewhere.
func ClipGrad(dx, dy, x []float32, lo, hi float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		clipGradF32(len(dy), lo, hi, unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = v * inside(x[i], lo, hi, 1)
	}
}

// inside returns slope where lo < x < hi, and 0 elsewhere.
func inside(x, lo, hi, slope float32) float32 {
	if x > lo && x < hi {
		return slope
	}
	return 0
}

// LeakyReLU stores xᵢ in dst, or alpha·xᵢ where xᵢ < 0.
func LeakyReLU(dst, x []float32, alpha float32) {
	dst = dst[:len(x)]
	if useAsm {
		leakyReLUF32(len(x), alpha, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = v * leak(v, alpha)
	}
}

// LeakyReLUGrad is the gradient of LeakyReLU.
func LeakyReLUGrad(dx, dy, x []float32, alpha float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		leakyReLUGradF32(len(dy), alpha, unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = v * leak(x[i], alpha)
	}
}

func leak(x, alpha float32) float32 {
	if x < 0 {
		return alpha
	}
	return 1
}

// HardSigmoid stores max(0, min(1, alpha·xᵢ + beta)) in dst.
func HardSigmoid(dst, x []float32, alpha, beta float32) {
	dst = dst[:len(x)]
	if useAsm {
		hardSigmoidF32(len(x), alpha, beta, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = max(0, min(1, line(v, alpha, beta)))
	}
}

// HardSigmoidGrad is the gradient of HardSigmoid, 0 at its bends.
func HardSigmoidGrad(dx, dy, x []float32, alpha, beta float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		hardSigmoidGradF32(len(dy), alpha, beta, unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = v * inside(line(x[i], alpha, beta), 0, 1, alpha)
	}
}

// line is alpha·x + beta, rounded once as by a fused multiply-add.
func line(x, alpha, beta float32) float32 {
	return float32(float64(float64(alpha)*float64(x)) + float64(beta))
}

// HardSwish stores xᵢ·max(0, min(1, (xᵢ+3)/6)) in dst. The error is below 3 ulp (2.3
// measured); the value at −Inf is NaN.
func HardSwish(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		hardSwishF32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = float32(float64(v) * max(0, min(1, (float64(v)+3)/6)))
	}
}

// HardSwishGrad is the gradient of HardSwish: the slope is 0 for xᵢ ≤ −3, 1 for
// xᵢ ≥ 3, and xᵢ/3 + 1/2 between, with an error below 1e−7.
func HardSwishGrad(dx, dy, x []float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		hardSwishGradF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = float32(float64(v) * hardSwishSlope(float64(x[i])))
	}
}

func hardSwishSlope(x float64) float64 {
	switch {
	case x <= -3:
		return 0
	case x >= 3:
		return 1
	}
	return x/3 + .5
}

// ELU stores gain·xᵢ in dst where xᵢ > 0, and scale·(exp(rate·xᵢ) − 1) elsewhere, for
// rate > 0. The error is below 2 ulp where rate is 1.
//
// D.-A. Clevert, T. Unterthiner, S. Hochreiter, arXiv:1511.07289, equation 15.
func ELU(dst, x []float32, gain, scale, rate float32) {
	dst = dst[:len(x)]
	if useAsm {
		eluF32(len(x), gain, scale, rate, unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		if v > 0 {
			dst[i] = gain * v
		} else {
			dst[i] = float32(float64(scale) * math.Expm1(float64(rate)*float64(v)))
		}
	}
}

// ELUGrad is the gradient of ELU: at 0, that from below.
func ELUGrad(dx, dy, x []float32, gain, scale, rate float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		eluGradF32(len(dy), gain, scale, rate, unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		if x[i] > 0 {
			dx[i] = v * gain
		} else {
			dx[i] = float32(float64(v) * float64(scale) * float64(rate) * math.Exp(float64(rate)*float64(x[i])))
		}
	}
}

const (
	geluScale = 0.7978845608028654 // √(2/π)
	geluCubic = 0.044715
)

// GELUTanh stores xᵢ·(1 + tanh(√(2/π)·(xᵢ + 0.044715·xᵢ³)))/2 in dst; the value at
// −Inf is NaN. It is computed as xᵢ·sigmoid(2u) with an error of about 3+|3u| ulp for
// negative u: 4 ulp for results above 1e−3 in size, 160 near 1e−32.
//
// D. Hendrycks, K. Gimpel, arXiv:1606.08415, section 2.
func GELUTanh(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		geluTanhF32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = float32(float64(v) * geluGate(float64(v)))
	}
}

// GELUTanhGrad is the gradient of GELUTanh. The slope is 1 at +Inf and 0 at −Inf, and
// its error is below 1e−6.
func GELUTanhGrad(dx, dy, x []float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		geluTanhGradF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = float32(float64(v) * geluTanhSlope(float64(x[i])))
	}
}

// geluGate returns sigmoid(2u) = (1 + tanh(u))/2.
func geluGate(x float64) float64 {
	return 1 / (1 + math.Exp(-2*geluScale*(x+geluCubic*x*x*x)))
}

// geluTanhSlope limits x to where the slope is neither 0 nor 1 in float32: Inf·0
// would be NaN.
func geluTanhSlope(x float64) float64 {
	x = max(-10, min(10, x))
	s := geluGate(x)
	return s + x*s*(1-s)*2*geluScale*(1+3*geluCubic*x*x)
}
