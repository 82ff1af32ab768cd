package gomlx_test

import (
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature/gomlx"
)

// newBackend returns the Go backend, operations one after the other, so that a
// panic of one is an error and not the end of the test program.
func newBackend(t testing.TB) compute.Backend {
	t.Helper()
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// newStore returns a store whose variables begin at values that are the same in
// every run.
func newStore() *model.Store {
	s := model.NewStore()
	s.SetParam(model.ParamInitialSeed, int64(5))
	return s
}

// newModel returns the model of a graph, on the Go backend and a store of its own.
func newModel(t testing.TB, build gomlx.Graph, input ...int) *gomlx.Model {
	t.Helper()
	return newModelOn(t, newBackend(t), build, input...)
}

// newModelOn is newModel on another backend.
func newModelOn(t testing.TB, backend compute.Backend, build gomlx.Graph, input ...int) *gomlx.Model {
	t.Helper()
	m, err := gomlx.New(backend, newStore(), build, &gomlx.Options{Input: input})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// convolutional returns two odd convolutions, mean pooling and a dense layer, for
// images with their channels first.
func convolutional(classes int) gomlx.Graph {
	return func(scope *model.Scope, x *graph.Node, tap func(string, *graph.Node)) *graph.Node {
		x = graph.TransposeAllAxes(x, 0, 2, 3, 1)
		x = layers.Convolution(scope.In("conv1"), x).Channels(6).KernelSize(3).PadSame().Done()
		x = activation.Relu(x)
		tap("stem", x)
		x = graph.MeanPool(x).Window(2).Done()
		x = layers.Convolution(scope.In("conv2"), x).Channels(8).KernelSize(3).PadSame().Done()
		x = graph.ReduceMean(activation.Relu(x), 1, 2)
		tap("features", x)
		return layers.Dense(scope.In("head"), x, true, classes)
	}
}

// perceptron has two dense layers.
func perceptron(scope *model.Scope, x *graph.Node, tap func(string, *graph.Node)) *graph.Node {
	x = graph.Tanh(layers.Dense(scope.In("hidden"), x, true, 9))
	tap("features", x)
	return layers.Dense(scope.In("head"), x, true, 4)
}

// moded has what acts differently in training, a norm and dropout, and a layer
// that is frozen.
func moded(scope *model.Scope, x *graph.Node, tap func(string, *graph.Node)) *graph.Node {
	x = layers.Dense(scope.In("first"), x, true, 7)
	tap("first", x)
	x = activation.Gelu(batchNorm(scope.In("norm"), x))
	x = layers.DropoutStatic(scope, x, .3)
	tap("features", x)
	return layers.Dense(scope.In("head"), x, true, 3)
}

// batchNorm is a batch norm of n×features in operations that the Go backend has.
func batchNorm(scope *model.Scope, x *graph.Node) *graph.Node {
	g, n := x.Graph(), x.Shape().Dim(-1)
	variable := func(name string, value float32) *model.Variable {
		v := make([]float32, n)
		for i := range v {
			v[i] = value
		}
		return scope.VariableWithValue(name, v)
	}
	scale, offset := variable("scale", 1).NodeValue(g), variable("offset", 0).NodeValue(g)
	running := []*model.Variable{variable("mean", 0).SetTrainable(false), variable("variance", 1).SetTrainable(false)}
	mean, variance := running[0].NodeValue(g), running[1].NodeValue(g)
	if scope.IsTraining(g) {
		mean = graph.ReduceMean(x, 0)
		variance = graph.ReduceMean(graph.Square(graph.Sub(x, graph.ExpandAxes(mean, 0))), 0)
		for i, v := range []*graph.Node{mean, variance} {
			old := running[i].NodeValue(g)
			running[i].SetNodeValue(graph.Add(graph.MulScalar(old, .9), graph.MulScalar(v, .1)))
		}
	}
	row := func(v *graph.Node) *graph.Node { return graph.ExpandAxes(v, 0) }
	x = graph.Div(graph.Sub(x, row(mean)), graph.Sqrt(graph.AddScalar(row(variance), 1e-5)))
	return graph.Add(graph.Mul(x, row(scale)), row(offset))
}
