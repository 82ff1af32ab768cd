package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Stepper takes single training steps on one model and owns the gradient
// buffers.
type Stepper struct {
	Model     feature.Trainable
	Optimizer Optimizer
	grads     [][]float32
	stats     [][]float32 // tracked parameters before the step, nil for the others
	finite    []bool      // by parameter: its gradient is
	check     func(worker, i int)
	clear     func(worker, i int)
}

// NewStepper returns a Stepper that trains the parameters for which train
// returns true, or every trainable one if train is nil.
func NewStepper(m feature.Trainable, o Optimizer, train func(feature.Param) bool) *Stepper {
	s := &Stepper{Model: m, Optimizer: o, grads: feature.NewGradients(m.Spec())}
	for i, p := range m.Spec().Params {
		if train != nil && !train(p) {
			s.grads[i] = nil
		}
	}
	s.finite = make([]bool, len(s.grads))
	s.check = func(_, i int) { sum := kernel.Sum32(s.grads[i]); s.finite[i] = sum-sum == 0 }
	s.clear = func(_, i int) { clear(s.grads[i]) }
	return s
}

// Step runs x forward in the given mode, lets loss fill the cotangents of the
// taps, and moves the parameters once with the learning rate scaled by scale.
// A gradient that is not finite gives an error wrapping ErrDiverged. After an
// error of the model, of loss or of the gradient every parameter, running
// statistics included, is as before; an error of the optimiser may leave some
// moved.
func (s *Stepper) Step(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, scale float64) error {
	if mode.Track {
		if err := s.saveStats(); err != nil {
			return err
		}
	}
	err := s.Accumulate(ctx, mode, x, taps, loss)
	if err == nil {
		err = s.Apply(scale)
	} else {
		s.Discard()
	}
	if err != nil && mode.Track {
		err = errors.Join(err, s.restoreStats())
	}
	return err
}

// saveStats copies the parameters that a tracking pass moves.
func (s *Stepper) saveStats() error {
	params := s.Model.Spec().Params
	if s.stats == nil {
		s.stats = make([][]float32, len(params))
	}
	for i, p := range params {
		if p.Trainable {
			continue
		}
		if s.stats[i] == nil {
			s.stats[i] = make([]float32, feature.Size(p.Shape))
		}
		if err := s.Model.GetParam(i, s.stats[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stepper) restoreStats() error {
	for i, v := range s.stats {
		if v == nil {
			continue
		}
		if err := s.Model.SetParam(i, v); err != nil {
			return err
		}
	}
	return nil
}

// Accumulate adds the gradient of a loss to what earlier calls have left, and
// moves no parameter. Apply does. After an error the sum holds nothing of use;
// call Discard.
func (s *Stepper) Accumulate(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc) error {
	return feature.Grad(ctx, s.Model, mode, x, taps, loss, nil, s.grads)
}

// Apply moves the parameters along the accumulated gradient and clears it.
func (s *Stepper) Apply(scale float64) error {
	defer s.Discard()
	// The sum, in float64, of finite float32 numbers does not overflow.
	par.Each(len(s.grads), s.check)
	for i, ok := range s.finite {
		if !ok {
			return fmt.Errorf("train: %w: gradient of %q is not finite", ErrDiverged, s.Model.Spec().Params[i].Name)
		}
	}
	return s.Optimizer.Step(s.Model, s.grads, scale)
}

// Discard clears the accumulated gradient.
func (s *Stepper) Discard() { par.Each(len(s.grads), s.clear) }

// Gradients returns the accumulated gradient of each parameter, nil for those
// that are not trained. A caller may change it before Apply.
func (s *Stepper) Gradients() [][]float32 { return s.grads }

// Schedule maps the part of the training that is done, in [0, 1), to a factor
// of the learning rate.
type Schedule func(done float64) float64

// Constant is the schedule that is always 1.
func Constant(float64) float64 { return 1 }

// Cosine falls from 1 to 0 along half a cosine (Loshchilov and Hutter, arXiv
// 1608.03983, equation 5 without restarts).
func Cosine(done float64) float64 { return (1 + math.Cos(math.Pi*done)) / 2 }

// Options says how Fit trains. The zero value is usable.
type Options struct {
	// Epochs is the number of passes over the data. If it is zero, 30 is used.
	Epochs int
	// BatchSize is the number of samples a step. If it is zero, 32 is used.
	BatchSize int
	// Optimizer moves the parameters. If it is nil, SGD with rate .05, momentum
	// .9 and weight decay 5e-4 is used.
	Optimizer Optimizer
	// Schedule scales the learning rate. If it is nil, Constant is used.
	Schedule Schedule
	// Seed fixes the order of the samples and the dropout masks.
	Seed uint64
	// Train says which parameters change. If it is nil, all trainable ones do.
	Train func(feature.Param) bool
	// Observer, where not nil, is called after every step.
	Observer func(Progress)
}

// Progress is the state of a training after a step.
type Progress struct {
	Epoch, Step int     // counted from 0; Step counts over all epochs
	Steps       int     // in all
	Loss        float64 // mean cross-entropy of the batch before the step
}

// Fit trains m on d to minimise the mean cross-entropy, with layers in training
// mode. It returns the mean loss of each epoch.
//
// An error, among them ctx's and one wrapping ErrDiverged, ends the training;
// m then holds the parameters of the last whole step.
func Fit(ctx context.Context, m feature.Trainable, d feature.Dataset, opt *Options) ([]float64, error) {
	o, err := opt.resolve()
	if err != nil {
		return nil, err
	}
	if d.Len() == 0 {
		return nil, fmt.Errorf("train: %w: the dataset is empty", ErrParameter)
	}
	perEpoch := (d.Len() + o.BatchSize - 1) / o.BatchSize
	f := fit{Options: o, stepper: NewStepper(m, o.Optimizer, o.Train), steps: o.Epochs * perEpoch}
	var history []float64
	for e := range o.Epochs {
		loss, err := f.epoch(ctx, e, d)
		if err != nil {
			return history, fmt.Errorf("train: epoch %d: %w", e, err)
		}
		history = append(history, loss)
	}
	return history, nil
}

func (opt *Options) resolve() (Options, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.Epochs < 0 || o.BatchSize < 0 {
		return o, fmt.Errorf("train: %w: Epochs %d, BatchSize %d", ErrParameter, o.Epochs, o.BatchSize)
	}
	if o.Epochs == 0 {
		o.Epochs = 30
	}
	if o.BatchSize == 0 {
		o.BatchSize = 32
	}
	if o.Optimizer == nil {
		o.Optimizer = &SGD{Rate: .05, Momentum: .9, WeightDecay: 5e-4}
	}
	if o.Schedule == nil {
		o.Schedule = Constant
	}
	return o, nil
}

type fit struct {
	Options
	stepper *Stepper
	step    int
	steps   int
}

// epoch makes one pass over d and returns the mean loss of its samples.
func (f *fit) epoch(ctx context.Context, e int, d feature.Dataset) (float64, error) {
	var sum float64
	taps := []string{f.stepper.Model.Spec().Logits}
	for b, err := range feature.Batches(d, f.BatchSize, rng.Stream(f.Seed, "train order", e)) {
		if err != nil {
			return 0, err
		}
		mode := feature.Mode{Train: true, Track: true, Seed: rng.Seed(f.Seed, "train dropout", f.step)}
		var loss float64
		scale := f.Schedule(float64(f.step) / float64(f.steps))
		err := f.stepper.Step(ctx, mode, b.X, taps, func(val, cot []feature.Tensor) (err error) {
			loss, err = feature.CrossEntropy(val[0], cot[0], b.Labels, 1)
			if err == nil && loss-loss != 0 {
				err = fmt.Errorf("%w: loss is %v", ErrDiverged, loss)
			}
			return err
		}, scale)
		if err != nil {
			return 0, fmt.Errorf("step %d: %w", f.step, err)
		}
		sum += loss * float64(len(b.Labels))
		if f.Observer != nil {
			f.Observer(Progress{Epoch: e, Step: f.step, Steps: f.steps, Loss: loss})
		}
		f.step++
	}
	return sum / float64(d.Len()), nil
}
