//go:build xla

package gomlx_test

import (
	"os"
	"testing"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/norm"

	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/gomlx"
)

// TestXLA repeats on XLA what is tested on the Go backend, and what that cannot
// run. UNLEARN_GOMLX_BACKEND names the backend as GoMLX does: xla:cpu, xla:cuda.
func TestXLA(t *testing.T) {
	config := os.Getenv("UNLEARN_GOMLX_BACKEND")
	if config == "" {
		t.Skip("UNLEARN_GOMLX_BACKEND is not set")
	}
	backend, err := compute.NewWithConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	for _, c := range []struct {
		name  string
		build gomlx.Graph
		input []int
	}{
		{"convolutional", convolutional(3), []int{2, 8, 8}},
		{"perceptron", perceptron, []int{5}},
		{"moded", moded, []int{6}},
		{"frozen", frozen, []int{6}},
		{"pooled", pooled, []int{2, 8, 8}},
	} {
		t.Run(c.name, func(t *testing.T) { featuretest.Run(t, newModelOn(t, backend, c.build, c.input...), nil) })
	}
	// An accelerator may round the factors of a product to 10 bits.
	t.Run("align", func(t *testing.T) { alignTwice(t, backend, 1e-2) })
}

// pooled has an even kernel, GoMLX's own batch norm and max pooling.
func pooled(s scope, x node, tap tapFn) node {
	x = graph.TransposeAllAxes(x, 0, 2, 3, 1)
	x = layers.Convolution(s.In("conv"), x).Channels(4).KernelSize(2).PadSame().Done()
	x = activation.Relu(norm.BatchNorm(s.In("norm"), x, -1).Momentum(.9).Done())
	x = graph.MaxPool(x).Window(2).Done()
	x = graph.Reshape(x, x.Shape().Dim(0), -1)
	tap("features", x)
	return layers.Dense(s.In("head"), x, true, 3)
}
