package dlfd_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Beside models that were retrained without the forget set, and with the training's
// settings, an audit tells whether what was forgotten comes back.
func ExampleAudit() {
	ctx := context.Background()
	trained, unseen := samples(1, 720), samples(2, 1500)
	request, err := dlfd.NewRequest(trained, func(i int) bool { return i%3 == 0 }, unseen)
	check(err)
	model := fitted(trained, 1)
	original, err := model.Clone()
	check(err)
	opt := &dlfd.AuditOptions{
		Original: &dlfd.Reference{Model: original},
		Training: &dlfd.Training{Rate: .05, BatchSize: 32},
	}
	for seed := range uint64(3) {
		opt.Retrained = append(opt.Retrained, dlfd.Reference{Model: fitted(request.Data.Retain, 10+seed)})
	}
	before, err := dlfd.Audit(ctx, model, request.AuditData, opt)
	check(err)
	for i, known := range before.References.Retrained { // they are judged once
		opt.Retrained[i].Audited = known
	}
	_, err = dlfd.Recommended().Unlearn(ctx, model, request.Data, nil)
	check(err)
	after, err := dlfd.Audit(ctx, model, request.AuditData, opt)
	check(err)

	for _, a := range []*dlfd.Audited{before, after} {
		sooner := a.Relearning.Area.Interval.Lo > slices.Max(a.Relearning.Retrained)
		fmt.Printf("%v; learned again sooner than by retrained models: %v\n", a.Judgment.Verdict, sooner)
	}
	// Output:
	// under-unlearned; learned again sooner than by retrained models: true
	// within the retrain band; learned again sooner than by retrained models: false
}

// fitted trains a classifier until it knows its training set by heart.
func fitted(d feature.Dataset, seed uint64) *nn.Network {
	m, err := nn.MLP(nn.MLPConfig{Input: []int{24}, Classes: 3, Seed: seed})
	check(err)
	_, err = train.Fit(context.Background(), m, d, &train.Options{Epochs: 60, Seed: seed})
	check(err)
	return m
}
