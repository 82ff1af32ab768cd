package gomlx_test

import (
	"context"
	"flag"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/gomlx"
	"github.com/dlfd-go/unlearn/feature/nn"
)

var timing = flag.Bool("timing", false, "run TestTiming")

// TestTiming times the Go backend, with its operations in turns and side by side,
// and feature/nn on the same networks, one after the other in every round, in
// processor time, which is steadier than the clock on a machine with other work:
//
//	go test -run Timing -v -timing
func TestTiming(t *testing.T) {
	if !*timing {
		t.Skip("-timing is not set")
	}
	for _, c := range []struct {
		name  string
		build gomlx.Graph
		net   *nn.Network
		rows  int
	}{
		{"perceptron 784-256-10", wide, widePerceptron(t), 64},
		{"two convolutions, 3×32×32", convolutional(10), reference(t, 10, 3, 32, 32), 32},
	} {
		var models []feature.Trainable
		for _, config := range []string{"ops_sequential", ""} {
			b, err := gobackend.New(config)
			if err != nil {
				t.Fatal(err)
			}
			m, err := gomlx.New(b, newStore(), c.build, &gomlx.Options{Input: c.net.Spec().Input, NoCheck: true})
			if err != nil {
				t.Fatal(err)
			}
			copyWeights(t, m, c.net)
			models = append(models, m)
		}
		models = append(models, c.net)
		for _, backward := range []bool{false, true} {
			report(t, c.name, backward, medians(t, models, c.rows, backward))
		}
	}
}

func report(t *testing.T, name string, backward bool, d []time.Duration) {
	nn := float64(d[2])
	t.Logf("%s, backward %t: GoMLX %v in turns, %v side by side; feature/nn %v; ratios %.1f and %.1f",
		name, backward, d[0].Round(time.Microsecond), d[1].Round(time.Microsecond), d[2].Round(time.Microsecond), float64(d[0])/nn, float64(d[1])/nn)
}

// medians returns the median time of a pass, of 7, for each model.
func medians(t *testing.T, models []feature.Trainable, rows int, backward bool) []time.Duration {
	const rounds = 7
	times := make([][]time.Duration, len(models))
	x := feature.NewTensor(append([]int{rows}, models[0].Spec().Input...)...)
	labels := make([]int, rows)
	for i := range x.Data {
		x.Data[i] = float32(i%13)/6 - 1
	}
	for round := range rounds + 1 {
		for i, m := range models {
			start := processor(t)
			pass(t, m, x, labels, backward)
			if round > 0 { // the first compiles
				times[i] = append(times[i], processor(t)-start)
			}
		}
	}
	d := make([]time.Duration, len(models))
	for i := range d {
		slices.Sort(times[i])
		d[i] = times[i][rounds/2]
	}
	return d
}

// processor returns the processor time that the process has taken.
func processor(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pass is one forward pass, or one with all gradients of parameters.
func pass(t *testing.T, m feature.Trainable, x feature.Tensor, labels []int, backward bool) {
	t.Helper()
	ctx, taps := context.Background(), []string{"logits"}
	var err error
	if backward {
		err = feature.Grad(ctx, m, feature.Mode{Train: true}, x, taps, func(val, cot []feature.Tensor) error {
			_, err := feature.CrossEntropy(val[0], cot[0], labels, 1)
			return err
		}, nil, feature.NewGradients(m.Spec()))
	} else {
		err = m.Forward(ctx, x, taps, []feature.Tensor{feature.NewTensor(x.Rows(), m.Spec().Classes())})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wide is the network of widePerceptron.
func wide(scope *model.Scope, x *graph.Node, _ func(string, *graph.Node)) *graph.Node {
	x = activation.Relu(layers.Dense(scope.In("hidden"), x, true, 256))
	return layers.Dense(scope.In("head"), x, true, 10)
}

func widePerceptron(t *testing.T) *nn.Network {
	t.Helper()
	net, err := nn.MLP(nn.MLPConfig{Input: []int{784}, Classes: 10, Hidden: []int{256}})
	if err != nil {
		t.Fatal(err)
	}
	return net
}
