package gomlx_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/gomlx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Models on one backend train at the same time, each to the weights that it has
// alone.
func TestSeveralModels(t *testing.T) {
	const models = 3
	b := newBackend(t)
	fit := func(seed uint64) (feature.Weights, error) {
		m, err := gomlx.New(b, newStore(), perceptron, &gomlx.Options{Input: []int{5}, NoCheck: true})
		if err != nil {
			return nil, err
		}
		if err := feature.Reinitialize(m, nil, seed); err != nil {
			return nil, err
		}
		_, err = train.Fit(context.Background(), m, featuretest.NewBlobs(40, 5, 4, .5, 1, seed), &train.Options{Epochs: 4, BatchSize: 16, Seed: seed})
		if err != nil {
			return nil, err
		}
		w, err := feature.Snapshot(m)
		return w, errors.Join(err, m.Close())
	}
	type outcome struct {
		seed uint64
		w    feature.Weights
		err  error
	}
	done := make(chan outcome, models)
	for seed := range uint64(models) {
		go func() {
			w, err := fit(seed)
			done <- outcome{seed, w, err}
		}()
	}
	for range models {
		o := <-done
		alone, err := fit(o.seed)
		if err := errors.Join(o.err, err); err != nil {
			t.Fatal(err)
		}
		for i := range alone {
			if !slices.Equal(alone[i], o.w[i]) {
				t.Errorf("seed %d, parameter %d: other weights beside other models than alone", o.seed, i)
			}
		}
	}
}

// Nothing runs on when a model and its backend are done, after errors and
// cancellations neither.
func TestGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	m := newModel(t, perceptron, 5)
	x := feature.NewTensor(3, 5)
	dx := make([]float32, len(x.Data))
	ctx, cancel := context.WithCancel(context.Background())
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		loss feature.LossFunc
		want error
	}{
		"success":      {func(_, cot []feature.Tensor) error { cot[0].Data[0] = 1; return nil }, nil},
		"failure":      {func(_, _ []feature.Tensor) error { return stop }, stop},
		"cancellation": {func(_, _ []feature.Tensor) error { cancel(); return nil }, context.Canceled},
	} {
		c, ctx := c, ctx
		if name != "cancellation" {
			ctx = context.Background()
		}
		if err := m.Grad(ctx, x, []string{"logits"}, c.loss, dx, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines before and %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
}

// After a cancellation in the loss, nothing is added to a gradient; a panic of
// the loss reaches the caller, and the model works on.
func TestLossThatEnds(t *testing.T) {
	m := newModel(t, perceptron, 5)
	x := feature.NewTensor(3, 5)
	before := logits(t, m, 3)
	dp := feature.NewGradients(m.Spec())
	ctx, cancel := context.WithCancel(context.Background())
	err := m.Grad(ctx, x, []string{"logits"}, func(_, cot []feature.Tensor) error {
		cancel()
		cot[0].Data[0] = 1
		return nil
	}, nil, dp)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	for i, g := range dp {
		if slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
			t.Errorf("gradient %d is %v", i, g)
		}
	}
	func() {
		defer func() {
			if p := recover(); p != "loss" {
				t.Errorf("recovered %v", p)
			}
		}()
		_ = m.Grad(context.Background(), x, []string{"logits"}, func(_, _ []feature.Tensor) error { panic("loss") }, nil, dp)
	}()
	if after := logits(t, m, 3); !slices.Equal(before, after) {
		t.Errorf("%v before and %v after", before, after)
	}
}

// A tap that is asked for twice gets the sum of both cotangents.
func TestTapsAskedForTwice(t *testing.T) {
	m := newModel(t, perceptron, 5)
	x := feature.NewTensor(2, 5)
	for i := range x.Data {
		x.Data[i] = float32(i) / 7
	}
	grad := func(taps []string, cots ...float32) []float32 {
		dx := make([]float32, len(x.Data))
		err := m.Grad(context.Background(), x, taps, func(_, cot []feature.Tensor) error {
			for k, c := range cots {
				for i := range cot[k].Data {
					cot[k].Data[i] = c * float32(i+1)
				}
			}
			return nil
		}, dx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return dx
	}
	a, b := grad([]string{"logits", "features", "logits"}, 1, 0, 2), grad([]string{"logits"}, 3)
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-5 {
			t.Errorf("gradients %v and %v", a, b)
			break
		}
	}
}
