// Package released runs DLFD as the code released with it does (Choi and Na,
// Distribution-Level Feature Distancing, AAAI 2025, arXiv 2409.14747), for
// comparison only. Use dlfd.DLFD for the method as published, and
// dlfd.Recommended for anything else.
package released

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Method is the released code:
//
//   - The distance is taken between the logits of the unperturbed batch and of the
//     forget batch by [Sinkhorn], which stops early. Its gradient in the
//     perturbation is zero, and leaving it out gives the same bits.
//   - Images are clamped to [0, 1] whatever their normalization.
//   - Layers are in training mode for the first step alone.
//   - After every step, and not before the first, the published attack
//     (metrics.PublishedAttack) scores all of Forget and Holdout.
//   - Batches of unequal length are skipped, so that a forget set smaller than a
//     batch leaves the model as it came.
//
// The defaults are the settings for age on MUFAC. The released code picks the
// best checkpoint by its accuracy on the test set; here Holdout stands in for it.
type Method struct {
	// Distance is measured and has no effect on the weights. If it is nil,
	// Sinkhorn{} is used. NoDistance leaves it out.
	Distance   distance.Distance
	NoDistance bool
	// Steps is the number of steps of a perturbation, and StepSize their length
	// in pixel units. If they are zero, 15 and .4 are used.
	Steps    int
	StepSize float64
	// Threshold is the score below which batches are no longer perturbed, and Cap
	// the score that a checkpoint must not exceed to be kept as the best. If they
	// are zero, .15 and .09 are used.
	Threshold, Cap float64
	// Epochs is the number of passes over the retain set, and Rate the learning
	// rate of SGD with momentum .9 and weight decay 5e-4. If they are zero, 1 and
	// .008 are used.
	Epochs int
	Rate   float64
}

// Name implements dlfd.Namer.
func (Method) Name() string { return "DLFD released" }

// Needs implements dlfd.Needer.
func (Method) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Forget: true, Holdout: true} }

// Unlearn implements dlfd.Unlearner. It reads all three datasets. Cost: for each
// retain batch Steps+4 forward and Steps+1 backward passes, and one forward pass
// of Forget and Holdout.
func (r Method) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, r.Name(), m, data, opt, r.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		r, err := r.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = r.settings()
		l, err := newLoop(r, s)
		if err != nil {
			return err
		}
		s.Steps = r.Epochs * s.StepsPerEpoch(s.Data.Retain)
		if s.Spent() {
			return nil
		}
		if err := l.run(ctx); err != nil {
			return err
		}
		return l.score.finish(ctx, s)
	})
}

func (r Method) resolve() (Method, error) {
	if r.Distance == nil {
		r.Distance = Sinkhorn{}
	}
	if r.NoDistance {
		r.Distance = nil
	}
	r.Steps, r.StepSize = cmp.Or(r.Steps, 15), cmp.Or(r.StepSize, .4)
	r.Threshold, r.Cap = cmp.Or(r.Threshold, .15), cmp.Or(r.Cap, .09)
	r.Epochs, r.Rate = cmp.Or(r.Epochs, 1), cmp.Or(r.Rate, .008)
	if r.Steps < 0 || r.Epochs < 0 {
		return r, fmt.Errorf("%w: Steps %d, Epochs %d", dlfd.ErrParameter, r.Steps, r.Epochs)
	}
	for _, v := range []float64{r.StepSize, r.Threshold, r.Cap, r.Rate} {
		if !(v > 0) || math.IsInf(v, 0) {
			return r, fmt.Errorf("%w: StepSize %v, Threshold %v, Cap %v, Rate %v", dlfd.ErrParameter, r.StepSize, r.Threshold, r.Cap, r.Rate)
		}
	}
	return r, nil
}

// settings is r for a record, with the distance by name.
func (r Method) settings() any {
	type fields Method
	name := ""
	if r.Distance != nil {
		name = fmt.Sprintf("%T", r.Distance)
	}
	return struct {
		fields
		Distance string
	}{fields(r), name}
}

// loop is one run.
type loop struct {
	Method
	*dlfd.Session
	score *scorer
	step  *train.Stepper
	seen  int // retain batches, skipped ones included
}

func newLoop(r Method, s *dlfd.Session) (*loop, error) {
	step, err := train.NewStepper(s.Model, train.SGD{Rate: r.Rate, Momentum: .9, WeightDecay: 5e-4}, nil)
	if err != nil {
		return nil, err
	}
	return &loop{Method: r, Session: s, score: newScorer(r.Cap, s), step: step}, nil
}

func (l *loop) run(ctx context.Context) error {
	forget, stop := l.Cycle(l.Data.Forget, "forget order")
	defer stop()
	for e := range l.Epochs {
		for b, err := range l.Batches(l.Data.Retain, "retain order", e) {
			if err != nil {
				return err
			}
			if l.Spent() {
				return nil
			}
			f, err := forget()
			if err != nil {
				return fmt.Errorf("forget batch: %w", err)
			}
			if len(f.Labels) == len(b.Labels) {
				if err := l.pair(ctx, b, f); err != nil {
					return fmt.Errorf("step %d: %w", l.seen, err)
				}
			}
			l.seen++
		}
	}
	return nil
}

// pair takes one step on a retain batch, perturbed or not, and scores the model.
func (l *loop) pair(ctx context.Context, b, f feature.Batch) error {
	var p dlfd.Point
	x := b.X
	if l.score.last >= l.Threshold {
		v := perturbation{Method: l.Method, m: l.Model, x: b.X.Clone(), labels: b.Labels, pixels: feature.PixelsOf(l.Data.Retain)}
		v.lambda = float64(l.seen) / float64(max(l.Session.Steps-1, 1))
		v.mode = feature.Mode{Train: l.first(), Seed: l.Seed("synthesis dropout", l.seen)}
		var err error
		if x, err = v.run(ctx, f.X, &p); err != nil {
			return err
		}
	}
	mode := feature.Mode{}
	if l.first() {
		mode = feature.Mode{Train: true, Track: true, Seed: l.Seed("dropout", l.seen)}
	}
	err := l.step.Step(ctx, mode, x, []string{l.Model.Spec().Logits}, func(val, cot []feature.Tensor) (err error) {
		p.Loss, err = feature.CrossEntropy(val[0], cot[0], b.Labels, 1)
		return err
	}, 1)
	if err != nil {
		return err
	}
	l.Session.Step(p)
	return l.score.take(ctx, l.Session)
}

// first reports whether no step has been taken.
func (l *loop) first() bool { return l.Result.Ledger.Steps == 0 }
