package feature_test

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// Wrappers are looked through: a subset knows whom its samples show exactly where
// the set does.
func ExampleAs() {
	people := featuretest.NewBlobs(4, 2, 2, 1, 1, 9) // identities are 9-0, 9-1, …
	some, err := feature.Subset(people, []int{3, 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	if id, ok := feature.As[feature.Identified](some); ok {
		fmt.Println(id.Identity(0), id.Identity(1))
	}
	nameless, err := feature.Subset(struct{ feature.Dataset }{people}, []int{3, 1})
	_, ok := feature.As[feature.Identified](nameless)
	fmt.Println(ok, err)
	// Output:
	// 9-3 9-1
	// false <nil>
}

func ExampleConcat() {
	a, b := featuretest.NewBlobs(4, 2, 2, 1, 1, 1), featuretest.NewBlobs(3, 2, 2, 1, 1, 2)
	all, err := feature.Concat(a, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	labels, err := feature.Labels(all)
	fmt.Println(all.Len(), labels, err)
	// Output: 7 [0 1 0 1 0 1 0] <nil>
}

// Features of a whole dataset, computed two samples at a time.
func ExamplePredict() {
	m, d := featuretest.NewMLP(2, 5, 3, 1), featuretest.NewBlobs(5, 2, 3, 1, 1, 1)
	spec := m.Spec()
	out, labels, err := feature.Predict(context.Background(), m, d, []string{spec.Features, spec.Logits}, 2)
	fmt.Println(out[0].Shape, out[1].Shape, labels, err)
	// Output: [5 5] [5 3] [0 1 2 0 1] <nil>
}

// One descent step by hand: gradients of the cross-entropy in all trainable
// parameters, subtracted.
func ExampleUpdateParam() {
	m, ctx := featuretest.NewMLP(2, 5, 3, 1), context.Background()
	b, err := feature.ReadAll(featuretest.NewBlobs(30, 2, 3, .3, 1, 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	step := func() (value float64, err error) {
		dp := feature.NewGradients(m.Spec())
		err = feature.Grad(ctx, m, feature.Mode{Train: true}, b.X, []string{"logits"}, func(val, cot []feature.Tensor) error {
			value, err = feature.CrossEntropy(val[0], cot[0], b.Labels, 1)
			return err
		}, nil, dp)
		for i, g := range dp {
			if err == nil {
				err = feature.UpdateParam(m, i, make([]float32, len(g)), func(w []float32) {
					for k := range w {
						w[k] -= g[k]
					}
				})
			}
		}
		return value, err
	}
	before, _ := step()
	after, err := step()
	fmt.Println(after < before, err)
	// Output: true <nil>
}

// Which arguments a model must refuse is decided by its Spec.
func ExampleCheckForward() {
	spec := featuretest.NewMLP(2, 5, 3, 1).Spec()
	x := feature.NewTensor(4, 2)
	fmt.Println(feature.CheckForward(spec, x, []string{"logits"}, []feature.Tensor{feature.NewTensor(4, 3)}))
	fmt.Println(feature.CheckForward(spec, x, []string{"logits"}, []feature.Tensor{feature.NewTensor(4, 5)}))
	fmt.Println(feature.CheckForward(spec, x, []string{"probabilities"}, []feature.Tensor{feature.NewTensor(4, 3)}))
	// Output:
	// <nil>
	// feature: shape mismatch: output for tap "logits" has 20 elements, want 12
	// feature: no such tap: "probabilities"
}
