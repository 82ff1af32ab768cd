package nn

import (
	"context"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// TestNoStaleWeights checks that what a pass prepared from the weights is not
// used once they have changed, by whatever way, nor for a clone that shares the
// work memory.
func TestNoStaleWeights(t *testing.T) {
	config := ResNetConfig{Input: []int{2, 8, 8}, Classes: 3, Widths: []int{32, 32}, Seed: 1}
	net, err := ResNet(config)
	if err != nil {
		t.Fatal(err)
	}
	x := feature.NewTensor(4, 2, 8, 8)
	for i := range x.Data {
		x.Data[i] = float32(i%7) / 3
	}
	clone, err := net.Clone()
	if err != nil {
		t.Fatal(err)
	}
	other := clone.(*Network)
	ones := make([]float32, len(net.weights()[0]))
	for _, step := range []struct {
		name   string
		change func() error
	}{
		{"nothing", func() error { return nil }},
		{"one change of each", func() error {
			if err := net.SetParam(1, ones[:len(net.weights()[1])]); err != nil {
				return err
			}
			return other.UpdateParam(0, func(w []float32) { w[0]++ })
		}},
		{"SetParam", func() error { return net.SetParam(0, ones) }},
		{"UpdateParam", func() error {
			return net.UpdateParam(5, func(w []float32) {
				for i := range w {
					w[i] = -w[i]
				}
			})
		}},
		{"tracking", func() error {
			return net.GradMode(context.Background(), feature.Mode{Train: true, Track: true}, x, []string{"logits"}, func(_, _ []feature.Tensor) error { return nil }, nil, nil)
		}},
		{"the clone", func() error { return other.UpdateParam(0, func(w []float32) { w[0]++ }) }},
	} {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		for _, n := range []*Network{net, net, other, net} {
			fresh, err := ResNet(config)
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range n.weights() {
				copy(fresh.weights()[i], w)
			}
			if !slices.Equal(outputs(t, n, x), outputs(t, fresh, x)) {
				t.Errorf("after %s: outputs are not those of the weights", step.name)
			}
		}
	}
}

// outputs returns the gradient of the sum of the logits in the input, the
// logits, and the gradient again: the first pass is of the kind of the last pass
// before, whose preparations it may find.
func outputs(t *testing.T, n *Network, x feature.Tensor) []float32 {
	t.Helper()
	dx := make([]float32, len(x.Data))
	grad := func() {
		err := n.Grad(context.Background(), x, []string{"logits"}, func(_, cot []feature.Tensor) error {
			for i := range cot[0].Data {
				cot[0].Data[i]++
			}
			return nil
		}, dx, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	grad()
	out := feature.NewTensor(x.Rows(), n.Spec().Classes())
	if err := n.Forward(context.Background(), x, []string{"logits"}, []feature.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	grad()
	return append(out.Data, dx...)
}
