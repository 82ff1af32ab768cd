package feature_test

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// A label is the combination of the labels of a sample, which SplitLabel takes apart.
// The loss of a model with a head for each is the mean over the heads; one head is
// judged as an ordinary classifier, on an ordinary dataset.
func ExampleHeads() {
	data := featuretest.NewBlobs(12, 4, 6, .5, 1, 1)
	data.Multi = []feature.Target{{Name: "tilt", Classes: 3}, {Name: "glasses", Classes: 2}}
	model := featuretest.NewMLP(4, 8, 4, 1)
	model.Heads = append(feature.Heads{{Name: "tilt", Width: 3}}, feature.Sigmoids(1, "glasses")...)

	ctx := context.Background()
	logits, labels, err := feature.Predict(ctx, model, data, []string{"logits"}, 32)
	if err != nil {
		panic(err)
	}
	fmt.Println("label", labels[5], "is", feature.SplitLabel(data.Multi, labels[5]))
	loss, err := model.Heads.CrossEntropy(logits[0], feature.Tensor{}, labels, 1)
	if err != nil {
		panic(err)
	}
	fmt.Printf("loss %.3f, of a model that knows nothing %.3f\n", loss, model.Spec().UniformLoss())

	head, err := feature.OneHead(model, 1)
	if err != nil {
		panic(err)
	}
	glasses, err := feature.OneLabel(data, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(head.Spec().Classes(), "classes for", glasses.Classes())
	// Output:
	// label 5 is [2 1]
	// loss 1.041, of a model that knows nothing 0.896
	// 2 classes for 2
}
