package train_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

func ExampleFit() {
	model := featuretest.NewMLP(4, 16, 3, 1)
	samples := featuretest.NewBlobs(90, 4, 3, .4, 7, 8)
	losses, err := train.Fit(context.Background(), model, samples, &train.Options{Epochs: 20, BatchSize: 16})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the loss has fallen to less than a third:", losses[19] < losses[0]/3)
	// Output:
	// the loss has fallen to less than a third: true
}
