package dlfd

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/floats"

	"github.com/dlfd-go/unlearn/metrics"
)

// basics sets the figures of Audited that are plain fields.
func (a *audit) basics() error {
	for i, figures := range [][2]*float64{{&a.RetainAccuracy, nil}, {&a.ForgetAccuracy, &a.ForgetLoss}, {&a.TestAccuracy, &a.TestLoss}} {
		if err := a.accuracy(a.sets[i].name, a.out[i], figures[0], figures[1]); err != nil {
			return fmt.Errorf("%s: %w", a.sets[i].name, err)
		}
	}
	return a.attack(a.out[memberSet], a.out[nonMemberSet], a.opt.Seed)
}

// accuracy sets the accuracy and, where it is asked for, the mean cross-entropy.
func (a *Audited) accuracy(name string, o metrics.Outputs, accuracy, loss *float64) (err error) {
	if o.N == 0 {
		a.leftOut("%s accuracy and loss: there is no sample", name)
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
		text := fmt.Sprintf("there are %d members and %d non-members", member.N, nonmember.N)
		a.leftOut("%s: %s", classes, text)
		a.leftOut("%s: %s", published, text)
		return nil
	}
	if err := a.judged(classes, a.balancedAttack(member, nonmember, seed)); err != nil {
		return err
	}
	return a.judged(published, a.publishedAttack(member, nonmember, seed))
}

// attacked reports whether the balanced attacks could be judged.
func (a *Audited) attacked() bool { return a.LossAttack.AUCInterval != metrics.Interval{} }

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

// calibrationBins is the common number.
const calibrationBins = 15

// utility sets what is known of the task beside the accuracies.
func (a *audit) utility(ctx context.Context) (err error) {
	u := new(Utility)
	if u.TestTop2, err = a.out[testSet].TopK(min(2, a.out[testSet].Classes)); err != nil {
		return err
	}
	if u.TestECE, err = a.out[testSet].CalibrationError(calibrationBins); err != nil {
		return err
	}
	for i, to := range []*[]float64{&u.Retain, &u.Forget, &u.Test} {
		if a.out[i].N == 0 {
			continue
		}
		if *to, err = classAccuracies(a.out[i]); err != nil {
			return err
		}
	}
	if err := a.divergence(ctx, u); err != nil {
		return err
	}
	a.Utility = u
	return nil
}

// classAccuracies returns the accuracy on each class, −1 for one without samples.
func classAccuracies(o metrics.Outputs) ([]float64, error) {
	counts, err := o.Confusion()
	if err != nil {
		return nil, err
	}
	rate := make([]float64, len(counts))
	for c, row := range counts {
		n := 0
		for _, k := range row {
			n += k
		}
		if rate[c] = -1; n > 0 {
			rate[c] = float64(row[c]) / float64(n)
		}
	}
	return rate, nil
}

// divergence compares the outputs on Retain with those of the original.
func (a *audit) divergence(ctx context.Context, u *Utility) error {
	if a.opt.Original == nil {
		return nil
	}
	before, err := a.outputsOf(ctx, a.opt.Original.Model, retainSet)
	if err != nil {
		return fmt.Errorf("original on retain: %w", err)
	}
	js, err := a.out[retainSet].JS(before)
	u.JS = &js
	return err
}

func (a *audit) labelFloor(context.Context) error {
	m, n := a.out[memberSet], a.out[nonMemberSet]
	floor, err := metrics.LabelFloor(m.Labels, n.Labels, m.Classes)
	if err != nil {
		return err
	}
	a.LabelFloor = &floor
	return nil
}

// selectRows returns the outputs for some of the samples.
func selectRows(o metrics.Outputs, index []int) metrics.Outputs {
	s := metrics.Outputs{N: len(index), Classes: o.Classes, Labels: make([]int, len(index)), Logits: make([]float32, 0, len(index)*o.Classes)}
	for i, k := range index {
		s.Labels[i] = o.Labels[k]
		s.Logits = append(s.Logits, o.Row(k)...)
	}
	return s
}
