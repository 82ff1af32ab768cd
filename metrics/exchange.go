package metrics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Exchange is the scores of an attack, larger for members, in two worlds. In the
// first, the forget set was trained on and unlearned, and the holdout set was never
// trained on; in the second the two have changed places. Element i of a list is
// the same sample in both worlds.
type Exchange struct {
	Forget, Holdout [2][]float64
}

// Quality returns Q = 1 − advantage, 1 for a model that was retrained: its two
// worlds are alike but for the names of the sets, so whatever else tells the sets
// apart, labels above all, cancels. The advantage is |AUC₁ + AUC₂ − 1|, with the
// AUC of telling the unlearned set from the one never trained on in each world;
// that of the attacker who picks a random threshold, P(accept | member) less
// P(accept | non-member), averaged over the worlds as in the SWAP test.
//
// The interval at the confidence level, between 0 and 1 (ErrRange), pairs the
// scores of a sample in the two worlds. It holds the randomness of samples, none of
// training. Errors: ErrEmpty and ErrNotFinite for scores, ErrShape if a set has
// different numbers in the two worlds, ErrTooFew below two samples.
// Cost: O((m+n) log(m+n)).
//
// Reference: the SWAP test of arXiv 2404.11577, section 3.4.
func (e Exchange) Quality(level float64) (Estimate, error) {
	if err := e.check(level); err != nil {
		return Estimate{}, err
	}
	m, n := len(e.Forget[0]), len(e.Holdout[0])
	first, second := rankWeighted(e.Forget[0], e.Holdout[0], nil, nil), rankWeighted(e.Holdout[1], e.Forget[1], nil, nil)
	auc := (first.auc() + second.auc()) / 2
	one, two := first.placements(), second.placements()
	// A sample's share in the sum of both AUCs: as a member of one world and as a
	// non-member of the other.
	ofM, ofN, null := make([]float64, m), make([]float64, n), make([]float64, 0, m+n)
	for i := range ofM {
		ofM[i] = one.non[first.memberAt[i]] - two.member[second.nonAt[i]]
		null = append(null, one.both(first.memberAt[i])-two.both(second.nonAt[i]))
	}
	for i := range ofN {
		ofN[i] = two.non[second.memberAt[i]] - one.member[first.nonAt[i]]
		null = append(null, one.both(first.nonAt[i])-two.both(second.memberAt[i]))
	}
	estimated := (stat.Variance(ofM, nil)/float64(m) + stat.Variance(ofN, nil)/float64(n)) / 4
	i := aucInterval(auc, stat.Variance(null, nil)*(1/float64(m)+1/float64(n))/4, estimated, level)
	return Estimate{qualityOf(auc), Interval{min(qualityOf(i.Lo), qualityOf(i.Hi)), i.best()}}, nil
}

func qualityOf(auc float64) float64 { return 1 - math.Abs(2*auc-1) }

// best is the largest quality of an AUC in i.
func (i Interval) best() float64 {
	if i.Contains(.5) {
		return 1
	}
	return max(qualityOf(i.Lo), qualityOf(i.Hi))
}

func (e Exchange) check(level float64) error {
	if err := checkLevel(level); err != nil {
		return err
	}
	for _, s := range []struct {
		what  string
		world [2][]float64
	}{{"forget", e.Forget}, {"holdout", e.Holdout}} {
		for _, scores := range s.world {
			if err := checkScores(s.what+" scores", scores); err != nil {
				return err
			}
		}
		if a, b := len(s.world[0]), len(s.world[1]); a != b {
			return fmt.Errorf("metrics: %w: %d and %d %s scores in the two worlds", ErrShape, a, b, s.what)
		}
	}
	return checkPair(len(e.Forget[0]), len(e.Holdout[0]), 2)
}
