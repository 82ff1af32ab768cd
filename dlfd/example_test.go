package dlfd_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// samples draws n points of three overlapping classes.
func samples(seed uint64, n int) feature.Dataset {
	r := rand.New(rand.NewPCG(seed, 0))
	s := dataset.Samples{X: feature.NewTensor(n, 24), Labels: make([]int, n)}
	for i := range n {
		s.Labels[i] = i % 3
		for k := range 24 {
			s.X.Row(i)[k] = float32(r.NormFloat64())
		}
		s.X.Row(i)[i%3] += 1.2
	}
	d, err := dataset.Memory(s)
	if err != nil {
		log.Fatal(err)
	}
	return d
}

// A classifier has learnt 240 samples by heart that it must forget.
func Example() {
	ctx := context.Background()
	retain, forget, holdout := samples(1, 480), samples(2, 240), samples(3, 240)

	all, err := feature.Concat(retain, forget)
	if err != nil {
		log.Fatal(err)
	}
	model, err := nn.MLP(nn.MLPConfig{Input: []int{24}, Classes: 3, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := train.Fit(ctx, model, all, &train.Options{Epochs: 60}); err != nil {
		log.Fatal(err)
	}

	_, report, err := feature.Halves(forget) // the half that steers nothing
	if err != nil {
		log.Fatal(err)
	}
	judge := func(when string) {
		a, err := dlfd.Audit(ctx, model, dlfd.AuditData{
			Retain: retain, Forget: forget, Test: samples(4, 1000),
			Member: report, NonMember: samples(5, 1000),
		}, 1)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: accuracy %.2f on test, %.2f on forget; attack AUC %.2f\n", when, a.TestAccuracy, a.ForgetAccuracy, a.LossAttack.AUC)
	}

	judge("before")
	// Without batch norm, shrinking is off by default; few layers can bear it.
	method := dlfd.Align{Shrink: .4, Rate: .03}
	_, err = method.Unlearn(ctx, model,
		dlfd.Data{Retain: retain, Forget: forget, Holdout: holdout},
		&dlfd.Options{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	judge("after")
	// Output:
	// before: accuracy 0.63 on test, 1.00 on forget; attack AUC 0.70
	// after: accuracy 0.64 on test, 0.63 on forget; attack AUC 0.48
}
