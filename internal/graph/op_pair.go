package graph

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Pair applies a function of two numbers element by element; the inputs
// broadcast as for Add.
type Pair struct {
	binary
	Value func(a, b float64) float64
	// SlopeA and SlopeB are the derivatives in a and in b.
	SlopeA, SlopeB func(a, b float64) float64
	// Const says that the derivatives do not depend on the inputs.
	Const bool

	kernel *pairKernel           // computes runs of Value, or nil
	grad   [2]func(*Call, *runs) // adds the gradient of an input by kernels, or nil
	div    bool                  // Div
	chunks int                   // that grad needs as scratch
}

// Scratch implements Scratcher.
func (op Pair) Scratch(any, []Arg, []int, int) int { return op.chunks * chunk }

// Reads implements Op.
func (op Pair) Reads([]bool, bool) ([]bool, bool) { return []bool{!op.Const, !op.Const}, false }

// Forward implements Op.
func (op Pair) Forward(c *Call) {
	a, b, y := c.In[0], c.In[1], c.Out
	switch {
	case op.kernel == nil:
	case plain(c):
		op.kernel.both(y, a, b)
		return
	default:
		c.Prepared.(*runs).forward(c, *op.kernel)
		return
	}
	if plain(c) {
		for i := range y {
			y[i] = float32(op.Value(float64(a[i]), float64(b[i])))
		}
		return
	}
	w := newWalk(c)
	w.each(c.N, func(o, i, j int) { y[o] = float32(op.Value(float64(a[i]), float64(b[j]))) })
}

// VJP implements Op.
func (op Pair) VJP(c *Call) {
	for k := 1; k >= 0; k-- { // input 0 may be in the place of DOut
		if c.DIn[k] == nil {
			continue
		}
		if op.grad[k] != nil {
			op.grad[k](c, c.Prepared.(*runs))
			continue
		}
		slope := op.SlopeA
		if k == 1 {
			slope = op.SlopeB
		}
		addBroadcast(c, k, func(o, i, j int) float32 {
			if op.Const {
				return float32(float64(c.DOut[o]) * slope(0, 0))
			}
			return float32(float64(c.DOut[o]) * slope(float64(c.In[0][i]), float64(c.In[1][j])))
		})
	}
}

func constant(v float64) func(a, b float64) float64 {
	return func(_, _ float64) float64 { return v }
}

var subKernel = pairKernel{both: kernel.Sub32, first: func(dst []float32, a float32, b []float32) { kernel.ScaleShift(dst, b, -1, a) },
	second: func(dst, a []float32, b float32) { kernel.ScaleShift(dst, a, 1, -b) }}

// Sub returns a − b.
func Sub() Pair {
	return Pair{Value: func(a, b float64) float64 { return a - b }, SlopeA: constant(1), SlopeB: constant(-1), Const: true, kernel: &subKernel,
		grad: [2]func(*Call, *runs){func(c *Call, r *runs) { r.addSum(c, 0, 1) }, func(c *Call, r *runs) { r.addSum(c, 1, -1) }}}
}

var divKernel = pairKernel{both: kernel.Div32, first: kernel.DivInto32, second: kernel.DivBy32}

// Div returns a/b.
func Div() Pair {
	return Pair{Value: func(a, b float64) float64 { return a / b }, div: true, chunks: 2, kernel: &divKernel,
		SlopeA: func(_, b float64) float64 { return 1 / b }, SlopeB: func(a, b float64) float64 { return -a / (b * b) },
		grad: [2]func(*Call, *runs){func(c *Call, r *runs) { r.addQuotients(c) }, func(c *Call, r *runs) { r.addDivisor(c) }}}
}

// Pow returns aᵇ.
func Pow() Pair {
	return Pair{Value: math.Pow,
		SlopeA: func(a, b float64) float64 {
			if b == 0 {
				return 0
			}
			return b * math.Pow(a, b-1)
		},
		SlopeB: func(a, b float64) float64 {
			if a == 0 {
				return 0
			}
			return math.Pow(a, b) * math.Log(a)
		}}
}

// Max returns the larger of a and b. At a = b the gradient goes to a.
func Max() Pair {
	return Pair{Value: math.Max, SlopeA: func(a, b float64) float64 { return truth(a >= b) }, SlopeB: func(a, b float64) float64 { return truth(a < b) }}
}

// Min returns the smaller of a and b. At a = b the gradient goes to a.
func Min() Pair {
	return Pair{Value: math.Min, SlopeA: func(a, b float64) float64 { return truth(a <= b) }, SlopeB: func(a, b float64) float64 { return truth(a > b) }}
}

var preluKernel = pairKernel{
	both: func(dst, a, b []float32) {
		for i, v := range a {
			dst[i] = leak(v, b[i])
		}
	},
	first: func(dst []float32, a float32, b []float32) {
		for i, v := range b {
			dst[i] = leak(a, v)
		}
	},
	second: kernel.LeakyReLU,
}

func leak(v, slope float32) float32 {
	if v < 0 {
		return v * slope
	}
	return v
}

// PReLU returns a, or b·a below zero (He et al., arXiv 1502.01852, equation 1).
func PReLU() Pair {
	return Pair{
		Value: func(a, b float64) float64 {
			if a < 0 {
				return a * b
			}
			return a
		},
		SlopeA: func(a, b float64) float64 {
			if a < 0 {
				return b
			}
			return 1
		},
		SlopeB: func(a, _ float64) float64 { return min(a, 0) },
		kernel: &preluKernel, chunks: 1,
		grad: [2]func(*Call, *runs){func(c *Call, r *runs) { r.addLeaked(c) }, func(c *Call, r *runs) { r.addBelow(c) }},
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
