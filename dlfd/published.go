package dlfd

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/synth"
)

// DLFD is Distribution-Level Feature Distancing as published (Choi and Na, AAAI
// 2025, arXiv 2409.14747), with the errors of its released code put right; that
// code is package dlfd/released. The zero value has the published settings but for
// those named below.
//
// Every retain batch is paired with a forget batch, and perturbed until its
// features lie far from those of the forget batch while its loss stays low; the
// model then takes a step on it. Once a score says that the forget set is
// forgotten, batches are left as they are. The best checkpoint whose score meets
// a cap is kept.
//
// Settings that differ from the published ones: the step of the perturbation is
// 1/255 in a ball of 8/255, as the published .4 rests on the clamping of the released
// code; the weight of the distance is 10 and the learning rate .01, not 3 and .008, which
// a search of 24 settings found best (examples/compare/tuning-dlfd.json); the transport is
// regularized by .05, not .01; scores are taken every 4 steps, not after each. The threshold of
// .15 and the cap of .09 are the published numbers, which were meant for an
// unbalanced attack's accuracy.
type DLFD struct {
	// Synth perturbs a batch. If its Distance is nil, an entropic transport,
	// distance.Sinkhorn{Epsilon: .05, Sharp: true}, is used. Its
	// other defaults are those of package synth. Layers are in training mode.
	Synth synth.Synthesizer
	// Weight is the factor of the distance in the synthesis. If it is zero, 10 is
	// used; Off leaves the distance out, and negative values other than Off pull
	// batches towards the forget set.
	Weight float64
	// Lambda is the weight λ of the cross-entropy in the synthesis: it grows
	// linearly over the steps from the first value to the second. If both are
	// zero, 0 and 1 are used; Off stands for a 0.
	Lambda [2]float64
	// Steering says how the run is scored, and what follows.
	Steering Steering
	// Shrink and Perturb loosen the weights before the first batch, as those of Align
	// do, which the published method does not: layers with weights are shrunk by
	// Shrink, in (0, 1], and get noise. If Shrink is zero, or 1, nothing is loosened; if
	// Perturb is zero, .8 is used where Shrink is below 1; Off adds no noise. A model
	// without batch norm is treated as Align treats it.
	Shrink, Perturb float64
	// Epochs is the number of passes over the retain set. If it is zero, 1 is
	// used.
	Epochs int
	// Rate is the learning rate of SGD with momentum .9 and weight decay 5e-4. If
	// it is zero, .01 is used.
	Rate float64
	// Schedule scales the learning rate. If it is nil, train.Constant is used, and
	// train.Cosine where weights are loosened.
	Schedule train.Schedule `json:"-"`
}

// Name implements Namer.
func (DLFD) Name() string { return "DLFD" }

// Needs implements Needer.
func (DLFD) Needs() Needs {
	return Needs{Retain: true, Forget: true, Holdout: true, Heads: true, Resumes: true}
}

// Unlearn implements Unlearner. It reads all three datasets. Cost: an epoch takes,
// for each retain batch, K+2 forward and K+1 backward passes, and one forward
// pass of a forget batch; a score takes what Steering says.
func (d DLFD) Unlearn(ctx context.Context, m feature.Trainable, data Data, opt *Options) (*Result, error) {
	return Run(ctx, d.Name(), m, data, opt, d.Needs(), func(ctx context.Context, s *Session) error {
		d, err := d.resolve(m.Spec())
		if err != nil {
			return err
		}
		s.Result.Settings = d
		a := Align{Shrink: d.Shrink, Perturb: d.Perturb}
		_, fold, err := a.insertNorms(ctx, s)
		if err != nil {
			return err
		}
		score, err := newScorer(s, d.Steering)
		if err != nil {
			return err
		}
		score.checkpoints = true
		s.Keep("score", &score.last, &score.scored, &score.best, &score.weights, &score.bestStep)
		if _, err := score.take(ctx, s); err != nil {
			return err
		}
		if s.Spent() { // before the weights are touched
			return nil
		}
		if err := d.run(ctx, s, a, score); err != nil {
			return err
		}
		if err := fold(); err != nil {
			return err
		}
		return s.CheckTask(ctx)
	})
}

// run loosens the weights as a does, descends, and takes the best checkpoint.
func (d DLFD) run(ctx context.Context, s *Session, a Align, score *scorer) error {
	if a.loosens() {
		if err := a.loosen(s); err != nil {
			return err
		}
	}
	if err := d.descend(ctx, s, score); err != nil {
		return err
	}
	if a.loosens() {
		if err := settle(ctx, s); err != nil {
			return err
		}
	}
	d.untouched(s.Result)
	return score.finish(ctx, s)
}

// untouched says that no batch was perturbed, where that is so: the run was a plain
// descent then.
func (d DLFD) untouched(r *Result) {
	perturbed := slices.ContainsFunc(r.Trace, func(p Point) bool { return p.LossBefore != 0 || p.LossAfter != 0 })
	if perturbed || len(r.Trace) == 0 {
		return
	}
	r.Notes = append(r.Notes, fmt.Sprintf("No batch was perturbed: the score was %.3f at the start, and distancing begins at Steering.Threshold, %.3f.", r.Scores[0].Forgetting, d.Steering.Threshold))
}

// resolve returns a copy of d with its defaults filled in, those of the
// Synthesizer but for its Distance and Tap excepted.
func (d DLFD) resolve(spec feature.Spec) (DLFD, error) {
	if d.Synth.Distance == nil {
		d.Synth.Distance = distance.Sinkhorn{Epsilon: .05, Sharp: true}
	}
	d.Synth.Tap = cmp.Or(d.Synth.Tap, spec.Features)
	if d.Weight = cmp.Or(d.Weight, 10); d.Weight == Off {
		d.Synth.Distance = nil
	}
	if d.Lambda == [2]float64{} {
		d.Lambda = [2]float64{0, 1}
	}
	for i, v := range d.Lambda {
		if v == Off {
			d.Lambda[i] = 0
		}
	}
	d.Epochs, d.Rate, d.Shrink = cmp.Or(d.Epochs, 1), cmp.Or(d.Rate, .01), cmp.Or(d.Shrink, 1)
	schedule, perturb := train.Constant, float64(Off)
	if d.Shrink < 1 {
		schedule, perturb = train.Cosine, .8
	}
	if d.Perturb = cmp.Or(d.Perturb, perturb); d.Schedule == nil {
		d.Schedule = schedule
	}
	if !(d.Shrink > 0 && d.Shrink <= 1) || !isWeight(d.Perturb) {
		return d, fmt.Errorf("%w: Shrink %v, Perturb %v", ErrParameter, d.Shrink, d.Perturb)
	}
	if !finite.Is(d.Weight) || !finite.All(d.Lambda[:]) {
		return d, fmt.Errorf("%w: Weight %v, Lambda %v", ErrParameter, d.Weight, d.Lambda)
	}
	var err error
	if d.Steering, err = d.Steering.resolve(); err != nil {
		return d, err
	}
	if err := d.Synth.Check(spec); err != nil { // even if no batch comes to be perturbed
		return d, err
	}
	return d, checkDescent(d.Epochs, d.Rate)
}

func sgd(rate float64) train.SGD { return train.SGD{Rate: rate, Momentum: .9, WeightDecay: 5e-4} }

// descend takes the steps, with a score now and then.
func (d DLFD) descend(ctx context.Context, s *Session, score *scorer) error {
	forget, stop := s.Cycle(s.Data.Forget, "forget order")
	defer stop()
	return s.Descend(ctx, Descent{
		Epochs: d.Epochs, Optimizer: sgd(d.Rate), Schedule: d.Schedule,
		Gradient: func(ctx context.Context, step *Step) error {
			x := step.Batch.X
			f, err := forget()
			if err == nil && score.last >= d.Steering.Threshold {
				x, err = d.perturb(ctx, s, step, f)
			}
			if err != nil {
				return err
			}
			step.Point.Loss, err = step.CrossEntropy(ctx, step.Mode, x, step.Batch.Labels, 1)
			return err
		},
		After: func(ctx context.Context) error {
			if s.Result.Ledger.Steps%d.Steering.Every != 0 {
				return nil
			}
			_, err := score.take(ctx, s)
			return err
		},
	})
}

// perturb synthesizes a batch whose features are far from those of forget batch
// f.
func (d DLFD) perturb(ctx context.Context, s *Session, step *Step, f feature.Batch) (feature.Tensor, error) {
	from, to := d.Lambda[0], d.Lambda[1]
	b := synth.Batch{
		X: step.Batch.X, Labels: step.Batch.Labels, Weight: d.Weight,
		Lambda: from + (to-from)*float64(step.Number)/float64(max(step.Of-1, 1)),
		Pixels: feature.PixelsOf(s.Data.Retain),
		Mode:   step.ModeFor(f),
	}
	b.Mode.Seed = s.Seed("synthesis dropout", step.Number)
	// The forget batch is seen in the mode in which the perturbed batch is.
	var err error
	if b.Reference, err = features(ctx, s.Model, b.Mode, f, d.Synth.Tap); err != nil {
		return feature.Tensor{}, fmt.Errorf("forget batch: %w", err)
	}
	out := b.X.Clone()
	t, err := d.Synth.Synthesize(ctx, s.Model, out, b)
	p := &step.Point
	p.DistanceBefore, p.DistanceAfter, p.LossBefore, p.LossAfter = t.DistanceBefore, t.DistanceAfter, t.LossBefore, t.LossAfter
	p.NotConverged = t.NotConverged
	return out, err
}

// features returns the values of a tap for a batch.
func features(ctx context.Context, m feature.Differentiable, mode feature.Mode, f feature.Batch, tap string) (distance.Sample, error) {
	t, err := m.Spec().Tap(tap)
	if err != nil {
		return distance.Sample{}, err
	}
	out := feature.NewTensor(append([]int{len(f.Labels)}, t.Shape...)...)
	err = feature.ForwardMode(ctx, m, mode, f.X, []string{tap}, []feature.Tensor{out})
	return distance.FromFloat32(nil, out.Data, len(f.Labels)), err
}
