package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// AttackOptions configures the attacks. A nil pointer or the zero value stands
// for the defaults.
type AttackOptions struct {
	FPR       float64   // false positive rate of Strength.TPR, in (0, 1); if it is zero, 0.01 is used
	Halvings  int       // random halvings that a threshold's balanced accuracy is averaged over; if it is zero, 10
	Folds     int       // folds of a cross-fitted regression, at least 2, at most as many as members used; if it is zero, 5
	C         float64   // inverse L2 penalty on weights of standardised features, > 0; if it is zero, 1/d for d features
	Bootstrap Bootstrap // if it is zero, 1000 resamples and level 0.95
}

func (opt *AttackOptions) resolve(d int) (AttackOptions, error) {
	var o AttackOptions
	if opt != nil {
		o = *opt
	}
	if o.FPR == 0 {
		o.FPR = 0.01
	}
	if o.Halvings == 0 {
		o.Halvings = 10
	}
	if o.Folds == 0 {
		o.Folds = 5
	}
	if o.C == 0 {
		o.C = 1 / float64(max(d, 1))
	}
	if !(o.FPR > 0 && o.FPR < 1) || o.Halvings < 1 || o.Folds < 2 || !(o.C > 0) || math.IsInf(o.C, 0) {
		return o, fmt.Errorf("metrics: %w: FPR %v, %d halvings, %d folds, C %v", ErrRange, o.FPR, o.Halvings, o.Folds, o.C)
	}
	var err error
	o.Bootstrap, err = o.Bootstrap.resolve()
	return o, err
}

// Strength is what an attacker achieves.
type Strength struct {
	AUC         float64
	AUCInterval Interval // bootstrap within members, non-members and classes; the attacker is taken as fitted
	Leak        float64  // |AUC − ½|: below ½ leaks too
	TPR         float64  // see TPRAtFPR

	// BalancedAccuracy is the mean of the shares of members and of non-members
	// that are told right, each by a rule chosen without it.
	BalancedAccuracy         float64
	BalancedAccuracyInterval Interval
}

// JudgeScores returns the strength of an attacker who gives each sample a
// score, larger for members. The balanced accuracy is out of sample: members and
// non-members are halved at random, the threshold and its direction that serve
// one half best are judged on the other, both ways, and Halvings such rounds are
// averaged. Any score does: minus the loss, LiRA, RMIA. There must be at
// least two of each (ErrTooFew); scores must be finite (ErrNotFinite).
func JudgeScores(member, nonmember []float64, seed uint64, opt *AttackOptions) (Strength, error) {
	m := side{scores: member, labels: make([]int, len(member))}
	n := side{scores: nonmember, labels: make([]int, len(nonmember))}
	return judge(m, n, 1, seed, opt)
}

// side is the scores and the classes of the members or of the non-members.
// Halves must be stratified by class: of matched sides, a half that has too many
// members of a class leaves too few to the other, which turns the rule round.
type side struct {
	scores []float64
	labels []int
}

func judge(m, n side, classes int, seed uint64, opt *AttackOptions) (Strength, error) {
	o, err := opt.resolve(1)
	if err != nil {
		return Strength{}, err
	}
	r, err := newRanked(m.scores, n.scores)
	if err != nil {
		return Strength{}, err
	}
	if err := checkPair(len(m.scores), len(n.scores), 2); err != nil {
		return Strength{}, err
	}
	v := verdicts{memberStrata: byClass(m.labels, classes), nonStrata: byClass(n.labels, classes)}
	r.memberStrata, r.nonStrata = v.memberStrata, v.nonStrata
	v.member, v.non, err = halvings(m, n, classes, seed, o.Halvings)
	if err != nil {
		return Strength{}, err
	}
	tpr, err := TPRAtFPR(m.scores, n.scores, o.FPR)
	if err != nil {
		return Strength{}, err
	}
	return strength([]*ranked{r}, tpr, v, seed, o.Bootstrap)
}

// verdicts tells how often each member and each non-member was told right, and
// in which strata they are resampled.
type verdicts struct {
	member, non             []float64
	memberStrata, nonStrata [][]int
}

// strength sums up an attack: its AUC over the pairs within groups, and what it
// told right.
func strength(groups []*ranked, tpr float64, v verdicts, seed uint64, b Bootstrap) (Strength, error) {
	s := Strength{TPR: tpr, BalancedAccuracy: (mean(v.member) + mean(v.non)) / 2}
	s.AUC = groupedAUC(groups, func(g *ranked) float64 { return g.auc(g.member, g.non) })
	s.Leak = math.Abs(s.AUC - 0.5)
	var err error
	if s.AUCInterval, err = b.aucOfGroups(groups, seed); err != nil {
		return s, err
	}
	s.BalancedAccuracyInterval, err = b.run(seed, "balanced accuracy", func(r *rand.Rand) float64 {
		m := resampledMean(r, v.member, v.memberStrata)
		return (m + resampledMean(r, v.non, v.nonStrata)) / 2
	})
	return s, err
}

// halvings returns the share of rounds in which each sample was told right by
// the threshold of the half it is not in.
func halvings(m, n side, classes int, seed uint64, rounds int) (rightM, rightN []float64, err error) {
	rightM, rightN = make([]float64, len(m.scores)), make([]float64, len(n.scores))
	for k := range rounds {
		r := rng.Stream(seed, "metrics halving", k)
		halfM, halfN := dealByClass(r, m.labels, classes, 2), dealByClass(r, n.labels, classes, 2)
		for h := range 2 {
			rule, err := bestThreshold(pick(m.scores, halfM, h), pick(n.scores, halfN, h))
			if err != nil {
				return nil, nil, err
			}
			credit(rightM, m.scores, halfM, h, rule, true, rounds)
			credit(rightN, n.scores, halfN, h, rule, false, rounds)
		}
	}
	return rightM, rightN, nil
}

func credit(right, scores []float64, half []int, h int, rule threshold, member bool, rounds int) {
	for i, s := range scores {
		if half[i] != h && rule.member(s) == member {
			right[i] += 1 / float64(rounds)
		}
	}
}

// pick returns the elements of fold f.
func pick[T any](x []T, fold []int, f int) []T {
	var out []T
	for i, v := range x {
		if fold[i] == f {
			out = append(out, v)
		}
	}
	return out
}

// AttackResult is the outcome of the balanced, class-matched attacks.
type AttackResult struct {
	Matching Matching // who took part; Matching.Dropped lists the classes that could not
	Loss     Strength // attacker: low cross-entropy means member
	Logistic Strength // attacker: logistic regression on loss, confidence and entropy
}

// Attack measures how well membership can be told from a model's outputs.
// Members and non-members are matched by MatchClasses first, so that neither the
// set sizes nor the labels help. Two attackers are judged: a threshold on the
// cross-entropy (as in JudgeScores, halved class by class), and a logistic regression on
// cross-entropy, largest probability and entropy, standardised and cross-fitted:
// each sample is scored by a regression that has not seen it, its AUC counts
// pairs within a fold, its balanced accuracy the sign of the log-odds and its TPR
// the pooled log-odds.
//
// Errors: those of Outputs.Check, ErrShape if the two have different numbers of
// classes, ErrEmpty if no class has both, ErrTooFew with less than two of each
// left. Cost: O((m+n)·resamples).
func Attack(member, nonmember Outputs, seed uint64, opt *AttackOptions) (*AttackResult, error) {
	for _, o := range []Outputs{member, nonmember} {
		if err := o.Check(); err != nil {
			return nil, err
		}
	}
	if member.Classes != nonmember.Classes {
		return nil, fmt.Errorf("metrics: %w: members have %d classes, non-members %d", ErrShape, member.Classes, nonmember.Classes)
	}
	match, err := MatchClasses(member.Labels, nonmember.Labels, member.Classes, seed)
	if err != nil {
		return nil, err
	}
	m, n := member.selectRows(match.Members), nonmember.selectRows(match.NonMembers)
	res := &AttackResult{Matching: match}
	if res.Loss, err = lossAttack(m, n, seed, opt); err != nil {
		return nil, err
	}
	fm, fn := attackFeatures(m), attackFeatures(n)
	res.Logistic, err = crossFitted(fm, fn, 3, m.Labels, n.Labels, m.Classes, seed, opt)
	if err != nil {
		return nil, err
	}
	return res, nil
}

func lossAttack(m, n Outputs, seed uint64, opt *AttackOptions) (Strength, error) {
	sm, err := negatedLosses(m)
	if err != nil {
		return Strength{}, err
	}
	sn, err := negatedLosses(n)
	if err != nil {
		return Strength{}, err
	}
	return judge(side{sm, m.Labels}, side{sn, n.Labels}, m.Classes, seed, opt)
}

func negatedLosses(o Outputs) ([]float64, error) {
	s, err := CrossEntropies(o)
	for i := range s {
		s[i] = -s[i]
	}
	return s, err
}

// attackFeatures returns n×3: loss, confidence, entropy.
func attackFeatures(o Outputs) []float64 {
	f := make([]float64, 0, 3*o.N)
	var u surprisals
	for i, y := range o.Labels {
		u.set(o.Row(i))
		f = append(f, u.s[y], math.Exp(u.logTop()), u.entropy())
	}
	return f
}
