package baseline

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// Rewind runs another method, keeps checkpoints on the way, and gives the model the
// one whose error on forget samples is closest to the error that the model has, at
// the end of the run, on held-out samples of the same classes (Kurmanji et al.,
// NeurIPS 2023, arXiv 2302.09880, section 3, where the method is SCRUB): samples that
// are got wrong more often than unseen ones are as telling as those that are got
// right more often. The last weights are a checkpoint too, and of equals the latest is
// taken. A method whose steps are
// not those of dlfd.Session.Descend has no other.
//
// Forget samples are those of the first half of the forget set; see feature.Halves.
// The error on held-out samples is that of each class, weighted by the forget
// samples of the class; classes without held-out samples are left out.
type Rewind struct {
	// Of is the method. It is required.
	Of dlfd.Unlearner `json:"-"`
	// Every is the number of steps between checkpoints. If it is zero, they are
	// taken after each pass over the retain set, and ten times a run where the method
	// plans fewer than two passes.
	Every int
}

func (r Rewind) with(of dlfd.Unlearner) decorator { r.Of = of; return r }
func (r Rewind) inner() dlfd.Unlearner            { return r.Of }

// Name implements dlfd.Namer.
func (r Rewind) Name() string { return nameOf(r.Of) + "+R" }

// Needs implements dlfd.Needer.
func (r Rewind) Needs() dlfd.Needs { return scoredNeeds(r.Of) }

// Unlearn implements dlfd.Unlearner. It reads what Of reads, Forget and Holdout.
// Cost: that of Of, one forward pass of half of Forget a checkpoint, and one of
// Holdout; memory: the weights for each checkpoint.
func (r Rewind) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	if r.Every < 0 {
		return nil, fmt.Errorf("%s: %w: Every %d", r.Name(), dlfd.ErrParameter, r.Every)
	}
	if err := need(r.Name(), data); err != nil {
		return nil, err
	}
	o := options(opt)
	var t *tape
	watchToo(&o, func(ctx context.Context, s *dlfd.Session, done bool) (err error) {
		if t == nil {
			if t, err = newTape(s, r.Every); err != nil {
				return err
			}
		}
		if !done {
			return t.step(ctx, s)
		}
		err = t.rewind(ctx, s)
		t = nil // the next run, if any, is another
		return err
	})
	return decorate(ctx, r, m, data, o)
}

// tape has the checkpoints of a run.
type tape struct {
	every, seen int
	forget      feature.Dataset
	checkpoints []tapePoint
}

type tapePoint struct {
	Weights feature.Weights
	Step    int   // weight updates before it
	Wrong   tally // of the forget samples
}

func newTape(s *dlfd.Session, every int) (*tape, error) {
	half, _, err := feature.Halves(s.Data.Forget)
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	if every == 0 {
		every = s.StepsPerEpoch(s.Data.Retain)
		if s.Steps < 2*every {
			every = max(1, s.Steps/10)
		}
	}
	t := &tape{every: every, forget: half}
	s.Keep("rewind", &t.every, &t.seen, &t.checkpoints)
	return t, nil
}

// step keeps a checkpoint after every few steps.
func (t *tape) step(ctx context.Context, s *dlfd.Session) error {
	if t.seen++; t.seen%t.every != 0 {
		return nil
	}
	wrong, err := count(ctx, s, t.forget)
	if err != nil {
		return fmt.Errorf("forget error: %w", err)
	}
	w, err := s.Checkpoint()
	t.checkpoints = append(t.checkpoints, tapePoint{w, s.Result.Ledger.Steps, wrong})
	return err
}

// rewind puts the best checkpoint into the model, which holds the last weights.
func (t *tape) rewind(ctx context.Context, s *dlfd.Session) error {
	wrong, err := count(ctx, s, t.forget)
	if err != nil {
		return fmt.Errorf("forget error: %w", err)
	}
	unseen, err := count(ctx, s, s.Data.Holdout)
	if err != nil {
		return fmt.Errorf("holdout error: %w", err)
	}
	best := tapePoint{Step: s.Result.Best, Wrong: wrong}
	distance := func(c tapePoint) float64 {
		forget, holdout, _ := matchedErrors(c.Wrong, unseen)
		return math.Abs(forget - holdout)
	}
	forget, holdout, ok := matchedErrors(wrong, unseen)
	if !ok {
		return fmt.Errorf("%w: no class has both forget and held-out samples", dlfd.ErrEmpty)
	}
	for _, c := range slices.Backward(t.checkpoints) {
		if c.Step < s.Result.Best && distance(c) < distance(best) { // later ones were given up by the method
			best = c
		}
	}
	if best.Weights == nil {
		return nil
	}
	if s.Result.Last == nil {
		if s.Result.Last, err = feature.Snapshot(s.Model); err != nil {
			return err
		}
	}
	chosen, _, _ := matchedErrors(best.Wrong, unseen)
	s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("The weights are those after step %d, where the error on forget samples was %.4f; at the end it was %.4f, and that on held-out samples %.4f.", best.Step, chosen, forget, holdout))
	s.Result.Best = best.Step
	return best.Weights.Restore(s.Model)
}

// tally has, by class, those of one head after the other, how many samples there are
// and how many are got wrong.
type tally [][2]int

// count runs s.Model over d. A row whose largest logit is not that of its label is
// wrong, and one that has no largest number is too.
func count(ctx context.Context, s *dlfd.Session, d feature.Dataset) (tally, error) {
	spec := s.Model.Spec()
	out, labels, err := feature.Predict(ctx, s.Model, d, []string{spec.Logits}, s.BatchSize)
	if err != nil {
		return nil, err
	}
	var t tally
	for k := range spec.Heads.Count() {
		z := spec.Heads.Part(k, out[0])
		one := make(tally, z.RowLen())
		for i, label := range spec.Heads.PartLabels(k, labels) {
			if label < 0 || label >= len(one) {
				return nil, fmt.Errorf("%w: sample %d has label %d of %d classes", feature.ErrLabel, i, label, len(one))
			}
			one[label][0]++
			if !isLargest(z.Row(i), label) {
				one[label][1]++
			}
		}
		t = append(t, one...)
	}
	return t, nil
}

// isLargest reports whether element k is larger than all before it and not smaller
// than those after it.
func isLargest(row []float32, k int) bool {
	for j, v := range row {
		if j < k && !(row[k] > v) || j > k && !(row[k] >= v) {
			return false
		}
	}
	return true
}

// matchedErrors returns the error on the forget samples and on held-out samples with
// the same classes. It reports false where no class has both.
func matchedErrors(forget, holdout tally) (f, h float64, ok bool) {
	n := 0
	for c, v := range forget {
		if v[0] == 0 || holdout[c][0] == 0 {
			continue
		}
		n += v[0]
		f += float64(v[1])
		h += float64(v[0]) * float64(holdout[c][1]) / float64(holdout[c][0])
	}
	return f / float64(max(n, 1)), h / float64(max(n, 1)), n > 0
}
