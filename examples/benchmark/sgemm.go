package main

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// sgemmCases are matrix products M×K by K×N as the public API has them: a
// linear layer from K to N features on a batch of M. Its weights are packed
// once, before the timed runs, and a bias is added.
func sgemmCases() []group {
	var groups []group
	for _, s := range [][3]int{{1024, 1024, 1024}, {64, 576, 16384}, {128, 1152, 8192}, {512, 4608, 1024}} {
		groups = append(groups, group{
			names: []string{fmt.Sprintf("sgemm-%d-%d-%d", s[0], s[1], s[2])},
			setUp: func() ([]func() error, error) { return product(s[0], s[1], s[2]) },
		})
	}
	return groups
}

func product(m, k, n int) ([]func() error, error) {
	b := nn.NewBuilder(1, k)
	net, err := b.Build(b.Linear("fc", b.Input(), n))
	if err != nil {
		return nil, err
	}
	x, y := feature.NewTensor(m, k), feature.NewTensor(m, n)
	for i := range x.Data {
		x.Data[i] = float32(i%17)/8 - 1
	}
	taps, out := []string{net.Spec().Logits}, []feature.Tensor{y}
	return []func() error{func() error { return net.Forward(context.Background(), x, taps, out) }}, nil
}
