package dlfd

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/synth"
)

// DLFD is Distribution-Level Feature Distancing.
//
// For every batch of the retain set, paired with a batch of the forget set, it
// synthesises samples whose features lie far from those of the forget batch and
// whose loss stays low, and takes a step of SGD on their cross-entropy; once a
// score says that the forget set is forgotten, it steps on the batch as it is.
type DLFD struct {
	// Synth perturbs the retain batches. Its Loss is set from Lambda, its
	// Pixels from the retain set where that is feature.Normalized.
	Synth synth.Synthesizer
	// NoDistance leaves the distance out of the synthesis.
	NoDistance bool
	// Lambda is the weight λ of the cross-entropy in the synthesis, growing
	// linearly over the steps from the first value to the second.
	Lambda [2]float64

	// Epochs is the number of passes over the retain set.
	Epochs int
	// Rate is the learning rate of SGD with momentum .9 and weight decay 5e-4.
	Rate float64
	// EvalMode keeps batch norm and dropout in evaluation mode while training.
	EvalMode bool

	Pull              float64
	PullTap           string
	PullDistance      distance.Distance
	PullEval          bool
	LossMatch         float64
	NoSynth           bool
	StopWhenForgotten bool

	Steering Steering

	// released reproduces the order of events of the released code: see Released.
	released bool
	name     string
}

// Name implements Namer.
func (d DLFD) Name() string {
	if d.name == "" {
		return "DLFD"
	}
	return d.name
}

// Unlearn implements Unlearner. It reads all three datasets.
func (d DLFD) Unlearn(ctx context.Context, m feature.Trainable, data Data, opt *Options) (*Result, error) {
	return Run(ctx, d.Name(), m, data, opt, Needs{Retain: true, Forget: true, Holdout: true}, func(ctx context.Context, s *Session) error {
		l, err := newLoop(d, s)
		if err != nil {
			return err
		}
		defer l.stop()
		return l.run(ctx)
	})
}

// loop is one run of DLFD.
type loop struct {
	DLFD
	*Session
	pilot   *pilot
	step    *train.Stepper
	forget  func() (feature.Batch, error)
	stop    func()
	target  *target
	scratch feature.Tensor
	n       int // steps begun, skipped ones included
}

func newLoop(d DLFD, s *Session) (*loop, error) {
	var err error
	if d.Steering, err = d.Steering.resolve(); err != nil {
		return nil, err
	}
	l := &loop{DLFD: d, Session: s}
	if l.pilot, err = newPilot(s, d.Steering); err != nil {
		return nil, err
	}
	l.Synth.Pixels = feature.PixelsOf(s.Data.Retain)
	if l.Synth.Tap == "" {
		l.Synth.Tap = s.Model.Spec().Features
	}
	if d.NoDistance {
		l.Synth.Distance = nil
	}
	l.step = train.NewStepper(s.Model, &train.SGD{Rate: d.Rate, Momentum: .9, WeightDecay: 5e-4}, nil)
	l.forget, l.stop = s.Cycle(s.Data.Forget, "forget order")
	s.Steps = d.Epochs * s.StepsPerEpoch(s.Data.Retain)
	return l, nil
}

func (l *loop) run(ctx context.Context) error {
	if l.Pull != 0 || l.LossMatch != 0 {
		var err error
		if l.target, err = newTarget(ctx, l); err != nil {
			return err
		}
	}
	if err := l.pilot.look(ctx, l.Session); err != nil {
		return err
	}
	for e := range l.Epochs {
		for b, err := range l.Batches(l.Data.Retain, "retain order", e) {
			if err != nil {
				return err
			}
			if l.Spent() {
				return l.pilot.land(l.Session)
			}
			if l.StopWhenForgotten && l.pilot.signed <= 0 {
				l.Result.Stop = Forgotten
				return nil
			}
			if err := l.batch(ctx, b); err != nil {
				return fmt.Errorf("step %d: %w", l.n, err)
			}
			l.n++
		}
	}
	return l.pilot.land(l.Session)
}

// batch takes one step on a retain batch and scores the model when it is time.
func (l *loop) batch(ctx context.Context, b feature.Batch) error {
	f, err := l.forget()
	if err != nil {
		return fmt.Errorf("forget batch: %w", err)
	}
	if l.released && len(f.Labels) != len(b.Labels) {
		return nil
	}
	var p Point
	x := b.X
	if l.pilot.score >= l.Steering.Threshold && !l.NoSynth {
		if x, err = l.perturb(ctx, b, f, &p); err != nil {
			return err
		}
	}
	mode := feature.Mode{Train: !l.EvalMode, Track: !l.EvalMode, Seed: l.Seed("dropout", l.n)}
	if l.released && l.n > 0 {
		mode = feature.Mode{}
	}
	if l.target != nil {
		if p.ForgetTerm, err = l.target.accumulate(ctx, l, f); err != nil {
			return err
		}
	}
	if p.Loss, err = l.train(ctx, mode, x, b.Labels); err != nil {
		return err
	}
	l.Step(p)
	if l.released || l.Result.Ledger.Steps%l.Steering.Every == 0 {
		return l.pilot.look(ctx, l.Session)
	}
	return nil
}

func (l *loop) train(ctx context.Context, mode feature.Mode, x feature.Tensor, labels []int) (float64, error) {
	var ce float64
	taps := []string{l.Model.Spec().Logits}
	err := l.step.Step(ctx, mode, x, taps, func(val, cot []feature.Tensor) (err error) {
		ce, err = feature.CrossEntropy(val[0], cot[0], labels, 1)
		return err
	}, 1)
	return ce, err
}

func (l *loop) perturb(ctx context.Context, b, f feature.Batch, p *Point) (feature.Tensor, error) {
	l.Synth.Loss = l.lambda()
	ref, err := l.features(ctx, f)
	if err != nil {
		return feature.Tensor{}, err
	}
	out := b.X.Clone()
	t, err := l.Synth.Synthesize(ctx, l.Model, out, b.X, b.Labels, ref)
	if err != nil {
		return feature.Tensor{}, err
	}
	p.DistanceBefore, p.DistanceAfter, p.LossBefore, p.LossAfter = t.DistanceBefore, t.DistanceAfter, t.LossBefore, t.LossAfter
	return out, nil
}

func (l *loop) lambda() float64 {
	done := float64(l.n) / float64(max(l.Steps-1, 1))
	return l.Lambda[0] + done*(l.Lambda[1]-l.Lambda[0])
}

func (l *loop) features(ctx context.Context, f feature.Batch) (distance.Sample, error) {
	tap, err := l.Model.Spec().Tap(l.Synth.Tap)
	if err != nil {
		return distance.Sample{}, err
	}
	out := feature.NewTensor(len(f.Labels), feature.Size(tap.Shape))
	if err := l.Model.Forward(ctx, f.X, []string{l.Synth.Tap}, []feature.Tensor{out}); err != nil {
		return distance.Sample{}, fmt.Errorf("forget batch: %w", err)
	}
	return toSample(out), nil
}

func toSample(t feature.Tensor) distance.Sample {
	s := distance.Sample{N: t.Rows(), Dim: t.RowLen(), X: make([]float64, len(t.Data))}
	for i, v := range t.Data {
		s.X[i] = float64(v)
	}
	return s
}
