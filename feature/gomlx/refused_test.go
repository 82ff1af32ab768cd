package gomlx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/gomlx"
)

type (
	scope = *model.Scope
	node  = *graph.Node
	tapFn = func(string, *graph.Node)
)

// between returns a network with an operation on images, channels last, between
// two layers.
func between(op func(s scope, x node) node) gomlx.Graph {
	return func(s scope, x node, _ tapFn) node {
		x = graph.TransposeAllAxes(x, 0, 2, 3, 1)
		x = op(s.In("op"), layers.Convolution(s.In("first"), x).Channels(2).KernelSize(1).Done())
		return layers.Dense(s.In("head"), graph.Reshape(x, x.Shape().Dim(0), -1), true, 3)
	}
}

func conv(kernel int) gomlx.Graph {
	return between(func(s scope, x node) node {
		return layers.Convolution(s, x).Channels(3).KernelSize(kernel).PadSame().Done()
	})
}

// What the Go backend computes wrongly, or cannot compute, is an error of New, and
// what it computes rightly is none.
func TestBackendsGradients(t *testing.T) {
	for _, c := range []struct {
		name  string
		build gomlx.Graph
		want  error
		text  string
	}{
		{"3×3 convolution", conv(3), nil, ""},
		{"5×5 convolution", conv(5), nil, ""},
		{"2×2 convolution", conv(2), gomlx.ErrGradient, "of the input"},
		{"4×4 convolution", conv(4), gomlx.ErrGradient, "of the input"},
		{"3×3 convolution with a stride", between(func(s scope, x node) node {
			return layers.Convolution(s, x).Channels(3).KernelSize(3).PadSame().Strides(2).Done()
		}), nil, ""},
		{"mean pooling", between(func(_ scope, x node) node { return graph.MeanPool(x).Window(2).Done() }), nil, ""},
		{"overlapping mean pooling", between(func(_ scope, x node) node {
			return graph.MeanPool(x).Window(3).Strides(1).PadSame().Done()
		}), gomlx.ErrGraph, "out of range"},
		{"max pooling", between(func(_ scope, x node) node { return graph.MaxPool(x).Window(2).Done() }), gomlx.ErrGraph, "SelectAndScatterMax"},
		{"layer norm", between(func(s scope, x node) node { return norm.LayerNorm(s, x, -1).Done() }), nil, ""},
		{"batch norm", between(func(s scope, x node) node { return norm.BatchNorm(s, x, -1).Done() }), gomlx.ErrGraph, "BatchNormForTraining"},
		{"batch norm by operations", between(func(s scope, x node) node {
			return norm.BatchNorm(s, x, -1).UseBackendInference(false).Done()
		}), gomlx.ErrGradient, "in training mode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := gomlx.New(newBackend(t), newStore(), c.build, &gomlx.Options{Input: []int{2, 8, 8}})
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("error is %v, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

// The comparison says what the laws say.
func TestNoCheck(t *testing.T) {
	m, err := gomlx.New(newBackend(t), newStore(), conv(2), &gomlx.Options{Input: []int{2, 8, 8}, NoCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := featuretest.Check(m, nil); err == nil || !strings.Contains(err.Error(), "input gradient") {
		t.Errorf("the laws find nothing where New does: %v", err)
	}
}

// dense ends a network that begins with x.
func dense(s scope, x node) node { return layers.Dense(s, x, true, 3) }

func TestGraphsThatAreRefused(t *testing.T) {
	training := func(s scope, x node) bool { return s.IsTraining(x.Graph()) }
	for _, c := range []struct {
		name, text string
		build      gomlx.Graph
	}{
		{"a panic with an error", "is not 4", func(scope, node, tapFn) node { panic(errors.New("5 is not 4")) }},
		{"a panic with a text", "out of luck", func(scope, node, tapFn) node { panic("out of luck") }},
		{"no logits", `tap "logits" without a value`, func(scope, node, tapFn) node { return nil }},
		{"logits with three axes", "(Float32)[2, 3, 1]", func(s scope, x node, _ tapFn) node { return graph.ExpandAxes(dense(s, x), -1) }},
		{"a tap without a name", `tap ""`, func(s scope, x node, tap tapFn) node { tap("", x); return dense(s, x) }},
		{"two taps of one name", `called "a"`, func(s scope, x node, tap tapFn) node { tap("a", x); tap("a", x); return dense(s, x) }},
		{"a tap called logits", `called "logits"`, func(s scope, x node, tap tapFn) node { tap("logits", x); return dense(s, x) }},
		{"a tap without rows", "for 2 rows", func(s scope, x node, tap tapFn) node { tap("a", graph.ReduceAllSum(x)); return dense(s, x) }},
		{"a tap of another type", `tap "a" is Float64`, func(s scope, x node, tap tapFn) node {
			tap("a", graph.ConvertDType(x, dtypes.Float64))
			return dense(s, x)
		}},
		{"weights of another type", `"/dense/weights" is Float64, and parameters are float32`, func(s scope, x node, _ tapFn) node {
			return graph.ConvertDType(dense(s, graph.ConvertDType(x, dtypes.Float64)), dtypes.Float32)
		}},
		{"random numbers in evaluation", "random numbers", func(s scope, x node, _ tapFn) node {
			return dense(s, graph.Add(x, s.RandomNormal(x.Graph(), x.Shape())))
		}},
		{"a change in evaluation", "evaluation mode", func(s scope, x node, _ tapFn) node {
			v := s.VariableWithValue("count", float32(0)).SetTrainable(false)
			v.SetNodeValue(graph.OnePlus(v.NodeValue(x.Graph())))
			return dense(s, x)
		}},
		{"a change of a weight", "trainable", func(s scope, x node, _ tapFn) node {
			y := dense(s, x)
			if v := s.Store().GetVariable("/dense/biases"); training(s, x) {
				v.SetNodeValue(graph.OnePlus(v.NodeValue(x.Graph())))
			}
			return y
		}},
		{"other taps in training", "taps differ", func(s scope, x node, tap tapFn) node {
			if training(s, x) {
				tap("a", x)
			}
			return dense(s, x)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := gomlx.New(newBackend(t), newStore(), c.build, &gomlx.Options{Input: []int{5}})
			if m != nil || !errors.Is(err, gomlx.ErrGraph) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error is %v, want %q", err, c.text)
			}
			if err != nil && strings.Count(err.Error(), "gomlx: ") != 1 {
				t.Errorf("the package is named more than once: %v", err)
			}
		})
	}
}

func TestArgumentsThatAreRefused(t *testing.T) {
	b := newBackend(t)
	ok := gomlx.Options{Input: []int{5}}
	with := func(change func(o *gomlx.Options)) *gomlx.Options {
		o := ok
		change(&o)
		return &o
	}
	for name, f := range map[string]func() (*gomlx.Model, error){
		"no backend": func() (*gomlx.Model, error) { return gomlx.New(nil, newStore(), perceptron, &ok) },
		"no store":   func() (*gomlx.Model, error) { return gomlx.New(b, nil, perceptron, &ok) },
		"no graph":   func() (*gomlx.Model, error) { return gomlx.New(b, newStore(), nil, &ok) },
		"no options": func() (*gomlx.Model, error) { return gomlx.New(b, newStore(), perceptron, nil) },
		"no input":   func() (*gomlx.Model, error) { return gomlx.New(b, newStore(), perceptron, &gomlx.Options{}) },
		"empty input": func() (*gomlx.Model, error) {
			return gomlx.New(b, newStore(), perceptron, with(func(o *gomlx.Options) { o.Input = []int{3, 0} }))
		},
		"no graphs": func() (*gomlx.Model, error) {
			return gomlx.New(b, newStore(), perceptron, with(func(o *gomlx.Options) { o.Graphs = -1 }))
		},
		"an axis twice": func() (*gomlx.Model, error) {
			return gomlx.New(b, newStore(), perceptron, with(func(o *gomlx.Options) { o.Axes = func(*model.Variable) []int { return []int{1, 1} } }))
		},
		"an axis too few": func() (*gomlx.Model, error) {
			return gomlx.New(b, newStore(), perceptron, with(func(o *gomlx.Options) { o.Axes = func(*model.Variable) []int { return []int{0} } }))
		},
		"a statistic that stays": func() (*gomlx.Model, error) {
			return gomlx.New(b, newStore(), perceptron, with(func(o *gomlx.Options) { o.Kind = func(*model.Variable) feature.ParamKind { return feature.Statistic } }))
		},
	} {
		if _, err := f(); !errors.Is(err, feature.ErrParameter) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
