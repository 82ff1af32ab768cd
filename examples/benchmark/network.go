package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

const (
	batch   = 32
	classes = 8
)

// subject is a network with one batch and what its passes need.
type subject struct {
	net    feature.Trainable
	x      feature.Tensor
	labels []int
	out    []feature.Tensor // logits
	dx     []float32
	taps   []string
	step   *train.Stepper
	loss   feature.LossFunc
}

func newSubject(cifar bool, pixels int) (*subject, error) {
	net, err := nn.ResNet18(nn.ResNet18Config{Input: []int{3, pixels, pixels}, Classes: classes, CIFAR: cifar, Seed: 1})
	if err != nil {
		return nil, err
	}
	s := &subject{net: net, x: feature.NewTensor(batch, 3, pixels, pixels), labels: make([]int, batch)}
	r := rand.New(rand.NewPCG(2, 3))
	for i := range s.x.Data {
		s.x.Data[i] = r.Float32()
	}
	for i := range s.labels {
		s.labels[i] = r.IntN(classes)
	}
	return s, s.prepare(train.SGD{Rate: 1e-3, Momentum: .9, WeightDecay: 5e-4})
}

// prepare makes what the passes write to, for a network, a batch and labels.
func (s *subject) prepare(o train.SGD) (err error) {
	spec := s.net.Spec()
	s.out, s.dx = []feature.Tensor{feature.NewTensor(s.x.Rows(), spec.Classes())}, make([]float32, len(s.x.Data))
	s.taps = []string{spec.Logits}
	s.loss = func(val, cot []feature.Tensor) error {
		_, err := feature.CrossEntropy(val[0], cot[0], s.labels, 1)
		return err
	}
	s.step, err = train.NewStepper(s.net, o, nil)
	return err
}

// infer is a forward pass in evaluation mode.
func (s *subject) infer() error {
	return s.net.Forward(context.Background(), s.x, s.taps, s.out)
}

// inputGrad takes the gradient of the loss in the input alone.
func (s *subject) inputGrad(mode feature.Mode) error {
	clear(s.dx)
	return s.grad(mode, s.dx)
}

// grad runs forward, takes the loss and, with dx, adds the gradient in the input.
func (s *subject) grad(mode feature.Mode, dx []float32) error {
	m, ok := feature.As[feature.ModeGrader](s.net)
	if !ok {
		return errors.New("the model has no modes")
	}
	return m.GradMode(context.Background(), mode, s.x, s.taps, s.loss, dx, nil)
}

// train takes the gradient in all parameters and steps along it.
func (s *subject) train() error {
	return s.step.Step(context.Background(), feature.Mode{Train: true, Track: true}, s.x, s.taps, s.loss, 1)
}

func networkCases() []group {
	var groups []group
	for _, c := range []struct {
		stem   string
		pixels int
	}{{"torchvision", 32}, {"cifar", 32}, {"torchvision", 128}} {
		s := sync.OnceValues(func() (*subject, error) { return newSubject(c.stem == "cifar", c.pixels) })
		for i, pass := range []string{"infer", "input-grad", "train"} {
			name := fmt.Sprintf("resnet18-%s-%d-%s", c.stem, c.pixels, pass)
			groups = append(groups, group{[]string{name}, func() ([]func() error, error) {
				s, err := s()
				if err != nil {
					return nil, err
				}
				return s.passes()[i : i+1], nil
			}})
		}
	}
	return groups
}

// passes are infer, input-grad and train.
func (s *subject) passes() []func() error {
	return []func() error{s.infer, func() error { return s.inputGrad(feature.Mode{}) }, s.train}
}
