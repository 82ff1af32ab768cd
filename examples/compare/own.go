package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// own is the task of -data or -idx, with -model where it is given.
func (f *flags) own(ctx context.Context) (*experiment.Task, error) {
	var original *onnx.Model
	var err error
	if f.model != "" {
		if original, err = onnx.Load(f.model, nil); err != nil {
			return nil, err
		}
	}
	s, err := f.source(original)
	if err != nil {
		return nil, err
	}
	fresh := residual(s.train)
	if original != nil {
		fresh = func(seed uint64) (feature.Trainable, error) {
			m, err := original.Clone()
			if err == nil {
				err = feature.Reinitialize(m, nil, seed)
			}
			return m, err
		}
	}
	r := f.recipe(30, fresh)
	if err := f.choose(ctx, s, r); err != nil {
		return nil, err
	}
	t := s.task(r)
	t.AllowOverlap = f.forget != "" && f.forget != "identity"
	if original != nil {
		t.Original = original
	}
	for _, file := range f.retrained {
		m, err := onnx.Load(file, nil)
		if err != nil {
			return nil, err
		}
		t.Retrained = append(t.Retrained, m)
	}
	return t, nil
}

// source reads the images of -data or -idx, as the model wants them where there is one.
func (f *flags) source(m *onnx.Model) (*source, error) {
	o := dataset.ImageOptions{}
	if m != nil {
		input := m.Spec().Input
		if len(input) != 3 {
			return nil, fmt.Errorf("the model wants samples of shape %v, and images are channels×height×width", input)
		}
		o.Channels, o.Size = input[0], [2]int{input[1], input[2]}
	}
	if f.data != "" {
		return f.folder(o)
	}
	return f.mnist(o)
}

// folder reads a folder with metadata.csv. Images are 32×32 and gray by default.
func (f *flags) folder(o dataset.ImageOptions) (*source, error) {
	if o.Channels == 0 {
		o.Channels, o.Size = 1, [2]int{side, side}
	}
	return readPack(filepath.Base(f.data), f.data, f.label, o, f.pixels())
}

// pixels is the normalization of the flags, which is empty without any.
func (f *flags) pixels() feature.Pixels { return feature.Pixels{Mean: f.mean, Std: f.std} }

// mnist reads the files of -idx: the first images for training train, and those for
// tests are unseen in one half and judge in the other.
func (f *flags) mnist(o dataset.ImageOptions) (*source, error) {
	all, err := readIDX(f.idx, "train", o)
	if err != nil {
		return nil, err
	}
	test, err := readIDX(f.idx, "t10k", o)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(f.idx, all, test); err != nil {
		return nil, err
	}
	training, err := feature.Subset(all, span(0, min(f.limit, all.Len())))
	if err != nil {
		return nil, err
	}
	pixels := f.pixels()
	if len(pixels.Mean) == 0 {
		if pixels, err = dataset.ComputePixels(training); err != nil {
			return nil, err
		}
	}
	for _, set := range []*(*dataset.Set){&all, &test} {
		if *set, err = (*set).Normalize(pixels); err != nil {
			return nil, err
		}
	}
	s := &source{name: filepath.Base(f.idx), settings: map[string]any{"limit": f.limit}}
	half := min(f.limit, test.Len()/2)
	for _, part := range []struct {
		set   *feature.Dataset
		from  feature.Dataset
		index []int
	}{{&s.train, all, span(0, training.Len())}, {&s.unseen, test, span(0, half)}, {&s.test, test, span(half, test.Len())}} {
		if *part.set, err = feature.Subset(part.from, part.index); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// span returns the numbers from one on to below another.
func span(from, to int) []int {
	index := make([]int, to-from)
	for k := range index {
		index[k] = from + k
	}
	return index
}
