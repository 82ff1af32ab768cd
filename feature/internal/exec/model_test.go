package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/internal/graph"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// must stops a test whose graph does not fit.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// network returns a model of a convolution without bias, batch norm, a rectifier,
// one more convolution, a constant that is added, and a linear layer. The
// constant stands between the parameters of the graph and is none of the model's.
// frozen says that scale and shift of the norm do not train.
func network(frozen bool) *Model {
	g := must(graph.New([]int{2, 6, 6}))
	var c Config
	param := func(name string, trains bool, shape ...int) graph.Value {
		v := must(g.Param(shape...))
		if name != "" {
			c.Exposed = append(c.Exposed, g.ParamIndex(v))
			c.Spec.Params = append(c.Spec.Params, feature.Param{Name: name, Shape: shape, Trainable: trains})
		}
		return v
	}
	conv := graph.Conv{Window: graph.Window{Pad: [4]int{1, 1, 1, 1}}}
	h := must(g.Apply("conv1", conv, g.Input(), param("conv1.weight", true, 8, 2, 3, 3)))
	h = must(g.Apply("norm", graph.BatchNorm{Epsilon: 1e-5, Momentum: .1}, h,
		param("norm.weight", !frozen, 8), param("norm.bias", !frozen, 8), param("norm.mean", true, 8), param("norm.var", true, 8)))
	h = must(g.Apply("relu", graph.ReLU{}, h))
	h = must(g.Apply("conv2", conv, h, param("conv2.weight", true, 8, 8, 3, 3), param("conv2.bias", true, 8)))
	h = must(g.Apply("constant", graph.Add{}, h, param("", false, 8, 6, 6)))
	h = must(g.Apply("place", graph.Add{}, h, param("place", true, 8, 6, 6)))
	h = must(g.Apply("relu2", graph.ReLU{}, h))
	h = must(g.Apply("flatten", graph.Reshape{Shape: []int{-1}}, h))
	c.Spec.Taps = []feature.Tap{{Name: "features", Shape: []int{288}}}
	c.Taps = []graph.Value{h}
	h = must(g.Apply("fc", graph.Linear(), h, param("fc.weight", true, 3, 288), param("fc.bias", true, 3)))
	c.Spec.Taps = append(c.Spec.Taps, feature.Tap{Name: "logits", Shape: []int{3}})
	c.Taps = append(c.Taps, h)
	c.Package, c.Graph = "test", g
	c.Spec.Input, c.Spec.Logits, c.Spec.Features = []int{2, 6, 6}, "logits", "features"
	m := New(c)
	SetWeights(m, drawn(g, 1))
	return m
}

// drawn returns weights of the size that keeps signals, all positive where they
// have one axis.
func drawn(g *graph.Graph, seed uint64) [][]float32 {
	var w [][]float32
	for i := range g.Params() {
		shape := g.Shape(g.ParamValue(i))
		src := rng.Stream(seed, "weights", i)
		p := make([]float32, feature.Size(shape))
		for k := range p {
			if len(shape) == 1 {
				p[k] = float32(.5 + src.Float64())
			} else {
				p[k] = float32(src.NormFloat64() / 8)
			}
		}
		w = append(w, p)
	}
	return w
}

func inputs(rows int, seed uint64, shape ...int) feature.Tensor {
	x := feature.NewTensor(append([]int{rows}, shape...)...)
	src := rng.Stream(seed, "input")
	for i := range x.Data {
		x.Data[i] = float32(src.NormFloat64())
	}
	return x
}

func TestLaws(t *testing.T) {
	featuretest.Run(t, network(false), nil)
	featuretest.Run(t, network(true), nil)
}

func TestKinds(t *testing.T) {
	want := map[string]feature.ParamKind{
		"norm.bias": feature.Bias, "conv2.bias": feature.Bias, "fc.bias": feature.Bias,
		"norm.mean": feature.Statistic, "norm.var": feature.Statistic,
	}
	for _, frozen := range []bool{false, true} {
		for _, p := range network(frozen).Spec().Params {
			if p.Kind != want[p.Name] {
				t.Errorf("%q is a %v, want %v", p.Name, p.Kind, want[p.Name])
			}
			norm := p.Name == "norm.weight" || p.Name == "norm.bias"
			if trains := p.Kind != feature.Statistic && !(frozen && norm); p.Trainable != trains {
				t.Errorf("%q: Trainable is %t (frozen %t)", p.Name, p.Trainable, frozen)
			}
		}
	}
}

// TestFrozenStatistics: a norm that does not train keeps its statistics.
func TestFrozenStatistics(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		m := network(frozen)
		before := must(feature.Snapshot(m))
		mode := feature.Mode{Train: true, Track: true}
		if err := feature.ForwardMode(context.Background(), m, mode, inputs(4, 1, 2, 6, 6), nil, nil); err != nil {
			t.Fatal(err)
		}
		after := must(feature.Snapshot(m))
		for i, p := range m.Spec().Params {
			moves := p.Kind == feature.Statistic && !frozen
			if same := slices.Equal(before[i], after[i]); same == moves {
				t.Errorf("%q: the same after tracking: %t (frozen %t)", p.Name, same, frozen)
			}
		}
	}
}

// TestErrorsHaveOnePrefix: the checks are those of package feature, the name is
// the embedding package's.
func TestErrorsHaveOnePrefix(t *testing.T) {
	m := network(false)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	x, logits := inputs(2, 1, 2, 6, 6), []string{"logits"}
	out := []feature.Tensor{feature.NewTensor(2, 3)}
	none := func(_, _ []feature.Tensor) error { return nil }
	for name, err := range map[string]error{
		"input":     m.Forward(ctx, inputs(2, 1, 2, 6, 5), logits, out),
		"tap":       m.Forward(ctx, x, []string{"none"}, out),
		"output":    m.Forward(ctx, x, logits, nil),
		"mode":      m.GradMode(ctx, feature.Mode{Track: true}, x, logits, none, nil, nil),
		"gradients": m.Grad(ctx, x, logits, none, nil, make([][]float32, 2)),
		"parameter": m.SetParam(99, nil),
		"length":    m.GetParam(0, nil),
		"context":   m.Forward(ctx, x, logits, out),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "test: ") || strings.Contains(err.Error(), "feature:") || strings.Count(err.Error(), "test: ") > 1 {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if err := m.Forward(ctx, x, logits, out); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not the context's", err)
	}
	if err := m.Forward(ctx, x, []string{"none"}, out); !errors.Is(err, feature.ErrNoTap) {
		t.Errorf("error %v is not ErrNoTap", err)
	}
}

// TestPackedWeightsAreKept changes weights behind the model's back, which a pass
// does not see as long as it uses what the pass before packed, and then by its
// methods, which it must see.
func TestPackedWeightsAreKept(t *testing.T) {
	m := network(false)
	x := inputs(2, 1, 2, 6, 6)
	values := func() []float32 {
		out := feature.NewTensor(2, 288)
		if err := m.Forward(context.Background(), x, []string{"features"}, []feature.Tensor{out}); err != nil {
			t.Fatal(err)
		}
		return out.Data
	}
	first := values()
	for i := range m.weights[5] {
		m.weights[5][i] *= 2
	}
	if !slices.Equal(first, values()) {
		t.Error("the weights were packed again")
	}
	w := slices.Clone(m.weights[5])
	if err := m.SetParam(5, w); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(first, values()) {
		t.Error("the weights were not packed again after SetParam")
	}
}

// raced is set under the race detector, which makes pools forget.
var raced bool

// TestNoAllocation: the checks at the door cost none either.
func TestNoAllocation(t *testing.T) {
	m := network(false)
	x, taps := inputs(2, 1, 2, 6, 6), []string{"features", "logits"}
	out := []feature.Tensor{feature.NewTensor(2, 288), feature.NewTensor(2, 3)}
	dx, dp := make([]float32, len(x.Data)), feature.NewGradients(m.Spec())
	none := func(_, _ []feature.Tensor) error { return nil }
	pass := map[string]func() error{
		"forward":  func() error { return m.Forward(context.Background(), x, taps, out) },
		"gradient": func() error { return m.Grad(context.Background(), x, taps, none, dx, dp) },
		"training": func() error {
			return m.GradMode(context.Background(), feature.Mode{Train: true, Track: true}, x, taps, none, nil, dp)
		},
	}
	for name, f := range pass {
		if n := testing.AllocsPerRun(20, func() {
			if err := f(); err != nil {
				panic(err)
			}
		}); n >= 1 && !raced {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func ExampleNew() {
	g, _ := graph.New([]int{4})
	w, _ := g.Param(2, 4)
	y, _ := g.Apply("fc", graph.Gemm{TransB: true, Alpha: 1}, g.Input(), w)
	m := New(Config{
		Package: "mine", Graph: g, Taps: []graph.Value{y},
		Spec: feature.Spec{Input: []int{4}, Logits: "y", Taps: []feature.Tap{{Name: "y", Shape: []int{2}}},
			Params: []feature.Param{{Name: "w", Shape: []int{2, 4}, Trainable: true}}},
	})
	SetWeights(m, [][]float32{{1, 2, 3, 4, 1, 0, 0, 0}})
	out := []feature.Tensor{feature.NewTensor(1, 2)}
	err := m.Forward(context.Background(), feature.Tensor{Shape: []int{1, 4}, Data: []float32{1, 1, 1, 1}}, []string{"y"}, out)
	fmt.Println(out[0].Data, err)
	// Output: [10 1] <nil>
}
