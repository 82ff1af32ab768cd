package main

import (
	"fmt"
	"path/filepath"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/examples/drawnfaces"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// side is the height and the width of face images.
const side = drawnfaces.Side

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

// drawn is the task of examples/faces without a pack: faces that are drawn, by their
// expressions.
func (f *flags) drawn() (*experiment.Task, error) {
	crowd := drawnfaces.Default()
	d, err := drawnfaces.Draw(crowd)
	if err != nil {
		return nil, err
	}
	s, err := split(drawnTask, map[string]*dataset.Set{"retain": d.Retain, "forget": d.Forget, "test": d.Test, "unseen": d.Unseen}, feature.Pixels{})
	if err != nil {
		return nil, err
	}
	s.settings = map[string]any{"crowd": crowd}
	return s.task(f.recipe(16, residual(s.train))), nil
}

// readPack reads the splits of a folder with metadata.csv; see split.
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
	s, err := split(name, sets, pixels)
	if err == nil {
		s.settings = map[string]any{"label": label}
	}
	return s, err
}

// split makes a source of four splits, normalized by pixels, or by the training images
// if that is empty. What is in the split forget must go.
func split(name string, sets map[string]*dataset.Set, pixels feature.Pixels) (*source, error) {
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
	kept := sets["retain"].Len()
	s := &source{name: name, unseen: sets["unseen"], test: sets["test"], forget: func(i int) bool { return i >= kept }}
	var err error
	s.train, err = feature.Concat(sets["retain"], sets["forget"])
	return s, err
}
