package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// namedTask is a task that -task names.
type namedTask struct {
	name string
	make func(f *flags) (*experiment.Task, error)
}

// drawnTask is the one that needs no files.
const drawnTask = "drawn-faces"

// namedTasks are all of them.
func namedTasks() []namedTask {
	return []namedTask{
		{"yaleb-light", func(f *flags) (*experiment.Task, error) {
			return f.pack("yaleb-light", filepath.Join(f.testdata, "yaleb-ext"), "light_subset")
		}},
		{"cmu-pose", func(f *flags) (*experiment.Task, error) {
			return f.pack("cmu-pose", filepath.Join(f.testdata, "cmu-faces"), "pose")
		}},
		{"fashion-cnn", func(f *flags) (*experiment.Task, error) { return f.fashionConv("fashion-cnn", "orig.onnx") }},
		{"fashion-cnn-bn", func(f *flags) (*experiment.Task, error) { return f.fashionConv("fashion-cnn-bn", "orig-bn.onnx") }},
		{"fashion-mlp", (*flags).fashionMLP},
		{drawnTask, (*flags).drawn},
	}
}

func taskNames() (names []string) {
	for _, t := range namedTasks() {
		names = append(names, t.name)
	}
	return names
}

// experiment is what the flags ask for.
func (f *flags) experiment(ctx context.Context) (*experiment.Experiment, error) {
	e := &experiment.Experiment{Version: f.version, Deep: f.deep, Swap: f.swap, Seeds: experiment.Seeds{
		First: f.seed, Training: f.seeds, Unlearning: f.unlearnings, Evaluation: f.evaluations, Retrained: f.retrains,
	}}
	e.NoFloors = f.search != nil // they are searched as the others are
	var err error
	if e.Methods, err = f.chosen(); err != nil {
		return nil, err
	}
	if e.Tasks, err = f.allTasks(ctx); err != nil || len(f.references) == 0 {
		return e, err
	}
	e.Tasks[0].Retrained, err = experiment.LoadFleet(ctx, e.Tasks[0], f.references...)
	return e, err
}

func (f *flags) allTasks(ctx context.Context) ([]*experiment.Task, error) {
	if len(f.tasks) == 0 {
		t, err := f.own(ctx)
		return []*experiment.Task{t}, err
	}
	var all []*experiment.Task
	for _, name := range f.tasks {
		t, err := f.named(name)
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", name, err)
		}
		all = append(all, t)
	}
	return all, nil
}

func (f *flags) named(name string) (*experiment.Task, error) {
	for _, t := range namedTasks() {
		if t.name == name {
			return t.make(f)
		}
	}
	return nil, fmt.Errorf("there is none of that name; there are %s", strings.Join(taskNames(), ", "))
}

// recipe trains as the flags say, for the task's own number of epochs by default.
func (f *flags) recipe(epochs int, fresh func(seed uint64) (feature.Trainable, error)) experiment.Recipe {
	if f.epochs > 0 {
		epochs = f.epochs
	}
	return experiment.Recipe{
		Fresh: fresh, Epochs: epochs, BatchSize: f.batch, Schedule: train.Cosine,
		Optimizer: train.SGD{Rate: f.rate, Momentum: .9, WeightDecay: 5e-4},
	}
}

// residual returns fresh weights of the network of examples/faces.
func residual(d feature.Dataset) func(seed uint64) (feature.Trainable, error) {
	return func(seed uint64) (feature.Trainable, error) {
		return nn.ResNet(nn.ResNetConfig{Input: d.Shape(), Classes: d.Classes(), Widths: []int{16, 32, 64}, Stem: 2, Seed: seed})
	}
}
