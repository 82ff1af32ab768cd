package graph

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// Dropout zeroes each element with probability Rate and multiplies the others
// by 1/(1−Rate) in training; in evaluation it does nothing. The mask of a sample
// depends on the seed, the number of the node and the sample's place in the
// batch.
type Dropout struct {
	elementwise
	Rate float64 // in [0, 1)
	// Whole drops or keeps a sample as one, as on the branches of stochastic
	// depth (Huang et al., ECCV 2016, arXiv 1603.09382).
	Whole bool
}

// Infer implements Op.
func (op Dropout) Infer(in []Arg) ([]int, error) {
	if !(op.Rate >= 0 && op.Rate < 1) {
		return nil, fmt.Errorf("rate %v is not in [0, 1)", op.Rate)
	}
	return op.elementwise.Infer(in)
}

// Reads implements Op.
func (Dropout) Reads([]bool, bool) ([]bool, bool) { return none(1), false }

// Forward implements Op.
func (op Dropout) Forward(c *Call) { op.apply(c, true, c.Out, c.In[0]) }

// VJP implements Op.
func (op Dropout) VJP(c *Call) { op.apply(c, c.Fresh[0], c.DIn[0], c.DOut) }

// apply adds mask·x to dst, or writes it where dst is fresh.
func (op Dropout) apply(c *Call, fresh bool, dst, x []float32) {
	if !c.Train || op.Rate == 0 {
		accumulate(fresh, dst, x)
		return
	}
	n := size(c.OutShape)
	keep := float32(1 / (1 - op.Rate))
	below := uint64(math.Ldexp(op.Rate, 64)) // Rate < 1: no overflow
	var pcg rand.PCG
	for s := range c.N {
		pcg.Seed(rng.Seed(c.Seed, "dropout", c.Node, c.First+s), c.Seed)
		drop := pcg.Uint64() < below
		for i := s * n; i < (s+1)*n; i++ {
			if !op.Whole && i > s*n {
				drop = pcg.Uint64() < below
			}
			v := keep * x[i]
			if drop {
				v = 0
			}
			if !fresh {
				v += dst[i]
			}
			dst[i] = v
		}
	}
}
