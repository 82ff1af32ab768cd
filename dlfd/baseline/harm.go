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
	// of log(classes), that of a model which knows nothing. If it is zero, .1 is
	// used; dlfd.Off lets it rise. It is looked at, in evaluation mode, on up to 256
	// retain samples at equal distances, twenty times a run, and when the retain
	// batches of eight steps suggest it. Where it is above the limit, the model goes
	// back to the last weights that were not, the run ends with dlfd.TaskHarmed, and a
	// note has the numbers. A method whose loss may rise at first and fall again, one
	// without an ascent or with a last phase that repairs, is ended before its last
	// step only where the loss has risen by ten times log(classes).
	Harm float64
}

// harmSample is the most retain samples that are looked at, harmLooks how often, and
// harmRecent how many batches can ask for a look. Losses of a good model with a mean
// of .1 have a deviation of about .3, and the mean of 256 of them a standard error of
// .02, a tenth of the default for 10 classes.
const (
	harmSample = 256
	harmLooks  = 20
	harmRecent = 8
)

func (l Limit) resolve() (Limit, error) {
	if l.Harm = cmp.Or(l.Harm, .1); l.Harm != dlfd.Off && (!(l.Harm > 0) || math.IsInf(l.Harm, 0)) {
		return l, fmt.Errorf("%w: Harm %v", dlfd.ErrParameter, l.Harm)
	}
	return l, nil
}

// harm is a Limit in a run.
type harm struct {
	s       *dlfd.Session
	sample  *lossSample // nil: no limit
	start   float64     // mean loss before the run
	limit   float64
	patient bool            // the method may make good what it does first: only a loss beyond lost ends the run before its last step
	lost    float64         // the loss at which there is nothing left to make good
	weights feature.Weights // the last that were found below the limit
	step    int             // after which they were reached
	looked  int             // the step after which the loss was last looked at
	recent  []float64       // losses of retain batches since then, at most eight
}

// watch begins to look at a run, and takes the first look. l is resolved.
func (l Limit) watch(ctx context.Context, s *dlfd.Session) (*harm, error) {
	h := &harm{s: s}
	if l.Harm == dlfd.Off {
		return h, nil
	}
	var err error
	if h.sample, err = newLossSample("retain", s.Data.Retain); err != nil {
		return nil, err
	}
	if h.start, err = h.sample.mean(ctx, s); err != nil {
		return nil, err
	}
	know := s.Model.Spec().UniformLoss()
	h.limit, h.lost = h.start+l.Harm*know, h.start+max(l.Harm, 10)*know
	s.Keep("limit", &h.weights, &h.step, &h.looked, &h.recent)
	return h, h.keep()
}

func (h *harm) keep() (err error) {
	h.step = h.s.Result.Ledger.Steps
	h.weights, err = feature.Snapshot(h.s.Model)
	return err
}

// lossSample is up to harmSample samples of a set, at equal distances, by whose mean
// loss is told what became of the task.
type lossSample struct {
	feature.Dataset
	set string // its name in errors
}

func newLossSample(set string, d feature.Dataset) (*lossSample, error) {
	n := d.Len()
	index := make([]int, min(n, harmSample))
	for i := range index {
		index[i] = i * n / len(index)
	}
	part, err := feature.Subset(d, index)
	return &lossSample{part, set}, err
}

// mean returns the mean cross-entropy in evaluation mode.
func (l *lossSample) mean(ctx context.Context, s *dlfd.Session) (float64, error) {
	loss, err := s.MeanLoss(ctx, s.Model, l.Dataset)
	if err != nil {
		return 0, fmt.Errorf("%s loss: %w", l.set, err)
	}
	return loss, nil
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

// descendWithin is Session.Descend for a method that only descends from the weights
// that the model came with: it does harm all the same where the rate is too large for
// the model. There is a look before and one after. The limit is resolved.
func (l Limit) descendWithin(ctx context.Context, s *dlfd.Session, d dlfd.Descent) error {
	h, err := l.watch(ctx, s)
	if err != nil {
		return err
	}
	if err := s.Descend(ctx, d); err != nil {
		return err
	}
	return h.look(ctx)
}

func (h *harm) after(ctx context.Context) error {
	step, steps := h.s.Result.Ledger.Steps, h.s.Steps
	every := max(1, (steps+harmLooks-1)/harmLooks)
	if due := step%every == 0 || step == steps; !due && !h.suspicious() {
		return nil
	}
	return h.look(ctx)
}

// batch takes note of the loss of a retain batch, which an ascent that leaves all
// bounds raises long before the next look is due.
func (h *harm) batch(loss float64) {
	if len(h.recent) == harmRecent {
		h.recent = append(h.recent[:0], h.recent[1:]...)
	}
	h.recent = append(h.recent, loss)
}

// suspicious reports whether the last retain batches had losses above the limit.
func (h *harm) suspicious() bool {
	return h.sample != nil && len(h.recent) == harmRecent && !(stat.Mean(h.recent, nil) <= h.limit)
}

// often is an After that looks after every eighth step.
func (h *harm) often(ctx context.Context) error {
	if h.s.Result.Ledger.Steps%8 != 0 {
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
	h.looked, h.recent = h.s.Result.Ledger.Steps, h.recent[:0]
	loss, err := h.sample.mean(ctx, h.s)
	if err != nil {
		return err
	}
	if loss <= h.limit {
		return h.keep()
	}
	if h.patient && loss <= h.lost && h.looked < h.s.Steps && !h.s.Spent() {
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
