package train_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

// An epoch passes over the samples that Visit names, the batch says which these
// are in the whole of the data, and the work is that of Epochs.
func TestVisit(t *testing.T) {
	d := featuretest.NewBlobs(20, 4, 3, 1, 7, 8)
	visits := make([]int, 20)
	steps := 0
	err := train.Descent{
		Epochs: 2, BatchSize: 4, Optimizer: train.SGD{Rate: .1},
		Order: func(epoch int) rand.Source { return rand.NewPCG(1, uint64(epoch)) },
		Visit: func(epoch int) []int {
			if epoch == 0 {
				return nil
			}
			return []int{17, 3, 11, 5, 8, 2}
		},
		Gradient: func(ctx context.Context, s *train.Step) error {
			for i, k := range s.Batch.Index {
				visits[k]++
				if !slices.Equal(s.Batch.X.Row(i), d.X.Row(k)) || s.Batch.Labels[i] != d.Labels[k] {
					t.Errorf("step %d: row %d is not sample %d", s.Number, i, k)
				}
			}
			steps++
			_, err := s.CrossEntropy(ctx, s.Mode, s.Batch.X, s.Batch.Labels, 1)
			return err
		},
	}.Run(context.Background(), featuretest.NewMLP(4, 8, 3, 1), d)
	if err != nil || steps != 10 {
		t.Fatalf("%d steps, %v; want the 10 of two passes", steps, err)
	}
	for k, n := range visits {
		if named := slices.Contains([]int{17, 3, 11, 5, 8, 2}, k); named != (n > 1) {
			t.Errorf("sample %d was visited %d times", k, n)
		}
	}
}
