package metrics

import (
	"fmt"
	"slices"
)

// AUC returns the area under the ROC curve of an attacker who takes larger
// scores for members: the share of (member, non-member) pairs in which the
// member scores higher, a tie counting ½ (the Mann-Whitney statistic U/mn).
// Swapping the arguments gives 1 − AUC, and a strictly increasing map of all
// scores changes nothing. Empty or non-finite scores give ErrEmpty or
// ErrNotFinite. Cost: O((m+n) log(m+n)).
func AUC(member, nonmember []float64) (float64, error) {
	r, err := newRanked(member, nonmember)
	if err != nil {
		return 0, err
	}
	return r.auc(), nil
}

// TPRAtFPR returns the largest share of members that a threshold can accept
// while it accepts at most the share fpr of non-members, 0 ≤ fpr ≤ 1 (ErrRange).
// With fewer than 1/fpr non-members none may be accepted.
//
// Reference: Carlini et al., arXiv 2112.03570, section 3.
func TPRAtFPR(member, nonmember []float64, fpr float64) (float64, error) {
	if err := checkUnit("false positive rate", fpr); err != nil {
		return 0, err
	}
	r, err := newRanked(member, nonmember)
	if err != nil {
		return 0, err
	}
	return r.tpr(fpr), nil
}

// ranked is two samples reduced to what the ROC curve depends on: the weight
// that each distinct score has among members and among non-members, in
// increasing order of the scores.
type ranked struct {
	value       []float64
	member, non []float64
	// Position in value of each sample.
	memberAt, nonAt []int32
}

// newRanked gives every sample the weight one.
func newRanked(member, nonmember []float64) (*ranked, error) {
	if err := checkScores("member scores", member); err != nil {
		return nil, err
	}
	if err := checkScores("non-member scores", nonmember); err != nil {
		return nil, err
	}
	return rankWeighted(member, nonmember, nil, nil), nil
}

// rankWeighted takes the weights of the samples; nil means one for each.
func rankWeighted(member, nonmember, wm, wn []float64) *ranked {
	r := &ranked{value: slices.Concat(member, nonmember)}
	slices.Sort(r.value)
	r.value = slices.Compact(r.value)
	r.memberAt, r.nonAt = r.locate(member), r.locate(nonmember)
	r.member, r.non = make([]float64, len(r.value)), make([]float64, len(r.value))
	addWeights(r.member, r.memberAt, wm)
	addWeights(r.non, r.nonAt, wn)
	return r
}

func (r *ranked) locate(x []float64) []int32 {
	at := make([]int32, len(x))
	for i, v := range x {
		k, _ := slices.BinarySearch(r.value, v)
		at[i] = int32(k)
	}
	return at
}

func addWeights(dst []float64, at []int32, w []float64) {
	for i, k := range at {
		if w == nil {
			dst[k]++
		} else {
			dst[k] += w[i]
		}
	}
}

// auc divides the won pairs by the won and the lost ones, so that an attacker
// who loses none scores exactly 1 whatever the weights.
func (r *ranked) auc() float64 {
	var belowM, belowN, wins, losses float64
	for v, n := range r.non {
		m := r.member[v]
		wins += m * (belowN + n/2)
		losses += n * (belowM + m/2)
		belowM += m
		belowN += n
	}
	return wins / (wins + losses)
}

// shareTolerance is how far sums of weights that are equal may lie apart.
const shareTolerance = 1e-12

func (r *ranked) tpr(fpr float64) float64 {
	var tp, fp, best, total float64
	for _, n := range r.non {
		total += n
	}
	for v := len(r.member) - 1; v >= 0; v-- {
		tp += r.member[v]
		fp += r.non[v]
		if fp/total <= fpr+shareTolerance {
			best = tp
		}
	}
	return best / tp
}

// threshold is an attacker's rule: a sample is taken for a member if its score
// is at least at, or, where flipped, if it is below at.
type threshold struct {
	at      float64
	flipped bool
}

func (t threshold) member(score float64) bool { return (score >= t.at) != t.flipped }

// bestThreshold returns the rule with the best balanced accuracy on the given
// samples, in either direction: the smallest cut of equally good ones, midway
// between two neighboring scores.
func bestThreshold(member, nonmember []float64) threshold {
	r := rankWeighted(member, nonmember, nil, nil)
	best := threshold{at: r.value[0]} // accepts all: balanced accuracy ½
	var edge, belowM, belowN float64  // integers, so that equal cuts tie exactly
	for v := 1; v < len(r.value); v++ {
		belowM += r.member[v-1] * float64(len(nonmember))
		belowN += r.non[v-1] * float64(len(member))
		at := r.value[v-1]/2 + r.value[v]/2 // the difference of the two may overflow
		if !(at > r.value[v-1] && at <= r.value[v]) {
			at = r.value[v] // neighboring floats
		}
		if d := belowN - belowM; d > edge {
			edge, best = d, threshold{at: at}
		} else if -d > edge {
			edge, best = -d, threshold{at: at, flipped: true}
		}
	}
	return best
}

func checkPair(member, nonmember, least int) error {
	if member < least || nonmember < least {
		return fmt.Errorf("metrics: %w: %d members and %d non-members, want %d of each", ErrTooFew, member, nonmember, least)
	}
	return nil
}
