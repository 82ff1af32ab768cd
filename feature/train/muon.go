package train

import (
	"cmp"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/checkpoint"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
)

// Muon moves every matrix of weights along its momentum with the singular values of the
// momentum made about equal, so that directions in which gradients are small are learned
// as fast as the others (Jordan et al., Muon: an optimizer for hidden layers in neural
// networks, 2024). On small image classifiers a pass over the data does what two passes of
// SGD do.
//
// The length of a step is Rate times the norm that the matrix had at its first step
// (after LARS, You et al., arXiv 1708.03888), whatever the size of the gradient: one Rate
// serves models with large and small weights, with and without norms. A matrix of zeros
// counts as one with PyTorch's default initialization.
//
// A parameter with more than one axis is a matrix with as many rows as its first axis is
// long; one with more than 128 rows is taken in blocks of at most so many. Biases, and
// scale and shift of norms, are moved by SGD with the rate Vectors.
//
// A step costs, beside a pass over the parameters and their momentum, about 4n²·m + 40n³
// operations for a block of n×m, n ≤ m. Measured in processor time beside SGD, batch 32 of
// 32 pixels: a small convolutional net 1.0 times, a small ViT 1.2, DenseNet121 1.3,
// EfficientNet-B0, ResNet18 and MobileNetV2 1.7 to 2.0. On larger images the share falls.
type Muon struct {
	Rate     float64 // length of a step by the norm of the weights; must be positive
	Momentum float64 // Nesterov's, in [0, 1); if it is zero, .9 is used
	Vectors  float64 // learning rate of SGD for parameters of one axis; if it is zero, .03 is used
	// MaxNorms has, by parameter, the largest norm that a matrix may have after a step: a
	// longer one is scaled back. 0 is no limit. If it is nil, there is none. Steps whose
	// length does not depend on the gradient's make weights longer and longer; where a model
	// has no norms, that changes what it computes, and how far the next step goes.
	MaxNorms []float64 `json:"-"`
}

// muonRows is the largest number of rows of a block.
const muonRows = 128

// Start implements Optimizer.
func (o Muon) Start(spec feature.Spec) (OptimizerState, error) {
	o.Momentum, o.Vectors = cmp.Or(o.Momentum, .9), cmp.Or(o.Vectors, .03)
	if !positive(o.Rate) || !(o.Momentum > 0 && float32(o.Momentum) < 1) || !positive(o.Vectors) {
		return nil, fmt.Errorf("train: %w: Muon with rate %v, momentum %v, rate of vectors %v", ErrParameter, o.Rate, o.Momentum, o.Vectors)
	}
	if o.MaxNorms != nil && len(o.MaxNorms) != len(spec.Params) {
		return nil, fmt.Errorf("train: %w: Muon with MaxNorms of %d parameters for a model that has %d", ErrParameter, len(o.MaxNorms), len(spec.Params))
	}
	for i, v := range o.MaxNorms {
		if !(v >= 0) || math.IsInf(v, 1) {
			return nil, fmt.Errorf("train: %w: Muon with MaxNorms[%d] %v", ErrParameter, i, v)
		}
	}
	s := &muonState{Muon: o, norms: make([]float64, len(spec.Params))}
	s.sgdRule = sgdRule{SGD: SGD{Rate: o.Vectors, Momentum: o.Momentum}}
	s.moments = newMoments(spec, 1, s)
	s.moments.whole = s.change
	s.turn, s.move = s.turnBlock, s.moveBlock
	for _, p := range spec.Params {
		m := matrix{}
		if len(p.Shape) > 1 {
			m = newMatrix(p.Shape[0], feature.Size(p.Shape[1:]))
		}
		s.matrices = append(s.matrices, m)
	}
	return s, nil
}

// matrix says how a parameter is cut into blocks; a vector has no rows.
type matrix struct{ rows, cols, blocks int }

func newMatrix(rows, cols int) matrix {
	return matrix{rows, cols, (rows + muonRows - 1) / muonRows}
}

// block returns the first row of block k and the one behind its last.
func (m matrix) block(k int) (lo, hi int) { return k * m.rows / m.blocks, (k + 1) * m.rows / m.blocks }

// muonState is Muon, the rule of vectors, and the state of both.
type muonState struct {
	Muon
	*moments
	sgdRule
	matrices []matrix
	norms    []float64 // of the matrices at their first step, 0 before
	scale    float64

	// The matrix at hand, for functions that are made once.
	m       matrix
	step    []float32 // as long as the longest matrix
	squares []float64 // of the step, by block
	length  float32
	scratch [][]float32 // by worker
	turn    func(worker, block int)
	move    func(worker, block int)
}

// prepare implements rule.
func (s *muonState) prepare(step int, scale float64) {
	s.scale = scale
	s.sgdRule.prepare(step, scale)
}

// change moves the parameter at hand.
func (s *muonState) change(w []float32) {
	s.m = s.matrices[s.at]
	if s.m.rows == 0 || s.m.cols == 0 {
		s.updateAll(w)
		return
	}
	s.w = w
	s.step = grown(s.step, len(w))
	if len(s.squares) < s.m.blocks {
		s.squares = make([]float64, s.m.blocks)
	}
	for len(s.scratch) < par.Workers(s.m.blocks) {
		s.scratch = append(s.scratch, nil)
	}
	par.Each(s.m.blocks, s.turn)
	var squares float64
	for _, v := range s.squares[:s.m.blocks] {
		squares += v
	}
	if squares == 0 {
		return
	}
	s.length = float32(s.Muon.Rate * s.scale * s.norm(w) / math.Sqrt(squares))
	par.Each(s.m.blocks, s.move)
	s.limit(w)
}

// limit scales the matrix at hand back to the norm that it may have.
func (s *muonState) limit(w []float32) {
	if s.MaxNorms == nil || s.MaxNorms[s.at] == 0 {
		return
	}
	most := s.MaxNorms[s.at]
	if _, squares := kernel.Moments(w); squares > most*most {
		kernel.Scale32(w, float32(most/math.Sqrt(squares)), w)
	}
}

// norm is that of the matrix at hand before its first step.
func (s *muonState) norm(w []float32) float64 {
	if s.norms[s.at] == 0 {
		_, squares := kernel.Moments(w)
		if squares == 0 {
			squares = float64(len(w)) / (3 * float64(s.m.cols))
		}
		s.norms[s.at] = math.Sqrt(squares)
	}
	return s.norms[s.at]
}

// turnBlock brings the momentum of a block up to date and makes its step of it, but for
// the length.
func (s *muonState) turnBlock(worker, k int) {
	lo, hi := s.m.block(k)
	rows := hi - lo
	lo, hi = lo*s.m.cols, hi*s.m.cols
	momentum, step, g := s.state[0][lo:hi], s.step[lo:hi], s.g[lo:hi]
	mu := float32(s.Muon.Momentum)
	kernel.Axpby32(1, g, mu, momentum)
	copy(step, g)
	kernel.Axpy32(mu, momentum, step)
	s.scratch[worker] = grown(s.scratch[worker], kernel.OrthogonalizeScratch(rows, s.m.cols))
	kernel.Orthogonalize(rows, s.m.cols, step, s.scratch[worker])
	_, s.squares[k] = kernel.Moments(step)
}

func (s *muonState) moveBlock(_, k int) {
	lo, hi := s.m.block(k)
	lo, hi = lo*s.m.cols, hi*s.m.cols
	kernel.Axpy32(-s.length, s.step[lo:hi], s.w[lo:hi])
}

// grown returns v, or a longer slice if it has less than n elements.
func grown(v []float32, n int) []float32 {
	if len(v) < n {
		return make([]float32, n)
	}
	return v
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (s *muonState) MarshalBinary() ([]byte, error) {
	moments, err := s.moments.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return checkpoint.Encode(moments, s.norms)
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (s *muonState) UnmarshalBinary(data []byte) error {
	var moments []byte
	var norms []float64
	if err := checkpoint.Decode(data, &moments, &norms); err != nil {
		return err
	}
	if len(norms) != len(s.norms) {
		return fmt.Errorf("%w: norms of %d parameters, not %d", ErrCheckpoint, len(norms), len(s.norms))
	}
	if err := s.moments.UnmarshalBinary(moments); err != nil {
		return err
	}
	s.norms = norms
	return nil
}
