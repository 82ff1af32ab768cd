package metrics

import (
	"fmt"
	"math"
)

// Floor is what an attacker achieves without any model. A result of an attack
// on unmatched sets says something only as far as it exceeds it.
type Floor struct {
	AUC              float64
	BalancedAccuracy float64
	Accuracy         float64
}

// majority returns the accuracy of the attacker who always gives the more
// frequent answer: max(m, n)/(m + n). Its balanced accuracy and AUC are ½.
func majority(members, nonmembers int) (float64, error) {
	if members < 0 || nonmembers < 0 || members+nonmembers == 0 {
		return 0, fmt.Errorf("metrics: %w: %d members and %d non-members", ErrEmpty, members, nonmembers)
	}
	return float64(max(members, nonmembers)) / float64(members+nonmembers), nil
}

// LabelFloor returns what an attacker achieves who sees the true label of a
// sample and nothing else, but knows how the labels of members and of
// non-members are distributed. It scores a label by the share of members among
// its samples, each side weighing the same. The attacker knows the very samples
// it is judged on, so with few samples a class the floor is on the high side.
// Labels are in [0, classes).
func LabelFloor(member, nonmember []int, classes int) (Floor, error) {
	if len(member) == 0 || len(nonmember) == 0 {
		return Floor{}, fmt.Errorf("metrics: %w: %d members and %d non-members", ErrEmpty, len(member), len(nonmember))
	}
	if err := checkLabelPair(member, nonmember, classes); err != nil {
		return Floor{}, err
	}
	m, n := byClass(member, classes), byClass(nonmember, classes)
	var f Floor
	score := make([]float64, classes)
	for c := range classes {
		cm, cn := float64(len(m[c])), float64(len(n[c]))
		pm, pn := cm/float64(len(member)), cn/float64(len(nonmember))
		if pm+pn > 0 {
			score[c] = pm / (pm + pn)
		}
		f.BalancedAccuracy += math.Max(pm, pn) / 2
		f.Accuracy += math.Max(cm, cn) / float64(len(member)+len(nonmember))
	}
	var err error
	f.AUC, err = AUC(pickAt(score, member), pickAt(score, nonmember))
	return f, err
}
