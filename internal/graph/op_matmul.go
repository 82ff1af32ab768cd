package graph

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Rows is Gemm on every row of samples of any shape: the last axis is
// multiplied by the parameter.
type Rows struct{ Gemm }

// Infer implements Op.
func (op Rows) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 2, 3); err != nil {
		return nil, err
	}
	r := len(in[0].Shape) - 1
	if r < 0 {
		return nil, fmt.Errorf("samples have no axis")
	}
	row := slices.Clone(in)
	row[0].Shape = in[0].Shape[r:]
	out, err := op.Gemm.Infer(row)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(in[0].Shape[:r]), out...), nil
}

// rows returns how many rows a sample has.
func rows(shape []int) int { return size(shape[:len(shape)-1]) }

// Scratch implements Scratcher.
func (op Rows) Scratch(_ any, in []Arg, _ []int, n int) int {
	k, m := op.dims(in[1].Shape)
	most := 0
	for s := 1; s <= n; s++ {
		i := s * rows(in[0].Shape)
		most = max(most, kernel.SgemmScratch(i, m, k), kernel.SgemmScratch(i, k, m),
			kernel.SgemmScratch(m, k, i), kernel.SgemmScratch(k, m, i))
	}
	return most
}

// rowsPlan says how the matrix of Rows is multiplied by.
type rowsPlan struct {
	rows, k, m int  // of a sample; of the matrix op(B)
	packed     bool // once a run, instead of once a group of samples
}

const (
	// fewestPacked is what the sizes of a product must have at least to go through
	// packed matrices whatever the number of samples.
	fewestPacked = 5
	// mostPacked bounds the elements of a matrix of which a run keeps packed copies.
	mostPacked = 1 << 22
)

// Prepare implements Preparer.
func (op Rows) Prepare(in []Arg) any {
	k, m := op.dims(in[1].Shape)
	p := &rowsPlan{rows: rows(in[0].Shape), k: k, m: m}
	p.packed = min(p.rows, k, m) >= fewestPacked && k*m <= mostPacked
	return p
}

// PackLen implements Packer.
func (op Rows) PackLen(prepared any, want []bool) int {
	p := prepared.(*rowsPlan)
	switch {
	case !p.packed:
		return 0
	case want[0]:
		return aligned(kernel.PackedB(p.m, p.k)) + kernel.PackedB(p.k, p.m)
	}
	return kernel.PackedB(p.m, p.k)
}

// Pack implements Packer: the matrix as Forward and then as VJP reads it.
func (op Rows) Pack(c *Call, want []bool) {
	p := c.Prepared.(*rowsPlan)
	if !p.packed {
		return
	}
	ld := c.Shape[1][1]
	kernel.PackB(op.TransB, p.m, p.k, c.In[1], ld, c.Packed)
	if want[0] {
		kernel.PackB(!op.TransB, p.k, p.m, c.In[1], ld, p.backward(c))
	}
}

// backward returns the packed matrix that VJP reads.
func (p *rowsPlan) backward(c *Call) []float32 {
	return c.Packed[aligned(kernel.PackedB(p.m, p.k)):]
}

// flat returns the call with rows as samples.
func (Rows) flat(c *Call) Call {
	d := *c
	d.N *= rows(c.Shape[0])
	return d
}

// Forward implements Op.
func (op Rows) Forward(c *Call) {
	d := op.flat(c)
	op.forwardRows(&d)
}

// forwardRows is Forward for a call that has rows as samples.
func (op Rows) forwardRows(d *Call) {
	p := d.Prepared.(*rowsPlan)
	if !p.packed {
		op.Gemm.Forward(d)
		return
	}
	kernel.SgemmPacked(d.N, p.m, p.k, op.Alpha, d.In[0], p.k, d.Packed, op.startBias(d, p.m), d.Out, p.m, d.Scratch, d.Stop)
}

// VJP implements Op.
func (op Rows) VJP(c *Call) {
	d := op.flat(c)
	p := c.Prepared.(*rowsPlan)
	if dx := c.DIn[0]; p.packed && dx != nil {
		kernel.SgemmPacked(d.N, p.k, p.m, op.Alpha, c.DOut, p.m, p.backward(c), gradBeta(c, 0), dx, p.k, c.Scratch, c.Stop)
		op.paramGrads(&d)
		return
	}
	op.Gemm.VJP(&d)
}

// WideVJP implements WideOp.
func (op Rows) WideVJP(c *Call, item int) {
	d := op.flat(c)
	op.Gemm.WideVJP(&d, item)
}

// WideScratch implements WideOp.
func (op Rows) WideScratch(prepared any, in []Arg, n int) int {
	return op.Gemm.WideScratch(prepared, in, n*rows(in[0].Shape))
}

// MatMul multiplies matrices in the last two axes of its inputs; the axes before
// broadcast by numpy's rule. Both inputs have the same number of axes, two at
// least; one of them may be a parameter.
type MatMul struct{}

// Infer implements Op.
func (MatMul) Infer(in []Arg) ([]int, error) {
	if len(in) != 2 || in[0].Param && in[1].Param {
		return nil, fmt.Errorf("want two inputs, one with a batch axis at least")
	}
	a, b := in[0].Shape, in[1].Shape
	r := len(a)
	if r < 2 || len(b) != r || a[r-1] != b[r-2] || r > maxRank {
		return nil, fmt.Errorf("matrices %v and %v", a, b)
	}
	out := make([]int, r)
	for i := range r - 2 {
		if a[i] != b[i] && a[i] != 1 && b[i] != 1 {
			return nil, fmt.Errorf("matrices %v and %v do not broadcast", a, b)
		}
		out[i] = max(a[i], b[i])
	}
	out[r-2], out[r-1] = a[r-2], b[r-1]
	return out, nil
}

// Reads implements Op.
func (MatMul) Reads(want []bool, _ bool) ([]bool, bool) { return []bool{want[1], want[0]}, false }

// Scratch implements Scratcher.
func (MatMul) Scratch(_ any, in []Arg, out []int, _ int) int {
	r := len(out)
	m, n, k := out[r-2], out[r-1], in[0].Shape[r-1]
	return max(kernel.SgemmScratch(m, n, k), kernel.SgemmScratch(m, k, n), kernel.SgemmScratch(k, n, m))
}

// each calls f for every product with the places of the three matrices.
func (MatMul) each(c *Call, f func(a, b, y int)) {
	r := len(c.OutShape)
	w := walk{rank: r - 2}
	copy(w.dim[:], c.OutShape[:r-2])
	for k := range 2 {
		shape := c.Shape[k]
		for i, s := range strides(shape)[:r-2] {
			if shape[i] > 1 {
				w.stride[k][i] = s
			}
		}
		if !c.Param[k] {
			w.batch[k] = size(shape)
		}
	}
	block := c.OutShape[r-2] * c.OutShape[r-1]
	w.each(c.N, func(o, a, b int) { f(a, b, o*block) })
}

// Forward implements Op.
func (op MatMul) Forward(c *Call) {
	r := len(c.OutShape)
	m, n, k := c.OutShape[r-2], c.OutShape[r-1], c.Shape[0][r-1]
	op.each(c, func(a, b, y int) {
		kernel.Sgemm(false, false, m, n, k, 1, c.In[0][a:], k, c.In[1][b:], n, 0, c.Out[y:], n, c.Scratch, c.Stop)
	})
}

// VJP implements Op: dA = dY·Bᵀ, dB = Aᵀ·dY.
func (op MatMul) VJP(c *Call) {
	r := len(c.OutShape)
	m, n, k := c.OutShape[r-2], c.OutShape[r-1], c.Shape[0][r-1]
	for i := range 2 {
		if c.DIn[i] != nil {
			c.Clear(i)
		}
	}
	op.each(c, func(a, b, y int) {
		if c.DIn[0] != nil {
			kernel.Sgemm(false, true, m, k, n, 1, c.DOut[y:], n, c.In[1][b:], n, 1, c.DIn[0][a:], k, c.Scratch, c.Stop)
		}
		if c.DIn[1] != nil {
			kernel.Sgemm(true, false, k, n, m, 1, c.In[0][a:], k, c.DOut[y:], n, 1, c.DIn[1][b:], n, c.Scratch, c.Stop)
		}
	})
}
