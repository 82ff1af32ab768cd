package kernel

import "unsafe"

// In this file dst and the second input have at least as many elements as the
// first input, and dst may be an input. NaN propagates.

// ReLU stores max(0, xᵢ) in dst.
func ReLU(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		reluF32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = max(0, v)
	}
}

// ReLUGrad stores dyᵢ in dx where the output y of ReLU is not ≤ 0, and 0
// elsewhere, as PyTorch's threshold_backward does: the gradient at 0 is 0 and a
// NaN output lets it pass.
func ReLUGrad(dx, dy, y []float32) {
	dx, y = dx[:len(dy)], y[:len(dy)]
	if useAsm {
		reluGradF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(y), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = passed(v, y[i])
	}
}

// passed is the gradient that a ReLU with output y lets through.
func passed(dy, y float32) float32 {
	if y <= 0 {
		return 0
	}
	return dy
}

// AddReLU stores max(0, xᵢ+yᵢ) in dst. Its gradient for both is ReLUGrad.
func AddReLU(dst, x, y []float32) {
	dst, y = dst[:len(x)], y[:len(x)]
	if useAsm {
		addReLUF32(len(x), unsafe.SliceData(x), unsafe.SliceData(y), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = max(0, v+y[i])
	}
}

// Sigmoid stores 1/(1+exp(−xᵢ)) in dst. The error is below 3 ulp.
func Sigmoid(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		sigmoidF32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = sigmoid(v)
	}
}

func sigmoid(v float32) float32 { return 1 / (1 + exp32(-v)) }

// SigmoidGrad stores dyᵢ·yᵢ·(1−yᵢ) in dx, for y the output of Sigmoid.
func SigmoidGrad(dx, dy, y []float32) {
	dx, y = dx[:len(dy)], y[:len(dy)]
	if useAsm {
		sigmoidGradF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(y), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		dx[i] = v * (y[i] * (1 - y[i]))
	}
}

// SiLU stores xᵢ/(1+exp(−xᵢ)) in dst; the value at −Inf is NaN.
func SiLU(dst, x []float32) {
	dst = dst[:len(x)]
	if useAsm {
		siluF32(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = v * sigmoid(v)
	}
}

// SiLUGrad stores dyᵢ·s·(1+xᵢ·(1−s)), s = 1/(1+exp(−xᵢ)), in dx, for x the
// input of SiLU.
func SiLUGrad(dx, dy, x []float32) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	if useAsm {
		siluGradF32(len(dy), unsafe.SliceData(dy), unsafe.SliceData(x), unsafe.SliceData(dx))
		return
	}
	for i, v := range dy {
		s := sigmoid(x[i])
		dx[i] = v * (s * (1 + x[i]*(1-s)))
	}
}
