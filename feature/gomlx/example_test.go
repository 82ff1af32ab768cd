package gomlx_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/gomlx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// A network in GoMLX is trained on 120 samples, and forgets every fourth of them.
func Example() {
	ctx, mustGo := context.Background(), func(i int) bool { return i%4 == 0 }
	network := func(scope *model.Scope, x *graph.Node, tap func(string, *graph.Node)) *graph.Node {
		x = graph.Tanh(layers.Dense(scope.In("hidden"), x, true, 64))
		tap("features", x)
		return layers.Dense(scope.In("head"), x, true, 3)
	}
	backend, err := gobackend.New("ops_sequential") // or that of an accelerator
	check(err)
	store := model.NewStore() // or one that a checkpoint was loaded into
	m, err := gomlx.New(backend, store, network, &gomlx.Options{Input: []int{24}})
	check(err)
	check(feature.Reinitialize(m, nil, 1))

	// Clouds of one center seed have one distribution.
	trained, unseen := featuretest.NewBlobs(120, 24, 3, 2.5, 7, 1), featuretest.NewBlobs(400, 24, 3, 2.5, 7, 2)
	_, err = train.Fit(ctx, m, trained, &train.Options{Epochs: 60})
	check(err)
	request, err := dlfd.NewRequest(trained, mustGo, unseen)
	check(err)
	before, err := dlfd.Audit(ctx, m, request.AuditData, nil)
	check(err)
	result, err := dlfd.Recommended().Unlearn(ctx, m, request.Data, nil)
	check(err)
	after, err := dlfd.Audit(ctx, m, request.AuditData, nil)
	check(err)

	fmt.Println(result.Stop, "after", result.Ledger.Steps, "steps")
	for _, a := range []*dlfd.Audited{before, after} {
		fmt.Printf("accuracy %.1f on test, %.1f on forget; attack AUC %.1f\n", a.TestAccuracy, a.ForgetAccuracy, a.LossAttack.AUC)
	}
	for _, p := range m.Spec().Params { // the weights are in the store
		fmt.Println(p.Name, p.Shape, store.GetVariable(p.Name).Shape().Dimensions)
	}
	// Output:
	// completed after 72 steps
	// accuracy 0.7 on test, 1.0 on forget; attack AUC 0.7
	// accuracy 0.7 on test, 0.6 on forget; attack AUC 0.5
	// /hidden/dense/weights [64 24] [24 64]
	// /hidden/dense/biases [64] [64]
	// /head/dense/weights [3 64] [64 3]
	// /head/dense/biases [3] [3]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
