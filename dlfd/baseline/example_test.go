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
	// FineTune: completed, 2 steps
	// NegGrad+: completed, 2 steps
}
