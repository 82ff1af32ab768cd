package dlfd

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// AuditData is what a model is judged on.
type AuditData struct {
	Retain feature.Dataset // the training samples that may be kept
	Forget feature.Dataset // all samples to be forgotten: accuracy is taken on them
	Test   feature.Dataset // samples for the accuracy that users see

	// Member and NonMember are what the membership attacks tell apart: forget
	// samples and samples that were never trained on. To be fair, neither has
	// samples that the method was steered by: use the second half of [Halves].
	Member, NonMember feature.Dataset
}

// Audited is the judgement of a model.
type Audited struct {
	RetainAccuracy float64 `json:"retain_accuracy"`
	ForgetAccuracy float64 `json:"forget_accuracy"`
	TestAccuracy   float64 `json:"test_accuracy"`
	ForgetLoss     float64 `json:"forget_loss"` // mean cross-entropy
	TestLoss       float64 `json:"test_loss"`

	// Loss is the balanced, class-matched attack by a threshold on the loss,
	// Logistic the one by a logistic regression; see metrics.Attack.
	Loss     metrics.Strength `json:"loss_attack"`
	Logistic metrics.Strength `json:"logistic_attack"`

	// Published is the attack of the published tables, PublishedMajority what
	// an attacker reaches there who always gives the same answer.
	Published         float64 `json:"published_attack"`
	PublishedMajority float64 `json:"published_majority"`
	// ForgettingScore and NoMUS are the published scores of Published and the
	// test accuracy; BalancedNoMUS puts in the balanced accuracy of Loss.
	ForgettingScore float64 `json:"forgetting_score"`
	NoMUS           float64 `json:"nomus"`
	BalancedNoMUS   float64 `json:"balanced_nomus"`
}

// Audit judges a model. The seed fixes the matching, halving and resampling of
// the attacks: use one seed for all models that are compared. Cost: one forward
// pass over all of data and the attacks, about .1 s at 1,000 samples.
func Audit(ctx context.Context, m feature.Model, data AuditData, seed uint64) (*Audited, error) {
	var a Audited
	for _, c := range []struct {
		name           string
		set            feature.Dataset
		accuracy, loss *float64
	}{
		{"retain", data.Retain, &a.RetainAccuracy, nil},
		{"forget", data.Forget, &a.ForgetAccuracy, &a.ForgetLoss},
		{"test", data.Test, &a.TestAccuracy, &a.TestLoss},
	} {
		o, err := auditOutputs(ctx, m, c.name, c.set)
		if err != nil {
			return nil, err
		}
		if *c.accuracy, err = o.Accuracy(); err != nil {
			return nil, fmt.Errorf("dlfd: audit of %s: %w", c.name, err)
		}
		if c.loss == nil {
			continue
		}
		if *c.loss, err = o.MeanCrossEntropy(); err != nil {
			return nil, fmt.Errorf("dlfd: audit of %s: %w", c.name, err)
		}
	}
	member, err := auditOutputs(ctx, m, "members", data.Member)
	if err != nil {
		return nil, err
	}
	nonmember, err := auditOutputs(ctx, m, "non-members", data.NonMember)
	if err != nil {
		return nil, err
	}
	if err := a.attack(member, nonmember, seed); err != nil {
		return nil, fmt.Errorf("dlfd: audit: %w", err)
	}
	return &a, nil
}

func auditOutputs(ctx context.Context, m feature.Model, name string, d feature.Dataset) (metrics.Outputs, error) {
	if d == nil || d.Len() == 0 {
		return metrics.Outputs{}, fmt.Errorf("dlfd: audit: %w: %s", ErrEmpty, name)
	}
	o, err := outputs(ctx, m, d)
	if err != nil {
		return o, fmt.Errorf("dlfd: audit of %s: %w", name, err)
	}
	return o, nil
}

func (a *Audited) attack(member, nonmember metrics.Outputs, seed uint64) error {
	res, err := metrics.Attack(member, nonmember, seed, nil)
	if err != nil {
		return err
	}
	a.Loss, a.Logistic = res.Loss, res.Logistic
	lm, err := member.CrossEntropies()
	if err != nil {
		return err
	}
	ln, err := nonmember.CrossEntropies()
	if err != nil {
		return err
	}
	pub, err := metrics.PublishedAttack(negated(lm, nil), negated(ln, nil), seed)
	if err != nil {
		return err
	}
	a.Published, a.PublishedMajority = pub.Accuracy, pub.TestMajority
	if a.ForgettingScore, err = metrics.ForgettingScore(pub.Accuracy); err != nil {
		return err
	}
	if a.NoMUS, err = metrics.NoMUS(a.TestAccuracy, pub.Accuracy); err != nil {
		return err
	}
	a.BalancedNoMUS, err = metrics.NoMUS(a.TestAccuracy, a.Loss.BalancedAccuracy)
	return err
}

// Scores returns the four figures by which models are compared.
func (a *Audited) Scores() metrics.Scores {
	return metrics.Scores{Retain: a.RetainAccuracy, Forget: a.ForgetAccuracy, Test: a.TestAccuracy, AUC: a.Loss.AUC}
}
