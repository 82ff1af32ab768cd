package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

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

// Scratch implements Scratcher: addSlopes needs it.
func (elementwise) Scratch(any, []Arg, []int, int) int { return chunk }

// addSlopes adds what grad stores in dx for dy and at, the input or the output: the
// product of dy and the slope there. dx may be dy.
func addSlopes(c *Call, at []float32, grad func(dx, dy, at []float32)) {
	dx, dy := c.DIn[0], c.DOut
	if c.Fresh[0] {
		grad(dx, dy, at)
		return
	}
	for lo := 0; lo < len(dy); lo += chunk {
		hi := min(lo+chunk, len(dy))
		part := c.Scratch[:hi-lo]
		grad(part, dy[lo:hi], at[lo:hi])
		kernel.Add32(dx[lo:hi], dx[lo:hi], part)
	}
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

// Sigmoid is 1/(1 + exp(−x)).
type Sigmoid struct{ fromOutput }

// Forward implements Op.
func (Sigmoid) Forward(c *Call) { kernel.Sigmoid(c.Out, c.In[0]) }

// VJP implements Op.
func (Sigmoid) VJP(c *Call) { addSlopes(c, c.Out, kernel.SigmoidGrad) }

// Tanh is the hyperbolic tangent.
type Tanh struct{ fromOutput }

// Forward implements Op.
func (Tanh) Forward(c *Call) { kernel.Tanh(c.Out, c.In[0][:len(c.Out)]) }

// VJP implements Op.
func (Tanh) VJP(c *Call) { addSlopes(c, c.Out, kernel.TanhGrad) }

// SiLU is x·sigmoid(x), also known as swish.
type SiLU struct{ fromInput }

// Forward implements Op.
func (SiLU) Forward(c *Call) { kernel.SiLU(c.Out, c.In[0]) }

// VJP implements Op.
func (SiLU) VJP(c *Call) { addSlopes(c, c.In[0], kernel.SiLUGrad) }

// GELU is x·Φ(x) with the distribution function Φ of the standard normal
// distribution, computed by erf, or by the tanh formula where Tanh is set
// (Hendrycks and Gimpel, arXiv 1606.08415, section 2).
type GELU struct {
	fromInput
	Tanh bool
}

// Forward implements Op.
func (op GELU) Forward(c *Call) {
	if op.Tanh {
		kernel.GELUTanh(c.Out, c.In[0])
	} else {
		kernel.GELU(c.Out, c.In[0])
	}
}

// VJP implements Op.
func (op GELU) VJP(c *Call) {
	if op.Tanh {
		addSlopes(c, c.In[0], kernel.GELUTanhGrad)
	} else {
		addSlopes(c, c.In[0], kernel.GELUGrad)
	}
}
