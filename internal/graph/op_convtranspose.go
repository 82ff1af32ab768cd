package graph

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// ConvTranspose is the adjoint of the convolution with the same attributes, with
// ONNX's meaning. Inputs: x (C×H×W), weight (C×M/Group×kh×kw), and optionally
// bias (M), both parameters.
type ConvTranspose struct {
	Window
	Group int    // If it is zero, 1 is used.
	Extra [2]int // rows and columns added at the end of the output
}

// outShape returns the shape of the output: what the convolution would take.
func (op ConvTranspose) outShape(x, w []int) ([]int, error) {
	if len(x) != 3 || len(w) != 4 || w[0] != x[0] {
		return nil, fmt.Errorf("samples have shape %v and the weight %v, want C×H×W and C×M/group×kh×kw", x, w)
	}
	out := []int{w[1] * orOne(op.Group), 0, 0}
	for i := range 2 {
		stride, dilation := orOne(op.Stride[i]), orOne(op.Dilation[i])
		limit := 1 << 20
		if stride > limit || dilation > limit || w[2+i] > limit || x[1+i] > limit || op.Extra[i] < 0 || op.Extra[i] > limit {
			return nil, fmt.Errorf("stride %v, dilation %v, extra %v", op.Stride, op.Dilation, op.Extra)
		}
		out[1+i] = stride*(x[1+i]-1) + (w[2+i]-1)*dilation + 1 + op.Extra[i] - op.Pad[i] - op.Pad[2+i]
		if out[1+i] < 1 {
			return nil, fmt.Errorf("samples of shape %v with weight %v and padding %v leave nothing", x, w, op.Pad)
		}
	}
	return out, nil
}

// bind returns the plan of the convolution that this is the adjoint of.
func (op ConvTranspose) bind(x, w []int) (convPlan, []int, error) {
	out, err := op.outShape(x, w)
	if err != nil {
		return convPlan{}, nil, err
	}
	p, err := Conv{Window: op.Window, Group: op.Group}.bind(out, w)
	if err == nil && (p.oh != x[1] || p.ow != x[2]) {
		err = fmt.Errorf("an output of shape %v belongs to an input of %d×%d, not %v", out, p.oh, p.ow, x)
	}
	return p, out, err
}

// Infer implements Op.
func (op ConvTranspose) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 2, 3); err != nil {
		return nil, err
	}
	_, out, err := op.bind(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, err
	}
	if err := wantParam(in, 1, in[1].Shape...); err != nil {
		return nil, err
	}
	if len(in) == 3 {
		err = wantParam(in, 2, out[0])
	}
	return out, err
}

// Reads implements Op.
func (ConvTranspose) Reads(want []bool, _ bool) ([]bool, bool) {
	in := none(len(want))
	in[0], in[1] = want[1], want[0]
	return in, false
}

// Prepare implements Preparer.
func (op ConvTranspose) Prepare(in []Arg) any {
	p, _, err := op.bind(in[0].Shape, in[1].Shape)
	if err != nil {
		panic(err)
	}
	p.conv = kernel.NewConv(p.window(p.cg), p.mg, p.group)
	return &p
}

// Scratch implements Scratcher.
func (ConvTranspose) Scratch(prepared any, _ []Arg, _ []int, n int) int {
	return prepared.(*convPlan).conv.Scratch(n)
}

// PackLen implements Packer.
func (ConvTranspose) PackLen(prepared any, _ []bool) int {
	return Conv{}.PackLen(prepared, []bool{true})
}

// Pack implements Packer.
func (ConvTranspose) Pack(c *Call, _ []bool) { Conv{}.Pack(c, []bool{true}) }

// Forward implements Op.
func (op ConvTranspose) Forward(c *Call) {
	p := c.Prepared.(*convPlan)
	for g := range p.group {
		p.conv.BackwardInput(p.x(c.Out, g), p.y(c.In[0], g), p.inputPack(c, g), false, c.N, c.Scratch, c.Stop)
	}
	if len(c.In) == 3 {
		planes(c, func(ch, lo, hi int) { addConstant(c.Out[lo:hi], c.In[2][ch]) })
	}
}

// VJP implements Op.
func (op ConvTranspose) VJP(c *Call) {
	p := c.Prepared.(*convPlan)
	for g := range p.group {
		if c.DIn[1] != nil {
			p.conv.BackwardWeight(c.DIn[1][g*p.mg*p.k:(g+1)*p.mg*p.k], p.y(c.In[0], g), p.x(c.DOut, g), c.N, c.Scratch, c.Stop)
		}
		if c.DIn[0] != nil {
			p.conv.Forward(p.y(c.DIn[0], g), p.x(c.DOut, g), p.forwardPack(c, g), nil, kernel.NoLimits, !c.Fresh[0], c.N, c.Scratch, c.Stop)
		}
	}
	if len(c.DIn) == 3 && c.DIn[2] != nil {
		planes(c, func(ch, lo, hi int) { c.DIn[2][ch] += float32(kernel.Sum32(c.DOut[lo:hi])) })
	}
}
