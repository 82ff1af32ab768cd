package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/synth"
)

// cloud returns n points whose coordinates are normal.
func cloud(seed uint64, n, dim int) distance.Sample {
	r := rand.New(rand.NewPCG(seed, 0))
	s := distance.Sample{N: n, Dim: dim, X: make([]float64, n*dim)}
	for i := range s.X {
		s.X[i] = r.NormFloat64()
	}
	return s
}

func distanceCases() []group {
	var groups []group
	for _, n := range []int{32, 64, 512} {
		groups = append(groups, group{[]string{fmt.Sprintf("sinkhorn-%d", n)}, func() ([]func() error, error) {
			x, y, ws := cloud(1, n, 64), cloud(2, n, 64), new(distance.Workspace)
			gx := make([]float64, len(x.X))
			return []func() error{func() error {
				_, err := distance.Sinkhorn{}.Eval(ws, gx, nil, x, y)
				return err
			}}, nil
		}})
	}
	return groups
}

// method is a step of DLFD on ResNet18 at 32 pixels.
type method struct {
	*subject
	synth  synth.Synthesizer
	mode   feature.Mode
	forget feature.Tensor // a batch
	tap    string
	feat   []feature.Tensor
	made   feature.Tensor
	ws     distance.Workspace
}

// published is the synthesis of dlfd.DLFD{}.
var published = synth.Synthesizer{Distance: distance.Sinkhorn{Epsilon: .05, Sharp: true}, Steps: 15}

func newMethod() (*method, error) {
	s, err := newSubject(false, 32)
	if err != nil {
		return nil, err
	}
	m := &method{subject: s, synth: published, mode: feature.Mode{Train: true}, tap: s.net.Spec().Features}
	other, err := newSubject(false, 32)
	if err != nil {
		return nil, err
	}
	m.forget, m.made = other.x.Clone(), s.x.Clone()
	for i, v := range other.x.Data {
		m.forget.Data[i] = 1 - v
	}
	tap, err := s.net.Spec().Tap(m.tap)
	if err != nil {
		return nil, err
	}
	m.feat = []feature.Tensor{feature.NewTensor(append([]int{batch}, tap.Shape...)...)}
	return m, nil
}

// features runs the forget batch forward.
func (m *method) features() error {
	return m.net.Forward(context.Background(), m.forget, []string{m.tap}, m.feat)
}

// whole is the step: the forget batch's features, fifteen perturbations, and
// the weights.
func (m *method) whole() error {
	if err := m.features(); err != nil {
		return err
	}
	ref := distance.FromFloat32(m.ws.Enter(), m.feat[0].Data, batch)
	defer m.ws.Leave()
	if _, err := m.synth.Synthesize(context.Background(), m.net, m.made, synth.Batch{
		X: m.x, Labels: m.labels, Reference: ref, Weight: 3, Lambda: .5, Mode: m.mode, // λ is between the published 0 and 1
	}); err != nil {
		return err
	}
	return m.train()
}

// parts are the passes of whole, and nothing else. The one without gradient
// measures what came out.
func (m *method) parts() error {
	if err := m.features(); err != nil {
		return err
	}
	for range m.synth.Steps {
		if err := m.inputGrad(m.mode); err != nil {
			return err
		}
	}
	if err := m.forward(); err != nil {
		return err
	}
	return m.train()
}

// forward is a pass in the mode of the synthesis.
func (m *method) forward() error {
	return m.grad(m.mode, nil)
}

func dlfdCases() []group {
	names := []string{"dlfd-step", "dlfd-parts", "dlfd-features", "dlfd-input-grad", "dlfd-forward", "dlfd-train"}
	return []group{{names, func() ([]func() error, error) {
		m, err := newMethod()
		if err != nil {
			return nil, err
		}
		inputGrad := func() error { return m.inputGrad(m.mode) }
		return []func() error{m.whole, m.parts, m.features, inputGrad, m.forward, m.train}, nil
	}}}
}
