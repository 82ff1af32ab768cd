package nn_test

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// everyLayer is a network with one layer of each kind.
func everyLayer(t *testing.T) *nn.Network {
	t.Helper()
	b := nn.NewBuilder(3, 3, 8, 8)
	x := b.SiLU(b.Conv("a", b.Input(), nn.Conv{Out: 6, Kernel: 3, Pad: 1, Group: 3, Bias: true}))
	x = b.Tap("pooled", b.MaxPool(x, 2, 2, 0))
	y := b.GELU(b.Conv("b", x, nn.Conv{Out: 6, Kernel: 2, Stride: 2}))
	x = b.Concat(0, b.AveragePool(x, 3, 2, 1), b.Mul(b.ReLU(y), b.Sigmoid(b.GlobalAveragePool(y))))
	x = b.Reshape(b.Add(x, b.Tanh(x)), 24, -1)
	x = b.Dropout(b.Tanh(b.BatchNorm("norm", b.Linear("c", b.Flatten(x), 10))), .3)
	n, err := b.Build(b.Linear("d", x, 4))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func networks(t *testing.T) map[string]*nn.Network {
	t.Helper()
	mlp, err := nn.MLP(nn.MLPConfig{Input: []int{3, 4}, Classes: 3, Hidden: []int{9, 7}, Dropout: .2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	res, err := nn.ResNet(nn.ResNetConfig{Input: []int{2, 9, 8}, Classes: 3, Widths: []int{4, 6}, Hidden: []int{7}, Dropout: .2, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*nn.Network{"mlp": mlp, "resnet": res, "all": everyLayer(t)}
}

// TestExport reads exported networks back and compares logits, features and
// the gradients of all parameters, in evaluation and, where masks do not differ,
// training.
func TestExport(t *testing.T) {
	for name, n := range networks(t) {
		var file bytes.Buffer
		if err := n.WriteONNX(&file); err != nil {
			t.Fatal(err)
		}
		m, err := onnx.Read(&file, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := n.Spec()
		x := feature.NewTensor(append([]int{3}, s.Input...)...)
		for i := range x.Data {
			x.Data[i] = float32(math.Sin(float64(i)))
		}
		a, b := gradients(t, n, x), gradients(t, m, x)
		if len(a) != len(b) {
			t.Errorf("%s: %d parameters, %d after the export", name, len(a), len(b))
		}
		for p, g := range a {
			for i, v := range g {
				if d := math.Abs(float64(v - b[p][i])); !(d <= 1e-4*(1+math.Abs(float64(v)))) {
					t.Fatalf("%s: %s: element %d is %v, %v after the export", name, p, i, v, b[p][i])
				}
			}
		}
	}
}

// gradients returns logits, input gradient and the gradients of the parameters by
// name.
func gradients(t *testing.T, m feature.Trainable, x feature.Tensor) map[string][]float32 {
	t.Helper()
	s := m.Spec()
	dx, dp := make([]float32, len(x.Data)), feature.NewGradients(s)
	out := map[string][]float32{"input": dx}
	loss := func(val, cot []feature.Tensor) error {
		out["logits"] = slices.Clone(val[0].Data)
		for i, v := range val[0].Data {
			cot[0].Data[i] = 2 * v
		}
		return nil
	}
	if err := m.Grad(context.Background(), x, []string{s.Logits}, loss, dx, dp); err != nil {
		t.Fatal(err)
	}
	for i, p := range s.Params {
		out["parameter "+p.Name] = dp[i]
	}
	return out
}

func TestSaveONNX(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.onnx")
	n := everyLayer(t)
	if err := n.SaveONNX(path); err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := n.WriteONNX(&want); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the file holds other bytes (%v)", err)
	}
	if err := n.SaveONNX(filepath.Join(t.TempDir(), "no", "net.onnx")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
