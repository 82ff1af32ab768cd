package dlfd_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
)

// A run that ends where a model that knows nothing stands is an error, though its loss is no
// larger than that of guessing, and the weights are those before it.
func TestALostTaskIsAnError(t *testing.T) {
	m, data := memorized(t)
	before := weights(t, m)
	_, err := dlfd.Align{Shrink: 1e-6, Rate: 1e-9, Match: dlfd.Off}.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 1, BatchSize: 8})
	if !errors.Is(err, dlfd.ErrDiverged) || !strings.Contains(err.Error(), "task is lost") {
		t.Errorf("the error is %v", err)
	}
	if !slices.Equal(before, weights(t, m)) {
		t.Error("other weights after the error")
	}
}
