package graph

import (
	"fmt"
	"math"
)

// LRN divides every element by (Bias + Alpha/Size·Σ x²)^Beta, where the sum is over
// Size channels around it: local response normalization (Krizhevsky, Sutskever,
// Hinton, NIPS 2012, section 3.3) with ONNX's constants.
type LRN struct {
	Size              int
	Alpha, Beta, Bias float64
}

// Infer implements Op.
func (op LRN) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	if op.Size < 1 || len(in[0].Shape) == 0 {
		return nil, fmt.Errorf("window of %d channels over samples of shape %v", op.Size, in[0].Shape)
	}
	return in[0].Shape, nil
}

// Reads implements Op.
func (LRN) Reads([]bool, bool) ([]bool, bool) { return []bool{true}, false }

// window returns the channels [lo, hi) that the sum of channel ch runs over.
func (op LRN) window(ch, channels int) (lo, hi int) {
	return max(ch-(op.Size-1)/2, 0), min(ch+op.Size/2+1, channels)
}

// base returns Bias + Alpha/Size·Σ x² at element i of channel ch of a sample.
func (op LRN) base(x []float32, ch, i, channels, n int) float64 {
	total := 0.0
	lo, hi := op.window(ch, channels)
	for k := lo; k < hi; k++ {
		v := float64(x[k*n+i])
		total += v * v
	}
	return op.Bias + op.Alpha/float64(op.Size)*total
}

// each calls f for every sample.
func (op LRN) each(c *Call, f func(lo, hi, channels, n int)) {
	all, channels := size(c.OutShape), c.OutShape[0]
	for s := range c.N {
		f(s*all, (s+1)*all, channels, all/channels)
	}
}

// Forward implements Op.
func (op LRN) Forward(c *Call) {
	op.each(c, func(lo, hi, channels, n int) {
		x, y := c.In[0][lo:hi], c.Out[lo:hi]
		for o := range y {
			y[o] = float32(float64(x[o]) * math.Pow(op.base(x, o/n, o%n, channels, n), -op.Beta))
		}
	})
}

// VJP implements Op: with base b of output o, dx(o) gets dy·b^−β and every
// channel k of its window −2αβ/size·x(k)·dy·x(o)·b^(−β−1).
func (op LRN) VJP(c *Call) {
	c.Clear(0)
	op.each(c, func(start, end, channels, n int) {
		x, dy, dx := c.In[0][start:end], c.DOut[start:end], c.DIn[0][start:end]
		for o := range dy {
			ch, i := o/n, o%n
			b := op.base(x, ch, i, channels, n)
			scale := float64(dy[o]) * math.Pow(b, -op.Beta)
			dx[o] += float32(scale)
			scale *= -2 * op.Alpha * op.Beta / float64(op.Size) * float64(x[o]) / b
			lo, hi := op.window(ch, channels)
			for k := lo; k < hi; k++ {
				dx[k*n+i] += float32(scale * float64(x[k*n+i]))
			}
		}
	})
}
