package gomlx_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/images"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/gomlx"
)

// index returns the position of a parameter.
func index(t testing.TB, m feature.Model, name string) int {
	t.Helper()
	i := slices.IndexFunc(m.Spec().Params, func(p feature.Param) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no parameter %q in %v", name, m.Spec().Params)
	}
	return i
}

// get returns a parameter.
func get(t testing.TB, m feature.Trainable, name string) []float32 {
	t.Helper()
	i := index(t, m, name)
	w := make([]float32, feature.Size(m.Spec().Params[i].Shape))
	if err := m.GetParam(i, w); err != nil {
		t.Fatal(err)
	}
	return w
}

// A parameter is the variable under its path, outputs first, and both are one.
func TestParametersAreVariables(t *testing.T) {
	store := newStore()
	m, err := gomlx.New(newBackend(t), store, convolutional(3), &gomlx.Options{Input: []int{2, 4, 4}})
	if err != nil {
		t.Fatal(err)
	}
	v := store.GetVariable("/conv1/conv/weights")
	if got, want := v.Shape().Dimensions, []int{3, 3, 2, 6}; !slices.Equal(got, want) {
		t.Fatalf("GoMLX has the kernel %v, want %v", got, want)
	}
	p := m.Spec().Params[index(t, m, "/conv1/conv/weights")]
	if want := []int{6, 2, 3, 3}; !slices.Equal(p.Shape, want) || p.FanIn() != 18 {
		t.Errorf("the kernel is %v, want %v", p.Shape, want)
	}
	own := func(out, in, y, x int) float32 { return float32(1000*out + 100*in + 10*y + x) }
	w := make([]float32, feature.Size(p.Shape))
	for i := range w {
		w[i] = own(i/18, i/9%2, i/3%3, i%3)
	}
	if err := m.SetParam(index(t, m, p.Name), w); err != nil {
		t.Fatal(err)
	}
	flat := tensors.MustCopyFlatData[float32](v.MustValue())
	for i, got := range flat {
		if want := own(i%6, i/6%2, i/36, i/12%3); got != want {
			t.Fatalf("element %d of the variable is %v, want %v", i, got, want)
		}
	}
	flat[1] = -7 // output 1, input 0, at 0, 0
	if err := v.SetValue(tensors.FromFlatDataAndDimensions(flat, 3, 3, 2, 6)); err != nil {
		t.Fatal(err)
	}
	if got := get(t, m, p.Name)[18]; got != -7 {
		t.Errorf("the parameter has %v where the variable was set to -7", got)
	}
}

// logits runs a model on numbers that are the same for all.
func logits(t testing.TB, m feature.Model, rows int) []float32 {
	t.Helper()
	x := feature.NewTensor(append([]int{rows}, m.Spec().Input...)...)
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(float64(3 * i)))
	}
	y := feature.NewTensor(rows, m.Spec().Classes())
	if err := m.Forward(context.Background(), x, []string{"logits"}, []feature.Tensor{y}); err != nil {
		t.Fatal(err)
	}
	return y.Data
}

// Kernels of convolutions with their channels first have PyTorch's order already.
func TestChannelsFirst(t *testing.T) {
	build := func(scope *model.Scope, x *graph.Node, _ func(string, *graph.Node)) *graph.Node {
		conv := func(name string, x *graph.Node, channels int) *graph.Node {
			return activation.Relu(layers.Convolution(scope.In("%s", name), x).ChannelsAxis(images.ChannelsFirst).Channels(channels).KernelSize(3).PadSame().Done())
		}
		x = graph.MeanPool(conv("conv1", x, 6)).ChannelsAxis(images.ChannelsFirst).Window(2).Done()
		return layers.Dense(scope.In("head"), graph.ReduceMean(conv("conv2", x, 8), 2, 3), true, 3)
	}
	m, err := gomlx.New(newBackend(t), newStore(), build, &gomlx.Options{Input: []int{2, 8, 8}, Axes: func(v *model.Variable) []int {
		if v.Shape().Rank() == 4 {
			return []int{0, 1, 2, 3}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	net := reference(t, 3, 2, 8, 8)
	copyWeights(t, m, net)
	a, b := logits(t, net, 5), logits(t, m, 5)
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-5 {
			t.Errorf("logit %d is %v in feature/nn and %v in GoMLX", i, a[i], b[i])
		}
	}
	if m.Spec().Features != "logits" {
		t.Errorf("the features are %q where none are tapped", m.Spec().Features)
	}
}

// counted is a norm like that of GoMLX, with a third statistic.
func counted(scope *model.Scope, x *graph.Node, _ func(string, *graph.Node)) *graph.Node {
	for _, name := range []string{"a", "b"} {
		s := scope.In("%s", name)
		x = batchNorm(s, layers.Dense(s, x, true, 4))
		g := x.Graph()
		v := s.VariableWithValue("avg_weight", []float32{0, 0, 0, 0}).SetTrainable(false)
		if scope.IsTraining(g) {
			v.SetNodeValue(graph.OnePlus(v.NodeValue(g)))
		}
	}
	return layers.Dense(scope.In("head"), x, true, 3)
}

func TestStatistics(t *testing.T) {
	ctx := context.Background()
	m := newModel(t, counted, 3)
	x := feature.NewTensor(4, 3)
	for i := range x.Data {
		x.Data[i] = float32(i)
	}
	start := get(t, m, "/a/mean")
	for range 3 {
		if err := feature.ForwardMode(ctx, m, feature.Mode{Train: true, Track: true}, x, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, m, "/b/avg_weight"); !slices.Equal(got, []float32{3, 3, 3, 3}) {
		t.Errorf("three batches are counted as %v", got)
	}
	if got := get(t, m, "/a/mean"); slices.Equal(got, start) {
		t.Errorf("the mean stays at %v", got)
	}
	if err := feature.Reinitialize(m, nil, 1); err != nil {
		t.Fatal(err)
	}
	for _, norm := range []string{"/a/", "/b/"} {
		for name, want := range map[string]float32{"scale": 1, "offset": 0, "mean": 0, "variance": 1, "avg_weight": 0} {
			if got := get(t, m, norm+name); !slices.Equal(got, []float32{want, want, want, want}) {
				t.Errorf("%s is %v after Reinitialize, want %v", norm+name, got, want)
			}
		}
	}
}

func TestStatisticsOfFrozenLayersStay(t *testing.T) {
	m := newModel(t, frozen, 6)
	x := feature.NewTensor(4, 6)
	for i := range x.Data {
		x.Data[i] = float32(i % 5)
	}
	before, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := feature.ForwardMode(context.Background(), m, feature.Mode{Train: true, Track: true}, x, nil, nil); err != nil {
		t.Fatal(err)
	}
	after, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Spec().Params {
		if !slices.Equal(before[i], after[i]) {
			t.Errorf("%v %q changed", p.Kind, p.Name)
		}
	}
	if i := index(t, m, "/norm/mean"); m.Spec().Params[i].Kind != feature.Statistic || m.Spec().Params[index(t, m, "/first/dense/weights")].Trainable {
		t.Errorf("parameters %v", m.Spec().Params)
	}
}

// Seeds that GoMLX takes for one give different masks.
func TestSeeds(t *testing.T) {
	m := newModel(t, moded, 6)
	x := feature.NewTensor(32, 6)
	for i := range x.Data {
		x.Data[i] = float32(i % 7)
	}
	values := func(seed uint64) []float32 {
		out := []feature.Tensor{feature.NewTensor(32, 3)}
		if err := feature.ForwardMode(context.Background(), m, feature.Mode{Train: true, Seed: seed}, x, []string{"logits"}, out); err != nil {
			t.Fatal(err)
		}
		return out[0].Data
	}
	first := values(1)
	if !slices.Equal(first, values(1)) {
		t.Error("one seed gives two masks")
	}
	for _, seed := range []uint64{0, 2, 1<<31 - 1 + 1, 1 << 63} {
		if slices.Equal(first, values(seed)) {
			t.Errorf("seeds 1 and %d give one mask", seed)
		}
	}
}

// The comparison of gradients moves weights, and puts the same bits back.
func TestNewLeavesTheWeights(t *testing.T) {
	store := newStore()
	w := make([]float32, 45)
	for i := range w {
		w[i] = float32(math.Sin(float64(i)))
	}
	store.Scope("/hidden/dense").VariableWithValue("weights", tensors.FromFlatDataAndDimensions(w, 5, 9))
	if _, err := gomlx.New(newBackend(t), store, perceptron, &gomlx.Options{Input: []int{5}}); err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float32](store.GetVariable("/hidden/dense/weights").MustValue()); !slices.Equal(got, w) {
		t.Errorf("the weights %v became %v", w, got)
	}
}

// A graph may not read other variables for another number of rows.
func TestOtherVariablesForOtherRows(t *testing.T) {
	m := newModel(t, func(s *model.Scope, x *graph.Node, _ func(string, *graph.Node)) *graph.Node {
		y := layers.Dense(s, x, true, 3)
		if x.Shape().Dim(0) > 10 {
			y = graph.Add(y, s.VariableWithValue("late", [][]float32{{1, 2, 3}}).NodeValue(x.Graph()))
		}
		return y
	}, 5)
	out := []feature.Tensor{feature.NewTensor(11, 3)}
	err := m.Forward(context.Background(), feature.NewTensor(11, 5), []string{"logits"}, out)
	if !errors.Is(err, gomlx.ErrGraph) || !strings.Contains(err.Error(), "reads 3 variables for 11 rows") {
		t.Errorf("error is %v", err)
	}
}

// A model that was closed compiles its graphs again.
func TestClose(t *testing.T) {
	m := newModel(t, perceptron, 5)
	before := logits(t, m, 3)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if after := logits(t, m, 3); !slices.Equal(before, after) {
		t.Errorf("%v before Close and %v after", before, after)
	}
}
