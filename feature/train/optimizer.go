// Package train changes the parameters of a feature.Trainable along its
// gradients: optimizers, one step, and a training loop. It works with any
// model, the networks of feature/nn and a user's own alike.
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

// Errors that this package wraps; all but ErrCheckpoint are those of package feature.
var (
	ErrParameter  = feature.ErrParameter // a setting is out of range
	ErrEmpty      = feature.ErrEmpty     // a dataset is empty
	ErrDiverged   = feature.ErrDiverged  // a loss or gradient is not finite; the parameters are those before the step
	ErrCheckpoint = checkpoint.Err       // a checkpoint is damaged, of another version or of another run; the error says which
)

// Optimizer is a rule that changes parameters along gradients. It is settings
// alone, which may serve many runs at once; Start gives what one run needs beside
// them.
//
// Laws: Start returns an error wrapping ErrParameter if a setting is out of range;
// equal settings and equal gradients give equal bits.
type Optimizer interface {
	Start(spec feature.Spec) (OptimizerState, error)
}

// OptimizerState is what an Optimizer keeps between the steps of one run, such as
// momentum. One that is also an encoding.BinaryMarshaler and BinaryUnmarshaler can go on
// from a checkpoint: after UnmarshalBinary, a state that was just started moves
// parameters as the one that was marshaled would, to the bit. Those of SGD and Adam
// are.
type OptimizerState interface {
	// Step changes parameter i of m along dp[i], for every i where dp[i] is not
	// nil. m has the Spec that Start was given. scale multiplies the learning
	// rate and is finite and not negative; see Schedule. Steps are counted by
	// parameter: one that gets its first gradient late is at its first step then.
	Step(m feature.Trainable, dp [][]float32, scale float64) error
}

// SGD is stochastic gradient descent with momentum and L2 weight decay, in the
// form of PyTorch: g ← g + WeightDecay·w, v ← Momentum·v + g, w ← w − Rate·v.
// A step costs one pass over parameters and velocity.
type SGD struct {
	Rate        float64 // learning rate; must be positive
	Momentum    float64 // in [0, 1); the default 0 is plain descent
	WeightDecay float64 // ≥ 0; the default is 0
}

// Start implements Optimizer.
func (o SGD) Start(spec feature.Spec) (OptimizerState, error) {
	if !positive(o.Rate) || !(o.Momentum >= 0 && float32(o.Momentum) < 1) || !nonnegative(o.WeightDecay) {
		return nil, fmt.Errorf("train: %w: SGD with rate %v, momentum %v, weight decay %v", ErrParameter, o.Rate, o.Momentum, o.WeightDecay)
	}
	return newMoments(spec, 1, &sgdRule{SGD: o}), nil
}

type sgdRule struct {
	SGD
	lr float32
}

func (r *sgdRule) prepare(_ int, scale float64) { r.lr = float32(r.Rate * scale) }

func (r *sgdRule) update(w, g, velocity, _ []float32) {
	kernel.SGDStep(w, velocity, g, r.lr, float32(r.Momentum), float32(r.WeightDecay))
}

// Adam is the method of Kingma and Ba (ICLR 2015, arXiv 1412.6980, algorithm
// 1), with weight decay decoupled from the gradient (Loshchilov and Hutter,
// arXiv 1711.05101). A step costs one pass over parameters and both moments.
type Adam struct {
	Rate        float64 // learning rate; must be positive
	Beta1       float64 // decay of the first moment; if it is zero, .9 is used
	Beta2       float64 // decay of the second moment; if it is zero, .999 is used
	Epsilon     float64 // added to the root of the second moment; if it is zero, 1e-8 is used
	WeightDecay float64 // ≥ 0; the default is 0
}

// Start implements Optimizer.
func (o Adam) Start(spec feature.Spec) (OptimizerState, error) {
	o.Beta1, o.Beta2, o.Epsilon = cmp.Or(o.Beta1, .9), cmp.Or(o.Beta2, .999), cmp.Or(o.Epsilon, 1e-8)
	if !positive(o.Rate) || !(o.Beta1 >= 0 && o.Beta1 < 1) || !(o.Beta2 >= 0 && o.Beta2 < 1) || !positive(o.Epsilon) || !nonnegative(o.WeightDecay) {
		return nil, fmt.Errorf("train: %w: Adam with rate %v, betas %v and %v, epsilon %v, weight decay %v", ErrParameter, o.Rate, o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay)
	}
	return newMoments(spec, 2, &adamRule{Adam: o}), nil
}

type adamRule struct {
	Adam
	now kernel.Adam
}

func (r *adamRule) prepare(step int, scale float64) {
	r.now = kernel.Adam{LR: r.Rate * scale, Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Epsilon, Decay: r.WeightDecay, Step: step}
}

func (r *adamRule) update(w, g, first, second []float32) { kernel.AdamStep(w, first, second, g, r.now) }

// positive reports whether v is finite and above zero.
func positive(v float64) bool { return v > 0 && !math.IsInf(v, 0) }

// nonnegative reports whether v is finite and not below zero.
func nonnegative(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }

// rule changes a piece of a parameter along its gradient. The state has the
// piece's length, or is nil where the optimizer keeps less of it.
type rule interface {
	prepare(step int, scale float64) // before a parameter takes the step with this number, from 1
	update(w, g, first, second []float32)
}

// moments keeps the state of an optimizer: a few arrays as long as each
// parameter, made when the parameter is first stepped.
type moments struct {
	arrays int // by parameter
	rule   rule
	sizes  []int
	names  []string
	of     [][][]float32
	steps  []int // taken by each parameter
	buf    []float32

	// The parameter at hand, for the functions below, which are made once so
	// that a step allocates nothing.
	at    int
	w, g  []float32
	state [2][]float32
	whole func(w []float32)
	piece func(worker, i int)
}

func newMoments(spec feature.Spec, arrays int, r rule) *moments {
	n := len(spec.Params)
	s := &moments{arrays: arrays, rule: r, of: make([][][]float32, n), steps: make([]int, n)}
	for _, p := range spec.Params {
		s.sizes, s.names = append(s.sizes, feature.Size(p.Shape)), append(s.names, p.Name)
	}
	s.whole, s.piece = s.updateAll, s.updatePiece
	return s
}

// pieceLen is how many numbers of a parameter one worker changes at a time.
const pieceLen = 1 << 15

// Step implements OptimizerState.
func (s *moments) Step(m feature.Trainable, dp [][]float32, scale float64) error {
	if !nonnegative(scale) {
		return fmt.Errorf("train: %w: learning rate scaled by %v", ErrParameter, scale)
	}
	if n := len(m.Spec().Params); len(dp) != n || n != len(s.sizes) {
		return fmt.Errorf("train: %w: %d gradients for %d parameters, started for %d", feature.ErrShape, len(dp), n, len(s.sizes))
	}
	for i, g := range dp {
		if g == nil {
			continue
		}
		if err := s.one(m, i, g, scale); err != nil {
			return fmt.Errorf("train: parameter %q: %w", s.names[i], err)
		}
	}
	return nil
}

func (s *moments) one(m feature.Trainable, i int, g []float32, scale float64) error {
	size := s.sizes[i]
	if len(g) != size {
		return fmt.Errorf("%w: gradient has %d numbers, parameter has %d", feature.ErrShape, len(g), size)
	}
	if s.of[i] == nil {
		for range s.arrays {
			s.of[i] = append(s.of[i], make([]float32, size))
		}
	}
	if _, inPlace := feature.As[feature.ParamUpdater](m); !inPlace && len(s.buf) < size {
		s.buf = make([]float32, size)
	}
	s.at, s.g = i, g
	copy(s.state[:], s.of[i])
	s.rule.prepare(s.steps[i]+1, scale)
	err := feature.UpdateParam(m, i, s.buf[:min(size, len(s.buf))], s.whole)
	if err == nil {
		s.steps[i]++
	}
	s.w, s.g = nil, nil
	return err
}

func (s *moments) updateAll(w []float32) {
	s.w = w
	par.Each(par.Chunks(len(w), pieceLen), s.piece)
}

func (s *moments) updatePiece(_, i int) {
	lo, hi := i*pieceLen, min((i+1)*pieceLen, len(s.w))
	var state [2][]float32
	for k, v := range s.state {
		if v != nil {
			state[k] = v[lo:hi]
		}
	}
	s.rule.update(s.w[lo:hi], s.g[lo:hi], state[0], state[1])
}
