package onnx_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// foldedFile returns a file as exports write residual networks: convolutions with
// biases, without batch norm.
func foldedFile(t *testing.T) []byte {
	t.Helper()
	b := nn.NewBuilder(3, 2, 8, 8)
	conv := func(name string, x nn.Value, group int) nn.Value {
		return b.Conv(name, x, nn.Conv{Out: 8, Kernel: 3, Pad: 1, Group: group, Bias: true})
	}
	x := b.ReLU(conv("stem", b.Input(), 1))
	x = b.ReLU(b.Add(conv("two", b.ReLU(conv("one", x, 8)), 1), x))
	n, err := b.Build(b.Linear("fc", b.Flatten(b.GlobalAveragePool(x)), 3))
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := n.WriteONNX(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func read(t *testing.T, file []byte) *onnx.Model {
	t.Helper()
	m, err := onnx.Read(bytes.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bytesOf(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := m.Write(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// noise is a dataset of drawn samples.
type noise struct {
	shape      []int
	n, classes int
}

func (d noise) Len() int     { return d.n }
func (d noise) Shape() []int { return d.shape }
func (d noise) Classes() int { return d.classes }

func (d noise) Read(index []int, x []float32, labels []int) error {
	size := feature.Size(d.shape)
	for i, k := range index {
		src := rng.Stream(uint64(k), "noise")
		labels[i] = k % d.classes
		for j := range size {
			x[i*size+j] = float32(src.NormFloat64())
		}
	}
	return nil
}

func TestNormLaws(t *testing.T) {
	featuretest.RunNorms(t, read(t, foldedFile(t)), &featuretest.Options{Tolerance: .1})
}

// TestFoldedFileHasOtherNumbersOnly: with the old weights in the new file it is
// the old one, byte for byte, and without a change it is so at once.
func TestFoldedFileHasOtherNumbersOnly(t *testing.T) {
	file := foldedFile(t)
	m := read(t, file)
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	normed, err := m.InsertNorms(t.Context(), noise{m.Spec().Input, 64, 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := normed.Fold(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytesOf(t, m), file) {
		t.Error("folding norms that did nothing changed the file")
	}
	for i, p := range normed.Spec().Params {
		if err := feature.UpdateParam(normed, i, make([]float32, feature.Size(p.Shape)), func(w []float32) {
			for j := range w {
				w[j] *= 1.25
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := normed.Fold(); err != nil {
		t.Fatal(err)
	}
	changed := bytesOf(t, m)
	if bytes.Equal(changed, file) {
		t.Fatal("folding changed nothing")
	}
	back := read(t, changed)
	if err := old.Restore(back); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytesOf(t, back), file) {
		t.Error("more than numbers differ")
	}
}

// TestNormsOfExports: files of PyTorch keep the laws, where there are any.
func TestNormsOfExports(t *testing.T) {
	root := os.Getenv("UNLEARN_TESTDATA")
	if root == "" {
		t.Skip("UNLEARN_TESTDATA is not set")
	}
	for _, name := range []string{"mlp.dyn", "cnn.dyn", "cnn_tr.dyn", "mobilenet_v2_tr.dyn", "resnet18_tr.dyn", "vit_tr.dyn"} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "cnn.dyn" {
				t.Skip("large")
			}
			m, err := onnx.Load(filepath.Join(root, "onnx", name+".onnx"), nil)
			if err != nil {
				t.Fatal(err)
			}
			d := noise{m.Spec().Input, 64, m.Spec().Classes()}
			n, err := m.InsertNorms(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			x, labels := feature.NewTensor(append([]int{4}, d.shape...)...), make([]int, 4)
			if err := d.Read([]int{0, 1, 2, 3}, x.Data, labels); err != nil {
				t.Fatal(err)
			}
			alike(t, "inserted", m, n, x)
			for i, p := range n.Spec().Params {
				src := rng.Stream(1, "factors", i)
				if err := feature.UpdateParam(n, i, make([]float32, feature.Size(p.Shape)), func(w []float32) {
					for j := range w {
						w[j] *= float32(.9 + .2*src.Float64())
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			if err := n.Fold(); err != nil {
				t.Fatal(err)
			}
			alike(t, "folded", m, n, x)
		})
	}
}

// alike compares logits: no further apart than 1e-5 of the largest.
func alike(t *testing.T, what string, m, n feature.Model, x feature.Tensor) {
	t.Helper()
	logits := func(m feature.Model) []float32 {
		out := feature.NewTensor(x.Rows(), m.Spec().Outputs())
		if err := m.Forward(t.Context(), x, []string{m.Spec().Logits}, []feature.Tensor{out}); err != nil {
			t.Fatal(err)
		}
		return out.Data
	}
	a, b := logits(m), logits(n)
	var top, apart float64
	for i, v := range a {
		top, apart = max(top, math.Abs(float64(v))), max(apart, math.Abs(float64(v)-float64(b[i])))
	}
	if !(apart <= 1e-5*top) {
		t.Errorf("%s: logits are %.2g of the largest apart", what, apart/top)
	}
}
