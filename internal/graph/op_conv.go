package graph

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Conv is a two-dimensional convolution (cross-correlation) with ONNX's
// attributes. Inputs: x (C×H×W), weight (M×C/Group×kh×kw), and optionally bias
// (M), both parameters.
type Conv struct {
	Window
	Group int // If it is zero, 1 is used.
}

// convPlan is a convolution bound to shapes.
type convPlan struct {
	geometry
	m, group int // output channels, groups
	mg, cg   int // of one group
	k        int // elements of one output channel's weight
	conv     *kernel.Conv
	wide     *kernel.Conv      // over wideChannels input channels, for WideVJP
	depth    *kernel.Depthwise // instead of conv, for groups of one input channel
}

func (op Conv) bind(x, w []int) (convPlan, error) {
	if len(w) != 4 {
		return convPlan{}, fmt.Errorf("weight has shape %v, want 4 axes", w)
	}
	g, err := op.Window.bind(x, w[2], w[3], false)
	if err != nil {
		return convPlan{}, err
	}
	p := convPlan{geometry: g, m: w[0], group: orOne(op.Group)}
	if p.group < 1 || p.m%p.group != 0 || g.Channels%p.group != 0 || w[1] != g.Channels/p.group {
		return p, fmt.Errorf("weight %v does not fit %d input channels in %d groups", w, g.Channels, p.group)
	}
	p.mg, p.cg = p.m/p.group, g.Channels/p.group
	p.k = p.cg * g.KernelH * g.KernelW
	return p, nil
}

// Infer implements Op.
func (op Conv) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 2, 3); err != nil {
		return nil, err
	}
	p, err := op.bind(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, err
	}
	if err := wantParam(in, 1, in[1].Shape...); err != nil {
		return nil, err
	}
	if len(in) == 3 {
		if err := wantParam(in, 2, p.m); err != nil {
			return nil, err
		}
	}
	return []int{p.m, p.oh, p.ow}, nil
}

// Reads implements Op.
func (Conv) Reads(want []bool, _ bool) ([]bool, bool) {
	in := none(len(want))
	in[0], in[1] = want[1], want[0]
	return in, false
}

// Prepare implements Preparer.
func (op Conv) Prepare(in []Arg) any {
	p, err := op.bind(in[0].Shape, in[1].Shape)
	if err != nil {
		panic(err)
	}
	if p.isDepthwise() {
		p.depth = kernel.NewDepthwise(p.window(p.Channels), p.mg)
		return &p
	}
	p.conv = kernel.NewConv(p.window(p.cg), p.mg, p.group)
	if p.isWide() {
		p.wide = kernel.NewConv(p.window(min(p.Channels, wideChannels)), p.m, 1)
	}
	return &p
}

// window returns the geometry for the given number of channels.
func (p *convPlan) window(channels int) kernel.Window {
	w := p.geometry.Window
	w.Channels = channels
	return w
}

// Scratch implements Scratcher.
func (op Conv) Scratch(prepared any, _ []Arg, _ []int, n int) int {
	p := prepared.(*convPlan)
	if p.depth != nil {
		return p.depth.Scratch()
	}
	return p.conv.Scratch(n)
}

// PackLen implements Packer.
func (op Conv) PackLen(prepared any, want []bool) int {
	p := prepared.(*convPlan)
	if p.depth != nil {
		return 0
	}
	n := p.group * aligned(p.conv.PackedForward())
	if want[0] {
		n += p.group * aligned(p.conv.PackedInput())
	}
	return n
}

// Pack implements Packer: the weights as Forward and then as VJP reads them,
// group by group.
func (op Conv) Pack(c *Call, want []bool) {
	p := c.Prepared.(*convPlan)
	if p.depth != nil {
		return
	}
	for g := range p.group {
		w := c.In[1][g*p.mg*p.k : (g+1)*p.mg*p.k]
		p.conv.PackForward(p.forwardPack(c, g), w)
		if want[0] {
			p.conv.PackInput(p.inputPack(c, g), w)
		}
	}
}

func (p *convPlan) forwardPack(c *Call, g int) []float32 {
	return c.Packed[g*aligned(p.conv.PackedForward()):][:p.conv.PackedForward()]
}

func (p *convPlan) inputPack(c *Call, g int) []float32 {
	at := p.group*aligned(p.conv.PackedForward()) + g*aligned(p.conv.PackedInput())
	return c.Packed[at : at+p.conv.PackedInput()]
}

// x returns the input, or its gradient, from group g of the first sample on.
func (p *convPlan) x(x []float32, g int) []float32 { return x[g*p.cg*p.Height*p.Width:] }

// y returns the output, or its gradient, from group g of the first sample on.
func (p *convPlan) y(y []float32, g int) []float32 { return y[g*p.mg*p.oh*p.ow:] }

// Forward implements Op.
func (op Conv) Forward(c *Call) { op.forward(c, kernel.NoLimits) }

// forward is Forward with limited results.
func (op Conv) forward(c *Call, l kernel.Limits) {
	p := c.Prepared.(*convPlan)
	var bias []float32
	if len(c.In) == 3 {
		bias = c.In[2]
	}
	if p.depth != nil {
		p.depth.Forward(c.Out, c.In[0], c.In[1], bias, l, c.N, c.Scratch, c.Stop)
		return
	}
	p.forward(c, bias, l)
}

// forward runs the groups of c, whose weights are packed.
func (p *convPlan) forward(c *Call, bias []float32, l kernel.Limits) {
	for g := range p.group {
		var b []float32
		if bias != nil {
			b = bias[g*p.mg : (g+1)*p.mg]
		}
		p.conv.Forward(p.y(c.Out, g), p.x(c.In[0], g), p.forwardPack(c, g), b, l, false, c.N, c.Scratch, c.Stop)
	}
}

// VJP implements Op.
func (op Conv) VJP(c *Call) {
	p := c.Prepared.(*convPlan)
	p.biasGrad(c)
	if p.depth != nil {
		if c.DIn[1] != nil {
			p.depth.BackwardWeight(c.DIn[1], c.DOut, c.In[0], c.N, c.Scratch, c.Stop)
		}
		if c.DIn[0] != nil {
			p.depth.BackwardInput(c.DIn[0], c.DOut, c.In[1], !c.Fresh[0], c.N, c.Scratch, c.Stop)
		}
		return
	}
	for g := range p.group {
		if c.DIn[1] != nil {
			p.conv.BackwardWeight(c.DIn[1][g*p.mg*p.k:(g+1)*p.mg*p.k], p.y(c.DOut, g), p.x(c.In[0], g), c.N, c.Scratch, c.Stop)
		}
		if c.DIn[0] != nil {
			p.conv.BackwardInput(p.x(c.DIn[0], g), p.y(c.DOut, g), p.inputPack(c, g), !c.Fresh[0], c.N, c.Scratch, c.Stop)
		}
	}
}

func (p *convPlan) biasGrad(c *Call) {
	if len(c.DIn) < 3 || c.DIn[2] == nil {
		return
	}
	n := p.oh * p.ow
	var room [64]float32
	for s := range c.N {
		for lo := 0; lo < p.m; lo += len(room) {
			db := c.DIn[2][lo:min(lo+len(room), p.m)]
			sums := room[:len(db)]
			kernel.SumRows(sums, c.DOut[(s*p.m+lo)*n:], n, 1)
			kernel.Add32(db, db, sums)
		}
	}
}

// wideChannels is how many input channels one piece of WideVJP handles, and
// wideSamples how many samples at a time.
const (
	wideChannels = 64
	wideSamples  = 8
)

func (p *convPlan) isDepthwise() bool { return p.cg == 1 && p.group > 1 }

func (p *convPlan) isWide() bool { return p.group == 1 && p.m*p.k >= wideElements }

// WideItems implements WideOp: blocks of input channels, and the bias.
func (op Conv) WideItems(prepared any, _ []Arg) int {
	if p := prepared.(*convPlan); p.isWide() {
		return (p.Channels+wideChannels-1)/wideChannels + 1
	}
	return 0
}

// WideVJP implements WideOp. The block's channels are copied together, their
// gradient is computed aside, over all samples, and added.
func (op Conv) WideVJP(c *Call, item int) {
	p := c.Prepared.(*convPlan)
	channels := p.wide.Channels
	c0 := item * wideChannels
	switch {
	case c0 >= p.Channels:
		p.biasGrad(c)
		return
	case c.DIn[1] == nil:
		return
	}
	// The last block starts earlier where the channels do not divide; what it
	// has in common with the one before is not added twice.
	start := min(c0, p.Channels-channels)
	block, plane := channels*p.KernelH*p.KernelW, p.Height*p.Width
	dw, rest := c.Scratch[:p.m*block], c.Scratch[aligned(p.m*block):]
	x, scratch := rest[:wideSamples*channels*plane], rest[aligned(wideSamples*channels*plane):]
	clear(dw)
	for s := 0; s < c.N; s += wideSamples {
		n := min(wideSamples, c.N-s)
		for i := range n {
			copy(x[i*channels*plane:(i+1)*channels*plane], c.In[0][((s+i)*p.Channels+start)*plane:])
		}
		p.wide.BackwardWeight(dw, c.DOut[s*p.m*p.oh*p.ow:], x, n, scratch, c.Stop)
	}
	skip := (c0 - start) * p.KernelH * p.KernelW
	for m := range p.m {
		accumulate(false, c.DIn[1][m*p.k+start*p.KernelH*p.KernelW+skip:m*p.k+start*p.KernelH*p.KernelW+block], dw[m*block+skip:(m+1)*block])
	}
}

// WideScratch implements WideOp.
func (op Conv) WideScratch(prepared any, _ []Arg, _ int) int {
	p := prepared.(*convPlan)
	channels := p.wide.Channels
	return aligned(p.m*channels*p.KernelH*p.KernelW) + aligned(wideSamples*channels*p.Height*p.Width) + p.wide.Scratch(wideSamples)
}
