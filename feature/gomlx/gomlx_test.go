package gomlx_test

import (
	"testing"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func TestConformance(t *testing.T) {
	t.Run("convolutional", func(t *testing.T) { featuretest.Run(t, newModel(t, convolutional(3), 2, 8, 8), nil) })
	t.Run("perceptron", func(t *testing.T) { featuretest.Run(t, newModel(t, perceptron, 5), nil) })
	t.Run("moded", func(t *testing.T) { featuretest.Run(t, newModel(t, moded, 6), nil) })
	t.Run("frozen", func(t *testing.T) { featuretest.Run(t, newModel(t, frozen, 6), nil) })
	t.Run("side by side", func(t *testing.T) { // operations of one execution
		b, err := gobackend.New("")
		if err != nil {
			t.Fatal(err)
		}
		featuretest.Run(t, newModelOn(t, b, moded, 6), nil)
	})
}

// frozen is moded with a first layer and a norm that do not train.
func frozen(scope *model.Scope, x *graph.Node, tap func(string, *graph.Node)) *graph.Node {
	logits := moded(scope, x, tap)
	for _, path := range []string{"/first/dense/weights", "/first/dense/biases", "/norm/scale", "/norm/offset"} {
		scope.Store().GetVariable(path).SetTrainable(false)
	}
	return logits
}
