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
	a.Epochs = cmp.Or(a.Epochs, max(2, (d.steps+stepsPerEpoch-1)/stepsPerEpoch))
	d.follow(a.Epochs)
	a.Shrink, a.Perturb, a.Match = cmp.Or(a.Shrink, d.shrink), cmp.Or(a.Perturb, d.perturb), cmp.Or(a.Match, d.match)
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
// weights are shrunk by .3: two hidden layers and the classifier. There norms do
// no good: with them, a perceptron for Fashion-MNIST ended .008 from retraining,
// without them .005.
const shallowLayers = 3

// dose has the default settings for a kind of model, those of part 1 for two passes.
type dose struct {
	shrink, perturb, match float64
	noisy                  bool    // layers are without norms: noise loosens, shrinking alone does not
	rate, most             float64 // by the root of the number of steps, and at most
	steps                  int     // at least: with fewer a small retain set does not bring the task back
}

// dose returns the default settings for a model whose norms, if it has any, may be inserted
// ones. Shrinking does not loosen a model without norms: what it computes is scaled, and no
// more. There noise and steps have to do it.
func (a Align) dose(spec feature.Spec, inserted bool) dose {
	layers, norms := countLayers(spec)
	switch {
	case a.Shrink == 1:
		return dose{shrink: 1, perturb: Off, match: .3, rate: 1, most: .025, steps: 30}
	case norms > 0 && inserted && norms < layers-1:
		return dose{shrink: .6, perturb: .8, match: .1, noisy: true, rate: 1, most: .025, steps: 30}
	case norms > 0:
		return dose{shrink: .35, perturb: .8, match: .1, rate: 1, most: .025, steps: 30}
	case layers <= shallowLayers:
		return dose{shrink: .3, perturb: 1.6, match: .1, noisy: true, rate: 1.2, most: .09, steps: 70}
	}
	return dose{shrink: .6, perturb: .8, match: .1, noisy: true, rate: 1, most: .03, steps: 70}
}

// follow makes the dose that of a number of passes: the more passes bring the task back, the
// more must be loosened, as they bring back more of what was known by heart. On two
// convolutional networks the gap grows from .004 to .006 from two passes to four with the
// loosening of two, and stays with this. More than mostPasses were not measured.
func (d *dose) follow(epochs int) {
	if d.shrink == 1 || epochs < 3 {
		return
	}
	more := math.Pow(float64(min(epochs, mostPasses))/2, .6)
	round := func(v float64) float64 { return math.Round(1000*v) / 1000 } // for records
	d.shrink = min(1, round(d.shrink/more))
	if d.noisy {
		d.perturb = round(d.perturb * more)
	}
}

// spare returns resolved, with half of the loosening where layers have norms and a leaves
// it to the default.
func (a Align) spare(resolved Align, d dose) Align {
	if d.noisy {
		return resolved
	}
	if a.Shrink == 0 {
		resolved.Shrink = (1 + resolved.Shrink) / 2
	}
	if a.Perturb == 0 && resolved.Perturb > 0 {
		resolved.Perturb /= 2
	}
	return resolved
}

// mostPasses is the number of passes beyond which no more is loosened.
const mostPasses = 6

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
