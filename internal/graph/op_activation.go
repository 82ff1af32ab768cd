package graph

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// elementwise has what all operators share that work element by element on
// one input.
type elementwise struct{}

func (elementwise) InPlace() {}

func (elementwise) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	return in[0].Shape, nil
}

// fromOutput is an elementwise operator whose derivative is a function of its
// output.
type fromOutput struct{ elementwise }

func (fromOutput) Reads([]bool, bool) ([]bool, bool) { return []bool{false}, true }

// fromInput is an elementwise operator whose derivative is a function of its
// input.
type fromInput struct{ elementwise }

func (fromInput) Reads([]bool, bool) ([]bool, bool) { return []bool{true}, false }

// ReLU is max(x, 0). Its derivative at 0 is 0. NaN passes through.
type ReLU struct{ fromOutput }

// Forward implements Op.
func (ReLU) Forward(c *Call) {
	kernel.ReLU(c.Out, c.In[0])
}

// VJP implements Op.
func (ReLU) VJP(c *Call) {
	reluVJP(c.Fresh[0], c.DIn[0], c.DOut, c.Out)
}

// mapOp runs f over the input.
func mapOp(c *Call, f func(x float64) float64) {
	for i, v := range c.In[0][:len(c.Out)] {
		c.Out[i] = float32(f(float64(v)))
	}
}

// mapVJP adds dy·slope(v), where v is the input or the output.
func mapVJP(c *Call, at []float32, slope func(v float64) float64) {
	dx, fresh := c.DIn[0], c.Fresh[0]
	for i, g := range c.DOut {
		d := float32(float64(g) * slope(float64(at[i])))
		if !fresh {
			d += dx[i]
		}
		dx[i] = d
	}
}

// Sigmoid is 1/(1 + exp(−x)).
type Sigmoid struct{ fromOutput }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// Forward implements Op.
func (Sigmoid) Forward(c *Call) { kernel.Sigmoid(c.Out, c.In[0]) }

// VJP implements Op.
func (Sigmoid) VJP(c *Call) {
	if c.Fresh[0] {
		kernel.SigmoidGrad(c.DIn[0], c.DOut, c.Out)
		return
	}
	mapVJP(c, c.Out, func(y float64) float64 { return y * (1 - y) })
}

// Tanh is the hyperbolic tangent.
type Tanh struct{ fromOutput }

// Forward implements Op.
func (Tanh) Forward(c *Call) { kernel.Tanh(c.Out, c.In[0][:len(c.Out)]) }

// VJP implements Op.
func (Tanh) VJP(c *Call) {
	if c.Fresh[0] {
		kernel.TanhGrad(c.DIn[0], c.DOut, c.Out)
		return
	}
	mapVJP(c, c.Out, func(y float64) float64 { return 1 - y*y })
}

// SiLU is x·sigmoid(x), also known as swish.
type SiLU struct{ fromInput }

// Forward implements Op.
func (SiLU) Forward(c *Call) { kernel.SiLU(c.Out, c.In[0]) }

// VJP implements Op.
func (SiLU) VJP(c *Call) {
	if c.Fresh[0] {
		kernel.SiLUGrad(c.DIn[0], c.DOut, c.In[0])
		return
	}
	mapVJP(c, c.In[0], func(x float64) float64 {
		s := sigmoid(x)
		return s * (1 + x*(1-s))
	})
}

// GELU is x·Φ(x) with the distribution function Φ of the standard normal
// distribution, computed by erf, or by the tanh formula where Tanh is set
// (Hendrycks and Gimpel, arXiv 1606.08415, section 2).
type GELU struct {
	fromInput
	Tanh bool
}

const (
	geluScale = 0.7978845608028654 // sqrt(2/pi)
	geluCubic = 0.044715
)

// Forward implements Op.
func (op GELU) Forward(c *Call) {
	if op.Tanh {
		mapOp(c, func(x float64) float64 { return x / 2 * (1 + math.Tanh(geluScale*(x+geluCubic*x*x*x))) })
		return
	}
	kernel.GELU(c.Out, c.In[0])
}

// VJP implements Op.
func (op GELU) VJP(c *Call) {
	if op.Tanh {
		mapVJP(c, c.In[0], func(x float64) float64 {
			t := math.Tanh(geluScale * (x + geluCubic*x*x*x))
			return (1+t)/2 + x/2*(1-t*t)*geluScale*(1+3*geluCubic*x*x)
		})
		return
	}
	if c.Fresh[0] {
		kernel.GELUGrad(c.DIn[0], c.DOut, c.In[0])
		return
	}
	mapVJP(c, c.In[0], func(x float64) float64 {
		return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	})
}
