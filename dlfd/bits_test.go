package dlfd_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/released"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// TestBitsBeforeAndAfter prints one hash of the weights for each method and
// problem. It pins behavior during a redesign.
func TestBitsBeforeAndAfter(t *testing.T) {
	if os.Getenv("UNLEARN_BITS") == "" {
		t.Skip("UNLEARN_BITS is not set")
	}
	root := os.Getenv("UNLEARN_TESTDATA")
	for _, c := range []struct{ pack, label string }{{"cmu-faces", "pose"}, {"yaleb-ext", "az_sign"}} {
		read := func(split string) *dataset.Set {
			d, err := dataset.CSV(filepath.Join(root, c.pack, "metadata.csv"), &dataset.CSVOptions{
				Image: dataset.ImageOptions{Size: [2]int{32, 32}, Channels: 1},
				Path:  "path", Identity: "identity", Label: c.label,
				Where: map[string][]string{"split": {split}, "holdout": {"0"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			d, err = d.Normalize(feature.Pixels{Mean: []float64{.28}, Std: []float64{.25}})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		data := dlfd.Data{Retain: read("retain"), Forget: read("forget"), Holdout: read("unseen")}
		network := func(seed uint64) (*nn.Network, error) {
			return nn.ResNet(nn.ResNetConfig{Input: []int{1, 32, 32}, Classes: data.Retain.Classes(), Widths: []int{16, 32, 64}, Stem: 2, Seed: seed})
		}
		all, err := feature.Concat(data.Retain, data.Forget)
		if err != nil {
			t.Fatal(err)
		}
		m, err := network(1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := train.Fit(context.Background(), m, all, &train.Options{Epochs: 3}); err != nil {
			t.Fatal(err)
		}
		hash(t, c.pack, "Fit", m)
		for _, u := range bitMethods(func(seed uint64) (feature.Trainable, error) { return network(seed) }) {
			n, err := m.Clone()
			if err != nil {
				t.Fatal(err)
			}
			runBits(t, c.pack, u, n, data)
		}
	}
	file := func() *onnx.Model {
		m, err := onnx.Load(filepath.Join(root, "fashion-cnn", "orig-bn.onnx"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	data := fashion(t, root)
	for _, u := range bitMethods(func(uint64) (feature.Trainable, error) { return file(), nil }) {
		runBits(t, "fashion-cnn", u, file(), data)
	}
}

func runBits(t *testing.T, pack string, u dlfd.Unlearner, m feature.Trainable, data dlfd.Data) {
	t.Helper()
	if _, err := u.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 42}); err != nil {
		t.Fatal(err)
	}
	hash(t, pack, dlfd.NameOf(u), m)
}

func bitMethods(fresh func(uint64) (feature.Trainable, error)) []dlfd.Unlearner {
	return []dlfd.Unlearner{
		released.Method{}, dlfd.DLFD{}, dlfd.Align{}, baseline.FineTune{}, baseline.NegGradPlus{},
		baseline.Retrain{Fresh: fresh, Epochs: 2, Schedule: train.Cosine},
	}
}

// fashion is a part of Fashion-MNIST: 600 retained, 100 forgotten, 100 held out.
func fashion(t *testing.T, root string) dlfd.Data {
	t.Helper()
	d, err := dataset.IDX(filepath.Join(root, "fashion-mnist", "train-images-idx3-ubyte.gz"), filepath.Join(root, "fashion-mnist", "train-labels-idx1-ubyte.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	take := func(lo, n int) feature.Dataset {
		s := dataset.Samples{X: feature.NewTensor(n, 1, 32, 32), Labels: make([]int, n)}
		x := make([]float32, 784)
		for i := range n {
			if err := d.Read([]int{lo + i}, x, s.Labels[i:i+1]); err != nil {
				t.Fatal(err)
			}
			for y := range 28 {
				copy(s.X.Row(i)[(y+2)*32+2:], x[y*28:(y+1)*28])
			}
		}
		for c := range 10 {
			s.Labels[c] = c
		}
		s.Pixels = feature.Pixels{Mean: []float64{.2860}, Std: []float64{.3530}}
		set, err := dataset.Memory(s)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	return dlfd.Data{Retain: take(0, 600), Forget: take(600, 100), Holdout: take(700, 100)}
}

func hash(t *testing.T, pack, method string, m feature.Trainable) {
	t.Helper()
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, p := range w {
		for _, v := range p {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
	}
	fmt.Printf("BITS %s %s %x\n", pack, method, h.Sum(nil)[:8])
}
