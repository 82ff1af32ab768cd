package graph

// splitRows returns the operator of a node, divided by rows or by heads if it is a
// large linear layer or attention. Rows and heads have the bits of the operator as a
// whole.
func splitRows(nd *node) Op {
	switch op := nd.op.(type) {
	case Rows:
		p := nd.prepared.(*rowsPlan)
		if n := piecesOf(p.rows*p.k*p.m, p.rows/24); n > 1 && p.packed { // tiles of fewer rows would not be full
			return rowPieces{op, n}
		}
	case attention:
		if n := piecesOf(op.heads*op.rows*op.keys*(op.width+op.depth), op.heads); n > 1 {
			return headPieces{op, n}
		}
	}
	return nd.op
}

// piecesOf returns into how many pieces multiplications are worth dividing, limit at
// most.
func piecesOf(work, limit int) int {
	const fewest = 1 << 19 // of a piece: starting one takes some microseconds
	return min(work/fewest, limit)
}

// rowPieces is Rows, some rows at a time.
type rowPieces struct {
	Rows
	most int // pieces
}

func (op rowPieces) pieces() int { return op.most }

// forwardPiece implements splitter.
func (op rowPieces) forwardPiece(c *Call, piece, pieces int) {
	p, d := c.Prepared.(*rowsPlan), *c
	lo, hi := piece*p.rows/pieces, (piece+1)*p.rows/pieces
	in := [3][]float32{c.In[0][lo*p.k : hi*p.k], c.In[1]}
	copy(in[2:], c.In[2:])
	d.N, d.In, d.Out = hi-lo, in[:len(c.In)], c.Out[lo*p.m:hi*p.m]
	op.forwardRows(&d)
}

// headPieces is attention, some heads at a time.
type headPieces struct {
	attention
	most int // pieces
}

func (op headPieces) pieces() int { return op.most }

// forwardPiece implements splitter.
func (op headPieces) forwardPiece(c *Call, piece, pieces int) {
	op.forwardHeads(c, piece*op.heads/pieces, (piece+1)*op.heads/pieces)
}
