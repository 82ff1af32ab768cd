package dlfd

import (
	"context"
	"errors"
	"fmt"

	"gonum.org/v1/gonum/floats"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
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
}

// Audited is the judgment of a model.
type Audited struct {
	RetainAccuracy float64 `json:"retain_accuracy"`
	ForgetAccuracy float64 `json:"forget_accuracy"`
	TestAccuracy   float64 `json:"test_accuracy"`
	ForgetLoss     float64 `json:"forget_loss"` // mean cross-entropy
	TestLoss       float64 `json:"test_loss"`

	// LossAttack is the balanced, class-matched attack by a threshold on the loss,
	// LogisticAttack the one by a logistic regression; see metrics.Attack.
	LossAttack     metrics.Strength `json:"loss_attack"`
	LogisticAttack metrics.Strength `json:"logistic_attack"`

	// Published is the attack of the published tables, PublishedMajority what
	// an attacker reaches there who always gives the same answer.
	Published         float64 `json:"published_attack"`
	PublishedMajority float64 `json:"published_majority"`
	// ForgettingScore and NoMUS are the published scores of Published and the
	// test accuracy; BalancedNoMUS puts in the balanced accuracy of LossAttack.
	ForgettingScore float64 `json:"forgetting_score"`
	NoMUS           float64 `json:"nomus"`
	BalancedNoMUS   float64 `json:"balanced_nomus"`

	// NotJudged has a sentence for everything that the data are too few for; the
	// fields that it names are zero.
	NotJudged []string `json:"not_judged,omitempty"`
}

// Audit judges a model. The seed fixes the matching, halving and resampling of
// the attacks: use one seed for all models that are compared. Cost: one forward
// pass over all of data and the attacks, about .1 s at 1,000 samples.
//
// Forget, Member and NonMember may be empty, and the members too few for an
// attack: NotJudged says so then. A nil dataset, or an empty Retain or Test, gives
// an error wrapping ErrEmpty. Datasets that call a class by different names give
// one wrapping feature.ErrClasses.
func Audit(ctx context.Context, m feature.Model, data AuditData, seed uint64) (*Audited, error) {
	var a Audited
	err := a.judge(ctx, m, data, seed)
	if err != nil {
		return nil, fmt.Errorf("dlfd: audit: %w", err)
	}
	return &a, nil
}

func (a *Audited) judge(ctx context.Context, m feature.Model, data AuditData, seed uint64) error {
	sets := []namedSet{{"retain", data.Retain, true}, {"forget", data.Forget, false}, {"test", data.Test, true}, {"members", data.Member, false}, {"non-members", data.NonMember, false}}
	out := make([]metrics.Outputs, len(sets))
	for i, c := range sets {
		if c.Dataset == nil || c.needed && c.Len() == 0 {
			return fmt.Errorf("%w: %s", ErrEmpty, c.name)
		}
		for _, b := range sets[:i] {
			if err := feature.CheckClasses(c.Dataset, b.Dataset); err != nil {
				return fmt.Errorf("%s and %s: %w", c.name, b.name, err)
			}
		}
		var err error
		if out[i], err = outputs(ctx, m, c.Dataset); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for i, figures := range [][2]*float64{{&a.RetainAccuracy, nil}, {&a.ForgetAccuracy, &a.ForgetLoss}, {&a.TestAccuracy, &a.TestLoss}} {
		if err := a.utility(sets[i].name, out[i], figures[0], figures[1]); err != nil {
			return fmt.Errorf("%s: %w", sets[i].name, err)
		}
	}
	return a.attack(out[3], out[4], seed)
}

// utility sets the accuracy and, where it is asked for, the mean cross-entropy.
func (a *Audited) utility(name string, o metrics.Outputs, accuracy, loss *float64) (err error) {
	if o.N == 0 {
		a.NotJudged = append(a.NotJudged, name+" accuracy and loss: there is no sample")
		return nil
	}
	if *accuracy, err = o.Accuracy(); err != nil || loss == nil {
		return err
	}
	*loss, err = o.MeanCrossEntropy()
	return err
}

// attack sets what the attacks reach.
func (a *Audited) attack(member, nonmember metrics.Outputs, seed uint64) error {
	const classes, published = "loss attack, logistic attack and balanced NoMUS", "published attack, forgetting score and NoMUS"
	if member.N == 0 || nonmember.N == 0 {
		text := fmt.Sprintf(": there are %d members and %d non-members", member.N, nonmember.N)
		a.NotJudged = append(a.NotJudged, classes+text, published+text)
		return nil
	}
	if err := a.judged(classes, a.balancedAttack(member, nonmember, seed)); err != nil {
		return err
	}
	return a.judged(published, a.publishedAttack(member, nonmember, seed))
}

// judged turns the error of an attack with too few samples into a sentence.
func (a *Audited) judged(what string, err error) error {
	if errors.Is(err, metrics.ErrTooFew) || errors.Is(err, metrics.ErrEmpty) || errors.Is(err, metrics.ErrOneClass) {
		a.NotJudged = append(a.NotJudged, fmt.Sprintf("%s: %v", what, err))
		return nil
	}
	return err
}

func (a *Audited) balancedAttack(member, nonmember metrics.Outputs, seed uint64) error {
	res, err := metrics.Attack(member, nonmember, seed, nil)
	if err != nil {
		return err
	}
	a.LossAttack, a.LogisticAttack = res.Loss, res.Logistic
	a.BalancedNoMUS, err = metrics.NoMUS(a.TestAccuracy, a.LossAttack.BalancedAccuracy)
	return err
}

func (a *Audited) publishedAttack(member, nonmember metrics.Outputs, seed uint64) error {
	lm, err := member.CrossEntropies()
	if err != nil {
		return err
	}
	ln, err := nonmember.CrossEntropies()
	if err != nil {
		return err
	}
	floats.Scale(-1, lm)
	floats.Scale(-1, ln)
	pub, err := metrics.PublishedAttack(lm, ln, seed)
	if err != nil {
		return err
	}
	a.Published, a.PublishedMajority = pub.Accuracy, pub.TestMajority
	if a.ForgettingScore, err = metrics.ForgettingScore(pub.Accuracy); err != nil {
		return err
	}
	a.NoMUS, err = metrics.NoMUS(a.TestAccuracy, pub.Accuracy)
	return err
}

// Scores returns the four figures by which models are compared.
func (a *Audited) Scores() metrics.Scores {
	return metrics.Scores{Retain: a.RetainAccuracy, Forget: a.ForgetAccuracy, Test: a.TestAccuracy, AUC: a.LossAttack.AUC}
}
