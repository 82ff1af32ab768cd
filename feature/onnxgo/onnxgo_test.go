package onnxgo_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	onnxgo "github.com/owulveryck/onnx-go"
	"gorgonia.org/tensor"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
	"github.com/dlfd-go/unlearn/feature/onnx"
	backend "github.com/dlfd-go/unlearn/feature/onnxgo"
)

// square is the file of y = (x·w)·(x·w), element by element, with w = (2; 3): the
// node Mul reads one value twice.
func square() []byte {
	weights := onnxfile.Tensor("w", onnxfile.Float, []int{2, 1}, onnxfile.Raw(onnxfile.Floats([]float32{2, 3})))
	return onnxfile.Model(7, 13, "test",
		onnxfile.Node("MatMul", "", []string{"x", "w"}, []string{"h"}), onnxfile.Node("Mul", "", []string{"h", "h"}, []string{"y"}),
		onnxfile.Initializer(weights), onnxfile.Input("x", -1, 2), onnxfile.Output("y", -1, 1))
}

func Example() {
	b := backend.NewBackend(nil)
	model := onnxgo.NewModel(b)
	if err := model.UnmarshalBinary(square()); err != nil {
		panic(err)
	}
	x := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 0, 1, 1}))
	if err := model.SetInput(0, x); err != nil {
		panic(err)
	}
	if err := b.Run(); err != nil {
		panic(err)
	}
	out, err := model.GetOutputTensors()
	if err != nil {
		panic(err)
	}
	fmt.Println(out[0].Shape(), out[0].Data())

	m, err := b.Model() // can be trained, audited, unlearned
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Spec().Params[0].Name, m.Spec().Logits, m.Spec().Features)
	// Output:
	// (2, 1) [4 25]
	// w y y
}

// TestSameAsReader compares models that came through onnx-go with those that
// feature/onnx reads itself.
func TestSameAsReader(t *testing.T) {
	root := os.Getenv("UNLEARN_TESTDATA")
	if root == "" {
		t.Skip("UNLEARN_TESTDATA is not set")
	}
	// Not cnn.train: onnx-go cannot read its constant of type bool.
	for _, name := range []string{"mlp.dyn", "cnn_tr.dyn", "resnet18_tr.dyn", "mobilenet_v2_tr.dyn", "vit_tr.dyn"} {
		if testing.Short() && name == "resnet18_tr.dyn" {
			continue
		}
		path := filepath.Join(root, "onnx", name+".onnx")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := onnx.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := backend.Unmarshal(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := b.Model()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		x := feature.NewTensor(append([]int{2}, want.Spec().Input...)...)
		for i := range x.Data {
			x.Data[i] = float32(math.Sin(float64(i)))
		}
		if a, c := run(t, want, x), run(t, got, x); !slices.Equal(a, c) {
			t.Errorf("%s: %v through onnx-go, %v directly", name, c, a)
		}
		if len(got.Spec().Params) != len(want.Spec().Params) || got.Spec().Features != want.Spec().Features {
			t.Errorf("%s: %d parameters, features %q", name, len(got.Spec().Params), got.Spec().Features)
		}
	}
}

func run(t *testing.T, m feature.Model, x feature.Tensor) []float32 {
	t.Helper()
	y := feature.NewTensor(x.Rows(), m.Spec().Classes())
	if err := m.Forward(context.Background(), x, []string{m.Spec().Logits}, []feature.Tensor{y}); err != nil {
		t.Fatal(err)
	}
	return y.Data
}

// TestHugeDeclarations wants an error before onnx-go allocates.
func TestHugeDeclarations(t *testing.T) {
	data := onnxfile.Model(7, 13, "test", onnxfile.Node("Relu", "", []string{"x"}, []string{"y"}), onnxfile.Input("x", 1<<40, 1<<40), onnxfile.Output[int]("y"))
	if _, _, err := backend.Unmarshal(data); !errors.Is(err, onnx.ErrLimit) {
		t.Errorf("got %v", err)
	}
	if _, _, err := backend.Unmarshal(square()[:20]); !errors.Is(err, onnx.ErrFormat) {
		t.Errorf("cut off: %v", err)
	}
}

func TestRunWithoutInput(t *testing.T) {
	b := backend.NewBackend(&backend.Options{Opset: 13, Input: []int{2}})
	if _, err := b.Model(); !errors.Is(err, backend.ErrDecode) {
		t.Errorf("an empty backend: %v", err)
	}
	if err := onnxgo.NewModel(b).UnmarshalBinary(square()); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Model(); err != nil || !slices.Equal(m.Spec().Input, []int{2}) {
		t.Errorf("%v, %v", m, err)
	}
}
