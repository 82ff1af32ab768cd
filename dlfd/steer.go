package dlfd

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// Attack says how a run is scored while it goes on.
type Attack int

// The attacks.
const (
	// Balanced is the loss attack on equally many forget and holdout samples of
	// every class; the score is 2·|AUC − ½|.
	Balanced Attack = iota
	// Published is the attack of the MUFAC benchmark and of DLFD's released
	// code (metrics.PublishedAttack), on sets of any sizes; the score is
	// 2·|accuracy − ½|.
	Published
)

// Steering says how a run is scored and what follows. Scores are taken on one
// half of Forget, that of [Halves], and on Holdout.
type Steering struct {
	// Attack is what scores. The default is Balanced.
	Attack Attack
	// All scores on the whole of Forget and Holdout and not on a sample.
	All bool
	// Every is the number of weight updates between scores. If it is zero, 4
	// is used.
	Every int
	// Sample is the largest number of samples of either side that is scored.
	// If it is zero, 256 is used.
	Sample int
	// Threshold is the score below which distancing stops. If it is zero, .15
	// is used, the value published for age on MUFAC.
	Threshold float64
	// Cap is the score that a checkpoint must not exceed to be kept as the
	// best. If it is zero, .09 is used, the value published for age on MUFAC.
	Cap float64
}

func (o Steering) resolve() (Steering, error) {
	if o.Every == 0 {
		o.Every = 4
	}
	if o.Sample == 0 {
		o.Sample = 256
	}
	if o.Threshold == 0 {
		o.Threshold = .15
	}
	if o.Cap == 0 {
		o.Cap = .09
	}
	if o.Attack < Balanced || o.Attack > Published || o.Every < 0 || o.Sample < 2 || !(o.Threshold > 0) || !(o.Cap > 0) {
		return o, fmt.Errorf("%w: Steering %+v", ErrParameter, o)
	}
	return o, nil
}

// Halves divides d into two halves with equally many samples of every class,
// give or take one: within each class, samples go to either side in turn. An
// Unlearner steers on the first half of Forget, so that the second is fair to
// report on.
func Halves(d feature.Dataset) (steer, report feature.Dataset, err error) {
	b, err := feature.ReadAll(d)
	if err != nil {
		return nil, nil, err
	}
	var half [2][]int
	seen := make(map[int]int)
	for i, label := range b.Labels {
		side := seen[label] % 2
		half[side] = append(half[side], i)
		seen[label]++
	}
	if steer, err = feature.Subset(d, half[0]); err != nil {
		return nil, nil, err
	}
	report, err = feature.Subset(d, half[1])
	return steer, report, err
}

// pilot scores a run and keeps its best checkpoint.
type pilot struct {
	Steering
	forget, holdout feature.Dataset
	seed            uint64
	score           float64 // the last one; 1 before there is any
	scored          int     // the step after which it was taken, −1 before there is any

	checkpoints bool    // keep the best weights
	best        float64 // NoMUS of the best checkpoint under the cap
	weights     feature.Weights
	bestStep    int
}

func newPilot(s *Session, o Steering) (*pilot, error) {
	p := &pilot{Steering: o, forget: s.Data.Forget, holdout: s.Data.Holdout, seed: s.Seed("steering attack"), score: 1, scored: -1, best: -1}
	if o.All {
		return p, nil
	}
	half, _, err := Halves(s.Data.Forget)
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	if p.forget, err = sample(half, o.Sample); err != nil {
		return nil, err
	}
	p.holdout, err = sample(s.Data.Holdout, o.Sample)
	return p, err
}

// sample thins d out evenly, class by class, to at most n samples.
func sample(d feature.Dataset, n int) (feature.Dataset, error) {
	if d.Len() <= n {
		return d, nil
	}
	b, err := feature.ReadAll(d)
	if err != nil {
		return nil, err
	}
	order := slices.Clone(b.Index)
	slices.SortStableFunc(order, func(i, j int) int { return b.Labels[i] - b.Labels[j] })
	index := make([]int, n)
	for i := range index {
		index[i] = order[i*d.Len()/n]
	}
	return feature.Subset(d, index)
}

// look scores the model as it is and records the score.
func (p *pilot) look(ctx context.Context, s *Session) error {
	forget, err := outputs(ctx, s.Model, p.forget)
	if err != nil {
		return fmt.Errorf("scoring forget: %w", err)
	}
	holdout, err := outputs(ctx, s.Model, p.holdout)
	if err != nil {
		return fmt.Errorf("scoring holdout: %w", err)
	}
	v, err := p.rate(forget, holdout)
	if err != nil {
		return fmt.Errorf("scoring forget against holdout: %w", err)
	}
	p.scored = s.Result.Ledger.Steps
	s.Score(v)
	if !p.checkpoints {
		return nil
	}
	return p.keep(s, v)
}

func (p *pilot) rate(forget, holdout metrics.Outputs) (Score, error) {
	var v Score
	lf, err := forget.CrossEntropies()
	if err != nil {
		return v, err
	}
	lh, err := holdout.CrossEntropies()
	if err != nil {
		return v, err
	}
	v.ForgetLoss, v.HoldoutLoss = meanOf(lf), meanOf(lh)
	if v.Accuracy, err = holdout.Accuracy(); err != nil {
		return v, err
	}
	success, err := p.attack(forget, holdout, lf, lh)
	if err != nil {
		return v, err
	}
	v.Forgetting = 2 * math.Abs(success-.5)
	p.score = v.Forgetting
	return v, nil
}

func (p *pilot) attack(forget, holdout metrics.Outputs, lf, lh []float64) (float64, error) {
	if p.Attack == Published {
		r, err := metrics.PublishedAttack(negated(lf, nil), negated(lh, nil), p.seed)
		if err != nil {
			return 0, err
		}
		return r.Accuracy, nil
	}
	match, err := metrics.MatchClasses(forget.Labels, holdout.Labels, forget.Classes, p.seed)
	if err != nil {
		return 0, err
	}
	return metrics.AUC(negated(lf, match.Members), negated(lh, match.NonMembers))
}

// negated returns minus the losses at the given positions, at all if index is nil.
func negated(loss []float64, index []int) []float64 {
	if index == nil {
		out := make([]float64, len(loss))
		for i, v := range loss {
			out[i] = -v
		}
		return out
	}
	out := make([]float64, len(index))
	for i, k := range index {
		out[i] = -loss[k]
	}
	return out
}

func meanOf(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// keep saves the weights if they are the best so far under the cap.
func (p *pilot) keep(s *Session, v Score) error {
	if v.Forgetting > p.Cap {
		return nil
	}
	nomus := (v.Accuracy + 1 - v.Forgetting) / 2
	if nomus <= p.best {
		return nil
	}
	w, err := feature.Snapshot(s.Model)
	if err != nil {
		return err
	}
	p.best, p.weights, p.bestStep = nomus, w, s.Result.Ledger.Steps
	return nil
}

// land scores the last weights, if that is still to do, puts the best
// checkpoint into the model, if there is one, and says so in the result.
func (p *pilot) land(ctx context.Context, s *Session) error {
	if p.scored != s.Result.Ledger.Steps {
		if err := p.look(ctx, s); err != nil {
			return err
		}
	}
	if s.Result.Ledger.Steps == 0 || p.weights != nil && p.bestStep == 0 {
		s.Result.Stop = NothingDone
	}
	if p.weights == nil {
		if s.Result.Stop == Completed {
			s.Result.Stop = CapNotMet
		}
		return nil
	}
	if p.bestStep == s.Result.Ledger.Steps {
		return nil
	}
	last, err := feature.Snapshot(s.Model)
	if err != nil {
		return err
	}
	s.Result.Last, s.Result.Best = last, p.bestStep
	return p.weights.Restore(s.Model)
}

// outputs runs a model over a dataset.
func outputs(ctx context.Context, m feature.Model, d feature.Dataset) (metrics.Outputs, error) {
	const batch = 64
	spec := m.Spec()
	out, labels, err := feature.Predict(ctx, m, d, []string{spec.Logits}, batch)
	if err != nil {
		return metrics.Outputs{}, err
	}
	return metrics.Outputs{N: len(labels), Classes: spec.Classes(), Logits: out[0].Data, Labels: labels}, nil
}
