package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// Limit ends a run that harms the task. Methods that drive the model away from
// its answers on the forget set have no other end, and what they harm first is the
// retain set.
type Limit struct {
	// Harm is how far the mean cross-entropy on the retain set may rise, as a share
	// of log(classes), that of a model which knows nothing. If it is zero, .05 is
	// used; dlfd.Off lets it rise. It is looked at, in evaluation mode, on up to 256
	// retain samples at equal distances, at most twenty times a run. Where it is
	// above the limit, the model goes back to the last weights that were not, the
	// run ends with dlfd.TaskHarmed, and a note has the numbers. A method without an
	// ascent, whose loss may rise at first and fall again, is ended by what the last
	// look finds alone.
	Harm float64
}

// harmSample is the most retain samples that are looked at, and harmLooks how often.
// Losses of a good model with a mean of .1 have a deviation of about .3, and the mean of
// 256 of them a standard error of .02, a sixth of the default for 10 classes.
const (
	harmSample = 256
	harmLooks  = 20
)

func (l Limit) resolve() (Limit, error) {
	if l.Harm = cmp.Or(l.Harm, .05); l.Harm != dlfd.Off && (!(l.Harm > 0) || math.IsInf(l.Harm, 0)) {
		return l, fmt.Errorf("%w: Harm %v", dlfd.ErrParameter, l.Harm)
	}
	return l, nil
}

// harm is a Limit in a run.
type harm struct {
	s       *dlfd.Session
	sample  feature.Dataset // nil: no limit
	start   float64         // mean loss before the run
	limit   float64
	patient bool            // the run is not ended before its last step: the method descends, and may make good what it does first
	weights feature.Weights // the last that were found below the limit
	step    int             // after which they were reached
	looked  int             // the step after which the loss was last looked at
}

// watch begins to look at a run, and takes the first look. l is resolved.
func (l Limit) watch(ctx context.Context, s *dlfd.Session) (*harm, error) {
	h := &harm{s: s}
	if l.Harm == dlfd.Off {
		return h, nil
	}
	n := s.Data.Retain.Len()
	index := make([]int, min(n, harmSample))
	for i := range index {
		index[i] = i * n / len(index)
	}
	var err error
	if h.sample, err = feature.Subset(s.Data.Retain, index); err != nil {
		return nil, err
	}
	if h.start, err = h.loss(ctx); err != nil {
		return nil, err
	}
	h.limit = h.start + l.Harm*math.Log(float64(s.Model.Spec().Classes()))
	return h, h.keep()
}

func (h *harm) keep() (err error) {
	h.step = h.s.Result.Ledger.Steps
	h.weights, err = feature.Snapshot(h.s.Model)
	return err
}

// loss returns the mean cross-entropy on the sample in evaluation mode.
func (h *harm) loss(ctx context.Context) (float64, error) {
	out, labels, err := feature.Predict(ctx, h.s.Model, h.sample, []string{h.s.Model.Spec().Logits}, h.s.BatchSize)
	if err != nil {
		return 0, fmt.Errorf("retain loss: %w", err)
	}
	losses := make([]float64, len(labels))
	if err := feature.CrossEntropies(losses, out[0], labels); err != nil {
		return 0, fmt.Errorf("retain loss: %w", err)
	}
	return stat.Mean(losses, nil), nil
}

// descend is Session.Descend with looks at equal distances and after the last step,
// where a budget may have ended it.
func (h *harm) descend(ctx context.Context, d dlfd.Descent) error {
	d.After = h.after
	if err := h.s.Descend(ctx, d); err != nil {
		return err
	}
	return h.look(ctx)
}

func (h *harm) after(ctx context.Context) error {
	step, steps := h.s.Result.Ledger.Steps, h.s.Steps
	if every := max(1, (steps+harmLooks-1)/harmLooks); step%every != 0 && step != steps {
		return nil
	}
	return h.look(ctx)
}

// look ends the run where the loss is above the limit, and else keeps the weights.
// It does nothing where no step was taken since the last look.
func (h *harm) look(ctx context.Context) error {
	if h.sample == nil || h.looked == h.s.Result.Ledger.Steps {
		return nil
	}
	h.looked = h.s.Result.Ledger.Steps
	loss, err := h.loss(ctx)
	if err != nil {
		return err
	}
	if loss <= h.limit {
		return h.keep()
	}
	if h.patient && h.looked < h.s.Steps && !h.s.Spent() {
		return nil
	}
	r := h.s.Result
	if r.Last, err = feature.Snapshot(h.s.Model); err != nil {
		return err
	}
	r.Notes = append(r.Notes, fmt.Sprintf("After step %d the mean loss of %d retain samples was %.4g, above the limit of %.4g (%.4g before the run): the weights are those after step %d.",
		r.Ledger.Steps, h.sample.Len(), loss, h.limit, h.start, h.step))
	r.Best = h.step
	h.s.End(dlfd.TaskHarmed)
	return h.weights.Restore(h.s.Model)
}
