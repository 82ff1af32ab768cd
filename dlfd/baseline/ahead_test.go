package baseline_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// ahead is a dataset that reads ahead. It calls read with the number of the read.
type ahead struct {
	*featuretest.Blobs
	reads *atomic.Int64
	read  func(n int64)
}

func (d ahead) ReadAhead(ctx context.Context, index []int, x []float32, labels []int) error {
	d.read(d.reads.Add(1))
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.Read(index, x, labels)
}

// aheadTask is task with sets that read ahead.
func aheadTask(read func(n int64)) dlfd.Data {
	reads := new(atomic.Int64)
	return dlfd.Data{Retain: ahead{set(120, 1), reads, read}, Forget: ahead{set(24, 2), reads, read}, Holdout: ahead{set(60, 3), reads, read}}
}

// TestReadingAheadChangesNothing runs every method on sets that read ahead: the
// weights are equal to the bit, and nothing is read when the run has ended, as
// planned or because its context was canceled.
func TestReadingAheadChangesNothing(t *testing.T) {
	for _, name := range baseline.Names() {
		t.Run(name, func(t *testing.T) {
			method, err := baseline.ByName(name)
			if err != nil {
				t.Fatal(err)
			}
			m, opt := trained(t), &dlfd.Options{BatchSize: 16, Budget: dlfd.Budget{Passes: 1500}}
			_, wantErr := method.Unlearn(context.Background(), m, task(), opt)
			want := weightsOf(t, m)
			before := runtime.NumGoroutine()

			m = trained(t)
			old := weightsOf(t, m)
			var last int64
			_, err = method.Unlearn(context.Background(), m, aheadTask(func(n int64) { atomic.StoreInt64(&last, max(n, atomic.LoadInt64(&last))) }), opt)
			if (err == nil) != (wantErr == nil) || !slices.EqualFunc(weightsOf(t, m), want, slices.Equal) {
				t.Errorf("other weights than without reading ahead, or %v, not %v", err, wantErr)
			}
			if last < 8 {
				t.Errorf("%d batches were read ahead", last)
			}

			m = trained(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			stop := last * 2 / 3
			_, err = method.Unlearn(ctx, m, aheadTask(func(n int64) {
				if n == stop {
					cancel()
				}
			}), opt)
			if !errors.Is(err, context.Canceled) || !slices.EqualFunc(weightsOf(t, m), old, slices.Equal) {
				t.Errorf("canceled: %v, or the weights are not the old ones", err)
			}
			for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
				}
			}
		})
	}
}

func weightsOf(t *testing.T, m feature.Trainable) feature.Weights {
	t.Helper()
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
