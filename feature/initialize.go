package feature

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// FanIn returns the number of inputs that an output of a layer sums over, where p
// is the layer's weight, outputs first: the product of all axes but the first. It
// is 1 for a parameter with one axis.
func (p Param) FanIn() int {
	if len(p.Shape) < 2 {
		return 1
	}
	return Size(p.Shape[1:])
}

// Reinitialize draws new values for those parameters of m for which change returns
// true, as PyTorch does for new layers; if change is nil, for all of them. Frozen
// weights and biases, and the statistics of a frozen norm, stay.
//
//   - A Weight of two or more axes with fan-in n is uniform in ±1/√n, and so is
//     the Bias after it (torch.nn.Linear and Conv2d; He et al., arXiv 1502.01852,
//     equation 14, with a slope of √5).
//   - A Weight of one axis, the scale of a norm, is 1, and the Bias after it 0.
//   - Of the Statistics of a batch norm, the first, the mean, is 0 and the second,
//     the variance, 1. A third, a count of what the two are made of, is 0.
//
// What a parameter belongs to is told by the order of Spec().Params: a Bias and a
// Statistic belong to the last Weight before them. An embedding is drawn like the
// weight of a layer. Each parameter has a random stream of its own, so that what
// is changed beside it makes no difference.
//
// Equal seeds give equal bits. Errors are those of GetParam and SetParam.
func Reinitialize(m Trainable, change func(Param) bool, seed uint64) error {
	var owner Param // the last Weight
	statistics := 0 // since then
	for i, p := range m.Spec().Params {
		switch p.Kind {
		case Weight:
			owner, statistics = p, 0
		case Statistic:
			statistics++
		}
		frozen := !p.Trainable
		if p.Kind == Statistic {
			frozen = !owner.Trainable
		}
		if frozen || change != nil && !change(p) {
			continue
		}
		value := initializer(p, owner, statistics%2 == 0, rng.Stream(seed, "initial value", i).Float64)
		err := UpdateParam(m, i, make([]float32, Size(p.Shape)), func(w []float32) {
			for j := range w {
				w[j] = value()
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// initializer returns a function that draws the elements of p, which belongs to
// the given weight. uniform draws from [0, 1).
func initializer(p, owner Param, variance bool, uniform func() float64) func() float32 {
	constant := func(v float32) func() float32 { return func() float32 { return v } }
	switch {
	case p.Kind == Statistic && variance:
		return constant(1)
	case p.Kind == Statistic:
		return constant(0)
	case len(owner.Shape) >= 2:
		bound := 1 / math.Sqrt(float64(owner.FanIn()))
		return func() float32 { return float32((2*uniform() - 1) * bound) }
	case p.Kind == Weight:
		return constant(1)
	}
	return constant(0)
}
