package main

import (
	"fmt"
	"path/filepath"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// side is the height and the width of face images.
const side = 32

// source is data before it is decided what must go.
type source struct {
	name  string
	train feature.Dataset
	// forget says what must go, if the data do.
	forget       func(i int) bool
	unseen, test feature.Dataset
	settings     map[string]any
}

// pack is the task that examples/faces has for a pack: the same images, the same
// network, the same training.
func (f *flags) pack(name, dir, label string) (*experiment.Task, error) {
	s, err := readPack(name, dir, label, dataset.ImageOptions{Size: [2]int{side, side}, Channels: 1}, feature.Pixels{})
	if err != nil {
		return nil, err
	}
	return s.task(f.recipe(30, residual(s.train))), nil
}

// task leaves it to the data what must go.
func (s *source) task(r experiment.Recipe) *experiment.Task {
	return &experiment.Task{Name: s.name, Settings: s.settings, Train: s.train, Forget: s.forget, Unseen: s.unseen, Test: s.test, Recipe: r}
}

// readPack reads the splits of a folder with metadata.csv, normalized by pixels, or by
// the training images if that is empty.
func readPack(name, dir, label string, o dataset.ImageOptions, pixels feature.Pixels) (*source, error) {
	sets := make(map[string]*dataset.Set)
	for _, split := range []string{"retain", "forget", "test", "unseen"} {
		set, err := dataset.CSV(filepath.Join(dir, "metadata.csv"), &dataset.CSVOptions{
			Image: o, Path: "path", Identity: "identity", Label: label,
			Where: map[string][]string{"split": {split}, "holdout": {"0"}},
		})
		if err != nil {
			return nil, fmt.Errorf("split %s: %w", split, err)
		}
		sets[split] = set
	}
	if len(pixels.Mean) == 0 {
		training, err := feature.Concat(sets["retain"], sets["forget"])
		if err != nil {
			return nil, err
		}
		if pixels, err = dataset.ComputePixels(training); err != nil {
			return nil, err
		}
	}
	for name, set := range sets {
		var err error
		if sets[name], err = set.Normalize(pixels); err != nil {
			return nil, err
		}
	}
	s := &source{name: name, unseen: sets["unseen"], test: sets["test"], settings: map[string]any{"label": label}}
	kept := sets["retain"].Len()
	s.forget = func(i int) bool { return i >= kept }
	var err error
	s.train, err = feature.Concat(sets["retain"], sets["forget"])
	return s, err
}
