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
	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/tensor"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/onnx"
	backend "github.com/dlfd-go/unlearn/feature/onnxgo"
)

func field(num protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), slices.Concat(parts...))
}

func number(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

func text(num protowire.Number, s string) []byte { return field(num, []byte(s)) }

func value(name string, dims ...[]byte) []byte {
	var shape []byte
	for _, d := range dims {
		shape = append(shape, field(1, d)...)
	}
	return slices.Concat(text(1, name), field(2, field(1, number(1, 1), field(2, shape))))
}

// square is the file of y = (x·w)·(x·w), element by element, with w = (2; 3): the
// node Mul reads one value twice.
func square() []byte {
	var raw []byte
	for _, v := range []float32{2, 3} {
		raw = protowire.AppendFixed32(raw, math.Float32bits(v))
	}
	batch := text(2, "batch")
	graph := slices.Concat(
		field(1, text(1, "x"), text(1, "w"), text(2, "h"), text(4, "MatMul")),
		field(1, text(1, "h"), text(1, "h"), text(2, "y"), text(4, "Mul")),
		field(5, number(1, 2), number(1, 1), number(2, 1), text(8, "w"), field(9, raw)),
		field(11, value("x", batch, number(1, 2))), field(12, value("y", batch, number(1, 1))))
	return slices.Concat(number(1, 7), field(7, graph), field(8, text(1, ""), number(2, 13)))
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
	huge := number(1, 1<<40)
	graph := slices.Concat(field(1, text(1, "x"), text(2, "y"), text(4, "Relu")), field(11, value("x", huge, huge)), field(12, value("y")))
	data := slices.Concat(number(1, 7), field(7, graph), field(8, text(1, ""), number(2, 13)))
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
