package dlfd

import (
	"cmp"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// assumedEpochs is the number of epochs that a retraining is assumed to take. Image
// classifiers are trained for 30 to 300; with 30, fewer runs pass for cheap.
const assumedEpochs = 30

// Retraining compares the work of a run with that of training anew on what is
// retained, which forgets by itself.
type Retraining struct {
	Epochs  int  `json:"epochs"`  // over Retain
	Assumed bool `json:"assumed"` // Options.RetrainEpochs was not set
	// Passes are those of the retraining, forward and backward: 2·Epochs·n for n
	// retained samples.
	Passes int64 `json:"passes"`
	// Share is what the run took, as a multiple of Passes: below 1 it was cheaper.
	Share float64 `json:"share"`
}

// retraining compares the work of a run with a retraining; nil where there is no
// retain set.
func retraining(retain feature.Dataset, epochs int, l Ledger) *Retraining {
	if retain == nil || retain.Len() == 0 {
		return nil
	}
	r := &Retraining{Epochs: cmp.Or(epochs, assumedEpochs), Assumed: epochs == 0}
	r.Passes = 2 * int64(r.Epochs) * int64(retain.Len())
	r.Share = float64(l.Forward+l.Backward) / float64(r.Passes)
	return r
}

// warning says that the run took more than a retraining; empty if it did not.
func (r *Retraining) warning() string {
	if r == nil || r.Share <= 1 {
		return ""
	}
	assumed := ""
	if r.Assumed {
		assumed = ", which is an assumption: see Options.RetrainEpochs"
	}
	return fmt.Sprintf("The run took %.2f times the sample-passes of training anew on the retain set for %d epochs%s.", r.Share, r.Epochs, assumed)
}
