package nn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// A network of one's own is built layer by layer; names are those of the
// parameters and taps.
func ExampleBuilder() {
	b := nn.NewBuilder(1, 1, 8, 8) // seed, then the shape of an input
	x := b.ReLU(b.BatchNorm("bn1", b.Conv("conv1", b.Input(), nn.Conv{Out: 4, Kernel: 3, Pad: 1})))
	x = b.Tap("block1", b.MaxPool(x, 2, 2, 0))
	x = b.ReLU(b.Linear("fc1", b.Flatten(x), 10))
	net, err := b.Build(b.Linear("fc2", x, 3))
	if err != nil {
		log.Fatal(err)
	}
	for _, tap := range net.Spec().Taps {
		fmt.Println(tap.Name, tap.Shape)
	}
	// Output:
	// block1 [4 4 4]
	// features [10]
	// logits [3]
}

// Plain gradient descent on the exclusive or.
func ExampleMLP() {
	net, err := nn.MLP(nn.MLPConfig{Input: []int{2}, Classes: 2, Hidden: []int{16}, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	x := feature.Tensor{Shape: []int{4, 2}, Data: []float32{0, 0, 0, 1, 1, 0, 1, 1}}
	labels := []int{0, 1, 1, 0}
	grads := feature.NewGradients(net.Spec())
	for range 300 {
		for i := range grads {
			clear(grads[i])
		}
		loss := func(val, cot []feature.Tensor) error {
			_, err := feature.CrossEntropy(val[0], cot[0], labels, 1)
			return err
		}
		if err := net.Grad(context.Background(), x, []string{"logits"}, loss, nil, grads); err != nil {
			log.Fatal(err)
		}
		for i, g := range grads {
			err := net.UpdateParam(i, func(w []float32) {
				for k := range w {
					w[k] -= .5 * g[k]
				}
			})
			if err != nil {
				log.Fatal(err)
			}
		}
	}
	out := feature.NewTensor(4, 2)
	if err := net.Forward(context.Background(), x, []string{"logits"}, []feature.Tensor{out}); err != nil {
		log.Fatal(err)
	}
	for i := range labels {
		fmt.Print(out.Row(i)[1] > out.Row(i)[0], " ")
	}
	// Output: false true true false
}
