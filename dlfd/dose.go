package dlfd

import (
	"cmp"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// resolve returns a copy of a with its defaults filled in.
func (a Align) resolve(spec feature.Spec, inserted bool, stepsPerEpoch int) (Align, error) {
	d := a.dose(spec, inserted)
	a.Shrink, a.Perturb, a.Match = cmp.Or(a.Shrink, d.shrink), cmp.Or(a.Perturb, d.perturb), cmp.Or(a.Match, d.match)
	a.Epochs = cmp.Or(a.Epochs, max(2, (d.steps+stepsPerEpoch-1)/stepsPerEpoch))
	a.Rate = cmp.Or(a.Rate, min(d.most, d.rate/math.Sqrt(float64(a.Epochs)*float64(stepsPerEpoch))))
	if a.Schedule == nil {
		a.Schedule = train.Cosine
	}
	if !(a.Shrink > 0 && a.Shrink <= 1) || !isWeight(a.Perturb) || !isWeight(a.Match) {
		return a, fmt.Errorf("%w: Shrink %v, Perturb %v, Match %v", ErrParameter, a.Shrink, a.Perturb, a.Match)
	}
	if a.Distance != nil {
		a.DistanceWeight = cmp.Or(a.DistanceWeight, 1)
	}
	if (a.Distance == nil) != (a.DistanceWeight == 0) || a.DistanceWeight < 0 || !finite.Is(a.DistanceWeight) {
		return a, fmt.Errorf("%w: DistanceWeight %v, Distance %v", ErrParameter, a.DistanceWeight, distance.Source(a.Distance))
	}
	if a.Revisit = cmp.Or(a.Revisit, .7); !(a.Revisit > 0 && a.Revisit <= 1) {
		return a, fmt.Errorf("%w: Revisit %v", ErrParameter, a.Revisit)
	}
	return a, checkDescent(a.Epochs, a.Rate)
}

// shallowLayers is the number of layers up to which nothing fades when the
// weights are shrunk by .4: two hidden layers and the classifier. There norms do
// no good: with them, a perceptron for Fashion-MNIST ended .008 from retraining,
// without them .005.
const shallowLayers = 3

// dose has the default settings for a kind of model.
type dose struct {
	shrink, perturb, match float64
	rate, most             float64 // by the root of the number of steps, and at most
	steps                  int     // at least: with fewer a small retain set does not bring the task back
}

// dose returns the default settings for a model whose norms, if it has any, may be inserted
// ones. Shrinking does not loosen a model without norms: what it computes is scaled, and no
// more. There noise and steps have to do it, but not in long steps: with noise 1.6 and a rate
// of 1 by the root of the number of steps, one of six requests in sequence lost the task.
func (a Align) dose(spec feature.Spec, inserted bool) dose {
	layers, norms := countLayers(spec)
	switch {
	case a.Shrink == 1:
		return dose{1, Off, .3, 1, .03, 30}
	case norms > 0 && inserted && norms < layers-1:
		return dose{.6, .8, .1, 1, .03, 30}
	case norms > 0:
		return dose{.35, .8, .1, 1, .03, 30}
	case layers <= shallowLayers:
		return dose{.3, 1.2, .1, .8, .06, 70}
	}
	return dose{.6, .8, .1, 1, .03, 70}
}

// half returns resolved, with half of the loosening where a leaves it to the default.
func (a Align) half(resolved Align) Align {
	if a.Shrink == 0 {
		resolved.Shrink = (1 + resolved.Shrink) / 2
	}
	if a.Perturb == 0 && resolved.Perturb > 0 {
		resolved.Perturb /= 2
	}
	return resolved
}

// countLayers returns the number of layers with weights that part 1 changes, and
// of batch norms, each of which has two statistics.
func countLayers(spec feature.Spec) (layers, norms int) {
	for _, p := range spec.Params {
		switch {
		case p.Kind == feature.Statistic:
			norms++
		case p.Trainable && len(p.Shape) > 1:
			layers++
		}
	}
	return layers, (norms + 1) / 2
}
