package nn

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// golden is testdata/golden.json, written by testdata/golden.py with PyTorch in
// float64.
type golden struct {
	Params      []string
	Eval, Train goldenPass
	Running     map[string][]float64
}

type goldenPass struct {
	Logits, DX []float64
	DP         map[string][]float64
}

// TestAgainstPyTorch compares values, gradients and running statistics.
func TestAgainstPyTorch(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	net, err := ResNet(ResNetConfig{Input: []int{2, 6, 5}, Classes: 3, Widths: []int{3, 4}, Blocks: []int{1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	index := goldenWeights(t, net, g.Params)
	x := feature.NewTensor(3, 2, 6, 5)
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(float64(i*i) / 7))
	}
	comparePass(t, "eval", net, feature.Mode{}, x, g.Eval, index)
	comparePass(t, "train", net, feature.Mode{Train: true, Track: true}, x, g.Train, index)
	for name, want := range g.Running {
		got := make([]float32, len(want))
		if err := net.GetParam(index[name], got); err != nil {
			t.Fatal(err)
		}
		compareAll(t, name, got, want)
	}
}

// goldenWeights sets the parameters by the formula and returns their numbers.
func goldenWeights(t *testing.T, net *Network, names []string) map[string]int {
	t.Helper()
	index := map[string]int{}
	for i, p := range net.Spec().Params {
		index[p.Name] = i
	}
	if len(index) != len(names) {
		t.Fatalf("%d parameters, want %d", len(index), len(names))
	}
	for p, name := range names {
		i, ok := index[name]
		if !ok {
			t.Fatalf("no parameter %q", name)
		}
		w := make([]float32, feature.Size(net.Spec().Params[i].Shape))
		for k := range w {
			v := math.Sin(float64(1+7*p+3*k)) / 3
			switch {
			case strings.HasSuffix(name, "running_var"):
				v = v*v + .5
			case strings.HasSuffix(name, "weight") && len(net.Spec().Params[i].Shape) == 1:
				v++
			}
			w[k] = float32(v)
		}
		if err := net.SetParam(i, w); err != nil {
			t.Fatal(err)
		}
	}
	return index
}

func comparePass(t *testing.T, name string, net *Network, mode feature.Mode, x feature.Tensor, want goldenPass, index map[string]int) {
	t.Helper()
	dx, dp := make([]float32, len(x.Data)), feature.NewGradients(net.Spec())
	var logits []float32
	err := net.GradMode(context.Background(), mode, x, []string{"logits"}, func(val, cot []feature.Tensor) error {
		logits = val[0].Clone().Data
		for k := range cot[0].Data {
			cot[0].Data[k] += float32(math.Cos(float64(k)))
		}
		return nil
	}, dx, dp)
	if err != nil {
		t.Fatal(err)
	}
	compareAll(t, name+" logits", logits, want.Logits)
	compareAll(t, name+" dx", dx, want.DX)
	for p, g := range want.DP {
		compareAll(t, name+" "+p, dp[index[p]], g)
	}
}

// compareAll allows 1e-5 of the largest value: float32 through seven layers.
func compareAll(t *testing.T, name string, got []float32, want []float64) {
	t.Helper()
	scale := 1e-2
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	for i, v := range want {
		if d := math.Abs(float64(got[i]) - v); !(d <= 1e-5*scale) {
			t.Errorf("%s: element %d is %v, PyTorch has %v", name, i, got[i], v)
		}
	}
}
