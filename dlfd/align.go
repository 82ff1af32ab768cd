package dlfd

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Align makes the model treat forget samples as it treats samples that it has
// never seen. It is the recommended method:
//
//  1. Weights are shrunk and perturbed (Ash and Adams, NeurIPS 2020, arXiv
//     1910.08475), which weakens what was memorized.
//  2. A few epochs of descent on the retain set bring the task back, the later ones
//     on the samples that are still got wrong and some of the others, by train.Muon,
//     which needs about half of the passes that SGD needs. No matrix of weights gets
//     longer than it was before. In the first two thirds of the steps
//  3. the log-odds of the right class on the forget samples of every class are
//     pushed down to the distribution that the model shows on Holdout samples of
//     that class: a one-sided Wasserstein-1 distance, which acts as long as the
//     forget samples tend to be the higher ones. A retrained model treats forget
//     samples as it treats unseen ones; this asks for just that. The last third is
//     descent alone: what a push has merely hidden comes back before the end.
//
// The zero value has all three parts; each can be turned off. The method does no
// feature distancing; that is [DLFD].
type Align struct {
	// Shrink is the factor of the weights in part 1, in (0, 1]; 1 keeps them. If
	// it is zero, .35 is used for a model that has running statistics of batch
	// norm, which take up the change of scale, or is given them for all layers but
	// the last (see NoNorms); .3 for one of at most three layers with weights, in
	// which nothing fades; and .6 for any other, such as a transformer, whose
	// attention has no norms. This is for up to two passes: the more bring the task
	// back, the more is loosened, and it is divided by (Epochs/2)^.6, that of six passes
	// at most (with batch norm .231 for four, .202 for five). With batch norm in all layers
	// but the last, half of the loosening is done (.675, and half of the noise) where Forget
	// is at most a sixteenth of Retain, and forget and held-out samples cannot be told apart
	// before the run, neither by the loss nor by the share that is got right (both intervals
	// at 95 % hold what tells nothing): it forgets as much of a few random samples, and costs
	// less accuracy from one request to the next. A demand for persons is done in full, and
	// so is all where layers are without norms: half left too much of one person known.
	Shrink float64
	// Perturb scales the noise of part 1. A weight with fan-in n gets normal
	// noise with standard deviation Perturb/√(3n), that of PyTorch's default
	// initialization for Perturb 1. If it is zero, .8 is used where Shrink is
	// below 1, and 1.6 for a model of at most three layers without norms, which
	// shrinking alone scales and does not loosen; none is added where Shrink is 1. Where
	// layers are without norms it is multiplied by (Epochs/2)^.6 as Shrink is divided. Off
	// adds none.
	Perturb float64

	// NoNorms leaves a model without batch norm as it is. By default a model that
	// has no running statistics, more than three layers with weights, and can be
	// given batch norm (see feature.NormInserter) has it from before part 1 until
	// the end, when it is folded into the weights.
	NoNorms bool

	// Match is the weight of part 3, for a class of many forget samples: of n samples it is
	// n/(n+20) of that, as the distance of a handful is mostly noise. If it is zero, .1 is
	// used where Shrink is below 1, and .3 where it is 1; Off leaves it out.
	Match float64

	// Distance, where not nil, adds a term to part 3: DistanceWeight times the Distance
	// between the features of forget and of Holdout samples, class by class (see
	// distance.ClassConditional), which pulls the former to the latter. Features are
	// those that feed the last layer, divided by the root of the mean squared norm that
	// Holdout has there; Holdout is represented by the features of the last 512 samples
	// that were seen. It is nil by default: in place of Match or beside it, the
	// distances that were tried (energy, sliced, debiased Sinkhorn) are no better than
	// Match alone; see METHODS.md. Models with several heads, whose samples have no one
	// class, are refused.
	Distance distance.Distance
	// DistanceWeight is the weight of Distance. If it is zero, 1 is used. Without a
	// Distance it must be zero.
	DistanceWeight float64 `json:",omitempty"`

	// Epochs is the number of passes over the retain set; in the first two thirds of the
	// steps part 3 passes over the forget set beside them, its batches spread evenly. If it
	// is zero, 2 is used, or as many as make 30 steps, 70 without norms. It is the knob for
	// what a run may cost: more bring back more of what was known of the retain set by
	// heart, and the gap stays about the same; see METHODS.md.
	Epochs int
	// Revisit is the share of the retain set, in (0, 1], that each pass after the
	// first goes over: three quarters of it the samples with the largest losses
	// when they were last seen, one quarter drawn from the rest. The passes are
	// shorter and more, so that the work is that of Epochs. What is known already
	// needs no further pass, and what a retrained model would know by heart is
	// brought back sooner. If it is zero, .7 is used; 1 goes over all.
	Revisit float64
	// Rate is the first learning rate of train.Muon: the length of a step by that of the
	// loosened weights. If it is zero, 1 by the root of the number of steps is used, but at
	// most .025 with running statistics of batch norm and .03 without; for a model of at most
	// three layers without norms 1.2 by that root, at most .09.
	Rate float64
	// Schedule scales the learning rate. If it is nil, train.Cosine is used.
	Schedule train.Schedule `json:"-"`

	// Always runs where there is nothing to forget. By default a run in which intervals at
	// 95 % show that there is next to nothing to tell between forget and held-out samples
	// stops with NothingToForget before it changes a weight. Where it is not known whether
	// there is, a note says so, and half of the loosening may do; see Shrink. A request for a
	// class, whose samples a trained model knows on both sides, is always done in full.
	Always bool
}

// alignSample is the most samples of either side that Align scores. Intervals of
// the AUC are then about .04 wide.
const alignSample = 2048

// insertNorms gives the model batch norm where part 1 is going to change weights
// and there are enough layers for signals to fade, and reports whether it did.
func (a Align) insertNorms(ctx context.Context, s *Session) (inserted bool, fold func() error, err error) {
	layers, _ := countLayers(s.Model.Spec())
	if a.NoNorms || layers <= shallowLayers || a.Shrink == 1 && a.Perturb <= 0 {
		return false, func() error { return nil }, nil
	}
	before := s.Model
	fold, err = s.InsertNorms(ctx)
	return s.Model != before, fold, err
}

// Refit carries out parts 1 and 2 alone, in a run of another method that reads
// nothing but Retain, and returns the settings as resolved, with Match Off. The
// passes, and the numbers drawn, are those of an Align whose Match is Off.
func (a Align) Refit(ctx context.Context, s *Session) (Align, error) {
	inserted, fold, err := a.insertNorms(ctx, s)
	if err != nil {
		return a, err
	}
	a.Match, a.Distance, a.DistanceWeight = Off, nil, 0
	a, err = a.resolve(s.Model.Spec(), inserted, s.StepsPerEpoch(s.Data.Retain))
	if err != nil {
		return a, err
	}
	if s.Spent() { // before the weights are touched
		return a, nil
	}
	if err := a.run(ctx, s); err != nil {
		return a, err
	}
	return a, fold()
}

// Name implements Namer.
func (Align) Name() string { return "Align" }

// MarshalJSON writes the Distance as distance.Source does, for records of settings.
func (a Align) MarshalJSON() ([]byte, error) {
	type fields Align
	return json.Marshal(struct {
		fields
		Distance string `json:",omitempty"`
	}{fields(a), distance.Source(a.Distance)})
}

// Needs implements Needer.
func (a Align) Needs() Needs {
	return Needs{Retain: true, Forget: true, Holdout: true, Heads: a.Distance == nil, Resumes: !warmStarts(a.Distance)}
}

// Unlearn implements Unlearner. It reads all three datasets. Cost: Epochs
// passes over Retain, forward and backward; for Match two thirds as many over Forget, with
// as many forward passes of Holdout batches; where part 1 changes weights and there
// is batch norm, 30 batches forward for its statistics; two scores; Session.CheckTask.
func (a Align) Unlearn(ctx context.Context, m feature.Trainable, data Data, opt *Options) (*Result, error) {
	return Run(ctx, a.Name(), m, data, opt, a.Needs(), func(ctx context.Context, s *Session) error {
		inserted, fold, err := a.insertNorms(ctx, s)
		if err != nil {
			return err
		}
		given := a
		a, err := a.resolve(s.Model.Spec(), inserted, s.StepsPerEpoch(s.Data.Retain))
		if err != nil {
			return err
		}
		s.Result.Settings = a
		score, err := newScorer(s, Steering{Sample: alignSample})
		if err != nil {
			return err
		}
		before, err := score.take(ctx, s)
		if err != nil {
			return err
		}
		kind := s.Data.Demand.kind()
		all := a.Always || kind == KindClass
		if before.nothingToForget() && !all {
			s.Result.Stop = NothingToForget
			return nil
		}
		if !before.tells() && !all {
			if kind != KindPerson && 16*s.Data.Forget.Len() <= s.Data.Retain.Len() {
				a = given.spare(a, given.dose(s.Model.Spec(), inserted))
				s.Result.Settings = a
			}
			s.Result.Notes = append(s.Result.Notes, before.unclear(a))
		}
		if s.Spent() { // before the weights are touched
			return nil
		}
		if err := a.run(ctx, s); err != nil {
			return err
		}
		if err := fold(); err != nil {
			return err
		}
		after, err := score.take(ctx, s)
		if err == nil && s.Result.Stop == Completed && after.notForgotten(before) {
			s.Result.Stop = NotForgotten
		}
		return err
	})
}

func checkDescent(epochs int, rate float64) error {
	if epochs < 1 || !(rate > 0) || math.IsInf(rate, 0) {
		return fmt.Errorf("%w: Epochs %d, Rate %v", ErrParameter, epochs, rate)
	}
	return nil
}

// isWeight reports whether v is positive and finite, or Off.
func isWeight(v float64) bool { return v == Off || v > 0 && !math.IsInf(v, 0) }

// loosens reports whether part 1 changes a weight.
func (a Align) loosens() bool { return a.Shrink < 1 || a.Perturb > 0 }

// loosen is part 1.
func (a Align) loosen(s *Session) error {
	return shrinkAndPerturb(s.Model, a.Shrink, max(a.Perturb, 0), s.Seed("perturb weights"))
}

// run carries out the three parts on s.Model, which may be any model.
func (a Align) run(ctx context.Context, s *Session) error {
	if a.loosens() {
		if err := a.loosen(s); err != nil {
			return err
		}
	}
	if err := a.descend(ctx, s); err != nil {
		return err
	}
	if a.loosens() {
		if err := settle(ctx, s); err != nil {
			return err
		}
	}
	return s.CheckTask(ctx)
}

// descend is parts 2 and 3.
func (a Align) descend(ctx context.Context, s *Session) error {
	known := newRecall(s, a.Revisit)
	d := Descent{Epochs: a.Epochs, Optimizer: s.Muon(a.Rate), Schedule: a.Schedule, Visit: known.visit, Gradient: known.gradient}
	if a.Match != Off || a.Distance != nil {
		match := newMatching(s, a.Match, newFeatureTerm(a.Distance, a.DistanceWeight))
		defer match.stop()
		d.Gradient = func(ctx context.Context, step *Step) error {
			if step.Number < pushed(step.Of) {
				if err := match.gradient(ctx, step); err != nil {
					return err
				}
			}
			return known.gradient(ctx, step)
		}
	}
	return s.Descend(ctx, d)
}

// pushed returns how many of a number of steps part 3 takes part in: the first two thirds.
func pushed(steps int) int { return (2*steps + 2) / 3 }

// shrinkAndPerturb changes the weights of linear and convolutional layers, which
// are the trainable parameters with more than one axis.
func shrinkAndPerturb(m feature.Trainable, shrink, noise float64, seed uint64) error {
	for i, p := range m.Spec().Params {
		if !p.Trainable || len(p.Shape) < 2 {
			continue
		}
		r := rng.Stream(seed, "parameter", i)
		sd := noise / math.Sqrt(3*float64(p.FanIn()))
		buf := make([]float32, feature.Size(p.Shape))
		err := feature.UpdateParam(m, i, buf, func(w []float32) {
			for j, v := range w {
				w[j] = float32(shrink*float64(v) + sd*r.NormFloat64())
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settle runs retain batches forward until the running statistics of batch norm, if
// there are any, are those of the new weights. Shrinking changed them at a stroke,
// and a short descent does not make up for it: with the usual momentum of .1, what
// is left of an old value after these batches is .9³⁰ = 4 % of the error at the
// end of the descent.
func settle(ctx context.Context, s *Session) error {
	if !train.HasStatistics(s.Model.Spec()) {
		return nil
	}
	const batches = 30
	next, stop := s.Cycle(s.Data.Retain, "settle order") // the name of the stream fixes the bits
	defer stop()
	for i := range batches {
		b, err := next()
		if err == nil {
			if len(b.Labels) == 1 { // one value has no variance; see train.Descent
				return nil
			}
			mode := feature.Mode{Train: true, Track: true, Seed: s.Seed("settle dropout", i)}
			err = feature.ForwardMode(ctx, s.Model, mode, b.X, nil, nil)
		}
		if err != nil {
			return fmt.Errorf("statistics of batch norm: %w", err)
		}
	}
	return nil
}
