package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// modelCases are the passes of an ONNX file on one batch of rows samples; info
// says what is timed.
func modelCases(path string, rows int, input []int) (groups []group, info string, err error) {
	m, err := onnx.Load(path, &onnx.Options{Input: input})
	if err != nil {
		return nil, "", err
	}
	s, err := newModelSubject(m, rows)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	g := group{setUp: func() ([]func() error, error) { return s.passes(), nil }}
	stem := fmt.Sprintf("%s-%d-", strings.TrimSuffix(filepath.Base(path), ".onnx"), rows)
	for _, pass := range []string{"infer", "input-grad", "train"} {
		g.names = append(g.names, stem+pass)
	}
	trained := 0
	for _, p := range m.Spec().Params {
		if p.Trainable {
			trained += elements(p.Shape)
		}
	}
	info = fmt.Sprintf("input %v, batch %d, %d classes, %d trainable numbers, %d threads, kernels %s",
		m.Spec().Input, rows, m.Spec().Classes(), trained, runtime.GOMAXPROCS(0), feature.Kernels())
	return []group{g}, info, nil
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// newModelSubject makes a batch of pixels in [0, 1), or of word 0 where the
// model takes the numbers of words, and runs the model on it once.
func newModelSubject(m feature.Trainable, rows int) (*subject, error) {
	spec := m.Spec()
	s := &subject{net: m, x: feature.NewTensor(append([]int{rows}, spec.Input...)...), labels: make([]int, rows)}
	r := rand.New(rand.NewPCG(2, 3))
	for i := range s.x.Data {
		s.x.Data[i] = r.Float32()
	}
	for i := range s.labels {
		s.labels[i] = r.IntN(spec.Classes())
	}
	if err := s.prepare(train.SGD{Rate: 1e-6, Momentum: .9}); err != nil { // a file's weights stay where they are, about
		return nil, err
	}
	first := s.infer()
	if first == nil {
		return s, nil
	}
	clear(s.x.Data)
	if s.infer() != nil {
		return nil, first
	}
	return s, nil
}
