package nn

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// deepGolden is one entry of testdata/deep.json, written by testdata/deep.py
// with torchvision in float64.
type deepGolden struct {
	List       string
	Count      int
	Logits, DX []float64
	DP         map[string][]float64
}

// deep lists the networks of torchvision.
var deep = map[string]func(input []int, classes int) (*Network, error){
	"densenet121": func(input []int, classes int) (*Network, error) {
		return DenseNet121(DenseNet121Config{Input: input, Classes: classes})
	},
	"efficientnet_b0": func(input []int, classes int) (*Network, error) {
		return EfficientNetB0(EfficientNetB0Config{Input: input, Classes: classes})
	},
	"resnet18": func(input []int, classes int) (*Network, error) {
		return ResNet18(ResNet18Config{Input: input, Classes: classes})
	},
}

func deepGoldens(t *testing.T) map[string]deepGolden {
	t.Helper()
	raw, err := os.ReadFile("testdata/deep.json")
	if err != nil {
		t.Fatal(err)
	}
	var g map[string]deepGolden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if len(g) != len(deep) {
		t.Fatalf("%d goldens for %d networks", len(g), len(deep))
	}
	return g
}

// TestParametersOfTorchvision compares names, shapes, order and number of the
// parameters at 1000 classes.
func TestParametersOfTorchvision(t *testing.T) {
	for name, want := range deepGoldens(t) {
		net, err := deep[name]([]int{3, 32, 32}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		count := 0
		for _, p := range net.Spec().Params {
			shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(p.Shape), "[]"), " ", "×")
			fmt.Fprintf(&lines, "%s %s\n", p.Name, shape)
			if p.Trainable {
				count += feature.Size(p.Shape)
			}
		}
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(lines.String()))); got != want.List || count != want.Count {
			t.Errorf("%s: %d parameters, want %d; list has hash %s, want %s", name, count, want.Count, got, want.List)
		}
	}
}

// TestDeepNetworksAgainstTorchvision compares logits and gradients.
func TestDeepNetworksAgainstTorchvision(t *testing.T) {
	if testing.Short() {
		t.Skip("twenty million parameters")
	}
	for name, want := range deepGoldens(t) {
		t.Run(name, func(t *testing.T) { compareDeep(t, deep[name], want) })
	}
}

func compareDeep(t *testing.T, build func([]int, int) (*Network, error), want deepGolden) {
	net, err := build([]int{3, 32, 32}, 3)
	if err != nil {
		t.Fatal(err)
	}
	dp := make([][]float32, len(net.weights()))
	index := map[string]int{}
	for i, p := range net.Spec().Params {
		fillDeep(net.weights()[i], i, p)
		index[p.Name] = i
		if want.DP[p.Name] != nil {
			dp[i] = make([]float32, len(net.weights()[i]))
		}
	}
	x := feature.NewTensor(2, 3, 32, 32)
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(float64(i*i) / 7))
	}
	dx := make([]float32, len(x.Data))
	var logits []float32
	err = net.Grad(context.Background(), x, []string{"logits"}, func(val, cot []feature.Tensor) error {
		logits = slices.Clone(val[0].Data)
		for k := range cot[0].Data {
			cot[0].Data[k] += float32(math.Cos(float64(k)))
		}
		return nil
	}, dx, dp)
	if err != nil {
		t.Fatal(err)
	}
	some := make([]float32, len(want.DX))
	for i := range some {
		some[i] = dx[i*409]
	}
	compareDeepValues(t, "logits", logits, want.Logits)
	compareDeepValues(t, "dx", some, want.DX)
	for name, g := range want.DP {
		compareDeepValues(t, name, dp[index[name]][:len(g)], g)
	}
}

// fillDeep sets parameter number p by the formula of testdata/deep.py.
func fillDeep(w []float32, p int, of feature.Param) {
	a := .2
	if len(of.Shape) > 1 {
		a = math.Sqrt(2 / float64(feature.Size(of.Shape[1:])))
	}
	for k := range w {
		v := a * math.Sin(float64(p)+.7*float64(k*k))
		switch {
		case strings.HasSuffix(of.Name, "running_var"):
			v = v*v + .5
		case len(of.Shape) == 1 && strings.HasSuffix(of.Name, "weight"):
			v++
		}
		w[k] = float32(v)
	}
}

// compareDeepValues allows 2e-4 of the largest value: the roundings of float32,
// 6e-8 each, through up to 121 layers, and of a few rectifiers at their kink.
func compareDeepValues(t *testing.T, name string, got []float32, want []float64) {
	t.Helper()
	scale := 0.0
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	for i, v := range want {
		if d := math.Abs(float64(got[i]) - v); !(d <= 2e-4*scale) {
			t.Errorf("%s: element %d is %v, torchvision has %v", name, i, got[i], v)
		}
	}
}

// TestHeadOfThePaper checks the head 512-256-128-classes of Choi and Na.
func TestHeadOfThePaper(t *testing.T) {
	input, hidden := []int{3, 32, 32}, []int{256, 128}
	res, err := ResNet18(ResNet18Config{Input: input, Classes: 8, Hidden: hidden, Dropout: .5})
	if err != nil {
		t.Fatal(err)
	}
	dense, err := DenseNet121(DenseNet121Config{Input: input, Classes: 8, Hidden: hidden, Dropout: .5})
	if err != nil {
		t.Fatal(err)
	}
	eff, err := EfficientNetB0(EfficientNetB0Config{Input: input, Classes: 8, Hidden: hidden, Dropout: .5})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		net   *Network
		name  string
		wants [][]int
	}{
		{res, "fc", [][]int{{256, 512}, {128, 256}, {8, 128}}},
		{dense, "classifier", [][]int{{256, 1024}, {128, 256}, {8, 128}}},
		{eff, "classifier", [][]int{{256, 1280}, {128, 256}, {8, 128}}},
	} {
		shapes := map[string][]int{}
		for _, p := range c.net.Spec().Params {
			shapes[p.Name] = p.Shape
		}
		for i, want := range c.wants {
			if name := fmt.Sprintf("%s.%d.weight", c.name, 3*i); !slices.Equal(shapes[name], want) {
				t.Errorf("%s is %v, want %v", name, shapes[name], want)
			}
		}
	}
}

// TestStochasticDepth checks the rates: torchvision's for blocks with a
// shortcut, here times 16.
func TestStochasticDepth(t *testing.T) {
	net, err := EfficientNetB0(EfficientNetB0Config{Input: []int{3, 32, 32}, Classes: 3, DropPath: .2})
	if err != nil {
		t.Fatal(err)
	}
	var blocks []float64
	for _, l := range net.arch.Layers {
		if l.Op == "droppath" {
			blocks = append(blocks, math.Round(l.Rate*16/.2))
		}
	}
	if want := []float64{2, 4, 6, 7, 9, 10, 12, 13, 14}; !slices.Equal(blocks, want) {
		t.Errorf("blocks %v drop their branch, want %v", blocks, want)
	}
}
