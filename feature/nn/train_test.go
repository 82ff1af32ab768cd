package nn

import (
	"context"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// stripes draws images of two classes, horizontal and vertical stripes of
// random phase under noise.
func stripes(seed uint64, n, side int) (feature.Tensor, []int) {
	src := rng.Stream(seed, "stripes")
	x := feature.NewTensor(n, 1, side, side)
	labels := make([]int, n)
	for i := range n {
		labels[i] = i % 2
		phase := src.IntN(4)
		for y := range side {
			for c := range side {
				at := y
				if labels[i] == 1 {
					at = c
				}
				v := float32(src.NormFloat64()) * .5
				if (at+phase)%4 < 2 {
					v++
				}
				x.Row(i)[y*side+c] = v
			}
		}
	}
	return x, labels
}

// descend takes steps of plain gradient descent and returns the first and the
// last loss.
func descend(t *testing.T, net *Network, x feature.Tensor, labels []int, steps int, rate float32) (first, last float64) {
	t.Helper()
	grads := feature.NewGradients(net.Spec())
	for s := range steps {
		for _, g := range grads {
			clear(g)
		}
		loss := func(val, cot []feature.Tensor) (err error) {
			last, err = feature.CrossEntropy(val[0], cot[0], labels, 1)
			return err
		}
		mode := feature.Mode{Train: true, Track: true, Seed: uint64(s)}
		if err := net.GradMode(context.Background(), mode, x, []string{"logits"}, loss, nil, grads); err != nil {
			t.Fatal(err)
		}
		if s == 0 {
			first = last
		}
		for i, g := range grads {
			if g == nil {
				continue
			}
			if err := net.UpdateParam(i, func(w []float32) {
				for k := range w {
					w[k] -= rate * g[k]
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return first, last
}

func accuracy(t *testing.T, net *Network, x feature.Tensor, labels []int) float64 {
	t.Helper()
	out := feature.NewTensor(x.Rows(), net.Spec().Classes())
	if err := net.Forward(context.Background(), x, []string{"logits"}, []feature.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	hits := 0
	for i, l := range labels {
		row := out.Row(i)
		if slices.Index(row, slices.Max(row)) == l {
			hits++
		}
	}
	return float64(hits) / float64(len(labels))
}

func TestNetworksLearn(t *testing.T) {
	mlp, err := MLP(MLPConfig{Input: []int{1, 8, 8}, Classes: 2, Hidden: []int{32}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	res, err := ResNet(ResNetConfig{Input: []int{1, 8, 8}, Classes: 2, Widths: []int{4, 8}, Hidden: []int{8}, Dropout: .1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, labels := stripes(1, 64, 8)
	test, truth := stripes(2, 64, 8)
	for name, net := range map[string]*Network{"mlp": mlp, "resnet": res} {
		first, last := descend(t, net, x, labels, 80, .1)
		acc := accuracy(t, net, test, truth)
		t.Logf("%s: loss %.3f to %.3f, accuracy on new samples %.3f", name, first, last, acc)
		if last > .5*first || acc < .75 {
			t.Errorf("%s: loss %.3f to %.3f, accuracy on new samples %.3f", name, first, last, acc)
		}
	}
}
