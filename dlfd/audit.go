package dlfd

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// AuditData is what a model is judged on.
type AuditData struct {
	Retain feature.Dataset // the training samples that may be kept
	Forget feature.Dataset // samples to be forgotten, for the accuracy on them
	Test   feature.Dataset // samples for the accuracy that users see

	// Member and NonMember are what the membership attacks tell apart: forget
	// samples and samples that were never trained on. To be fair, neither has
	// samples that the method was steered by: use the second half of [feature.Halves].
	Member, NonMember feature.Dataset

	// Demand says what kind of request the model is judged on; nil is one of
	// KindSample. See [Demand].
	Demand *Demand
}

// AuditOptions says what an audit has beside the model and the data, and so which
// instruments can run. A nil *AuditOptions means the defaults: what can be told by
// forward passes of the model alone.
type AuditOptions struct {
	// Seed fixes the matching, halving and resampling of the attacks, the
	// shuffles of the tests and the order of the samples in resurgence and
	// relearning. Use one seed for all models that are compared. Zero is a seed
	// like any other.
	Seed uint64
	// Original is the model before it had to forget. Without one, what is measured
	// between it and the model is left out.
	Original *Reference
	// Retrained are models that were trained without the forget set, each with
	// seeds of its own. One or more add the gap, the list of samples least
	// forgotten and residual knowledge; three or more the band, and with Siblings KLoM.
	Retrained []Reference
	// Siblings are models that the same method made of the same request with other
	// seeds. Two or more, with three retrained models, add KLoM.
	Siblings []feature.Model
	// Training says how the model was trained. If it is nil, resurgence and
	// relearning are left out.
	Training *Training
	// Tap names the activation that counts as features. If it is empty, the
	// model's Spec().Features is used.
	Tap string
}

// Reference is a model that others are compared with.
type Reference struct {
	Model feature.Model
	// Audited, where not nil, is what an audit of Model on the same data and with
	// the same Seed, Training and Tap has said. If it is nil, Audit judges the
	// model first, at the full cost; see Audited.References.
	Audited *Audited
}

// Training says how a model was trained, as far as resurgence and relearning
// imitate it.
type Training struct {
	// Rate is the learning rate at the start of the training. If it is zero, .05
	// is used, the default of train.Options.
	Rate float64
	// BatchSize is the number of samples a step, at most train.MaxBatch. If it is
	// zero, 32 is used.
	BatchSize int
	// Optimizer returns the optimizer with a given learning rate. If it is nil,
	// SGD with momentum .9 and weight decay 5e-4 is used.
	Optimizer func(rate float64) train.Optimizer `json:"-"`
}

func (t Training) resolve() (Training, error) {
	t.Rate, t.BatchSize = cmp.Or(t.Rate, .05), cmp.Or(t.BatchSize, 32)
	if t.Optimizer == nil {
		t.Optimizer = func(rate float64) train.Optimizer {
			return train.SGD{Rate: rate, Momentum: .9, WeightDecay: 5e-4}
		}
	}
	if !(t.Rate > 0) || math.IsInf(t.Rate, 0) || t.BatchSize < 1 || t.BatchSize > train.MaxBatch {
		return t, fmt.Errorf("%w: Training.Rate %v, BatchSize %d (at most %d)", ErrParameter, t.Rate, t.BatchSize, train.MaxBatch)
	}
	return t, nil
}

// resolve returns a copy of o with its defaults filled in.
func (o *AuditOptions) resolve(spec feature.Spec) (AuditOptions, error) {
	var r AuditOptions
	if o != nil {
		r = *o
	}
	r.Tap = cmp.Or(r.Tap, spec.Features)
	if _, err := spec.Tap(r.Tap); err != nil {
		return r, err
	}
	if r.Training != nil {
		t, err := r.Training.resolve()
		if err != nil {
			return r, err
		}
		r.Training = &t
	}
	if r.Original != nil && r.Original.Model == nil {
		return r, fmt.Errorf("%w: Original has no Model", ErrParameter)
	}
	for i, ref := range r.Retrained {
		if ref.Model == nil {
			return r, fmt.Errorf("%w: Retrained %d has no Model", ErrParameter, i)
		}
	}
	for i, m := range r.Siblings {
		if m == nil {
			return r, fmt.Errorf("%w: Siblings %d is nil", ErrParameter, i)
		}
	}
	return r, nil
}

// Audit judges a model by every instrument whose needs are met. What is left out,
// and why, is in Audited.NotJudged.
//
// The model and the references are not changed: where weights must move, a copy is
// taken by feature.Cloner, or, where there is none, the weights are put back, after
// errors and panics too; meanwhile nobody else may use such a model.
//
// Cost, in samples run forward where nothing else is said; numbers that follow take
// some seconds at 100,000 samples a set, and memory in proportion to them:
//
//   - accuracies, attacks, label floor, calibration: all of data, once
//   - scatter ratio, SMI, new head, two-sample test: up to 1,024 samples of each set
//     once more for the features, every class thinned out alike; two-sample test and
//     SDE compare all pairs of up to 512
//   - Original: all of data, and Retain, Member and NonMember once more
//   - Retrained, each: an audit of its own, unless its Audited is given; Member and
//     NonMember once more, for the most memorized tenth, LiRA, RMIA and IAM
//   - residual knowledge: 16 times up to 256 members, by the model and by one
//     retrained model
//   - KLoM: Member, by each sibling and each retrained model
//   - Training, for the model and for each retrained model that is audited:
//     resurgence makes eight epochs over Retain, forward and backward, and runs Forget
//     and Test six times; relearning makes 40 steps and runs half of Forget three times
//
// Forget, Member and NonMember may be empty, and the members too few for an
// attack: NotJudged says so then. A nil dataset, or an empty Retain or Test, gives
// an error wrapping ErrEmpty. Datasets that call a class by different names give
// one wrapping feature.ErrClasses, and options out of range one wrapping
// ErrParameter.
func Audit(ctx context.Context, m feature.Model, data AuditData, opt *AuditOptions) (*Audited, error) {
	a, err := newAudit(m, data, opt)
	if err == nil {
		err = a.run(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("dlfd: audit: %w", err)
	}
	return a.Audited, nil
}
