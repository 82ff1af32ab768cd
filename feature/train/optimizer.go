// Package train changes the parameters of a feature.Trainable along its
// gradients: optimisers, one step, and a training loop. It works with any
// model, the networks of feature/nn and a user's own alike.
package train

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
)

// Errors of package feature, under the names that they have here: ErrParameter is
// wrapped by errors about a setting out of range, ErrDiverged by the error of a
// step whose loss or gradient is not finite. The parameters are then those before
// the step.
var (
	ErrParameter = feature.ErrParameter
	ErrDiverged  = feature.ErrDiverged
)

// Optimizer changes the parameters of one model. It keeps state between steps
// and belongs to that model.
type Optimizer interface {
	// Step changes parameter i of m along dp[i], for every i where dp[i] is not
	// nil. scale multiplies the learning rate; see Schedule.
	Step(m feature.Trainable, dp [][]float32, scale float64) error
}

// SGD is stochastic gradient descent with momentum and L2 weight decay, in the
// form of PyTorch: g ← g + WeightDecay·w, v ← Momentum·v + g, w ← w − Rate·v.
type SGD struct {
	Rate        float64 // learning rate; must be positive
	Momentum    float64 // in [0, 1); the default 0 is plain descent
	WeightDecay float64 // ≥ 0; the default is 0

	lr, mu, wd float32 // of the current step
	state      moments
}

// Step implements Optimizer. Cost: one pass over parameters and velocity.
func (o *SGD) Step(m feature.Trainable, dp [][]float32, scale float64) error {
	if !(o.Rate > 0) || math.IsInf(o.Rate, 0) || !(o.Momentum >= 0 && o.Momentum < 1) || !nonnegative(o.WeightDecay) || !nonnegative(scale) {
		return fmt.Errorf("train: %w: SGD with rate %v, momentum %v, weight decay %v, scale %v", ErrParameter, o.Rate, o.Momentum, o.WeightDecay, scale)
	}
	o.lr, o.mu, o.wd = float32(o.Rate*scale), float32(o.Momentum), float32(o.WeightDecay)
	return o.state.each(m, dp, 1, o)
}

func (o *SGD) update(w, g, velocity, _ []float32) { kernel.SGDStep(w, velocity, g, o.lr, o.mu, o.wd) }

// Adam is the method of Kingma and Ba (ICLR 2015, arXiv 1412.6980, algorithm
// 1), with weight decay decoupled from the gradient (Loshchilov and Hutter,
// arXiv 1711.05101).
type Adam struct {
	Rate        float64 // learning rate; must be positive
	Beta1       float64 // decay of the first moment; if it is zero, .9 is used
	Beta2       float64 // decay of the second moment; if it is zero, .999 is used
	Epsilon     float64 // added to the root of the second moment; if it is zero, 1e-8 is used
	WeightDecay float64 // ≥ 0; the default is 0

	steps int
	now   kernel.Adam // the current step
	state moments
}

// Step implements Optimizer. Cost: one pass over parameters and both moments.
func (o *Adam) Step(m feature.Trainable, dp [][]float32, scale float64) error {
	b1, b2, eps := orElse(o.Beta1, .9), orElse(o.Beta2, .999), orElse(o.Epsilon, 1e-8)
	if !(o.Rate > 0) || math.IsInf(o.Rate, 0) || !(b1 >= 0 && b1 < 1) || !(b2 >= 0 && b2 < 1) || !(eps > 0) || math.IsInf(eps, 0) || !nonnegative(o.WeightDecay) || !nonnegative(scale) {
		return fmt.Errorf("train: %w: Adam with rate %v, betas %v and %v, epsilon %v, weight decay %v", ErrParameter, o.Rate, b1, b2, eps, o.WeightDecay)
	}
	o.now = kernel.Adam{LR: o.Rate * scale, Beta1: b1, Beta2: b2, Eps: eps, Decay: o.WeightDecay, Step: o.steps + 1}
	err := o.state.each(m, dp, 2, o)
	if err == nil {
		o.steps++
	}
	return err
}

func (o *Adam) update(w, g, first, second []float32) { kernel.AdamStep(w, first, second, g, o.now) }

// nonnegative reports whether v is finite and not below zero.
func nonnegative(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }

func orElse(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// rule changes a piece of a parameter along its gradient. The state has the
// piece's length, or is nil where the optimiser keeps less of it.
type rule interface {
	update(w, g, first, second []float32)
}

// moments keeps the state of an optimiser: a few arrays as long as each
// parameter, made when the parameter is first stepped.
type moments struct {
	of  [][][]float32
	buf []float32

	// The parameter at hand, for the functions below, which are made once so
	// that a step allocates nothing.
	rule  rule
	w, g  []float32
	state [2][]float32
	whole func(w []float32)
	piece func(worker, i int)
}

// pieceLen is how many numbers of a parameter one worker changes at a time.
const pieceLen = 1 << 15

// each applies r, with k state arrays, to every parameter that has a gradient.
func (s *moments) each(m feature.Trainable, dp [][]float32, k int, r rule) error {
	params := m.Spec().Params
	if len(dp) != len(params) {
		return fmt.Errorf("train: %w: %d gradients for %d parameters", feature.ErrShape, len(dp), len(params))
	}
	if s.of == nil {
		s.of = make([][][]float32, len(params))
		s.whole, s.piece = s.updateAll, s.updatePiece
	}
	if len(s.of) != len(params) {
		return fmt.Errorf("train: %w: the optimiser has stepped a model with %d parameters, this one has %d", feature.ErrShape, len(s.of), len(params))
	}
	s.rule = r
	for i, g := range dp {
		if g == nil {
			continue
		}
		if err := s.one(m, i, g, k, feature.Size(params[i].Shape)); err != nil {
			return fmt.Errorf("train: parameter %q: %w", params[i].Name, err)
		}
	}
	return nil
}

func (s *moments) one(m feature.Trainable, i int, g []float32, k, size int) error {
	if len(g) != size {
		return fmt.Errorf("%w: gradient has %d numbers, parameter has %d", feature.ErrShape, len(g), size)
	}
	if s.of[i] == nil {
		for range k {
			s.of[i] = append(s.of[i], make([]float32, size))
		}
	}
	if _, inPlace := m.(feature.ParamUpdater); !inPlace && len(s.buf) < size {
		s.buf = make([]float32, size)
	}
	buf := s.buf
	if len(buf) >= size {
		buf = buf[:size]
	}
	s.g = g
	copy(s.state[:], s.of[i])
	err := feature.UpdateParam(m, i, buf, s.whole)
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
