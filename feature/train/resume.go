package train

import (
	"context"
	"encoding"
	"fmt"
	"iter"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/checkpoint"
)

// state is where a descent stands after a step, but for the parameters.
type state struct {
	Number, Of, PerEpoch int // Number steps were taken
	Epoch, Within        int // Within of them in Epoch
	Visited              []int
	Optimizer            []byte
}

// State returns where the descent stands behind a step, for Descent.After: the state of
// the optimizer included, the parameters of the model excepted. It returns an error
// wrapping ErrParameter where the state of the optimizer cannot be written; see
// OptimizerState.
func (s *Step) State() ([]byte, error) {
	o, ok := s.optimizer.(encoding.BinaryMarshaler)
	if _, reads := s.optimizer.(encoding.BinaryUnmarshaler); !ok || !reads {
		return nil, fmt.Errorf("train: %w: a checkpoint cannot have the state of the optimizer, %T, which is no encoding.BinaryMarshaler and BinaryUnmarshaler", ErrParameter, s.optimizer)
	}
	v := state{Number: s.Number + 1, Of: s.Of, PerEpoch: s.PerEpoch, Epoch: s.Epoch, Within: s.within + 1, Visited: s.visited}
	var err error
	if v.Optimizer, err = o.MarshalBinary(); err != nil {
		return nil, fmt.Errorf("train: state of the optimizer: %w", err)
	}
	return checkpoint.Encode(v)
}

// Resume makes a descent that has not begun go on where another stood, which had the
// same settings and data, when State gave the bytes. The parameters are the caller's to
// restore. Errors wrap ErrCheckpoint.
func (s *Step) Resume(bytes []byte) error {
	var v state
	if err := checkpoint.Decode(bytes, &v); err != nil {
		return fmt.Errorf("train: %w: its position: %w", ErrCheckpoint, err)
	}
	if v.Of != s.Of || v.PerEpoch != s.PerEpoch {
		return fmt.Errorf("train: %w: it has %d steps, %d an epoch, not %d and %d", ErrCheckpoint, v.Of, v.PerEpoch, s.Of, s.PerEpoch)
	}
	o, ok := s.optimizer.(encoding.BinaryUnmarshaler)
	if !ok {
		return fmt.Errorf("train: %w: the state of the optimizer, %T, is no encoding.BinaryUnmarshaler", ErrParameter, s.optimizer)
	}
	if err := o.UnmarshalBinary(v.Optimizer); err != nil {
		return fmt.Errorf("train: %w: the state of the optimizer: %w", ErrCheckpoint, err)
	}
	s.Number, s.Epoch, s.within, s.visited, s.resumed = v.Number, v.Epoch, v.Within, v.Visited, true
	return nil
}

// BatchesFrom is BatchesContext without the first skip batches, which are not read.
func BatchesFrom(ctx context.Context, s feature.Spec, d feature.Dataset, size int, src rand.Source, skip int) iter.Seq2[feature.Batch, error] {
	if skip == 0 || size < 1 {
		return BatchesContext(ctx, s, d, size, src)
	}
	return func(yield func(feature.Batch, error) bool) {
		if skip >= BatchCount(s, d, size) {
			return
		}
		rest := shuffled(d.Len(), src)[skip*size:]
		part, err := feature.Subset(d, rest)
		if err != nil {
			yield(feature.Batch{}, err)
			return
		}
		for b, err := range BatchesContext(ctx, s, part, size, nil) {
			b.Index = translate(b.Index, rest)
			if !yield(b, err) {
				return
			}
		}
	}
}

// shuffled returns the order in which feature.Batches passes over n samples.
func shuffled(n int, src rand.Source) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if src != nil {
		rand.New(src).Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return order
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (s *moments) MarshalBinary() ([]byte, error) { return checkpoint.Encode(s.of, s.steps) }

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (s *moments) UnmarshalBinary(data []byte) error {
	var of [][][]float32
	var steps []int
	if err := checkpoint.Decode(data, &of, &steps); err != nil {
		return err
	}
	if len(of) != len(s.sizes) || len(steps) != len(s.sizes) {
		return fmt.Errorf("%w: of %d and %d parameters, not %d", ErrCheckpoint, len(of), len(steps), len(s.sizes))
	}
	for i, arrays := range of {
		if arrays != nil && len(arrays) != s.arrays {
			return fmt.Errorf("%w: parameter %q has %d arrays, not %d", ErrCheckpoint, s.names[i], len(arrays), s.arrays)
		}
		for _, a := range arrays {
			if len(a) != s.sizes[i] {
				return fmt.Errorf("%w: parameter %q has %d numbers, not %d", ErrCheckpoint, s.names[i], len(a), s.sizes[i])
			}
		}
	}
	s.of, s.steps = of, steps
	return nil
}
