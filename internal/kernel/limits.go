package kernel

import (
	"math"
	"unsafe"
)

// Limits bound the results of a convolution: max(Low, ·), then min(High, ·), so
// that High wins. NaN stays.
type Limits struct{ Low, High float32 }

// NoLimits leave results as they are; Rectified is ReLU.
var (
	NoLimits  = Limits{float32(math.Inf(-1)), float32(math.Inf(1))}
	Rectified = Limits{0, float32(math.Inf(1))}
)

// lower reports whether nothing is limited but, perhaps, from below.
func (l Limits) lower() bool { return math.IsInf(float64(l.High), 1) }

// rows adds bias, one number for each row of n elements ld apart or nil for
// zeros, and limits the sums.
func (l Limits) rows(rows, n int, x []float32, ld int, bias []float32) {
	if depthLanes() > 0 && bias != nil {
		limitRowsF32(rows, n, unsafe.SliceData(x), 4*ld, unsafe.SliceData(bias), l.Low, l.High)
		return
	}
	for i := range rows {
		row, b := x[i*ld:][:n], float32(0)
		if bias != nil {
			b = bias[i]
		}
		l.apply(row, row, b)
	}
}

// apply stores the limited sums of x and bias in dst, which may be x.
func (l Limits) apply(dst, x []float32, bias float32) {
	switch {
	case l == Rectified:
		ScaleShiftReLU(dst, x, 1, bias)
		return
	case bias != 0:
		ScaleShift(dst, x, 1, bias)
		x = dst
	}
	if l != NoLimits {
		Clip(dst, x, l.Low, l.High)
	}
}
