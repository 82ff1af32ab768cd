package graph

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Gemm is Alpha·x·B + Beta·C for samples x of K numbers, with ONNX's
// attributes. Inputs: x (K), B (K×M, or M×K where TransB is set), and optionally
// C (M), both parameters.
type Gemm struct {
	TransB      bool
	Alpha, Beta float32
}

// Linear returns the operator of PyTorch's linear layer: x·Wᵀ + b.
func Linear() Gemm { return Gemm{TransB: true, Alpha: 1, Beta: 1} }

// dims returns the number of inputs and outputs.
func (op Gemm) dims(b []int) (k, m int) {
	if op.TransB {
		return b[1], b[0]
	}
	return b[0], b[1]
}

// Infer implements Op.
func (op Gemm) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 2, 3); err != nil {
		return nil, err
	}
	if len(in[0].Shape) != 1 || len(in[1].Shape) != 2 || !in[1].Param {
		return nil, fmt.Errorf("samples have shape %v and the matrix %v (parameter: %t), want one axis and a parameter of two", in[0].Shape, in[1].Shape, in[1].Param)
	}
	k, m := op.dims(in[1].Shape)
	if in[0].Shape[0] != k {
		return nil, fmt.Errorf("samples have %d numbers, the matrix wants %d", in[0].Shape[0], k)
	}
	if len(in) == 3 {
		if err := wantParam(in, 2, m); err != nil {
			return nil, err
		}
	}
	return []int{m}, nil
}

// Reads implements Op.
func (Gemm) Reads(want []bool, _ bool) ([]bool, bool) {
	in := none(len(want))
	in[0], in[1] = want[1], want[0]
	return in, false
}

// Scratch implements Scratcher.
func (op Gemm) Scratch(_ any, in []Arg, _ []int, n int) int {
	k, m := op.dims(in[1].Shape)
	most := 0
	for i := 1; i <= n; i++ {
		most = max(most, kernel.SgemmScratch(i, m, k), kernel.SgemmScratch(i, k, m),
			kernel.SgemmScratch(m, k, i), kernel.SgemmScratch(k, m, i))
	}
	return most
}

// Forward implements Op.
func (op Gemm) Forward(c *Call) {
	k, m := op.dims(c.Shape[1])
	beta := op.startBias(c, m)
	kernel.Sgemm(false, op.TransB, c.N, m, k, op.Alpha, c.In[0], k, c.In[1], c.Shape[1][1], beta, c.Out, m, c.Scratch, c.Stop)
}

// startBias puts C, if there is one, into the result, and returns what the product is
// to multiply that by.
func (op Gemm) startBias(c *Call, m int) (beta float32) {
	if len(c.In) < 3 {
		return 0
	}
	for s := range c.N {
		copy(c.Out[s*m:(s+1)*m], c.In[2])
	}
	return op.Beta
}

// gradBeta returns what a product that adds to the gradient of input i multiplies
// that by.
func gradBeta(c *Call, i int) float32 {
	if c.Fresh[i] {
		return 0
	}
	return 1
}

// VJP implements Op.
func (op Gemm) VJP(c *Call) {
	k, m := op.dims(c.Shape[1])
	if dx := c.DIn[0]; dx != nil {
		kernel.Sgemm(false, !op.TransB, c.N, k, m, op.Alpha, c.DOut, m, c.In[1], c.Shape[1][1], gradBeta(c, 0), dx, k, c.Scratch, c.Stop)
	}
	op.paramGrads(c)
}

// paramGrads adds the gradients of the matrix and of C.
func (op Gemm) paramGrads(c *Call) {
	if c.DIn[1] != nil {
		op.matrixGrad(c, 0, c.Shape[1][0])
	}
	op.biasGrad(c)
}

// matrixGrad adds rows [lo, hi) of the matrix's gradient.
func (op Gemm) matrixGrad(c *Call, lo, hi int) {
	k, m := op.dims(c.Shape[1])
	cols := c.Shape[1][1]
	dst := c.DIn[1][lo*cols : hi*cols]
	if op.TransB {
		kernel.Sgemm(true, false, hi-lo, k, c.N, op.Alpha, c.DOut[lo:], m, c.In[0], k, 1, dst, cols, c.Scratch, c.Stop)
	} else {
		kernel.Sgemm(true, false, hi-lo, m, c.N, op.Alpha, c.In[0][lo:], k, c.DOut, m, 1, dst, cols, c.Scratch, c.Stop)
	}
}

func (op Gemm) biasGrad(c *Call) {
	if len(c.DIn) < 3 || c.DIn[2] == nil {
		return
	}
	db := c.DIn[2]
	for s := range c.N {
		addScaled(false, db, c.DOut[s*len(db):(s+1)*len(db)], op.Beta)
	}
}

// wideElements is from how many elements on a parameter is too large for
// partial gradients in every lane.
const wideElements = 1 << 16

// wideRows is how many rows of the matrix one piece of WideVJP computes.
const wideRows = 64

// WideItems implements WideOp: blocks of rows, and the bias.
func (op Gemm) WideItems(_ any, in []Arg) int {
	if size(in[1].Shape) < wideElements {
		return 0
	}
	return (in[1].Shape[0]+wideRows-1)/wideRows + 1
}

// WideVJP implements WideOp.
func (op Gemm) WideVJP(c *Call, item int) {
	rows := c.Shape[1][0]
	switch lo := item * wideRows; {
	case lo >= rows:
		op.biasGrad(c)
	case c.DIn[1] != nil:
		op.matrixGrad(c, lo, min(lo+wideRows, rows))
	}
}

// WideScratch implements WideOp.
func (op Gemm) WideScratch(_ any, in []Arg, n int) int {
	cols, rows := in[1].Shape[1], in[1].Shape[0]
	last := rows - (rows-1)/wideRows*wideRows
	return max(kernel.SgemmScratch(min(wideRows, rows), cols, n), kernel.SgemmScratch(last, cols, n))
}
