package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

// splitter is implemented by operators whose Forward falls into independent
// pieces, for batches of one sample: lanes have no parallel work for them. The bits
// do not depend on how many pieces there are; pieces returns how many are worth
// their cost at most.
type splitter interface {
	Op
	pieces() int
	forwardPiece(c *Call, piece, pieces int)
}

// splitConv is a convolution of which every core computes a few output channels.
type splitConv struct {
	packedConv
	most int // pieces
}

// packedConv is a Conv, a convNorm or a convLimits.
type packedConv interface {
	Op
	Packer
	Scratcher
	forwardPiece(c *Call, piece, pieces int)
}

// split divides the large convolutions, linear layers and attentions of an inference
// on one sample.
func (c *compiler) split() {
	if q := c.p.req; q.Batch != 1 || q.Grad || q.Train {
		return
	}
	for i := range c.g.nodes {
		nd := &c.g.nodes[i]
		if !c.need[nd.out] {
			continue
		}
		op, ok := nd.op.(packedConv)
		if !ok {
			nd.op = splitRows(nd)
		} else if n := nd.prepared.(*convPlan).splits(); n > 1 {
			nd.op = splitConv{op, n}
		}
	}
}

// splits returns how many pieces are worth their cost: each packs the whole input,
// and starting them takes time.
func (p *convPlan) splits() int {
	const fewest = 1 << 21 // multiplications of a piece: some 70 µs, and waking a core takes up to 50
	work := p.m * p.k * p.oh * p.ow
	if p.depth != nil { // some of which are as slow as more of the others
		return min(4*work/fewest, p.Channels)
	}
	const narrowest = 16 // channels of a piece
	if p.group != 1 {
		return 1
	}
	return min(work/fewest, p.m/narrowest)
}

func (op splitConv) pieces() int { return op.most }

func (op Conv) forwardPiece(c *Call, piece, pieces int) {
	op.piece(c, kernel.NoLimits, piece, pieces)
}

func (op convLimits) forwardPiece(c *Call, piece, pieces int) {
	op.piece(c, op.limits, piece, pieces)
}

func (op convNorm) forwardPiece(c *Call, piece, pieces int) {
	p, shift, d := op.inner(c)
	p.forwardPiece(&d, d.Packed, shift, op.limits, piece, pieces)
}

func (op Conv) piece(c *Call, l kernel.Limits, piece, pieces int) {
	var bias []float32
	if len(c.In) == 3 {
		bias = c.In[2]
	}
	c.Prepared.(*convPlan).forwardPiece(c, c.In[1], bias, l, piece, pieces)
}

// forwardPiece runs a piece; w are the weights of a depthwise convolution.
func (p *convPlan) forwardPiece(c *Call, w, bias []float32, l kernel.Limits, piece, pieces int) {
	if p.depth != nil {
		p.depth.ForwardPiece(piece, pieces, c.Out, c.In[0], w, bias, l, c.Scratch, c.Stop)
		return
	}
	p.conv.ForwardPiece(piece, pieces, c.Out, c.In[0], p.forwardPack(c, 0), bias, l, 1, c.Scratch, c.Stop)
}
