package onnx_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// A model in the ONNX format is read, trained for one step, and written back.
func Example() {
	net, err := nn.MLP(nn.MLPConfig{Input: []int{4}, Classes: 3, Hidden: []int{8}, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer // what PyTorch, say, would have written
	if err := net.WriteONNX(&file); err != nil {
		log.Fatal(err)
	}

	m, err := onnx.Read(&file, nil)
	if err != nil {
		log.Fatal(err)
	}
	s := m.Spec()
	fmt.Println(s.Input, s.Classes(), "classes; features:", s.Features)
	for _, p := range s.Params {
		fmt.Println(p.Name, p.Shape)
	}

	x := feature.Tensor{Shape: []int{1, 4}, Data: []float32{1, 0, -1, 2}}
	step := func() (loss float64) {
		dp := feature.NewGradients(s)
		err := m.Grad(context.Background(), x, []string{s.Logits}, func(val, cot []feature.Tensor) (err error) {
			loss, err = feature.CrossEntropy(val[0], cot[0], []int{2}, 1)
			return err
		}, nil, dp)
		if err != nil {
			log.Fatal(err)
		}
		for i, g := range dp {
			err := m.UpdateParam(i, func(w []float32) {
				for k := range w {
					w[k] -= .1 * g[k]
				}
			})
			if err != nil {
				log.Fatal(err)
			}
		}
		return loss
	}
	before := step()
	fmt.Println("the loss falls:", step() < before)

	var out bytes.Buffer
	if err := m.Write(&out); err != nil { // or Save
		log.Fatal(err)
	}
	// Output:
	// [4] 3 classes; features: hidden1
	// fc1.weight [8 4]
	// fc1.bias [8]
	// fc2.weight [3 8]
	// fc2.bias [3]
	// the loss falls: true
}
