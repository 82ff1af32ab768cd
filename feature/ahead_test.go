package feature_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// slow reads ahead. before, where not nil, is called with the samples of a batch.
type slow struct {
	*featuretest.Blobs
	before func(ctx context.Context, index []int) error
}

func (d slow) ReadAhead(ctx context.Context, index []int, x []float32, labels []int) error {
	if d.before != nil {
		if err := d.before(ctx, index); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.Read(index, x, labels)
}

func newSlow(n int) slow { return slow{Blobs: featuretest.NewBlobs(n, 4, 3, 1, 1, 1)} }

// passOver returns what a loop over batches sees.
func passOver(t *testing.T, ctx context.Context, d feature.Dataset, size, least int, seed uint64) (seen []string) {
	t.Helper()
	for b, err := range feature.BatchesContext(ctx, d, size, least, rng.Stream(seed, "order")) {
		if err != nil {
			return append(seen, "error "+err.Error())
		}
		seen = append(seen, fmt.Sprint(b.Index, b.Labels, b.X))
	}
	return seen
}

func TestReadingAheadChangesNothing(t *testing.T) {
	noGoroutineLeft(t)
	ctx := context.Background()
	for n := range 12 {
		d := newSlow(n)
		for size := 1; size < 6; size++ {
			for least := 1; least <= min(size, 2); least++ {
				want := passOver(t, ctx, d.Blobs, size, least, 5)
				if got := passOver(t, ctx, d, size, least, 5); !slices.Equal(got, want) {
					t.Fatalf("%d samples, %d at a time, %d at least: %v, want %v", n, size, least, got, want)
				}
			}
		}
	}
}

// TestReadsWhileTheCallerComputes holds the caller in its first batch until the
// second is being read.
func TestReadsWhileTheCallerComputes(t *testing.T) {
	noGoroutineLeft(t)
	d := newSlow(9)
	begun := make(chan int, 3)
	d.before = func(_ context.Context, index []int) error { begun <- index[0]; return nil }
	batch := 0
	for b, err := range feature.BatchesContext(context.Background(), d, 3, 1, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if batch == 0 {
			<-begun
		}
		if batch < 2 {
			select {
			case first := <-begun:
				if first != b.Index[0]+3 {
					t.Errorf("in batch %d, the batch of sample %d is read", batch, first)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("in batch %d, nothing is read", batch)
			}
		}
		batch++
	}
	if batch != 3 || len(begun) > 0 {
		t.Errorf("%d batches, and %d reads left", batch, len(begun))
	}
}

func TestReadingAheadTellsErrorsInPlace(t *testing.T) {
	noGoroutineLeft(t)
	d, bad := newSlow(9), errors.New("bad file")
	d.before = func(_ context.Context, index []int) error {
		if slices.Contains(index, 7) {
			return bad
		}
		return nil
	}
	var got []error
	for _, err := range feature.BatchesContext(context.Background(), d, 3, 1, nil) {
		got = append(got, err)
	}
	if len(got) != 3 || got[0] != nil || got[1] != nil || !errors.Is(got[2], bad) {
		t.Errorf("errors %v, want the third to be %v", got, bad)
	}
}

func TestReadingAheadIsCanceled(t *testing.T) {
	noGoroutineLeft(t)
	d := newSlow(9)
	d.before = func(ctx context.Context, index []int) error {
		if index[0] > 0 {
			<-ctx.Done() // ends if the loop or its context does
		}
		return nil
	}
	for range feature.BatchesContext(context.Background(), d, 3, 1, nil) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	for _, err := range feature.BatchesContext(ctx, d, 3, 1, nil) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the loop ends with %v", last)
	}
}

func TestReadingAheadPanicsWithTheCaller(t *testing.T) {
	noGoroutineLeft(t)
	d := newSlow(9)
	d.before = func(_ context.Context, index []int) error {
		if index[0] == 3 {
			panic("blown")
		}
		return nil
	}
	batches := 0
	defer func() {
		if p := recover(); p != "blown" || batches != 1 {
			t.Errorf("panic %v after %d batches", p, batches)
		}
	}()
	for range feature.BatchesContext(context.Background(), d, 3, 1, nil) {
		batches++
	}
}

// TestPredictReadsAhead composes sets, of which one reads ahead.
func TestPredictReadsAhead(t *testing.T) {
	noGoroutineLeft(t)
	d := newSlow(40)
	var reads atomic.Int32
	d.before = func(context.Context, []int) error { reads.Add(1); return nil }
	part, err := feature.Subset(d, []int{3, 1, 30, 7})
	if err != nil {
		t.Fatal(err)
	}
	both, err := feature.Concat(part, d.Blobs, part)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := feature.Concat(struct{ feature.Dataset }{part}, d.Blobs, struct{ feature.Dataset }{part})
	if err != nil {
		t.Fatal(err)
	}
	featuretest.RunDataset(t, both)
	m := featuretest.NewMLP(4, 5, 3, 1)
	reads.Store(0)
	got, labels, err := feature.Predict(context.Background(), m, both, []string{"logits"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want, wantLabels, err := feature.Predict(context.Background(), m, plain, []string{"logits"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got[0].Data, want[0].Data) || !slices.Equal(labels, wantLabels) {
		t.Error("the logits differ")
	}
	if reads.Load() != 4 { // samples 0 to 2, 3, 44 and 45 to 47 of 48
		t.Errorf("%d batches were read ahead", reads.Load())
	}
}

// noGoroutineLeft fails the test if, at its end, a goroutine of this module runs
// that did not run before.
func noGoroutineLeft(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				buf := make([]byte, 1<<16)
				stacks := string(buf[:runtime.Stack(buf, true)])
				t.Errorf("%d goroutines, %d before; %d of them read ahead:\n%s", runtime.NumGoroutine(), before, strings.Count(stacks, "startReading"), stacks)
				return
			}
		}
	})
}
