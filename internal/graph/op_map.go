package graph

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Map applies a function to every element. Value is the function, Slope its
// derivative, of the input x and the output y.
type Map struct {
	elementwise
	Value func(x float64) float64
	Slope func(x, y float64) float64
	// Kernel is Value over slices, or nil.
	Kernel func(dst, x []float32)
	// Grad stores dy times Slope in dx, which may be dy; at is the input, or the output
	// where ReadsOut is set. Or it is nil.
	Grad func(dx, dy, at []float32)
	// ReadsIn and ReadsOut say which of its arguments Slope uses.
	ReadsIn, ReadsOut bool

	form form // for Graph.fuse
}

// form tells what a Map computes to code that looks for chains of operators.
type form struct {
	kind formKind
	a, b float64
}

type formKind uint8

const (
	otherForm       formKind = iota
	scaleForm                // a·x + b
	powerForm                // xᵃ
	erfForm                  // the error function
	clipForm                 // x limited to [a, b]
	hardSigmoidForm          // a·x + b limited to [0, 1]
)

// Reads implements Op.
func (op Map) Reads([]bool, bool) ([]bool, bool) { return []bool{op.ReadsIn}, op.ReadsOut }

// Forward implements Op.
func (op Map) Forward(c *Call) {
	if op.Kernel != nil {
		op.Kernel(c.Out, c.In[0][:len(c.Out)])
		return
	}
	for i, v := range c.In[0][:len(c.Out)] {
		c.Out[i] = float32(op.Value(float64(v)))
	}
}

// VJP implements Op.
func (op Map) VJP(c *Call) {
	if op.Grad != nil {
		at := c.In[0]
		if op.ReadsOut {
			at = c.Out
		}
		addSlopes(c, at, op.Grad)
		return
	}
	dx, fresh := c.DIn[0], c.Fresh[0]
	var x, y float64
	for i, g := range c.DOut {
		if op.ReadsIn {
			x = float64(c.In[0][i])
		}
		if op.ReadsOut {
			y = float64(c.Out[i])
		}
		d := float32(float64(g) * op.Slope(x, y))
		if !fresh {
			d += dx[i]
		}
		dx[i] = d
	}
}

func mapIn(value, slope func(x float64) float64) Map {
	return Map{Value: value, Slope: func(x, _ float64) float64 { return slope(x) }, ReadsIn: true}
}

func mapOut(value, slope func(x float64) float64) Map {
	return Map{Value: value, Slope: func(_, y float64) float64 { return slope(y) }, ReadsOut: true}
}

// Scale returns a·x + b.
func Scale(a, b float64) Map {
	op := Map{Value: func(x float64) float64 { return a*x + b }, Slope: func(_, _ float64) float64 { return a }, form: form{scaleForm, a, b}}
	if f, g, ok := narrow(a, b); ok {
		op.Kernel = func(dst, x []float32) { kernel.ScaleShift(dst, x, f, g) }
		op.Grad = func(dx, dy, _ []float32) { kernel.Scale32(dx, f, dy) }
	}
	return op
}

// narrow returns attributes in float32, and whether that has their size: kernels take
// no others.
func narrow(a, b float64) (f, g float32, ok bool) {
	fits := func(v float64) bool { return v == 0 || math.Abs(v) < 1e38 && math.Abs(v) > 1e-37 }
	return float32(a), float32(b), fits(a) && fits(b)
}

// Exp returns eˣ.
func Exp() Map {
	op := mapOut(math.Exp, func(y float64) float64 { return y })
	op.Kernel, op.Grad = kernel.Exp32, kernel.Mul32
	return op
}

// Log returns the natural logarithm.
func Log() Map { return mapIn(math.Log, func(x float64) float64 { return 1 / x }) }

// Sqrt returns the square root.
func Sqrt() Map {
	op := mapOut(math.Sqrt, func(y float64) float64 { return .5 / y })
	op.form = form{powerForm, .5, 0}
	return op
}

// Reciprocal returns 1/x.
func Reciprocal() Map {
	op := mapOut(func(x float64) float64 { return 1 / x }, func(y float64) float64 { return -y * y })
	op.Kernel = func(dst, x []float32) { kernel.DivInto32(dst, 1, x) }
	op.form = form{powerForm, -1, 0}
	return op
}

// Abs returns |x|, with the derivative 0 at 0.
func Abs() Map { return mapIn(math.Abs, sign) }

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// Erf returns the error function.
func Erf() Map {
	op := mapIn(math.Erf, func(x float64) float64 { return 2 / math.Sqrt(math.Pi) * math.Exp(-x*x) })
	op.Kernel, op.form = kernel.Erf, form{kind: erfForm}
	return op
}

// Sin returns the sine.
func Sin() Map { return mapIn(math.Sin, math.Cos) }

// Cos returns the cosine.
func Cos() Map { return mapIn(math.Cos, func(x float64) float64 { return -math.Sin(x) }) }

// Clip returns x limited to [lo, hi], with the derivative 0 at and beyond the
// limits, as ReLU has. Like ONNX's, it gives hi where lo > hi.
func Clip(lo, hi float64) Map {
	op := mapIn(func(x float64) float64 {
		if x < lo {
			x = lo
		}
		if x > hi {
			x = hi
		}
		return x
	}, func(x float64) float64 {
		if x > lo && x < hi {
			return 1
		}
		return 0
	})
	f, g := float32(lo), float32(hi)
	op.form = form{clipForm, lo, hi}
	if lo == lo && hi == hi {
		op.Kernel = func(dst, x []float32) { kernel.Clip(dst, x, f, g) }
		op.Grad = func(dx, dy, x []float32) { kernel.ClipGrad(dx, dy, x, f, g) }
	}
	return op
}

// LeakyReLU returns x, or alpha·x below zero.
func LeakyReLU(alpha float64) Map {
	slope := func(x float64) float64 {
		if x < 0 {
			return alpha
		}
		return 1
	}
	op := mapIn(func(x float64) float64 { return x * slope(x) }, slope)
	if f, _, ok := narrow(alpha, 0); ok {
		op.Kernel = func(dst, x []float32) { kernel.LeakyReLU(dst, x, f) }
		op.Grad = func(dx, dy, x []float32) { kernel.LeakyReLUGrad(dx, dy, x, f) }
	}
	return op
}

// ThresholdedReLU returns x above alpha and 0 elsewhere.
func ThresholdedReLU(alpha float64) Map {
	slope := func(x float64) float64 {
		if x > alpha {
			return 1
		}
		return 0
	}
	return mapIn(func(x float64) float64 {
		if x > alpha {
			return x
		}
		return 0
	}, slope)
}

// ELU returns gamma·x above zero and gamma·alpha·(exp(x/c) − 1) below: ELU with
// gamma = c = 1, SELU with c = 1, CELU with c = alpha and gamma = 1.
func ELU(alpha, gamma, c float64) Map {
	op := mapIn(func(x float64) float64 {
		if x > 0 {
			return gamma * x
		}
		return gamma * alpha * math.Expm1(x/c)
	}, func(x float64) float64 {
		if x > 0 {
			return gamma
		}
		return gamma * alpha / c * math.Exp(x/c)
	})
	gain, scale, ok := narrow(gamma, gamma*alpha)
	rate, _, fits := narrow(1/c, 0)
	if ok && fits && rate > 0 {
		op.Kernel = func(dst, x []float32) { kernel.ELU(dst, x, gain, scale, rate) }
		op.Grad = func(dx, dy, x []float32) { kernel.ELUGrad(dx, dy, x, gain, scale, rate) }
	}
	return op
}

// HardSigmoid returns max(0, min(1, alpha·x + beta)).
func HardSigmoid(alpha, beta float64) Map {
	op := mapIn(func(x float64) float64 { return max(0, min(1, alpha*x+beta)) }, func(x float64) float64 {
		if y := alpha*x + beta; y > 0 && y < 1 {
			return alpha
		}
		return 0
	})
	op.form = form{hardSigmoidForm, alpha, beta}
	if f, g, ok := narrow(alpha, beta); ok {
		op.Kernel = func(dst, x []float32) { kernel.HardSigmoid(dst, x, f, g) }
		op.Grad = func(dx, dy, x []float32) { kernel.HardSigmoidGrad(dx, dy, x, f, g) }
	}
	return op
}

// HardSwish returns x·max(0, min(1, x/6 + 1/2)).
func HardSwish() Map {
	op := mapIn(func(x float64) float64 { return x * max(0, min(1, x/6+.5)) }, func(x float64) float64 {
		switch {
		case x <= -3:
			return 0
		case x >= 3:
			return 1
		}
		return x/3 + .5
	})
	op.Kernel, op.Grad = kernel.HardSwish, kernel.HardSwishGrad
	return op
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// Softplus returns log(1 + eˣ).
func Softplus() Map { return mapIn(softplus, sigmoid) }

// Softsign returns x/(1 + |x|).
func Softsign() Map {
	return mapIn(func(x float64) float64 { return x / (1 + math.Abs(x)) },
		func(x float64) float64 { return 1 / ((1 + math.Abs(x)) * (1 + math.Abs(x))) })
}

// Mish returns x·tanh(softplus(x)) (Misra, arXiv 1908.08681).
func Mish() Map {
	return mapIn(func(x float64) float64 { return x * math.Tanh(softplus(x)) }, func(x float64) float64 {
		t := math.Tanh(softplus(x))
		return t + x*(1-t*t)*sigmoid(x)
	})
}

// Power returns xᵖ for a constant p.
func Power(p float64) Map {
	if p == 2 {
		op := mapIn(func(x float64) float64 { return x * x }, func(x float64) float64 { return 2 * x })
		op.Kernel, op.form = func(dst, x []float32) { kernel.Mul32(dst, x, x) }, form{powerForm, p, 0}
		op.Grad = func(dx, dy, x []float32) {
			kernel.Mul32(dx, dy, x)
			kernel.Add32(dx, dx, dx)
		}
		return op
	}
	op := mapIn(func(x float64) float64 { return math.Pow(x, p) }, func(x float64) float64 {
		if p == 0 {
			return 0
		}
		return p * math.Pow(x, p-1)
	})
	op.form = form{powerForm, p, 0}
	return op
}
