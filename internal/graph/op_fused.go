package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

// The operators of this file stand for chains of others in a plan; see
// Graph.fuse. A VJP may overwrite c.DOut, which nobody reads afterwards.

// convNorm is a convolution, batch norm in evaluation, and limits. Inputs: those of
// Conv, then the parameters of BatchNorm, none of whose gradients is wanted.
//
// Packed holds the shifts of the output channels, then the scaled weights, as
// they are for a depthwise convolution and packed otherwise.
type convNorm struct {
	Conv
	norm   BatchNorm
	bias   bool
	limits kernel.Limits
}

// Reads implements Op.
func (op convNorm) Reads(want []bool, _ bool) ([]bool, bool) {
	return none(len(want)), op.limits != kernel.NoLimits
}

// Scratch implements Scratcher: Pack needs room for the scaled weights of a
// group.
func (op convNorm) Scratch(prepared any, in []Arg, out []int, n int) int {
	p := prepared.(*convPlan)
	return max(op.Conv.Scratch(prepared, in, out, n), p.mg*p.k)
}

// WideItems implements WideOp: there is none.
func (op convNorm) WideItems(any, []Arg) int { return 0 }

// PackLen implements Packer.
func (op convNorm) PackLen(prepared any, want []bool) int {
	p := prepared.(*convPlan)
	if p.depth != nil {
		return aligned(p.m) + p.m*p.k
	}
	return aligned(p.m) + op.Conv.PackLen(prepared, want)
}

// inner returns the call as the convolution alone sees it.
func (op convNorm) inner(c *Call) (p *convPlan, shift []float32, d Call) {
	p, d = c.Prepared.(*convPlan), *c
	d.Packed = c.Packed[aligned(p.m):]
	return p, c.Packed[:p.m], d
}

// Pack implements Packer.
func (op convNorm) Pack(c *Call, want []bool) {
	p, _, d := op.inner(c)
	for g := range p.group {
		w := c.Scratch[:p.mg*p.k]
		if p.depth != nil {
			w = d.Packed[g*p.mg*p.k : (g+1)*p.mg*p.k]
		}
		op.fold(c, p, g*p.mg, w)
		if p.depth != nil {
			continue
		}
		p.conv.PackForward(p.forwardPack(&d, g), w)
		if want[0] {
			p.conv.PackInput(p.inputPack(&d, g), w)
		}
	}
}

// fold writes the scaled weights of output channels from first on into w, and
// their shifts in their place.
func (op convNorm) fold(c *Call, p *convPlan, first int, w []float32) {
	stats := Call{In: c.In[len(c.In)-5:]}
	for i := range len(w) / p.k {
		m := first + i
		mean, scale, beta := op.norm.norm(&stats, m)
		if op.bias {
			mean -= float64(c.In[2][m])
		}
		c.Packed[m] = float32(beta - mean*scale)
		kernel.Scale32(w[i*p.k:(i+1)*p.k], float32(scale), c.In[1][m*p.k:(m+1)*p.k])
	}
}

// Forward implements Op.
func (op convNorm) Forward(c *Call) {
	p, shift, d := op.inner(c)
	if p.depth != nil {
		p.depth.Forward(c.Out, c.In[0], d.Packed, shift, op.limits, c.N, c.Scratch, c.Stop)
		return
	}
	p.forward(&d, shift, op.limits)
}

// VJP implements Op.
func (op convNorm) VJP(c *Call) {
	p, _, d := op.inner(c)
	limitsGrad(c.DOut, c.Out, op.limits)
	if p.depth != nil {
		p.depth.BackwardInput(c.DIn[0], c.DOut, d.Packed, !c.Fresh[0], c.N, c.Scratch, c.Stop)
		return
	}
	for g := range p.group {
		p.conv.BackwardInput(p.x(c.DIn[0], g), p.y(c.DOut, g), p.inputPack(&d, g), !c.Fresh[0], c.N, c.Scratch, c.Stop)
	}
}

// limitsGrad clears the elements of dy whose results y are limited.
func limitsGrad(dy, y []float32, l kernel.Limits) {
	switch l {
	case kernel.NoLimits:
	case kernel.Rectified:
		kernel.ReLUGrad(dy, dy, y)
	default:
		kernel.ClipGrad(dy, dy, y, l.Low, l.High)
	}
}

// convLimits is a convolution whose results are limited, as by a rectifier. WideVJP
// has nothing to do with it.
type convLimits struct {
	Conv
	limits kernel.Limits
}

// Reads implements Op.
func (op convLimits) Reads(want []bool, train bool) ([]bool, bool) {
	in, _ := op.Conv.Reads(want, train)
	return in, true
}

// WideItems implements WideOp: there is none.
func (op convLimits) WideItems(any, []Arg) int { return 0 }

// Forward implements Op.
func (op convLimits) Forward(c *Call) { op.forward(c, op.limits) }

// VJP implements Op.
func (op convLimits) VJP(c *Call) {
	limitsGrad(c.DOut, c.Out, op.limits)
	op.Conv.VJP(c)
}

// normReLU is a batch norm and a rectifier.
type normReLU struct{ BatchNorm }

// Reads implements Op.
func (op normReLU) Reads(want []bool, train bool) ([]bool, bool) {
	in, _ := op.BatchNorm.Reads(want, train)
	return in, true
}

// Forward implements Op.
func (op normReLU) Forward(c *Call) { op.forward(c, kernel.Rectified) }

// ReduceVJP implements BatchOp.
func (op normReLU) ReduceVJP(c *Call, part []float64) {
	channels := c.OutShape[0]
	planes(c, func(ch, lo, hi int) {
		s, d := kernel.NormalizeSumsReLU(c.DOut[lo:hi], c.In[0][lo:hi], c.Out[lo:hi])
		part[ch] += s
		part[channels+ch] += d - c.State[ch]*s
	})
}

// VJP implements Op.
func (op normReLU) VJP(c *Call) {
	if !c.Train || c.DIn[0] == nil || !c.Fresh[0] {
		kernel.ReLUGrad(c.DOut, c.DOut, c.Out)
		op.BatchNorm.VJP(c)
		return
	}
	planes(c, func(ch, lo, hi int) {
		mean, a, b, shift := op.slopes(c, ch)
		kernel.NormalizeGradReLU(c.DIn[0][lo:hi], c.DOut[lo:hi], c.In[0][lo:hi], c.Out[lo:hi], mean, a, b, shift)
	})
}

// addReLU is a sum of two values of one size and a rectifier.
type addReLU struct{ binary }

// Reads implements Op.
func (addReLU) Reads([]bool, bool) ([]bool, bool) { return none(2), true }

// Forward implements Op.
func (addReLU) Forward(c *Call) { kernel.AddReLU(c.Out, c.In[0], c.In[1]) }

// VJP implements Op.
func (addReLU) VJP(c *Call) {
	for k := 1; k >= 0; k-- { // input 0 may be in the place of DOut
		if c.DIn[k] != nil {
			reluVJP(c.Fresh[k], c.DIn[k], c.DOut, c.Out)
		}
	}
}
