package graph

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// MaxPool takes the maximum over windows, with ONNX's attributes. Padding never
// wins; of equal elements the first one gets the gradient; NaN wins.
type MaxPool struct {
	Window
	Kernel [2]int
	Ceil   bool // round the output's size up
}

// Infer implements Op.
func (op MaxPool) Infer(in []Arg) ([]int, error) {
	return inferPool(in, op.Window, op.Kernel, op.Ceil)
}

func inferPool(in []Arg, w Window, kernel [2]int, ceil bool) ([]int, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	g, err := w.bind(in[0].Shape, kernel[0], kernel[1], ceil)
	if err != nil {
		return nil, err
	}
	for _, side := range []struct{ pad, extent int }{
		{g.Top, (g.KernelH-1)*g.DilationH + 1}, {g.Bottom, (g.KernelH-1)*g.DilationH + 1},
		{g.Left, (g.KernelW-1)*g.DilationW + 1}, {g.Right, (g.KernelW-1)*g.DilationW + 1},
	} {
		if side.pad >= side.extent {
			return nil, fmt.Errorf("padding %v makes windows of padding only", w.Pad)
		}
	}
	return []int{g.Channels, g.oh, g.ow}, nil
}

// Reads implements Op.
func (MaxPool) Reads([]bool, bool) ([]bool, bool) { return []bool{true}, false }

// each calls f for every window of every plane with the planes' offsets and the
// range of taps that fall into the image.
func (g *geometry) each(planes int, f func(in, out int, y, x taps)) {
	for p := range planes {
		in, out := p*g.Height*g.Width, p*g.oh*g.ow
		for oy := range g.oh {
			y := window(oy*g.StrideH-g.Top, g.KernelH, g.DilationH, g.Height)
			for ox := range g.ow {
				f(in, out, y, window(ox*g.StrideW-g.Left, g.KernelW, g.DilationW, g.Width))
				out++
			}
		}
	}
}

// taps are positions first, first+step ... below end.
type taps struct{ first, step, end, count int }

func window(start, k, step, n int) taps {
	t := taps{start, step, min(start+(k-1)*step+1, n), k}
	if start < 0 {
		t.first += (-start + step - 1) / step * step
	}
	t.count = 0
	if t.first < t.end {
		t.count = (t.end-1-t.first)/step + 1
	}
	return t
}

// Prepare implements Preparer. A window that Ceil lets reach beyond the padding
// is one with more padding, which never wins.
func (op MaxPool) Prepare(in []Arg) any {
	g, err := op.Window.bind(in[0].Shape, op.Kernel[0], op.Kernel[1], op.Ceil)
	if err != nil {
		panic(err)
	}
	w := g.Window
	w.Channels = 1
	w.Bottom = max(w.Bottom, (g.oh-1)*w.StrideH+(w.KernelH-1)*w.DilationH+1-w.Height-w.Top)
	w.Right = max(w.Right, (g.ow-1)*w.StrideW+(w.KernelW-1)*w.DilationW+1-w.Width-w.Left)
	return kernel.NewMaxPool(w)
}

// Scratch implements Scratcher: for the pool, a plane's maxima, and where they
// are.
func (op MaxPool) Scratch(prepared any, _ []Arg, out []int, _ int) int {
	return prepared.(*kernel.MaxPool).Scratch() + 2*aligned(size(out[1:]))
}

// Forward implements Op.
func (op MaxPool) Forward(c *Call) {
	pool := c.Prepared.(*kernel.MaxPool)
	in, out := size(c.Shape[0][1:]), size(c.OutShape[1:])
	for i := range c.N * c.OutShape[0] {
		if c.Stop.Now() {
			return
		}
		pool.Forward(plane(c.Out, i, out), nil, plane(c.In[0], i, in), c.Scratch)
	}
}

// VJP implements Op. It finds the maxima once more: to keep where they are
// would take as much memory as the output.
func (op MaxPool) VJP(c *Call) {
	pool := c.Prepared.(*kernel.MaxPool)
	in, out := size(c.Shape[0][1:]), size(c.OutShape[1:])
	y, rest := c.Scratch[:out], c.Scratch[aligned(out):]
	arg, rest := kernel.AsInt32(rest[:out]), rest[aligned(out):]
	c.Clear(0)
	for i := range c.N * c.OutShape[0] {
		if c.Stop.Now() {
			return
		}
		pool.Forward(y, arg, plane(c.In[0], i, in), rest)
		kernel.MaxPoolGrad(plane(c.DIn[0], i, in), plane(c.DOut, i, out), arg)
	}
}

// AveragePool takes the mean over windows, with ONNX's attributes.
type AveragePool struct {
	Window
	Kernel [2]int
	Ceil   bool // round the output's size up
	// IncludePad counts the padding as zeros; what lies beyond it, by Ceil,
	// never counts.
	IncludePad bool
}

// Infer implements Op.
func (op AveragePool) Infer(in []Arg) ([]int, error) {
	return inferPool(in, op.Window, op.Kernel, op.Ceil)
}

// Reads implements Op.
func (AveragePool) Reads([]bool, bool) ([]bool, bool) { return none(1), false }

// averagePlan is an average over windows that all count as many elements: a
// depthwise convolution with equal weights.
type averagePlan struct {
	depth   *kernel.Depthwise
	weights []float32
}

// mostWeights bounds the table of an averagePlan.
const mostWeights = 64

// Prepare implements Preparer: an averagePlan, or nil.
func (op AveragePool) Prepare(in []Arg) any {
	g, err := op.Window.bind(in[0].Shape, op.Kernel[0], op.Kernel[1], op.Ceil)
	if err != nil {
		panic(err)
	}
	padded := g.Top+g.Left+g.Bottom+g.Right > 0 && !op.IncludePad
	beyond := g.OutHeight() != g.oh || g.OutWidth() != g.ow // by Ceil
	if g.whole() || padded || beyond || g.KernelH*g.KernelW > mostWeights {
		return (*averagePlan)(nil)
	}
	p := &averagePlan{depth: kernel.NewDepthwise(g.Window, 1), weights: make([]float32, g.Channels*g.KernelH*g.KernelW)}
	for i := range p.weights {
		p.weights[i] = 1 / float32(g.KernelH*g.KernelW)
	}
	return p
}

// Scratch implements Scratcher.
func (AveragePool) Scratch(prepared any, _ []Arg, _ []int, _ int) int {
	if p := prepared.(*averagePlan); p != nil {
		return p.depth.Scratch()
	}
	return 0
}

// bind returns the geometry and, by row and by column of the output, how many
// elements a window counts.
func (op AveragePool) bind(c *Call) geometry {
	g, err := op.Window.bind(c.Shape[0], op.Kernel[0], op.Kernel[1], op.Ceil)
	if err != nil {
		panic(err)
	}
	return g
}

// divisor returns the number of elements that output o of a plane counts.
func (op AveragePool) divisor(g *geometry, o int, ty, tx taps) float32 {
	if !op.IncludePad {
		return float32(ty.count * tx.count)
	}
	oy, ox := o/g.ow, o%g.ow
	y := window(oy*g.StrideH, g.KernelH, g.DilationH, g.Height+g.Top+g.Bottom)
	x := window(ox*g.StrideW, g.KernelW, g.DilationW, g.Width+g.Left+g.Right)
	return float32(y.count * x.count)
}

// Forward implements Op.
func (op AveragePool) Forward(c *Call) {
	g := op.bind(c)
	p := c.Prepared.(*averagePlan)
	switch {
	case p != nil:
		p.depth.Forward(c.Out, c.In[0], p.weights, nil, kernel.NoLimits, c.N, c.Scratch, c.Stop)
		return
	case g.whole():
		means(c.Out, c.In[0])
		return
	case g.StrideW == 1:
		op.byRows(c, &g)
		return
	}
	n := g.oh * g.ow
	g.each(c.N*g.Channels, func(in, out int, ty, tx taps) {
		var total float32
		for y := ty.first; y < ty.end; y += ty.step {
			for x := tx.first; x < tx.end; x += tx.step {
				total += c.In[0][in+y*g.Width+x]
			}
		}
		c.Out[out] = total / op.divisor(&g, out%n, ty, tx)
	})
}

// VJP implements Op.
func (op AveragePool) VJP(c *Call) {
	if p := c.Prepared.(*averagePlan); p != nil {
		p.depth.BackwardInput(c.DIn[0], c.DOut, p.weights, !c.Fresh[0], c.N, c.Scratch, c.Stop)
		return
	}
	g := op.bind(c)
	n := g.oh * g.ow
	c.Clear(0)
	g.each(c.N*g.Channels, func(in, out int, ty, tx taps) {
		d := c.DOut[out] / op.divisor(&g, out%n, ty, tx)
		for y := ty.first; y < ty.end; y += ty.step {
			for x := tx.first; x < tx.end; x += tx.step {
				c.DIn[0][in+y*g.Width+x] += d
			}
		}
	})
}

// GlobalAveragePool takes the mean of every channel; the other axes become 1.
type GlobalAveragePool struct{}

// Infer implements Op.
func (GlobalAveragePool) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	if len(in[0].Shape) < 2 {
		return nil, fmt.Errorf("samples have shape %v, want channels and more", in[0].Shape)
	}
	out := make([]int, len(in[0].Shape))
	for i := range out {
		out[i] = 1
	}
	out[0] = in[0].Shape[0]
	return out, nil
}

// Reads implements Op.
func (GlobalAveragePool) Reads([]bool, bool) ([]bool, bool) { return none(1), false }

// Forward implements Op.
func (GlobalAveragePool) Forward(c *Call) {
	means(c.Out, c.In[0])
}

// VJP implements Op.
func (GlobalAveragePool) VJP(c *Call) {
	c.Clear(0)
	n := len(c.DIn[0]) / len(c.DOut)
	for i, d := range c.DOut {
		addConstant(c.DIn[0][i*n:(i+1)*n], d/float32(n))
	}
}
