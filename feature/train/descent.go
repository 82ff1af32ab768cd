package train

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// MaxBatch is the largest number of samples a step.
const MaxBatch = 1 << 20

// Descent is the one loop that every training runs: passes over a dataset, with
// one change of the parameters a batch.
//
// Where the model has running statistics of batch norm, a last batch of one
// sample is joined to the batch before it, as one value has no variance. A
// dataset of one sample, or a BatchSize of 1, leaves only such batches: they run
// in evaluation mode, with the statistics that the model has, which do not move.
//
// Of data that reads ahead (feature.AheadReader), the next batch of an epoch is read
// during a step.
type Descent struct {
	Epochs    int // passes over the data; at least 1
	BatchSize int // from 1 to MaxBatch
	Optimizer Optimizer
	// Schedule scales the learning rate. If it is nil, Constant is used.
	Schedule Schedule
	// Train says which parameters change, running statistics included. If it is
	// nil, all trainable ones and all statistics do.
	Train func(feature.Param) bool
	// Order shuffles the samples of an epoch. If it is nil, or returns nil, the
	// order is that of the dataset.
	Order func(epoch int) rand.Source
	// Visit, where not nil, returns the positions of the samples that an epoch
	// passes over; nil stands for all. Epochs then counts work, not passes: there
	// are as many steps as Epochs passes over all samples have.
	Visit func(epoch int) []int
	// Seed returns the seed of a step's dropout masks. If it is nil, zero is.
	Seed func(step int) uint64

	// Start, where not nil, is called once, before the first step. It may call
	// Step.Resume.
	Start func(s *Step) error
	// Before, where not nil, is asked before each step; false ends the descent.
	Before func() bool
	// Gradient accumulates what a step moves along, by methods of Step, and may
	// set its Loss. If it is nil, that is the gradient of the mean cross-entropy of
	// the batch.
	Gradient func(ctx context.Context, s *Step) error
	// After, where not nil, is called after each step.
	After func(s *Step) error
}

// Step is one step of a Descent. It is valid until the next.
type Step struct {
	*Stepper
	// Batch has the samples of the step, with their positions in the whole of the
	// data, and Mode is the mode for them: training,
	// with statistics that move.
	Batch feature.Batch
	Mode  feature.Mode
	Epoch int
	// Number of Of steps in all, counted from 0.
	Number, Of int
	// PerEpoch is the number of steps of an epoch.
	PerEpoch int
	// Loss is what the step reports.
	Loss float64
	// Losses has the cross-entropy of each sample that CrossEntropy was last given.
	Losses []float64

	logits  []string
	heads   feature.Heads
	within  int   // steps taken of the epoch
	resumed bool  // the epoch was begun before Resume
	visited []int // positions that the epoch passes over, nil for all
}

// CrossEntropy adds the gradient of weight times the mean cross-entropy of a
// batch, in a mode, and returns the cross-entropy itself. Of a model with several
// heads it is the mean over the heads; see feature.Heads. One that is not finite
// gives an error wrapping ErrDiverged.
func (s *Step) CrossEntropy(ctx context.Context, mode feature.Mode, x feature.Tensor, labels []int, weight float64) (float64, error) {
	var loss float64
	err := s.Accumulate(ctx, mode, x, s.logits, func(val, cot []feature.Tensor) error {
		if _, err := s.heads.CrossEntropy(val[0], cot[0], labels, weight); err != nil {
			return err
		}
		s.Losses = slices.Grow(s.Losses[:0], len(labels))[:len(labels)]
		if err := s.heads.CrossEntropies(s.Losses, val[0], labels); err != nil {
			return err
		}
		for _, v := range s.Losses {
			loss += v
		}
		if loss /= float64(len(labels)); !finite.Is(loss) {
			return fmt.Errorf("train: %w: the loss is %v", ErrDiverged, loss)
		}
		return nil
	})
	return loss, err
}

// ModeFor returns the mode for a batch other than that of the step: as the
// step's, but the statistics, which follow the step's own batch, do not move.
func (s *Step) ModeFor(b feature.Batch) feature.Mode {
	mode := s.Mode
	mode.Track = false
	return batchMode(s.Model.Spec(), mode, len(b.Labels))
}

// Run descends on d. The error of a step says its number. After an error m holds
// the parameters of the last whole step. Errors: ErrParameter, ErrEmpty,
// ErrDiverged, feature.ErrHeads for labels that do not fit the heads, and those of the model, the data and the functions.
func (d Descent) Run(ctx context.Context, m feature.Trainable, data feature.Dataset) error {
	if d.Epochs < 1 || d.BatchSize < 1 || d.BatchSize > MaxBatch || d.Optimizer == nil {
		return fmt.Errorf("train: %w: Epochs %d, BatchSize %d (at most %d), Optimizer %v", ErrParameter, d.Epochs, d.BatchSize, MaxBatch, d.Optimizer)
	}
	if data == nil || data.Len() == 0 {
		return fmt.Errorf("train: %w: there is nothing to train on", feature.ErrEmpty)
	}
	spec := m.Spec()
	if err := feature.CheckHeads(spec, data); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	stepper, err := NewStepper(m, d.Optimizer, d.Train)
	if err != nil {
		return err
	}
	s := &Step{Stepper: stepper, logits: []string{spec.Logits}, heads: spec.Heads, PerEpoch: BatchCount(spec, data, d.BatchSize)}
	if d.Epochs > math.MaxInt/s.PerEpoch {
		return fmt.Errorf("train: %w: %d epochs of %d steps", ErrParameter, d.Epochs, s.PerEpoch)
	}
	s.Of = d.Epochs * s.PerEpoch
	if d.Start != nil {
		if err := d.Start(s); err != nil {
			return err
		}
	}
	for ; s.Number < s.Of; s.Epoch++ {
		more, err := d.epoch(ctx, s, data)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// epoch makes one pass over the data. It returns false where Before ended it.
func (d Descent) epoch(ctx context.Context, s *Step, data feature.Dataset) (bool, error) {
	var order rand.Source
	if d.Order != nil {
		order = d.Order(s.Epoch)
	}
	data, err := d.visit(s, data)
	if err != nil {
		return false, err
	}
	for b, err := range BatchesFrom(ctx, s.Model.Spec(), data, d.BatchSize, order, s.within) {
		if err != nil {
			return false, err
		}
		if s.Number == s.Of || d.Before != nil && !d.Before() {
			return false, nil
		}
		if s.visited != nil {
			b.Index = translate(b.Index, s.visited)
		}
		s.Batch, s.Loss = b, 0
		if err := d.step(ctx, s); err != nil {
			return false, fmt.Errorf("step %d: %w", s.Number, err)
		}
		s.Number++
		s.within++
	}
	s.within = 0
	return true, nil
}

// visit returns the samples of an epoch, and sets s.visited.
func (d Descent) visit(s *Step, data feature.Dataset) (feature.Dataset, error) {
	if s.resumed {
		s.resumed = false
	} else if s.visited = nil; d.Visit != nil {
		s.visited = d.Visit(s.Epoch)
	}
	if s.visited == nil {
		return data, nil
	}
	if len(s.visited) == 0 {
		return nil, fmt.Errorf("%w: epoch %d visits no sample", feature.ErrEmpty, s.Epoch)
	}
	return feature.Subset(data, s.visited)
}

// translate returns the positions of the samples index of a subset.
func translate(index, positions []int) []int {
	out := make([]int, len(index))
	for i, k := range index {
		out[i] = positions[k]
	}
	return out
}

func (d Descent) step(ctx context.Context, s *Step) error {
	mode := feature.Mode{Train: true, Track: true}
	if d.Seed != nil {
		mode.Seed = d.Seed(s.Number)
	}
	s.Mode = batchMode(s.Model.Spec(), mode, len(s.Batch.Labels))
	scale := 1.
	if d.Schedule != nil {
		scale = d.Schedule(float64(s.Number) / float64(s.Of))
	}
	err := s.whole(s.Mode, scale, func() (err error) {
		if d.Gradient != nil {
			return d.Gradient(ctx, s)
		}
		s.Loss, err = s.CrossEntropy(ctx, s.Mode, s.Batch.X, s.Batch.Labels, 1)
		return err
	})
	if err != nil || d.After == nil {
		return err
	}
	return d.After(s)
}

// Batches is feature.Batches as a model with this Spec trains on them; see
// Descent.
func Batches(s feature.Spec, d feature.Dataset, size int, src rand.Source) iter.Seq2[feature.Batch, error] {
	return feature.BatchesOf(d, size, least(s, size), src)
}

// BatchesContext is Batches as feature.BatchesContext reads them.
func BatchesContext(ctx context.Context, s feature.Spec, d feature.Dataset, size int, src rand.Source) iter.Seq2[feature.Batch, error] {
	return feature.BatchesContext(ctx, d, size, least(s, size), src)
}

// BatchCount returns the number of Batches, 0 for an empty dataset or nil.
func BatchCount(s feature.Spec, d feature.Dataset, size int) int {
	if d == nil {
		return 0
	}
	n := d.Len()
	count := n / size
	if rest := n % size; rest >= least(s, size) || count == 0 && rest > 0 {
		count++
	}
	return count
}

// least is the smallest number of samples of a batch.
func least(s feature.Spec, size int) int {
	if size > 1 && HasStatistics(s) {
		return 2
	}
	return 1
}

// HasStatistics reports whether a model keeps running statistics of batch norm.
func HasStatistics(s feature.Spec) bool {
	return slices.ContainsFunc(s.Params, func(p feature.Param) bool { return p.Kind == feature.Statistic })
}

// batchMode is the mode for a batch of n samples where mode is the one for many.
func batchMode(s feature.Spec, mode feature.Mode, n int) feature.Mode {
	if n == 1 && HasStatistics(s) {
		return feature.Mode{}
	}
	return mode
}
