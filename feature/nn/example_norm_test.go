package nn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// A network without batch norm has it for a while.
func ExampleNetwork_InsertNorms() {
	net, err := nn.MLP(nn.MLPConfig{Input: []int{8}, Hidden: []int{16, 16}, Classes: 3, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	normed, err := net.InsertNorms(context.Background(), featuretest.NewBlobs(100, 8, 3, 1, 1, 1))
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range normed.Spec().Params[:6] {
		fmt.Println(p.Name, p.Shape, p.Kind)
	}
	halve := func(w []float32) {
		for i := range w {
			w[i] /= 2
		}
	}
	if err := feature.UpdateParam(normed, 2, nil, halve); err != nil { // the scale of the first norm
		log.Fatal(err)
	}
	if err := normed.Fold(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(net.Spec().Params), "parameters, as before")
	// Output:
	// fc1.weight [16 8] weight
	// fc1.bias [16] bias
	// fc1.weight.norm.scale [16] weight
	// fc1.weight.norm.shift [16] bias
	// fc1.weight.norm.mean [16] statistic
	// fc1.weight.norm.variance [16] statistic
	// 6 parameters, as before
}
