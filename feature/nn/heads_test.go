package nn_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// TestHeads wants a network with heads back from its own format and, from the
// probabilities that it is exported with, through ONNX.
func TestHeads(t *testing.T) {
	heads := feature.Heads{{Name: "tilt", Width: 3}, {Name: "fc.weight", Kind: feature.SigmoidHead, Width: 1}, {Width: 2}}
	net, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Heads: heads, Widths: []int{4, 6}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	featuretest.Run(t, net, nil)
	path := filepath.Join(t.TempDir(), "net.safetensors")
	if err := net.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := nn.Load(path)
	if err != nil || !slices.Equal(loaded.Spec().Heads, heads) {
		t.Fatalf("heads %+v, %v", loaded.Spec().Heads, err)
	}
	var file bytes.Buffer
	if err := net.WriteONNX(&file); err != nil {
		t.Fatal(err)
	}
	names := []string{"tilt", "head 1", "head 2"} // "fc.weight" is a parameter
	read, err := onnx.Read(bytes.NewReader(file.Bytes()), &onnx.Options{Heads: names})
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range read.Spec().Heads {
		if h.Name != names[i] || h.Kind != heads[i].Kind || h.Width != heads[i].Width {
			t.Errorf("head %d is %+v, was %+v", i, h, heads[i])
		}
	}
	x := feature.NewTensor(3, 1, 8, 8)
	for i := range x.Data {
		x.Data[i] = float32(i%7) / 7
	}
	var out [2]feature.Tensor
	for i, m := range []feature.Model{net, read} {
		out[i] = feature.NewTensor(3, 6)
		if err := m.Forward(t.Context(), x, []string{m.Spec().Logits}, out[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(out[0].Data, out[1].Data) {
		t.Errorf("logits %v, through ONNX %v", out[0].Data, out[1].Data)
	}
	for _, c := range []nn.MLPConfig{
		{Input: []int{4}, Classes: 5, Heads: heads},
		{Input: []int{4}, Heads: feature.Heads{{Width: 1}}},
	} {
		if _, err := nn.MLP(c); !errors.Is(err, nn.ErrArchitecture) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
