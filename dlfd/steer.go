package dlfd

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// Steering says how a run is scored and what follows. A score is 2·|AUC − ½| of
// the loss attack on equally many forget and holdout samples of every class. It is
// taken on the first half of Forget, that of [feature.Halves], and on Holdout. Of a
// model with several heads, each is scored, and the score is their mean.
type Steering struct {
	// Every is the number of weight updates between scores. If it is zero, 4
	// is used.
	Every int
	// Sample is the largest number of samples of either side that is scored, at
	// least 2. If it is zero, 256 is used.
	Sample int
	// Threshold is the score below which distancing stops. If it is zero, .15
	// is used, the value published for age on MUFAC.
	Threshold float64
	// Cap is the score that a checkpoint must not exceed to be kept as the
	// best. If it is zero, .09 is used, the value published for age on MUFAC.
	Cap float64
}

func (o Steering) resolve() (Steering, error) {
	o.Every, o.Sample = cmp.Or(o.Every, 4), cmp.Or(o.Sample, 256)
	o.Threshold, o.Cap = cmp.Or(o.Threshold, .15), cmp.Or(o.Cap, .09)
	if o.Every < 1 || o.Sample < 2 || !(o.Threshold > 0) || !(o.Cap > 0) || math.IsInf(o.Threshold, 0) || math.IsInf(o.Cap, 0) {
		return o, fmt.Errorf("%w: Steering %+v", ErrParameter, o)
	}
	return o, nil
}

// scorer scores a run and keeps its best checkpoint.
type scorer struct {
	Steering
	forget, holdout feature.Dataset
	seed            uint64
	last            float64 // the last score; 1 before there is any
	scored          int     // the step after which it was taken, −1 before there is any

	checkpoints bool    // keep the best weights
	best        float64 // NoMUS of the best checkpoint under the cap
	weights     feature.Weights
	bestStep    int
}

func newScorer(s *Session, o Steering) (*scorer, error) {
	p := &scorer{Steering: o, seed: s.Seed("steering attack"), last: 1, scored: -1, best: -1}
	half, _, err := feature.Halves(s.Data.Forget)
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	if p.forget, err = sample(half, o.Sample); err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	if p.holdout, err = sample(s.Data.Holdout, o.Sample); err != nil {
		return nil, fmt.Errorf("holdout: %w", err)
	}
	return p, nil
}

// Scorer returns a function that scores s.Model as it is; the score is recorded in
// the result and told to the observer. Needs must have Forget and Holdout, or the
// data be known to be there: a nil or empty set gives an error wrapping ErrEmpty.
// Steering's Every, Threshold and Cap are not used. Cost: one forward pass of up to
// twice Steering.Sample samples a score.
func (s *Session) Scorer(o Steering) (func(context.Context) (Score, error), error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	for _, d := range []namedSet{{name: "forget", Dataset: s.Data.Forget}, {name: "holdout", Dataset: s.Data.Holdout}} {
		if d.missing() {
			return nil, fmt.Errorf("%w: %s", ErrEmpty, d.name)
		}
	}
	p, err := newScorer(s, o)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (Score, error) { return p.take(ctx, s) }, nil
}

// sample thins d out evenly, class by class, to at most n samples.
func sample(d feature.Dataset, n int) (feature.Dataset, error) {
	if d.Len() <= n {
		return d, nil
	}
	labels, err := feature.Labels(d)
	if err != nil {
		return nil, err
	}
	return feature.Subset(d, thinned(labels, n))
}

// thinned returns n positions at equal distances among those of the labels, sorted
// by label; all, in their order, if there are no more.
func thinned(labels []int, n int) []int {
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	if len(labels) <= n {
		return order
	}
	slices.SortStableFunc(order, func(i, j int) int { return labels[i] - labels[j] })
	index := make([]int, n)
	for i := range index {
		index[i] = order[i*len(labels)/n]
	}
	return index
}

// take scores the model as it is, and records and returns the score.
func (p *scorer) take(ctx context.Context, s *Session) (Score, error) {
	forget, err := headOutputs(ctx, s.Model, p.forget)
	if err != nil {
		return Score{}, fmt.Errorf("scoring forget: %w", err)
	}
	holdout, err := headOutputs(ctx, s.Model, p.holdout)
	if err != nil {
		return Score{}, fmt.Errorf("scoring holdout: %w", err)
	}
	v, err := p.scores(forget, holdout)
	if err != nil {
		return Score{}, fmt.Errorf("scoring forget against holdout: %w", err)
	}
	p.last, p.scored = v.Forgetting, s.Result.Ledger.Steps
	s.Score(v)
	if !p.checkpoints {
		return v, nil
	}
	return v, p.keep(s, v)
}

// scores scores each head, and returns the means where there are several.
func (p *scorer) scores(forget, holdout []metrics.Outputs) (Score, error) {
	var mean Score
	n := float64(len(forget))
	for k := range forget {
		v, err := p.score(forget[k], holdout[k])
		if err != nil || len(forget) == 1 {
			return v, err
		}
		mean.Heads = append(mean.Heads, v)
		mean.Forgetting += v.Forgetting / n
		mean.AUC += v.AUC / n
		mean.Interval.Lo += v.Interval.Lo / n
		mean.Interval.Hi += v.Interval.Hi / n
		mean.ForgetLoss += v.ForgetLoss / n
		mean.HoldoutLoss += v.HoldoutLoss / n
		mean.Accuracy += v.Accuracy / n
		mean.ForgetAccuracy += v.ForgetAccuracy / n
		mean.Lead.Value += v.Lead.Value / n
		mean.Lead.Interval.Lo += v.Lead.Interval.Lo / n
		mean.Lead.Interval.Hi += v.Lead.Interval.Hi / n
	}
	return mean, nil
}

func (p *scorer) score(forget, holdout metrics.Outputs) (Score, error) {
	var v Score
	lf, err := forget.CrossEntropies()
	if err != nil {
		return v, err
	}
	lh, err := holdout.CrossEntropies()
	if err != nil {
		return v, err
	}
	v.ForgetLoss, v.HoldoutLoss = stat.Mean(lf, nil), stat.Mean(lh, nil)
	if v.Accuracy, err = holdout.Accuracy(); err != nil {
		return v, err
	}
	match, err := metrics.MatchClasses(forget.Labels, holdout.Labels, forget.Classes, p.seed)
	if err != nil {
		return v, err
	}
	member, nonmember := negated(lf, match.Members), negated(lh, match.NonMembers)
	if v.AUC, err = metrics.AUC(member, nonmember); err != nil {
		return v, err
	}
	v.Forgetting = 2 * math.Abs(v.AUC-.5)
	if v.Interval, err = metrics.AUCInterval(member, nonmember, .95); err != nil {
		return v, err
	}
	v.ForgetAccuracy, v.Lead, err = lead(forget, holdout, match)
	return v, err
}

// lead returns the accuracy on the forget samples, and by how much it exceeds that on
// the holdout samples, both of those that are matched.
func lead(forget, holdout metrics.Outputs, match metrics.Matching) (float64, metrics.Estimate, error) {
	f, h := rights(forget, match.Members), rights(holdout, match.NonMembers)
	n, m := len(match.Members), len(match.NonMembers)
	i, err := metrics.Newcombe(f, n, h, m, .95)
	if err != nil {
		return 0, metrics.Estimate{}, err
	}
	accuracy := float64(f) / float64(n)
	return accuracy, metrics.Estimate{Value: accuracy - float64(h)/float64(m), Interval: i}, nil
}

// rights returns how many of the samples of an index are told right.
func rights(o metrics.Outputs, index []int) (n int) {
	for _, i := range index {
		if toldRight(o, i) {
			n++
		}
	}
	return n
}

// alike and abreast are how far above what tells nothing an AUC and a lead in accuracy
// may be where forget and held-out samples count as alike before a run. Of 2048 samples a
// side, the most that are scored, the interval of a lead may be .03 wide on either side.
const alike, abreast = .02, .03

// nothingToForget reports whether the score shows that forget and held-out
// samples are alike. Few samples cannot show it.
func (v Score) nothingToForget() bool {
	for _, h := range v.heads() {
		if h.Interval.Hi >= .5+alike || h.Lead.Interval.Hi >= abreast {
			return false
		}
	}
	return true
}

// tells reports whether the score tells forget from held-out samples.
func (v Score) tells() bool {
	return slices.ContainsFunc(v.heads(), func(h Score) bool { return h.Interval.Lo > .5 || h.Lead.Interval.Lo > 0 })
}

// heads returns the scores of the heads, v itself where there is one.
func (v Score) heads() []Score {
	if len(v.Heads) > 0 {
		return v.Heads
	}
	return []Score{v}
}

// unclear says that it does not, and how much is loosened.
func (v Score) unclear(a Align) string {
	return fmt.Sprintf("It cannot be told whether there is something to forget, nor whether it is forgotten at the end: before the run the AUC of the loss attack is in [%.3f, %.3f], and the accuracy on forget samples leads by [%.3f, %.3f]. Weights are loosened by Shrink %.4g, Perturb %.4g.",
		v.Interval.Lo, v.Interval.Hi, v.Lead.Interval.Lo, v.Lead.Interval.Hi, a.Shrink, a.Perturb)
}

// notForgotten reports whether v, a score after a run, tells forget from held-out
// samples in one of the heads, by the loss or by the share that is got right, and no worse
// than before as far as the intervals show.
func (v Score) notForgotten(before Score) bool {
	was := before.heads()
	for k, h := range v.heads() {
		loss := h.Interval.Lo > .5 && h.Interval.Hi >= was[k].Interval.Lo
		right := h.Lead.Interval.Lo > 0 && h.Lead.Interval.Hi >= was[k].Lead.Interval.Lo
		if loss || right {
			return true
		}
	}
	return false
}

func negated(loss []float64, index []int) []float64 {
	out := make([]float64, len(index))
	for i, k := range index {
		out[i] = -loss[k]
	}
	return out
}

// keep saves the weights if they are the best so far under the cap.
func (p *scorer) keep(s *Session, v Score) error {
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

// finish scores the last weights, if that is still to do, puts the best
// checkpoint into the model, if there is one, and says so in the result.
func (p *scorer) finish(ctx context.Context, s *Session) error {
	if p.scored != s.Result.Ledger.Steps {
		if _, err := p.take(ctx, s); err != nil {
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

// outputs runs a model with one head over a dataset.
func outputs(ctx context.Context, m feature.Model, d feature.Dataset) (metrics.Outputs, error) {
	if err := feature.CheckOneHead(m.Spec()); err != nil {
		return metrics.Outputs{}, err
	}
	o, err := headOutputs(ctx, m, d)
	if err != nil {
		return metrics.Outputs{}, err
	}
	return o[0], nil
}

// headOutputs runs a model over a dataset, and returns the outputs of each head.
func headOutputs(ctx context.Context, m feature.Model, d feature.Dataset) ([]metrics.Outputs, error) {
	const batch = 64
	spec := m.Spec()
	if err := feature.CheckHeads(spec, d); err != nil {
		return nil, err
	}
	out, labels, err := feature.Predict(ctx, m, d, []string{spec.Logits}, batch)
	if err != nil {
		return nil, err
	}
	var o []metrics.Outputs
	for k := range spec.Heads.Count() {
		z := spec.Heads.Part(k, out[0])
		o = append(o, metrics.Outputs{N: len(labels), Classes: z.RowLen(), Logits: z.Data, Labels: spec.Heads.PartLabels(k, labels)})
	}
	return o, nil
}
