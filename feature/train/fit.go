package train

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/checkpoint"
	"github.com/dlfd-go/unlearn/internal/rng"
)

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
	// BatchSize is the number of samples a step, at most MaxBatch. If it is zero,
	// 32 is used.
	BatchSize int
	// Optimizer moves the parameters. If it is nil, SGD with rate .05, momentum
	// .9 and weight decay 5e-4 is used.
	Optimizer Optimizer
	// Schedule scales the learning rate. If it is nil, Constant is used.
	Schedule Schedule
	// Seed fixes the order of the samples and the dropout masks.
	Seed uint64
	// Train says which parameters change, running statistics included. If it is
	// nil, all trainable ones and all statistics do.
	Train func(feature.Param) bool
	// Observer, where not nil, is called after every step.
	Observer func(Progress)
	// Checkpoint says where the state of the training is written. By default it is
	// not.
	Checkpoint Checkpoint
}

// Progress is the state of a training after a step.
type Progress struct {
	Epoch, Step int     // counted from 0; Step counts over all epochs
	Steps       int     // in all
	Loss        float64 // mean cross-entropy of the batch before the step
}

// Fit trains m on d to minimize the mean cross-entropy, with layers in training
// mode. It returns the mean loss of each epoch. Batches are those of [Descent].
//
// An error, among them ctx's and those wrapping ErrDiverged and ErrEmpty, ends
// the training; m then holds the parameters of the last whole step. Where there is a
// checkpoint, its file stays, and the same call on a model with the weights that m had at
// first goes on from it; an error wraps ErrCheckpoint if the file cannot be used.
func Fit(ctx context.Context, m feature.Trainable, d feature.Dataset, opt *Options) ([]float64, error) {
	descent, err := opt.Descent()
	if err != nil {
		return nil, err
	}
	f := &fit{}
	if opt != nil {
		f.Options = *opt
	}
	descent.Start = func(s *Step) error { return f.start(s, d, descent) }
	descent.After = func(s *Step) error { return f.after(s, d.Len()) }
	err = descent.Run(ctx, m, d)
	if err == nil && f.file != nil {
		err = f.file.Done()
	}
	return f.history, err
}

// Descent returns what Fit runs, but for what it does after a step.
func (opt *Options) Descent() (Descent, error) {
	o, err := opt.resolve()
	return Descent{
		Epochs: o.Epochs, BatchSize: o.BatchSize, Optimizer: o.Optimizer, Schedule: o.Schedule, Train: o.Train,
		Order: func(epoch int) rand.Source { return rng.Stream(o.Seed, "train order", epoch) },
		Seed:  func(step int) uint64 { return rng.Seed(o.Seed, "train dropout", step) },
	}, err
}

// fit is one Fit.
type fit struct {
	Options
	history []float64
	sum     float64 // of the losses of the epoch so far
	done    int     // samples of the epoch so far
	file    *checkpoint.Run
	place   []byte // Step.State, while it is written or read
	weights feature.Weights
}

func (f *fit) after(s *Step, n int) error {
	f.sum += s.Loss * float64(len(s.Batch.Labels))
	if f.done += len(s.Batch.Labels); f.done == n {
		f.history = append(f.history, f.sum/float64(f.done))
		f.sum, f.done = 0, 0
	}
	if f.Observer != nil {
		f.Observer(Progress{Epoch: s.Epoch, Step: s.Number, Steps: s.Of, Loss: s.Loss})
	}
	return f.save(s)
}

func (opt *Options) resolve() (Options, error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	if o.Epochs == 0 {
		o.Epochs = 30
	}
	if o.BatchSize == 0 {
		o.BatchSize = 32
	}
	if o.Optimizer == nil {
		o.Optimizer = SGD{Rate: .05, Momentum: .9, WeightDecay: 5e-4}
	}
	return o, nil
}
