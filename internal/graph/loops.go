package graph

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// These loops add to a gradient, or write it where it is fresh. dst has the
// length of x and may be x.

// accumulate adds x to dst.
func accumulate(fresh bool, dst, x []float32) {
	if fresh {
		copy(dst, x)
	} else {
		kernel.Add32(dst, dst, x)
	}
}

// addScaled adds scale·x to dst.
func addScaled(fresh bool, dst, x []float32, scale float32) {
	if fresh {
		kernel.Scale32(dst, scale, x)
	} else {
		kernel.Axpy32(scale, x, dst)
	}
}

// addProduct adds x·y to dst.
func addProduct(fresh bool, dst, x, y []float32) {
	if fresh {
		kernel.Mul32(dst, x, y)
	} else {
		kernel.MulAdd32(dst, x[:len(dst)], y)
	}
}

// addConstant adds v to every element.
func addConstant(dst []float32, v float32) {
	kernel.ScaleShift(dst, dst, 1, v)
}

// reluVJP adds dy where y > 0 to dst. y is a rectifier's output, +0 or above:
// its bits, as an integer, are above 0 where it is. Branches would be
// mispredicted on random signs.
func reluVJP(fresh bool, dst, dy, y []float32) {
	if fresh {
		kernel.ReLUGrad(dst, dy, y)
		return
	}
	dy, y = dy[:len(dst)], y[:len(dst)]
	for i, v := range y {
		mask := -int32(math.Float32bits(v)) >> 31
		dst[i] += math.Float32frombits(math.Float32bits(dy[i]) & uint32(mask))
	}
}

// normVJP adds a·dy + b·(x − mean) + shift to dst, which may be dy.
func normVJP(fresh bool, dst, dy, x []float32, mean, a, b, shift float32) {
	if fresh {
		kernel.NormalizeGrad(dst, dy, x, mean, a, b, shift)
		return
	}
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i := range dst {
		dst[i] += a*dy[i] + b*(x[i]-mean) + shift
	}
}
