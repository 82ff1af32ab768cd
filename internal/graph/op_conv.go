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
	k        int // rows of the matrix of windows of one group
	direct   bool
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
	if p.group < 1 || p.m%p.group != 0 || g.c%p.group != 0 || w[1] != g.c/p.group {
		return p, fmt.Errorf("weight %v does not fit %d input channels in %d groups", w, g.c, p.group)
	}
	p.mg, p.cg = p.m/p.group, g.c/p.group
	p.k = p.cg * g.kh * g.kw
	p.direct = g.kh == 1 && g.kw == 1 && g.sh == 1 && g.sw == 1 && op.Pad == [4]int{}
	return p, nil
}

// mustBind is bind for shapes that Infer has accepted.
func (op Conv) mustBind(x, w []int) convPlan {
	p, err := op.bind(x, w)
	if err != nil {
		panic(err)
	}
	return p
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

// columnElements is how large a matrix of windows may be: 256 kB.
const columnElements = 1 << 16

// tileSize returns how many rows of the output, or where all rows fit, how many
// samples, go into one matrix product.
func (p *convPlan) tileSize(n int) (rows, samples int) {
	if p.direct {
		return p.oh, 1
	}
	row := p.k * p.ow
	rows = min(max(columnElements/row, 1), p.oh)
	if rows < p.oh {
		return rows, 1
	}
	return rows, min(max(columnElements/(row*p.oh), 1), n)
}

// Scratch implements Scratcher: columns, a gathered output, and the product's
// own.
func (op Conv) Scratch(in []Arg, _ []int, n int) int {
	p := op.mustBind(in[0].Shape, in[1].Shape)
	rows, samples := p.tileSize(n)
	cols := rows * p.ow * samples
	gemm := 0
	for _, c := range []int{cols, rows * p.ow, p.lastRows(rows) * p.ow} { // full and last tiles
		gemm = max(gemm, kernel.SgemmScratch(p.mg, c, p.k), kernel.SgemmScratch(p.k, c, p.mg), kernel.SgemmScratch(p.mg, p.k, c))
	}
	return aligned(p.k*cols) + aligned(p.mg*cols) + gemm
}

// lastRows returns the rows of the last tile.
func (p *convPlan) lastRows(rows int) int { return p.oh - (p.oh-1)/rows*rows }

// Prepare implements Preparer.
func (op Conv) Prepare(in []Arg) any {
	p := op.mustBind(in[0].Shape, in[1].Shape)
	return &p
}

// Forward implements Op.
func (op Conv) Forward(c *Call) {
	p := c.Prepared.(*convPlan)
	for t := p.tiles(c); t.next(); {
		t.forward(c)
	}
	if len(c.In) == 3 {
		n := p.oh * p.ow
		for i := range c.N * p.m {
			addConstant(c.Out[i*n:(i+1)*n], c.In[2][i%p.m])
		}
	}
}

// VJP implements Op.
func (op Conv) VJP(c *Call) {
	p := c.Prepared.(*convPlan)
	if c.DIn[0] != nil && !p.direct {
		c.Clear(0)
	}
	for t := p.tiles(c); t.next(); {
		if c.DIn[1] != nil {
			t.weightGrad(c)
		}
		if c.DIn[0] != nil {
			t.inputGrad(c)
		}
	}
	if len(c.In) == 3 && c.DIn[2] != nil {
		n := p.oh * p.ow
		for i := range c.N * p.m {
			c.DIn[2][i%p.m] += float32(sum(c.DOut[i*n : (i+1)*n]))
		}
	}
}

// tile is the part of a convolution that one matrix product computes: one
// group's output rows [r0, r1) of samples [s0, s1).
type tile struct {
	*convPlan
	group          int
	s0, s1, r0, r1 int
	cols           []float32 // matrix of windows: k × ld
	out            []float32 // output: mg × ld
	gemm           []float32 // scratch of the product
	ld             int
	n              int // samples in the call
	rows, samples  int // of a full tile
}

// tiles returns an iterator over the tiles of a call. Where the image itself is
// the matrix of windows, a tile is a sample.
func (p *convPlan) tiles(c *Call) tile {
	rows, samples := p.tileSize(c.N)
	most := rows * p.ow * samples
	t := tile{convPlan: p, n: c.N, rows: rows, samples: samples, group: -1}
	t.cols = c.Scratch[:p.k*most]
	rest := c.Scratch[aligned(p.k*most):]
	t.out, t.gemm = rest[:p.mg*most], rest[aligned(p.mg*most):]
	t.s1, t.r1 = c.N, p.oh // the end of the group before the first
	return t
}

// next moves on: to the next rows, samples, group.
func (t *tile) next() bool {
	t.r0 = t.r1
	if t.r0 == t.oh {
		t.r0, t.s0 = 0, t.s1
	}
	if t.s0 == t.n {
		t.s0, t.group = 0, t.group+1
	}
	t.s1, t.r1 = min(t.s0+t.samples, t.n), min(t.r0+t.rows, t.oh)
	t.ld = (t.s1 - t.s0) * t.width()
	return t.group < t.convPlan.group
}

// width returns the columns of one sample in the tile.
func (t *tile) width() int { return (t.r1 - t.r0) * t.ow }

// image returns the group's channels of sample s of x.
func (t *tile) image(x []float32, s int) []float32 {
	n := t.h * t.w
	return x[(s*t.c+t.group*t.cg)*n : (s*t.c+(t.group+1)*t.cg)*n]
}

// part returns the group's channels of sample s of y from row r0 on; channels
// are oh·ow apart.
func (t *tile) part(y []float32, s int) []float32 {
	n := t.oh * t.ow
	return y[(s*t.m+t.group*t.mg)*n+t.r0*t.ow : (s*t.m+(t.group+1)*t.mg)*n]
}

// weight returns the group's mg×k part of the weight or of its gradient.
func (t *tile) weight(w []float32) []float32 {
	return w[t.group*t.mg*t.k : (t.group+1)*t.mg*t.k]
}

// windows returns the matrix of windows and the distance of its rows.
func (t *tile) windows(x []float32) ([]float32, int) {
	if t.direct {
		return t.image(x, t.s0), t.oh * t.ow
	}
	for s := t.s0; s < t.s1; s++ {
		t.im2col(t.cols[(s-t.s0)*t.width():], t.ld, t.image(x, s), 0, t.cg, t.r0, t.r1)
	}
	return t.cols, t.ld
}

// gathered returns the tile of y as a matrix and the distance of its rows,
// copied together where it spans samples.
func (t *tile) gathered(y []float32) ([]float32, int) {
	if t.s1-t.s0 == 1 {
		return t.part(y, t.s0), t.oh * t.ow
	}
	n := t.width()
	for s := t.s0; s < t.s1; s++ {
		part := t.part(y, s)
		for m := range t.mg {
			copy(t.out[m*t.ld+(s-t.s0)*n:], part[m*n:(m+1)*n])
		}
	}
	return t.out, t.ld
}

func (t *tile) forward(c *Call) {
	cols, ld := t.windows(c.In[0])
	w := t.weight(c.In[1])
	if t.s1-t.s0 == 1 {
		kernel.Sgemm(false, false, t.mg, t.ld, t.k, 1, w, t.k, cols, ld, 0, t.part(c.Out, t.s0), t.oh*t.ow, t.gemm)
		return
	}
	kernel.Sgemm(false, false, t.mg, t.ld, t.k, 1, w, t.k, cols, ld, 0, t.out, t.ld, t.gemm)
	n := t.width()
	for s := t.s0; s < t.s1; s++ {
		part := t.part(c.Out, s)
		for m := range t.mg {
			copy(part[m*n:(m+1)*n], t.out[m*t.ld+(s-t.s0)*n:])
		}
	}
}

// weightGrad adds dY·colsᵀ.
func (t *tile) weightGrad(c *Call) {
	cols, ld := t.windows(c.In[0])
	dy, ldy := t.gathered(c.DOut)
	kernel.Sgemm(false, true, t.mg, t.k, t.ld, 1, dy, ldy, cols, ld, 1, t.weight(c.DIn[1]), t.k, t.gemm)
}

// inputGrad adds the image of Wᵀ·dY.
func (t *tile) inputGrad(c *Call) {
	dy, ldy := t.gathered(c.DOut)
	w := t.weight(c.In[1])
	if t.direct {
		beta := float32(1)
		if c.Fresh[0] {
			beta = 0
		}
		kernel.Sgemm(true, false, t.k, t.ld, t.mg, 1, w, t.k, dy, ldy, beta, t.image(c.DIn[0], t.s0), t.ld, t.gemm)
		return
	}
	kernel.Sgemm(true, false, t.k, t.ld, t.mg, 1, w, t.k, dy, ldy, 0, t.cols, t.ld, t.gemm)
	for s := t.s0; s < t.s1; s++ {
		t.col2im(t.image(c.DIn[0], s), t.cols[(s-t.s0)*t.width():], t.ld, 0, t.cg, t.r0, t.r1)
	}
}
