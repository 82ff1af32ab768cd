package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

// attention stands for a chain in a plan: softmax(scale·Q·Kᵀ + M)·V for every head, all
// read and written where they are (Vaswani et al., arXiv 1706.03762, equation 1).
// Its inputs are the values that hold Q, K and V, of which some may be one, and what M
// is the sum of.
//
// The weights of a head are computed again for the gradient: that takes less than
// keeping them.
type attention struct {
	heads           int // of one sample
	rows, keys      int // of Q and of K
	width, depth    int // columns of Q and of V
	scale           float32
	q, k, v, output matrices // k is K transposed
	added           []addend
}

// addend is a mask or a bias that is added to the scores before the softmax.
type addend struct {
	in     int
	size   int     // elements of a sample of it; 0 for a parameter
	offset []int32 // by head
	ld     int     // distance of rows, 0 where all are the same
}

// row returns the elements that are added to a row of scores, or their gradient.
func (a *addend) row(x []float32, s, head, row, keys int) []float32 {
	return x[s*a.size+int(a.offset[head])+row*a.ld:][:keys]
}

// matrices says where the matrices of all heads are in a sample.
type matrices struct {
	in     int     // number of the input
	size   int     // elements of a sample of it
	offset []int32 // by head
	turned bool    // stored transposed
	ld     int     // distance of stored rows
}

// at returns the matrix of a head of sample s, to the end of x.
func (m *matrices) at(x []float32, s, head int) []float32 {
	return x[s*m.size+int(m.offset[head]):]
}

// Infer implements Op. The fuser has checked the shapes.
func (attention) Infer([]Arg) ([]int, error) { panic("graph: attention is made by fuse") }

// Reads implements Op.
func (attention) Reads(want []bool, _ bool) ([]bool, bool) {
	in := none(len(want))
	for i := range in {
		in[i] = true
	}
	return in, false
}

// Scratch implements Scratcher: the weights of a head, their gradient, and what
// products need.
func (op attention) Scratch(any, []Arg, []int, int) int {
	r, k, w, d := op.rows, op.keys, op.width, op.depth
	most := 0
	for _, p := range [][3]int{{r, k, w}, {r, k, d}, {r, d, k}, {r, w, k}, {k, w, r}, {k, d, r}} {
		most = max(most, kernel.SgemmScratch(p[0], p[1], p[2]), kernel.SgemmScratch(p[1], p[0], p[2]))
	}
	return 2*aligned(r*k) + most
}

// weights computes softmax(scale·Q·Kᵀ + M) of one head.
func (op attention) weights(c *Call, s, head int, p, scratch []float32) {
	q, k := op.q.at(c.In[op.q.in], s, head), op.k.at(c.In[op.k.in], s, head)
	kernel.Sgemm(op.q.turned, op.k.turned, op.rows, op.keys, op.width, op.scale, q, op.q.ld, k, op.k.ld, 0, p, op.keys, scratch, c.Stop)
	for i := range op.rows {
		row := p[i*op.keys : (i+1)*op.keys]
		for _, a := range op.added {
			kernel.Add32(row, row, a.row(c.In[a.in], s, head, i, op.keys))
		}
		kernel.Softmax(row, row)
	}
}

// Forward implements Op.
func (op attention) Forward(c *Call) { op.forwardHeads(c, 0, c.N*op.heads) }

// forwardHeads is Forward for the heads [lo, hi) of all samples.
func (op attention) forwardHeads(c *Call, lo, hi int) {
	n := op.rows * op.keys
	p, scratch := c.Scratch[:n], c.Scratch[aligned(n):]
	for i := lo; i < hi; i++ {
		if c.Stop.Now() {
			return
		}
		s, head := i/op.heads, i%op.heads
		op.weights(c, s, head, p, scratch)
		multiply(&op.output, c.Out, s, head, 0, [3]int{op.rows, op.depth, op.keys}, 1,
			stored{p, false, op.keys}, op.v.stored(c.In[op.v.in], s, head), scratch, c.Stop)
	}
}

// VJP implements Op: with P the weights, dV = Pᵀ·dY, dP = dY·Vᵀ, dS = P∘(dP − Σ P∘dP)
// by rows, dM = dS, dQ = scale·dS·K, dK = scale·dSᵀ·Q.
func (op attention) VJP(c *Call) {
	for i := range c.DIn {
		if c.DIn[i] != nil {
			c.Clear(i)
		}
	}
	for i := range c.N * op.heads {
		if c.Stop.Now() {
			return
		}
		op.headVJP(c, i/op.heads, i%op.heads)
	}
}

func (op attention) headVJP(c *Call, s, head int) {
	n := aligned(op.rows * op.keys)
	p, dp, scratch := c.Scratch[:op.rows*op.keys], c.Scratch[n:n+op.rows*op.keys], c.Scratch[2*n:]
	op.weights(c, s, head, p, scratch)
	weights, slopes, dy := stored{p, false, op.keys}, stored{dp, false, op.keys}, op.output.stored(c.DOut, s, head)
	if dv := c.DIn[op.v.in]; dv != nil {
		multiply(&op.v, dv, s, head, 1, [3]int{op.keys, op.depth, op.rows}, 1, weights.transposed(), dy, scratch, c.Stop)
	}
	dq, dk := c.DIn[op.q.in], c.DIn[op.k.in]
	if dq == nil && dk == nil && !op.addsGradient(c) {
		return
	}
	v := op.v.stored(c.In[op.v.in], s, head).transposed()
	kernel.Sgemm(dy.turned, v.turned, op.rows, op.keys, op.depth, 1, dy.x, dy.ld, v.x, v.ld, 0, dp, op.keys, scratch, c.Stop)
	for i := range op.rows {
		lo, hi := i*op.keys, (i+1)*op.keys
		kernel.SoftmaxGrad(dp[lo:hi], dp[lo:hi], p[lo:hi])
		for _, a := range op.added {
			if dm := c.DIn[a.in]; dm != nil {
				row := a.row(dm, s, head, i, op.keys)
				kernel.Add32(row, row, dp[lo:hi])
			}
		}
	}
	if dq != nil {
		k := op.k.stored(c.In[op.k.in], s, head).transposed()
		multiply(&op.q, dq, s, head, 1, [3]int{op.rows, op.width, op.keys}, op.scale, slopes, k, scratch, c.Stop)
	}
	if dk != nil {
		q := op.q.stored(c.In[op.q.in], s, head).transposed()
		multiply(&op.k, dk, s, head, 1, [3]int{op.width, op.keys, op.rows}, op.scale, q, slopes, scratch, c.Stop)
	}
}

// addsGradient tells whether the gradient of something added is wanted.
func (op attention) addsGradient(c *Call) bool {
	for _, a := range op.added {
		if c.DIn[a.in] != nil {
			return true
		}
	}
	return false
}

// stored is a matrix in memory, transposed or not.
type stored struct {
	x      []float32
	turned bool
	ld     int
}

func (m stored) transposed() stored { return stored{m.x, !m.turned, m.ld} }

func (m *matrices) stored(x []float32, s, head int) stored {
	return stored{m.at(x, s, head), m.turned, m.ld}
}

// multiply computes alpha·A·B + beta·C for the matrix C of a head, whose size and
// length of sums dim has.
func multiply(m *matrices, x []float32, s, head int, beta float32, dim [3]int, alpha float32, a, b stored, scratch []float32, stop kernel.Stop) {
	c := m.at(x, s, head)
	if m.turned { // Cᵀ = Bᵀ·Aᵀ
		kernel.Sgemm(!b.turned, !a.turned, dim[1], dim[0], dim[2], alpha, b.x, b.ld, a.x, a.ld, beta, c, m.ld, scratch, stop)
		return
	}
	kernel.Sgemm(a.turned, b.turned, dim[0], dim[1], dim[2], alpha, a.x, a.ld, b.x, b.ld, beta, c, m.ld, scratch, stop)
}
