package dlfd

import (
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// loop is one run of DLFD.
type loop struct {
	DLFD
	*Session
	pilot  *pilot // scores the run
	match  *matching
	step   *train.Stepper
	forget func() (feature.Batch, error)
	stop   func()
	n      int // retain batches seen, skipped ones included
}

func newLoop(d DLFD, s *Session) (*loop, error) {
	l := &loop{DLFD: d, Session: s}
	var err error
	if l.pilot, err = newPilot(s, d.steering()); err != nil {
		return nil, err
	}
	if d.Distancing != nil {
		synth := &d.Distancing.Synth
		synth.Pixels = feature.PixelsOf(s.Data.Retain)
		if synth.Tap == "" && d.released {
			synth.Tap = s.Model.Spec().Logits
		} else if synth.Tap == "" {
			synth.Tap = s.Model.Spec().Features
		}
	}
	l.step = train.NewStepper(s.Model, &train.SGD{Rate: d.Rate, Momentum: .9, WeightDecay: 5e-4}, nil)
	forget, stopForget := s.Cycle(s.Data.Forget, "forget order")
	holdout, stopHoldout := s.Cycle(s.Data.Holdout, "holdout order")
	l.forget, l.stop = forget, func() { stopForget(); stopHoldout() }
	if d.Match != Off {
		l.match = newMatching(d.Match, holdout)
	}
	s.Steps = d.Epochs * s.StepsPerEpoch(s.Data.Retain)
	return l, nil
}

func (d DLFD) steering() Steering {
	if d.Distancing != nil {
		return d.Distancing.Steering
	}
	o, _ := Steering{}.resolve()
	return o
}

func (l *loop) run(ctx context.Context) error {
	if err := l.pilot.look(ctx, l.Session); err != nil {
		return err
	}
	if err := l.loosen(); err != nil {
		return err
	}
	for e := range l.Epochs {
		for b, err := range l.Batches(l.Data.Retain, "retain order", e) {
			if err != nil {
				return err
			}
			if l.Spent() {
				return l.land(ctx)
			}
			if err := l.batch(ctx, b); err != nil {
				return fmt.Errorf("step %d: %w", l.n, err)
			}
			l.n++
		}
	}
	return l.land(ctx)
}

// land ends a run: the last weights stay, or with Distancing the best ones.
func (l *loop) land(ctx context.Context) error {
	if l.loosens() {
		if err := l.settle(ctx); err != nil {
			return fmt.Errorf("settling batch norm: %w", err)
		}
	}
	if l.Distancing != nil {
		return l.pilot.land(l.Session)
	}
	return l.pilot.look(ctx, l.Session)
}

// settle runs retain batches forward until the running statistics of batch norm
// are those of the new weights. Shrinking changed them at a stroke, and a short
// descent does not make up for it: with the usual momentum of .1, what is left
// of an old value after these batches is .9³⁰ = 4 % of the error at the end of
// the descent.
func (l *loop) settle(ctx context.Context) error {
	const batches = 30
	if !hasStatistics(l.Model.Spec()) {
		return nil
	}
	next, stop := l.Cycle(l.Data.Retain, "settle order")
	defer stop()
	ignore := func(_, _ []feature.Tensor) error { return nil }
	for i := range batches {
		b, err := next()
		if err != nil {
			return err
		}
		mode := feature.Mode{Train: true, Track: true, Seed: l.Seed("settle dropout", i)}
		if err := feature.Grad(ctx, l.Model, mode, b.X, []string{l.Model.Spec().Logits}, ignore, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) loosens() bool { return l.Shrink < 1 || l.Perturb != Off }

// loosen shrinks and perturbs the weights of linear and convolutional layers:
// trainable parameters with more than one axis.
func (l *loop) loosen() error {
	if !l.loosens() {
		return nil
	}
	noise := max(l.Perturb, 0)
	for i, p := range l.Model.Spec().Params {
		if !p.Trainable || len(p.Shape) < 2 {
			continue
		}
		r := rng.Stream(l.Seed("perturb weights"), "parameter", i)
		sd := noise / math.Sqrt(3*float64(feature.Size(p.Shape[1:])))
		buf := make([]float32, feature.Size(p.Shape))
		err := feature.UpdateParam(l.Model, i, buf, func(w []float32) {
			for j, v := range w {
				w[j] = float32(l.Shrink*float64(v) + sd*r.NormFloat64())
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// batch takes one step on a retain batch and scores the model when it is time.
func (l *loop) batch(ctx context.Context, b feature.Batch) error {
	var p Point
	x := b.X
	if l.Distancing != nil {
		f, err := l.forget()
		if err != nil {
			return fmt.Errorf("forget batch: %w", err)
		}
		if l.released && len(f.Labels) != len(b.Labels) {
			return nil
		}
		if l.pilot.score >= l.Distancing.Steering.Threshold {
			if x, err = l.perturb(ctx, b, f, &p); err != nil {
				return err
			}
		}
	}
	mode := feature.Mode{Train: true, Track: true, Seed: l.Seed("dropout", l.n)}
	if l.released && l.n > 0 {
		mode = feature.Mode{}
	}
	if err := l.lower(ctx, mode, &p); err != nil {
		return fmt.Errorf("forget batch: %w", err)
	}
	if err := l.descend(ctx, mode, x, b.Labels, &p); err != nil {
		return err
	}
	l.Step(p)
	if l.Distancing != nil && l.Result.Ledger.Steps%l.Distancing.Steering.Every == 0 {
		return l.pilot.look(ctx, l.Session)
	}
	return nil
}

// lower adds the gradient of part 3, on as many steps as make one pass over the
// forget set an epoch.
func (l *loop) lower(ctx context.Context, mode feature.Mode, p *Point) error {
	if l.match == nil || l.n%max(1, l.Data.Retain.Len()/l.Data.Forget.Len()) != 0 {
		return nil
	}
	f, err := l.forget()
	if err != nil {
		return err
	}
	// The running statistics of batch norm follow the retain set alone.
	mode.Track = false
	p.ForgetTerm, err = l.match.accumulate(ctx, l.step, mode, f)
	return err
}

// descend steps on the cross-entropy of a batch.
func (l *loop) descend(ctx context.Context, mode feature.Mode, x feature.Tensor, labels []int, p *Point) error {
	taps := []string{l.Model.Spec().Logits}
	scale := l.Schedule(float64(l.n) / float64(l.Steps))
	return l.step.Step(ctx, mode, x, taps, func(val, cot []feature.Tensor) (err error) {
		p.Loss, err = feature.CrossEntropy(val[0], cot[0], labels, 1)
		return err
	}, scale)
}

// perturb synthesises a batch far from the features of a forget batch.
func (l *loop) perturb(ctx context.Context, b, f feature.Batch, p *Point) (feature.Tensor, error) {
	synth := l.Distancing.Synth
	from, to := l.Distancing.Lambda[0], l.Distancing.Lambda[1]
	synth.Loss = from + (to-from)*float64(l.n)/float64(max(l.Steps-1, 1))
	ref, err := l.features(ctx, f, synth.Tap)
	if err != nil {
		return feature.Tensor{}, fmt.Errorf("forget batch: %w", err)
	}
	out := b.X.Clone()
	t, err := synth.Synthesize(ctx, l.Model, out, b.X, b.Labels, ref)
	p.DistanceBefore, p.DistanceAfter, p.LossBefore, p.LossAfter = t.DistanceBefore, t.DistanceAfter, t.LossBefore, t.LossAfter
	return out, err
}

// features returns the values of a tap for a batch.
func (l *loop) features(ctx context.Context, f feature.Batch, name string) (distance.Sample, error) {
	tap, err := l.Model.Spec().Tap(name)
	if err != nil {
		return distance.Sample{}, err
	}
	out := feature.NewTensor(append([]int{len(f.Labels)}, tap.Shape...)...)
	if err := l.Model.Forward(ctx, f.X, []string{name}, []feature.Tensor{out}); err != nil {
		return distance.Sample{}, err
	}
	s := distance.Sample{N: out.Rows(), Dim: out.RowLen(), X: make([]float64, len(out.Data))}
	for i, v := range out.Data {
		s.X[i] = float64(v)
	}
	return s, nil
}
