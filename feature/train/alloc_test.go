package train_test

import (
	"context"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// raced is set by race_test.go.
var raced bool

// TestStepAllocatesNothing covers a whole training step: passes, loss, check,
// optimizer.
func TestStepAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	net, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Hidden: []int{300}})
	if err != nil {
		t.Fatal(err)
	}
	x, labels := feature.NewTensor(6, 1, 8, 8), make([]int, 6)
	for i := range x.Data {
		x.Data[i] = float32(i % 5)
	}
	taps := []string{"logits"}
	loss := func(val, cot []feature.Tensor) error {
		_, err := feature.CrossEntropy(val[0], cot[0], labels, 1)
		return err
	}
	for _, o := range []train.Optimizer{train.SGD{Rate: .01, Momentum: .9}, train.Adam{Rate: .001}, train.Muon{Rate: .01}} {
		s, err := train.NewStepper(net, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(50, func() {
			if err := s.Step(context.Background(), feature.Mode{Train: true, Track: true}, x, taps, loss, 1); err != nil {
				t.Fatal(err)
			}
		})
		if allocs >= 1 { // a collection may empty a pool now and then
			t.Errorf("%T: %v allocations a step", o, allocs)
		}
	}
}
