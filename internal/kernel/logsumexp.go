package kernel

import "math"

// LogSumExp returns log Σ exp(xᵢ), and −Inf for no elements. An infinite
// element and NaN propagate as in exact arithmetic.
func LogSumExp(x []float64) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	if math.IsInf(top, 0) {
		return top
	}
	var sum float64
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

// LogSumExpDiff returns log Σ exp((fᵢ − cᵢ)·scale): one row of a Sinkhorn
// sweep in the log domain. len(f) is len(c).
func LogSumExpDiff(f, c []float64, scale float64) float64 {
	top := math.Inf(-1)
	for i, v := range f {
		top = max(top, (v-c[i])*scale)
	}
	if math.IsInf(top, 0) {
		return top
	}
	var sum float64
	for i, v := range f {
		sum += math.Exp((v-c[i])*scale - top)
	}
	return top + math.Log(sum)
}

// Exp writes exp(xᵢ) into dst, which may be x.
func Exp(dst, x []float64) {
	for i, v := range x {
		dst[i] = math.Exp(v)
	}
}

// Dot returns Σ xᵢyᵢ.
func Dot(x, y []float64) float64 {
	var sum float64
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// Axpy adds alpha·x to y.
func Axpy(alpha float64, x, y []float64) {
	for i, v := range x {
		y[i] += alpha * v
	}
}
