package feature_test

import (
	"errors"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// described is a model of 2×2 inputs with every kind of parameter.
var described = feature.Spec{
	Input: []int{2, 2}, Logits: "z", Features: "h",
	Taps: []feature.Tap{{Name: "h", Shape: []int{3}}, {Name: "z", Shape: []int{2, 1}}},
	Params: []feature.Param{
		{Name: "w", Shape: []int{2, 3}, Trainable: true}, {Name: "b", Shape: []int{2}, Kind: feature.Bias},
		{Name: "mean", Shape: []int{3}, Kind: feature.Statistic},
	},
}

func filled(rows int, v float32) feature.Tensor {
	x := feature.NewTensor(rows, 2, 2)
	x.Data[len(x.Data)-1] = v
	return x
}

// badArguments are inputs and taps that both checks refuse.
var badArguments = []struct {
	name  string
	batch int
	x     feature.Tensor
	taps  []string
	want  error
}{
	{"no tensor", 0, feature.Tensor{}, []string{"z"}, feature.ErrShape},
	{"flat rows", 0, feature.NewTensor(3, 4), []string{"z"}, feature.ErrShape},
	{"no rows", 0, feature.NewTensor(0, 2, 2), []string{"z"}, feature.ErrShape},
	{"negative rows", 0, feature.Tensor{Shape: []int{-1, 2, 2}}, []string{"z"}, feature.ErrShape},
	{"too little data", 0, feature.Tensor{Shape: []int{1, 2, 2}, Data: make([]float32, 3)}, []string{"z"}, feature.ErrShape},
	{"another batch", 4, filled(3, 0), []string{"z"}, feature.ErrShape},
	{"NaN", 0, filled(3, float32(math.NaN())), []string{"z"}, feature.ErrNotFinite},
	{"infinity", 0, filled(3, float32(math.Inf(-1))), []string{"z"}, feature.ErrNotFinite},
	{"unknown tap", 0, filled(3, 0), []string{"y"}, feature.ErrNoTap},
	{"empty tap", 0, filled(3, 0), []string{""}, feature.ErrNoTap},
}

func TestChecksRefuseBadArguments(t *testing.T) {
	for _, c := range badArguments {
		s := described
		s.Batch = c.batch
		out := []feature.Tensor{feature.NewTensor(max(c.x.Rows(), 0), 2, 1)}
		if err := feature.CheckForward(s, c.x, c.taps, out); !errors.Is(err, c.want) {
			t.Errorf("CheckForward, %s: error is %v, want %v", c.name, err, c.want)
		}
		if err := feature.CheckGrad(s, feature.Mode{}, c.x, c.taps, nil, nil); !errors.Is(err, c.want) {
			t.Errorf("CheckGrad, %s: error is %v, want %v", c.name, err, c.want)
		}
	}
}

func TestCheckForwardOutputs(t *testing.T) {
	h, z := feature.NewTensor(3, 3), feature.NewTensor(3, 2, 1)
	for _, c := range []struct {
		name  string
		batch int
		taps  []string
		out   []feature.Tensor
		want  error
	}{
		{"both", 0, []string{"z", "h"}, []feature.Tensor{z, h}, nil},
		{"a tap twice", 3, []string{"h", "h"}, []feature.Tensor{h, h.Clone()}, nil},
		{"none", 0, nil, nil, nil},
		// The length counts, and not the shape.
		{"flat", 0, []string{"z"}, []feature.Tensor{{Data: make([]float32, 6)}}, nil},
		{"one too few", 0, []string{"z", "h"}, []feature.Tensor{z}, feature.ErrShape},
		{"one too many", 0, []string{"z"}, []feature.Tensor{z, h}, feature.ErrShape},
		{"exchanged", 0, []string{"z", "h"}, []feature.Tensor{h, z}, feature.ErrShape},
		{"without data", 0, []string{"z"}, []feature.Tensor{{Shape: []int{3, 2, 1}}}, feature.ErrShape},
	} {
		s := described
		s.Batch = c.batch
		if err := feature.CheckForward(s, filled(3, 1), c.taps, c.out); !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, want %v", c.name, err, c.want)
		}
	}
}

func TestCheckGradGradients(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	for _, c := range []struct {
		name string
		mode feature.Mode
		dx   []float32
		dp   [][]float32
		want error
	}{
		{"nothing wanted", feature.Mode{}, nil, nil, nil},
		{"all that there are", feature.Mode{Train: true, Track: true}, f(12), [][]float32{f(6), f(2), nil}, nil},
		{"of a frozen bias", feature.Mode{Train: true}, nil, [][]float32{nil, f(2), nil}, nil},
		{"none by entries", feature.Mode{}, nil, make([][]float32, 3), nil},
		{"empty dx", feature.Mode{}, f(0), nil, feature.ErrShape},
		{"short dx", feature.Mode{}, f(11), nil, feature.ErrShape},
		{"empty dp", feature.Mode{}, nil, [][]float32{}, feature.ErrShape},
		{"one gradient too few", feature.Mode{}, nil, make([][]float32, 2), feature.ErrShape},
		{"one gradient too many", feature.Mode{}, nil, make([][]float32, 4), feature.ErrShape},
		{"a gradient too long", feature.Mode{}, nil, [][]float32{f(7), nil, nil}, feature.ErrShape},
		{"an empty gradient", feature.Mode{}, nil, [][]float32{f(0), nil, nil}, feature.ErrShape},
		{"of a statistic", feature.Mode{Train: true}, nil, [][]float32{nil, nil, f(3)}, feature.ErrParam},
		{"tracking in evaluation", feature.Mode{Track: true}, nil, nil, feature.ErrMode},
	} {
		if err := feature.CheckGrad(described, c.mode, filled(3, 1), []string{"z", "h"}, c.dx, c.dp); !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, want %v", c.name, err, c.want)
		}
	}
}

func TestCheckParam(t *testing.T) {
	for _, c := range []struct {
		i, length int
		want      error
	}{
		{0, 6, nil}, {1, 2, nil}, {2, 3, nil},
		{-1, 6, feature.ErrParam}, {3, 3, feature.ErrParam}, {0, 5, feature.ErrShape}, {0, 0, feature.ErrShape}, {2, 6, feature.ErrShape},
	} {
		if err := feature.CheckParam(described, c.i, c.length); !errors.Is(err, c.want) {
			t.Errorf("parameter %d with %d elements: error is %v, want %v", c.i, c.length, err, c.want)
		}
	}
}

func TestChecksAllocateNothing(t *testing.T) {
	x, taps, out := filled(3, 1), []string{"z"}, []feature.Tensor{feature.NewTensor(3, 2, 1)}
	dp := feature.NewGradients(described)
	if n := testing.AllocsPerRun(10, func() {
		if feature.CheckForward(described, x, taps, out) != nil || feature.CheckGrad(described, feature.Mode{}, x, taps, nil, dp) != nil {
			t.Error("right arguments are refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
