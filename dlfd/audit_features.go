package dlfd

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// featureSample is the most samples of a set whose features are looked at, and
// featureNumbers the most numbers, for activations that are wide.
const (
	featureSample  = 2048
	featureNumbers = 1 << 24
)

// features sets what is told by the features of the model.
func (a *audit) features(ctx context.Context) error {
	if a.Counts.Forget == 0 {
		a.leftOut("scatter ratio: there is no forget sample")
		return nil
	}
	forget, err := a.activations(ctx, forgetSet)
	if err != nil {
		return err
	}
	test, err := a.activations(ctx, testSet)
	if err != nil {
		return err
	}
	return a.judged("scatter ratio", a.scatter(forget, test))
}

// activations returns the features of some samples of a set, every class thinned
// out alike.
func (a *audit) activations(ctx context.Context, set int) (metrics.Features, error) {
	tap, err := a.model.Spec().Tap(a.opt.Tap)
	if err != nil {
		return metrics.Features{}, err
	}
	dim := feature.Size(tap.Shape)
	d, err := sample(a.sets[set].Dataset, min(featureSample, max(featureNumbers/dim, 64)))
	if err != nil {
		return metrics.Features{}, fmt.Errorf("%s: %w", a.sets[set].name, err)
	}
	out, labels, err := feature.Predict(ctx, a.model, d, []string{tap.Name}, 64)
	if err != nil {
		return metrics.Features{}, fmt.Errorf("%s: %w", a.sets[set].name, err)
	}
	return metrics.Features{N: len(labels), Dim: dim, Data: out[0].Data, Classes: a.model.Spec().Classes(), Labels: labels}, nil
}
