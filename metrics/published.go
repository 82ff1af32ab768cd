package metrics

import (
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/internal/rng"
)

const (
	publishedSplits = 10
	publishedTest   = 0.1
	publishedC      = 1
)

// PublishedResult is the outcome of PublishedAttack.
type PublishedResult struct {
	Accuracy float64   // mean over the splits
	Splits   []float64 // accuracy on the test part of each of the 10 splits

	// What an attacker scores who always answers the more frequent side: over
	// all samples, and on average over the test parts. An Accuracy near these
	// says nothing about forgetting.
	Majority, TestMajority float64
}

// PublishedAttack is the membership attack of the MUFAC and DLFD evaluations,
// kept for comparison with their tables: a logistic regression on one feature,
// there minus the cross-entropy of a sample, tells members (forget) from
// non-members (unseen) by scores, as in the other attacks; plain accuracy, averaged over 10 stratified shuffle splits with a
// tenth for testing. The sets are not balanced; read it beside Majority, and
// prefer Attack.
//
// It means what scikit-learn's cross_val_score(LogisticRegression(), scores,
// cv=StratifiedShuffleSplit(n_splits=10)) means: unscaled feature, L2 penalty
// with C = 1, free intercept. The shuffles come from seed and are not NumPy's,
// so single splits differ. The optimum is found to rounding, whereas
// scikit-learn stops at a gradient of 1e-4. Each side needs two samples and both
// together eleven (ErrTooFew).
//
// References: Choi & Na, arXiv 2311.02240, section 4; Choi & Na, arXiv 2409.14747.
func PublishedAttack(member, nonmember []float64, seed uint64) (*PublishedResult, error) {
	if err := checkScores("member scores", member); err != nil {
		return nil, err
	}
	if err := checkScores("non-member scores", nonmember); err != nil {
		return nil, err
	}
	res := &PublishedResult{Splits: make([]float64, publishedSplits)}
	for k := range res.Splits {
		accuracy, majority, err := publishedSplit(rng.Stream(seed, "metrics published attack", k), member, nonmember)
		if err != nil {
			return nil, err
		}
		res.Splits[k] = accuracy
		res.TestMajority += majority / publishedSplits
	}
	res.Accuracy = mean(res.Splits)
	var err error
	res.Majority, err = majority(len(member), len(nonmember))
	return res, err
}

func publishedSplit(r *rand.Rand, member, nonmember []float64) (accuracy, majority float64, err error) {
	part, err := allot(r, [2]int{len(nonmember), len(member)}, publishedTest)
	if err != nil {
		return 0, 0, err
	}
	trainN, testN := deal(r, nonmember, part.train[0])
	trainM, testM := deal(r, member, part.train[1])
	y := make([]bool, len(trainN)+len(trainM))
	for i := range trainM {
		y[len(trainN)+i] = true
	}
	fit, err := fitScores(append(trainN, trainM...), y, publishedC)
	if err != nil {
		return 0, 0, err
	}
	right := 0
	for _, v := range testN {
		if fit.logOdds([]float64{v}) <= 0 {
			right++
		}
	}
	for _, v := range testM {
		if fit.logOdds([]float64{v}) > 0 {
			right++
		}
	}
	n := float64(len(testN) + len(testM))
	return float64(right) / n, float64(max(len(testN), len(testM))) / n, nil
}

// scoreBound is the size of scores from which they are divided before a fit.
const scoreBound = 1 << 20

// fitScores is fitLogistic for one feature of any size. Divided by a power of
// two, scores beyond scoreBound keep the same optimum with a penalty that is
// less by its square, so the answers do not depend on the scale.
func fitScores(x []float64, y []bool, c float64) (logistic, error) {
	scale := powerAbove(x)
	if scale < scoreBound {
		return fitLogistic(x, 1, y, c)
	}
	scaled := make([]float64, len(x))
	for i, v := range x {
		scaled[i] = v / scale
	}
	fit, err := fitPenalized(scaled, 1, y, c, max(1/scale, leastPenaltyRoot)*max(1/scale, leastPenaltyRoot), logisticGain)
	fit.weight[0] /= scale
	return fit, err
}

// deal returns train elements of x in random order, and the others.
func deal(r *rand.Rand, x []float64, train int) (a, b []float64) {
	for i, k := range r.Perm(len(x)) {
		if i < train {
			a = append(a, x[k])
		} else {
			b = append(b, x[k])
		}
	}
	return a, b
}
