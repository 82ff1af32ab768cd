package baseline_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// Every method is called alike, so that they can be compared.
func Example() {
	fresh := func(seed uint64) (feature.Trainable, error) { return featuretest.NewMLP(4, 6, 3, seed), nil }
	for _, method := range []dlfd.Unlearner{
		baseline.Retrain{Fresh: fresh, Epochs: 5},
		baseline.FineTune{},
		baseline.NegGradPlus{Beta: .2},
	} {
		res, err := method.Unlearn(context.Background(), featuretest.NewMLP(4, 6, 3, 1), data(), &dlfd.Options{BatchSize: 10})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s, %d steps\n", res.Method, res.Stop, res.Ledger.Steps)
	}
	// Output:
	// Retrain: completed, 10 steps
	// FineTune: completed, 10 steps
	// NegGrad+: completed, 6 steps
}

// A command takes methods by name.
func ExampleByName() {
	for _, text := range []string{"cfk:k=1:epochs=2", "budget:passes=50:finetune", "scrub:speed=9"} {
		method, err := baseline.ByName(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		res, err := method.Unlearn(context.Background(), featuretest.NewMLP(4, 6, 3, 1), data(), &dlfd.Options{BatchSize: 10})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s, %d steps\n", res.Method, res.Stop, res.Ledger.Steps)
	}
	// Output:
	// CF-k: completed, 4 steps
	// FineTune within a budget: budget spent, 3 steps
	// baseline: invalid parameter: "scrub" has no setting "speed", or it is there twice, in "scrub:speed=9"
}
