package dlfd

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/synth"
)

// Off, as the value of a weight, turns a term off whose zero value means a
// default.
const Off = -1

// DLFD is Distribution-Level Feature Distancing: one descent on the retain set,
// beside which distributions are pushed apart or pulled together. It has three
// configurations: [Released] and [Paper], which push retain samples away from
// the forget set by synthesis, and the zero value, which won the measured
// comparison and pulls instead:
//
//  1. Weights are shrunk and perturbed (Ash and Adams, NeurIPS 2020, arXiv
//     1910.08475), which loosens what was memorised.
//  2. A few epochs of descent on the retain set bring the task back, while
//  3. the log-odds of the right class on the forget samples of every class are
//     lowered to the distribution that the model shows on Holdout samples of
//     that class: a one-sided Wasserstein-1 distance, which acts as long as the
//     forget samples tend to be the higher ones. A retrained model treats forget
//     samples as it treats unseen ones; this asks for just that.
//
// Each part can be turned off, and Distancing can be added.
type DLFD struct {
	// Shrink is the factor of the weights in part 1, in (0, 1]; 1 keeps them. If
	// it is zero, .4 is used for a model that has running statistics of batch
	// norm (a parameter that is not trainable), which take up the change of
	// scale, and 1 for any other, in which signals would fade from layer to
	// layer.
	Shrink float64
	// Perturb scales the noise of part 1. A weight with fan-in n gets normal
	// noise with standard deviation Perturb/√(3n), that of PyTorch's default
	// initialisation for Perturb 1. If it is zero, .8 is used where Shrink is
	// below 1, and none is added where it is 1; Off adds none.
	Perturb float64

	// Match is the weight of part 3. If it is zero, .1 is used where Shrink is
	// below 1, and .3 where it is 1 and more is left to lower; Off leaves it out.
	Match float64

	// Distancing, where not nil, synthesises the samples to descend on.
	Distancing *Distancing

	// Epochs is the number of passes over the retain set, beside which part 3
	// makes as many over the forget set, its batches spread evenly. If it is
	// zero, 3 is used, or as many as make 50 steps.
	Epochs int
	// Rate is the first learning rate of SGD with momentum .9 and weight decay
	// 5e-4. If it is zero, .03 is used for a model with running statistics of
	// batch norm, and .003 for any other.
	Rate float64
	// Schedule scales the learning rate. If it is nil, train.Cosine is used.
	Schedule train.Schedule

	released bool   // reproduce the order of events of the released code
	name     string // if it is empty, "DLFD"
}

// Distancing is the synthesis of published DLFD. Every retain batch is paired
// with a forget batch and perturbed until its features lie far from those of
// the forget batch while its loss stays low. Once a score says that the forget
// set is forgotten, batches are left as they are; the best checkpoint whose
// score meets a cap is kept.
type Distancing struct {
	// Synth perturbs a batch. Its Loss is set from Lambda, its Mode.Seed for each
	// step, and its Pixels from the retain set where that is feature.Normalized.
	Synth synth.Synthesizer
	// Lambda is the weight λ of the cross-entropy in the synthesis: it grows
	// linearly over the steps from the first value to the second.
	Lambda [2]float64
	// Steering says how the run is scored.
	Steering Steering
}

// Name implements Namer.
func (d DLFD) Name() string {
	if d.name == "" {
		return "DLFD"
	}
	return d.name
}

// Unlearn implements Unlearner. It reads all three datasets. Cost: Epochs
// passes over Retain, forward and backward; for Match as many over Forget, with
// as many forward passes of Holdout batches; where weights are loosened and there
// is batch norm, 30 batches forward to settle it; two scores. With Distancing,
// K+1 more forward and K more backward passes over Retain, one forward pass of a
// forget batch for each, and what Steering takes.
func (d DLFD) Unlearn(ctx context.Context, m feature.Trainable, data Data, opt *Options) (*Result, error) {
	return Run(ctx, d.Name(), m, data, opt, Needs{Retain: true, Forget: true, Holdout: true}, func(ctx context.Context, s *Session) error {
		r, err := d.resolve(hasStatistics(m), s.StepsPerEpoch(s.Data.Retain))
		if err != nil {
			return err
		}
		l, err := newLoop(r, s)
		if err != nil {
			return err
		}
		defer l.stop()
		return l.run(ctx)
	})
}

// resolve returns a copy of d with its defaults filled in.
func (d DLFD) resolve(statistics bool, stepsPerEpoch int) (DLFD, error) {
	shrink, rate := 1., .003
	if statistics {
		shrink, rate = .4, .03
	}
	d.Shrink, d.Rate = orElse(d.Shrink, shrink), orElse(d.Rate, rate)
	perturb, match := .8, .1
	if d.Shrink == 1 {
		perturb, match = Off, .3
	}
	d.Perturb, d.Match = orElse(d.Perturb, perturb), orElse(d.Match, match)
	if d.Epochs == 0 {
		d.Epochs = max(3, (50+stepsPerEpoch-1)/stepsPerEpoch)
	}
	if d.Schedule == nil {
		d.Schedule = train.Cosine
	}
	if !(d.Shrink > 0 && d.Shrink <= 1) || !weight(d.Perturb) || !weight(d.Match) {
		return d, fmt.Errorf("%w: Shrink %v, Perturb %v, Match %v", ErrParameter, d.Shrink, d.Perturb, d.Match)
	}
	if d.Epochs < 0 || !(d.Rate > 0) || math.IsInf(d.Rate, 0) {
		return d, fmt.Errorf("%w: Epochs %d, Rate %v", ErrParameter, d.Epochs, d.Rate)
	}
	if d.Distancing == nil {
		return d, nil
	}
	c := *d.Distancing
	var err error
	c.Steering, err = c.Steering.resolve()
	d.Distancing = &c
	if a, b := c.Lambda[0], c.Lambda[1]; err == nil && (a-a != 0 || b-b != 0) {
		err = fmt.Errorf("%w: Lambda %v", ErrParameter, c.Lambda)
	}
	return d, err
}

// hasStatistics reports whether a model keeps running statistics: it has modes,
// and parameters that no optimiser touches.
func hasStatistics(m feature.Model) bool {
	_, modes := m.(feature.ModeGrader)
	return modes && slices.ContainsFunc(m.Spec().Params, func(p feature.Param) bool { return !p.Trainable })
}

// weight reports whether v is a weight: positive and finite, or Off.
func weight(v float64) bool { return v == Off || v > 0 && !math.IsInf(v, 0) }

func orElse(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}
