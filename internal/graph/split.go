package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

// splitter is implemented by operators whose Forward falls into independent
// pieces, for batches of one sample: lanes have no parallel work for them.
type splitter interface {
	Op
	pieces() int
	forwardPiece(c *Call, piece int)
}

// splitConv is a convNorm of one group that computes a few output channels at
// a time. Packed holds the shifts, and then the weights of one block after the
// other.
type splitConv struct {
	convNorm
	block  *kernel.Conv
	blocks int
}

// split divides the large convolutions of an inference on one sample.
func (c *compiler) split() {
	if q := c.p.req; q.Batch != 1 || q.Grad || q.Train {
		return
	}
	for i := range c.g.nodes {
		nd := &c.g.nodes[i]
		if op, ok := nd.op.(convNorm); ok && c.need[nd.out] {
			p := nd.prepared.(*convPlan)
			if n := p.splits(); n > 1 {
				nd.op = splitConv{op, kernel.NewConv(p.window(p.Channels), p.m/n, 1), n}
			}
		}
	}
}

// splits returns how many blocks of output channels are worth their cost: each
// packs the whole input, and starting them takes some microseconds.
func (p *convPlan) splits() int {
	const fewest = 1 << 20 // multiplications
	switch {
	case p.group != 1 || p.m*p.k*p.oh*p.ow < fewest:
		return 1
	case p.m >= 256 && p.m%4 == 0:
		return 4
	case p.m >= 64 && p.m%2 == 0:
		return 2
	}
	return 1
}

func (op splitConv) pieces() int { return op.blocks }

// Scratch implements Scratcher.
func (op splitConv) Scratch(prepared any, _ []Arg, _ []int, n int) int {
	return max(op.block.Scratch(n), op.block.Out*prepared.(*convPlan).k)
}

// PackLen implements Packer.
func (op splitConv) PackLen(prepared any, _ []bool) int {
	return aligned(prepared.(*convPlan).m) + op.blocks*aligned(op.block.PackedForward())
}

// packed returns the weights of a block.
func (op splitConv) packed(c *Call, p *convPlan, block int) []float32 {
	n := op.block.PackedForward()
	return c.Packed[aligned(p.m)+block*aligned(n):][:n]
}

// Pack implements Packer.
func (op splitConv) Pack(c *Call, _ []bool) {
	p := c.Prepared.(*convPlan)
	for block := range op.blocks {
		w := c.Scratch[:op.block.Out*p.k]
		op.fold(c, p, block*op.block.Out, w)
		op.block.PackForward(op.packed(c, p, block), w)
	}
}

// forwardPiece implements splitter.
func (op splitConv) forwardPiece(c *Call, piece int) {
	p, n := c.Prepared.(*convPlan), op.block.Out
	y := c.Out[piece*n*p.oh*p.ow:]
	op.block.Forward(y, c.In[0], op.packed(c, p, piece), c.Packed[piece*n:(piece+1)*n], op.limits, false, 1, c.Scratch, c.Stop)
}
