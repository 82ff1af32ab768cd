package main

import (
	"fmt"
	"path/filepath"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// fashionEpochs is how long the convolutional network of fashion-cnn was trained.
const fashionEpochs = 14

// fashionPixels normalizes as that network wants it.
var fashionPixels = feature.Pixels{Mean: []float64{.2860}, Std: []float64{.3530}}

// fashionSplit reads the split of fashion-cnn. The images get a margin of black
// pixels on every side.
func (f *flags) fashionSplit(name string, margin int) (*source, error) {
	dir := filepath.Join(f.testdata, "fashion-mnist")
	all, err := readIDX(dir, "train", dataset.ImageOptions{})
	if err != nil {
		return nil, err
	}
	test, err := readIDX(dir, "t10k", dataset.ImageOptions{})
	if err != nil {
		return nil, err
	}
	index := make(map[string][]int)
	for _, part := range []string{"retain", "forget", "holdout"} {
		if index[part], err = readIndex(filepath.Join(f.testdata, "fashion-cnn", part+".npy"), all.Len()); err != nil {
			return nil, err
		}
	}
	kept := len(index["retain"])
	s := &source{name: name, forget: func(i int) bool { return i >= kept }}
	if s.train, err = padded(all, append(index["retain"], index["forget"]...), margin); err != nil {
		return nil, err
	}
	if s.unseen, err = padded(all, index["holdout"], margin); err != nil {
		return nil, err
	}
	s.test, err = padded(test, nil, margin)
	return s, err
}

// fashionConv has models that PyTorch trained: an original and three retrained ones.
func (f *flags) fashionConv(name, original string) (*experiment.Task, error) {
	s, err := f.fashionSplit(name, 2)
	if err != nil {
		return nil, err
	}
	s.settings = map[string]any{"original": original}
	t := s.task(experiment.Recipe{Epochs: fashionEpochs, BatchSize: f.batch})
	dir := filepath.Join(f.testdata, "fashion-cnn")
	if t.Original, err = onnx.Load(filepath.Join(dir, original), nil); err != nil {
		return nil, err
	}
	for k := 1; k <= 3; k++ {
		m, err := onnx.Load(filepath.Join(dir, fmt.Sprintf("retrain-%d.onnx", k)), nil)
		if err != nil {
			return nil, err
		}
		t.Retrained = append(t.Retrained, m)
	}
	return t, nil
}

// fashionMLP is a perceptron on the same split, without padding.
func (f *flags) fashionMLP() (*experiment.Task, error) {
	s, err := f.fashionSplit("fashion-mlp", 0)
	if err != nil {
		return nil, err
	}
	s.settings = map[string]any{"hidden": []int{128, 64}}
	return s.task(f.recipe(20, func(seed uint64) (feature.Trainable, error) {
		return nn.MLP(nn.MLPConfig{Input: s.train.Shape(), Classes: s.train.Classes(), Seed: seed})
	})), nil
}

// readIndex reads positions in a set of n samples.
func readIndex(file string, n int) ([]int, error) {
	t, err := dataset.NPY(file)
	if err != nil {
		return nil, err
	}
	index := make([]int, len(t.Data))
	for k, v := range t.Data {
		index[k] = int(v)
		if index[k] < 0 || index[k] >= n {
			return nil, fmt.Errorf("%s: position %d is %v, and there are %d samples", file, k, v, n)
		}
	}
	return index, nil
}

// padded returns samples of a set of gray images, all if index is nil, with a margin
// of black pixels, normalized for Fashion-MNIST.
func padded(set *dataset.Set, index []int, margin int) (feature.Dataset, error) {
	var d feature.Dataset = set
	var err error
	if index != nil {
		if d, err = feature.Subset(set, index); err != nil {
			return nil, err
		}
	}
	b, err := feature.ReadAll(d)
	if err != nil {
		return nil, err
	}
	h, w := set.Shape()[1], set.Shape()[2]
	x := feature.NewTensor(d.Len(), 1, h+2*margin, w+2*margin)
	for i := range d.Len() {
		from, to := b.X.Row(i), x.Row(i)
		for y := range h {
			copy(to[(y+margin)*(w+2*margin)+margin:], from[y*w:(y+1)*w])
		}
	}
	return dataset.Memory(dataset.Samples{X: x, Labels: b.Labels, Pixels: fashionPixels})
}
