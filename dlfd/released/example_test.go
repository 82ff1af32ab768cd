package released_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/released"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// The released code scores the model after every step.
func Example() {
	set := func(seed uint64, n int) *featuretest.Blobs { return featuretest.NewBlobs(n, 4, 3, 1, 7, seed) }
	data := dlfd.Data{Retain: set(1, 64), Forget: set(2, 32), Holdout: set(3, 30)}
	res, err := released.Method{}.Unlearn(context.Background(), featuretest.NewMLP(4, 6, 3, 1), data, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Method, "took", res.Ledger.Steps, "steps and", len(res.Scores), "scores")
	// Output:
	// DLFD released took 2 steps and 2 scores
}
