package dlfd_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// A run is compared with a retraining of the epochs that are given, or of 30, and says
// so where it was dearer.
func TestRetraining(t *testing.T) {
	data := dlfd.Data{Retain: featuretest.NewBlobs(40, 6, 3, 1, 7, 1), Forget: featuretest.NewBlobs(18, 6, 3, 1, 7, 2), Holdout: featuretest.NewBlobs(21, 6, 3, 1, 7, 3)}
	for _, c := range []struct {
		given, epochs int
		dearer        bool
	}{{0, 30, false}, {50, 50, false}, {1, 1, true}} {
		res, err := dlfd.Align{Epochs: 2, Always: true}.Unlearn(context.Background(), featuretest.NewMLP(6, 8, 3, 1), data, &dlfd.Options{RetrainEpochs: c.given, BatchSize: 8})
		if err != nil {
			t.Fatal(err)
		}
		r := res.Retraining
		if r == nil || r.Epochs != c.epochs || r.Assumed != (c.given == 0) || r.Passes != int64(2*c.epochs*40) {
			t.Fatalf("%d epochs given: %+v", c.given, r)
		}
		if want := float64(res.Ledger.Forward+res.Ledger.Backward) / float64(r.Passes); math.Abs(r.Share-want) > 1e-12 {
			t.Errorf("share %v, want %v", r.Share, want)
		}
		if told := strings.Contains(strings.Join(res.Notes, " "), "training anew"); told != c.dearer {
			t.Errorf("%d epochs given: notes %q", c.given, res.Notes)
		}
	}
	_, err := dlfd.Align{}.Unlearn(context.Background(), featuretest.NewMLP(6, 8, 3, 1), data, &dlfd.Options{RetrainEpochs: -1})
	if !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("error %v", err)
	}
}
