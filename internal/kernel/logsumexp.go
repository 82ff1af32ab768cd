package kernel

import (
	"math"
	"unsafe"
)

// LogSumExp returns log Σ exp(xᵢ), and −Inf for no elements. An infinite
// element and NaN propagate as in exact arithmetic.
//
// The assembly sums in another order than the twin; both are within
// (len(x)+2)·2⁻⁵² of the sum, relatively.
func LogSumExp(x []float64) float64 {
	if useAsm {
		if top := maxAsm64(len(x), unsafe.SliceData(x)); !math.IsInf(top, 0) {
			return top + math.Log(sumExpAsm64(len(x), unsafe.SliceData(x), top))
		}
	}
	return logSumExpPlain(x)
}

func logSumExpPlain(x []float64) float64 {
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
// sweep in the log domain. c has at least len(f) elements. Special values and
// error as in LogSumExp.
func LogSumExpDiff(f, c []float64, scale float64) float64 {
	c = c[:len(f)]
	if useAsm {
		pf, pc := unsafe.SliceData(f), unsafe.SliceData(c)
		if top := maxDiffAsm64(len(f), pf, pc, scale); !math.IsInf(top, 0) {
			return top + math.Log(sumExpDiffAsm64(len(f), pf, pc, scale, top))
		}
	}
	return logSumExpDiffPlain(f, c, scale)
}

func logSumExpDiffPlain(f, c []float64, scale float64) float64 {
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

// Exp writes exp(xᵢ) into dst, which has at least len(x) elements and may be x.
// The error is below 1 ulp with assembly and that of math.Exp without; subnormal
// results are correct to one unit of their spacing; exp(±Inf) and NaN are exact.
func Exp(dst, x []float64) {
	dst = dst[:len(x)]
	if useAsm {
		expAsm64(len(x), unsafe.SliceData(x), unsafe.SliceData(dst))
		return
	}
	for i, v := range x {
		dst[i] = math.Exp(v)
	}
}
