package dlfd

import (
	"fmt"

	"github.com/dlfd-go/unlearn/metrics"
)

const (
	headShare = .02 // of the retained samples
	headLeast = 256
	// headDims is the most dimensions with which a head is fitted: 256 take seconds,
	// 512 eight times as long.
	headDims = 256
)

// newHead fits a last layer to retained features and tries it on members.
func (a *audit) newHead(member, nonmember, retain metrics.Features) error {
	if retain.Dim > headDims {
		a.leftOut("new head: the features have %d dimensions, more than the %d with which one is fitted", retain.Dim, headDims)
		return nil
	}
	n := max(headLeast, int(headShare*float64(a.Counts.Retain)))
	retain = selectFeatures(retain, thinned(retain.Labels, min(n, featureSample)))
	head, err := metrics.FitHead(retain)
	if err != nil {
		return err
	}
	h := &NewHead{FittedOn: retain.N}
	if h.Member, h.NonMember, err = classMatched(head, member, nonmember); err != nil {
		return err
	}
	h.Lead = h.Member - h.NonMember
	a.Head = h
	return nil
}

// classMatched returns the accuracies of a head on members and on non-members, each
// class with the weight that it has among members; classes that either lacks take no
// part.
func classMatched(h metrics.Head, member, nonmember metrics.Features) (one, other float64, err error) {
	ofM, ofN := positionsByClass(member), positionsByClass(nonmember)
	total := 0.
	for c := range ofM {
		if len(ofM[c]) == 0 || len(ofN[c]) == 0 {
			continue
		}
		weight := float64(len(ofM[c]))
		m, err := h.Accuracy(selectFeatures(member, ofM[c]))
		if err != nil {
			return 0, 0, err
		}
		n, err := h.Accuracy(selectFeatures(nonmember, ofN[c]))
		if err != nil {
			return 0, 0, err
		}
		one, other, total = one+weight*m, other+weight*n, total+weight
	}
	if total == 0 {
		return 0, 0, fmt.Errorf("%w: members and non-members have no class in common", metrics.ErrEmpty)
	}
	return one / total, other / total, nil
}

func positionsByClass(f metrics.Features) [][]int {
	of := make([][]int, f.Classes)
	for i, y := range f.Labels {
		of[y] = append(of[y], i)
	}
	return of
}
