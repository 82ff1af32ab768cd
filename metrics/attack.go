package metrics

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/par"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// AttackOptions configures the attacks. A nil pointer or the zero value stands
// for the defaults.
type AttackOptions struct {
	FPR      float64 // false positive rate of Strength.TPR, in (0, 1); if it is zero, 0.01 is used
	Halvings int     // random halvings that a threshold's balanced accuracy is averaged over; if it is zero, 10
	Folds    int     // folds of a cross-fitted regression, at least 2; more than members used count as that many; if it is zero, 5
	C        float64 // inverse L2 penalty on weights of standardized features, > 0; if it is zero, 1/d for d features
	Level    float64 // confidence level of Strength.AUCInterval, in (0, 1); if it is zero, 0.95 is used
}

// resolve returns a copy of opt with the defaults for d features filled in.
func (opt *AttackOptions) resolve(d int) (AttackOptions, error) {
	var o AttackOptions
	if opt != nil {
		o = *opt
	}
	o.FPR = cmp.Or(o.FPR, 0.01)
	o.Halvings = cmp.Or(o.Halvings, 10)
	o.Folds = cmp.Or(o.Folds, 5)
	o.C = cmp.Or(o.C, 1/float64(max(d, 1)))
	o.Level = cmp.Or(o.Level, 0.95)
	if !(o.FPR > 0 && o.FPR < 1) || o.Halvings < 1 || o.Folds < 2 || !(o.C > 0) || !finite.Is(o.C) {
		return o, fmt.Errorf("metrics: %w: FPR %v, %d halvings, %d folds, C %v", ErrRange, o.FPR, o.Halvings, o.Folds, o.C)
	}
	return o, checkLevel(o.Level)
}

// Strength is what an attacker achieves.
type Strength struct {
	AUC         float64
	AUCInterval Interval // see AUCInterval; class by class where classes are known
	Leak        float64  // |AUC − ½|: below ½ leaks too
	TPR         float64  // see TPRAtFPR

	// BalancedAccuracy is the mean of the shares of members and of non-members
	// that are told right, each by a rule chosen without it. It has no interval:
	// the rule differs from one resample to the next, and resampling under a
	// fixed rule holds ½ in three of four cases where it should in 19 of 20.
	BalancedAccuracy float64
}

// JudgeScores returns the strength of an attacker who gives each sample a
// score, larger for members. The balanced accuracy is out of sample: members and
// non-members are halved at random, the threshold and its direction that serve
// one half best are judged on the other, both ways, and Halvings such rounds are
// averaged. Any score does: minus the loss, LiRA, RMIA. There must be at
// least two of each (ErrTooFew); scores must be finite (ErrNotFinite).
// Cost: O(Halvings·(m+n) log(m+n)).
func JudgeScores(member, nonmember []float64, seed uint64, opt *AttackOptions) (Strength, error) {
	o, err := opt.resolve(1)
	if err != nil {
		return Strength{}, err
	}
	m, n := side{member, make([]int, len(member))}, side{nonmember, make([]int, len(nonmember))}
	s, err := rocStrength(m, n, 1, o)
	if err != nil {
		return s, err
	}
	if err := checkPair(len(member), len(nonmember), 2); err != nil {
		return Strength{}, err
	}
	var right tally
	for k := range o.Halvings {
		right.add(halve(m, n, 1, rng.Stream(seed, "metrics halving", k)))
	}
	s.BalancedAccuracy = right.balancedAccuracy()
	return s, nil
}

// rocStrength fills in what depends on the ROC curve alone.
func rocStrength(m, n side, classes int, o AttackOptions) (Strength, error) {
	a, err := newSides(m, n, classes)
	if err != nil {
		return Strength{}, err
	}
	s := Strength{AUC: a.ranks.auc(), TPR: a.ranks.tpr(o.FPR)}
	s.Leak = math.Abs(s.AUC - 0.5)
	s.AUCInterval = aucInterval(s.AUC, a.nullVariance(), a.variance(), o.Level)
	return s, nil
}

// tally counts samples judged and those told right. Counts are whole numbers,
// so that an attacker who is never wrong scores exactly 1.
type tally struct{ member, non, rightM, rightN int }

func (t *tally) add(u tally) {
	t.member += u.member
	t.non += u.non
	t.rightM += u.rightM
	t.rightN += u.rightN
}

func (t tally) balancedAccuracy() float64 {
	return (float64(t.rightM)/float64(t.member) + float64(t.rightN)/float64(t.non)) / 2
}

// halve judges every sample by the best threshold of the half it is not in. The
// halves are stratified by class: of matched sides, a half that has too many
// members of a class leaves too few to the other, which turns the rule round.
func halve(m, n side, classes int, r *rand.Rand) tally {
	halfM, halfN := dealByClass(r, m.labels, classes, 2), dealByClass(r, n.labels, classes, 2)
	t := tally{member: len(m.scores), non: len(n.scores)}
	for h := range 2 {
		rule := bestThreshold(pick(m.scores, halfM, h), pick(n.scores, halfN, h))
		t.rightM += countRight(m.scores, halfM, 1-h, rule, true)
		t.rightN += countRight(n.scores, halfN, 1-h, rule, false)
	}
	return t
}

func countRight(scores []float64, half []int, h int, rule threshold, member bool) int {
	right := 0
	for i, s := range scores {
		if half[i] == h && rule.member(s) == member {
			right++
		}
	}
	return right
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
	Matching Matching // the first of the matchings; Matching.Dropped lists the classes that could take part in none
	Loss     Strength // attacker: low cross-entropy means member
	Logistic Strength // attacker: logistic regression on loss, confidence and entropy
}

// regressionMatchings is how many matchings a regression is fitted on.
const regressionMatchings = 5

// Attack measures how well membership can be told from a model's outputs.
// Members and non-members are matched class by class, as MatchClasses does, so
// that neither the set sizes nor the labels help; no single random matching
// decides.
//
// The first attacker is a threshold on the cross-entropy. Its AUC, TPR and
// interval are over all samples, weighted so that every class weighs the same
// on both sides; that is the mean AUC of all possible matchings. Its balanced
// accuracy is that of JudgeScores, with a matching of its own for each of the
// Halvings, halved class by class.
//
// The second is a logistic regression on cross-entropy, largest probability
// and entropy, standardized and cross-fitted: each sample is scored by a
// regression that has not seen it, its AUC counts pairs within a fold, its
// balanced accuracy the sign of the log-odds and its TPR the pooled log-odds.
// All are means over 5 matchings.
//
// Matchings, halves and folds follow from the seed. Losses may have any scale.
//
// Errors: those of Outputs.Check, ErrOneClass if the classifier has a single
// class, ErrShape if the two have different numbers of classes, ErrEmpty if no
// class has both, ErrTooFew with less than two of each left.
// Cost: O(Halvings·N log N + Folds·N), N = m+n; memory: O(N).
func Attack(member, nonmember Outputs, seed uint64, opt *AttackOptions) (*AttackResult, error) {
	if err := checkOutputPair(member, nonmember); err != nil {
		return nil, err
	}
	o, err := opt.resolve(attackFeatureCount)
	if err != nil {
		return nil, err
	}
	match, err := MatchClasses(member.Labels, nonmember.Labels, member.Classes, seed)
	if err != nil {
		return nil, err
	}
	if err := checkPair(len(match.Members), len(match.NonMembers), 2); err != nil {
		return nil, err
	}
	fm, fn := attackFeatures(member), attackFeatures(nonmember)
	res := &AttackResult{Matching: match}
	if res.Loss, err = lossAttack(fm, fn, seed, o); err != nil {
		return nil, err
	}
	res.Logistic, err = crossFitted(fm, fn, seed, o)
	if err != nil {
		return nil, err
	}
	return res, nil
}

func checkOutputPair(member, nonmember Outputs) error {
	for _, s := range []struct {
		what string
		o    Outputs
	}{{"members", member}, {"non-members", nonmember}} {
		if err := s.o.check(s.what + "' logits"); err != nil {
			return err
		}
		if s.o.Classes < 2 {
			return fmt.Errorf("metrics: %w: the outputs of %s have %d", ErrOneClass, s.what, s.o.Classes)
		}
	}
	if member.Classes != nonmember.Classes {
		return fmt.Errorf("metrics: %w: members have %d classes, non-members %d", ErrShape, member.Classes, nonmember.Classes)
	}
	return nil
}

// lossAttack takes minus the first feature as the score.
func lossAttack(fm, fn table, seed uint64, o AttackOptions) (Strength, error) {
	m, n := side{fm.negated(0), fm.labels}, side{fn.negated(0), fn.labels}
	s, err := rocStrength(m, n, fm.classes, o)
	if err != nil {
		return s, err
	}
	tallies, errs := make([]tally, o.Halvings), make([]error, o.Halvings)
	par.Each(o.Halvings, func(_, k int) {
		var match Matching
		match, errs[k] = matchingAt(fm, fn, seed, k)
		if errs[k] == nil {
			tallies[k] = halve(m.at(match.Members), n.at(match.NonMembers), fm.classes, rng.Stream(seed, "metrics halving", k))
		}
	})
	var right tally
	for k, t := range tallies {
		if errs[k] != nil {
			return s, errs[k]
		}
		right.add(t)
	}
	s.BalancedAccuracy = right.balancedAccuracy()
	return s, nil
}

// matchingAt returns matching k of a seed; number 0 is that of the seed itself.
func matchingAt(m, n table, seed uint64, k int) (Matching, error) {
	if k > 0 {
		seed = rng.Seed(seed, "metrics matching", k)
	}
	return MatchClasses(m.labels, n.labels, m.classes, seed)
}

const attackFeatureCount = 3

// attackFeatures returns n×3: loss, confidence, entropy.
func attackFeatures(o Outputs) table {
	f := make([]float64, 0, attackFeatureCount*o.N)
	var u surprisals
	for i, y := range o.Labels {
		u.set(o.Row(i))
		f = append(f, u.s[y], math.Exp(u.logTop()), u.entropy())
	}
	return table{f, attackFeatureCount, o.Labels, o.Classes}
}
