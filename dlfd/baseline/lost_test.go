package baseline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature/train"
)

// At a rate that wrecks the model, a method that only descends does not end with a
// model that knows nothing and the word "completed".
func TestALostTaskIsAnError(t *testing.T) {
	steep := baseline.Descent{Rate: 40}
	for _, u := range []dlfd.Unlearner{
		baseline.FineTune{Descent: steep}, baseline.ShortRetrain{Descent: steep}, baseline.EUk{Descent: steep}, baseline.MSG{Descent: steep},
		baseline.ReGUn{Descent: steep}, baseline.Retrain{Epochs: 3, Optimizer: train.SGD{Rate: 40, Momentum: .9}},
	} {
		m := trained(t)
		old := slices.Clone(m.P[0])
		_, err := u.Unlearn(context.Background(), m, task(), &dlfd.Options{BatchSize: 10})
		if !errors.Is(err, dlfd.ErrDiverged) {
			t.Errorf("%s: %v", dlfd.NameOf(u), err)
		}
		if !slices.Equal(old, m.P[0]) {
			t.Errorf("%s: the weights are not the old ones", dlfd.NameOf(u))
		}
		if err != nil && !strings.Contains(err.Error(), "the task is lost") {
			t.Errorf("%s: %v", dlfd.NameOf(u), err)
		}
	}
}
