package dlfd

import (
	"context"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Descent says how a session descends, on the retain set unless On says otherwise.
type Descent struct {
	// On is what the descent passes over. If it is nil, Retain is used. Methods that
	// pass over Forget alone set it.
	On        feature.Dataset
	Epochs    int // passes over On; at least 1
	Optimizer train.Optimizer
	// Schedule scales the learning rate. If it is nil, train.Constant is used.
	Schedule train.Schedule
	// Train says which parameters change, running statistics included. If it is
	// nil, all trainable ones and all statistics do.
	Train func(feature.Param) bool
	// Visit, where not nil, says which samples of On an epoch passes over; see
	// train.Descent.
	Visit func(epoch int) []int
	// Gradient accumulates what a step moves along. If it is nil, that is the
	// gradient of the mean cross-entropy of the batch.
	Gradient func(ctx context.Context, s *Step) error
	// Between says that a descent follows which makes good what this one does to the
	// task: Options.Watch does not see its steps.
	Between bool
	// After, where not nil, is called when a step has been recorded.
	After func(ctx context.Context) error
}

// Step is one step of a Descent. Its methods accumulate the gradient.
type Step struct {
	*train.Step
	// Point is recorded for the step. A Gradient sets what it knows.
	Point Point
}

// Descend takes one step for every batch of every epoch, until the budget is
// spent. Where there is a checkpoint of the run, it goes on from there; see Session.Keep.
// Orders and dropout masks are those of the streams "retain order" and
// "dropout" of the session, which go on where an earlier descent of the run ended.
// The loop, its treatment of batches of one sample, and its errors are those of
// train.Descent. Steps of a descent that would exceed s.Steps raise it.
func (s *Session) Descend(ctx context.Context, d Descent) error {
	if d.On == nil {
		d.On = s.Data.Retain
	}
	taken, passed := s.Result.Ledger.Steps, s.passed
	s.Steps = max(s.Steps, taken+d.Epochs*s.StepsPerEpoch(d.On))
	s.passed += d.Epochs
	step := new(Step)
	return s.descend(train.Descent{
		Epochs: d.Epochs, BatchSize: s.BatchSize, Optimizer: d.Optimizer, Schedule: d.Schedule, Train: d.Train,
		Order:  func(epoch int) rand.Source { return rng.Stream(s.opt.Seed, "retain order", passed+epoch) },
		Visit:  d.Visit,
		Seed:   func(n int) uint64 { return s.Seed("dropout", taken+n) },
		Before: func() bool { return !s.Spent() },
		Gradient: func(ctx context.Context, t *train.Step) (err error) {
			*step = Step{Step: t}
			if d.Gradient != nil {
				return d.Gradient(ctx, step)
			}
			step.Point.Loss, err = t.CrossEntropy(ctx, t.Mode, t.Batch.X, t.Batch.Labels, 1)
			return err
		},
		After: func(*train.Step) error {
			s.Step(step.Point)
			if d.After != nil {
				if err := d.After(ctx); err != nil {
					return err
				}
			}
			if d.Between {
				return nil
			}
			return s.watch(ctx, false)
		},
	}, d.On, &taken)
}

// Muon returns train.Muon at a rate, with the norms that the weights had before the run
// as the largest that they may have. A retrained model has about these norms; without the
// limit, what is loosened and trained again grows, and from one request to the next more
// so: after six small ones a perceptron had lost four points of accuracy.
func (s *Session) Muon(rate float64) train.Muon {
	norms := make([]float64, len(s.old))
	for i, w := range s.old {
		_, squares := kernel.Moments(w)
		norms[i] = math.Sqrt(squares)
	}
	if s.own == nil {
		return train.Muon{Rate: rate, MaxNorms: norms}
	}
	// Inserted norms have parameters of their own, for which there is no limit.
	old := make(map[string]float64)
	for i, p := range s.own.Spec().Params {
		old[p.Name] = norms[i]
	}
	params := s.Model.Spec().Params
	o := train.Muon{Rate: rate, MaxNorms: make([]float64, len(params))}
	for i, p := range params {
		o.MaxNorms[i] = old[p.Name]
	}
	return o
}

// Batches runs over d once in an order that depends on the seed, the purpose
// and the epoch. Batches are those of train.Batches.
func (s *Session) Batches(d feature.Dataset, purpose string, epoch int) iter.Seq2[feature.Batch, error] {
	return train.BatchesContext(s.ctx, s.Model.Spec(), d, s.BatchSize, rng.Stream(s.opt.Seed, purpose, epoch))
}

// StepsPerEpoch returns the number of batches in one pass over d.
func (s *Session) StepsPerEpoch(d feature.Dataset) int {
	return train.BatchCount(s.Model.Spec(), d, s.BatchSize)
}
