package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// ClassCount counts the samples of one class in a matching.
type ClassCount struct{ Members, NonMembers, Used int }

// Matching selects as many members as non-members of every class.
type Matching struct {
	Members, NonMembers []int        // positions, increasing
	Classes             []ClassCount // of each class; Used is the smaller count
}

// Dropped lists the classes that have members but no non-members, or the other
// way round, and so take no part.
func (m Matching) Dropped() []int {
	var classes []int
	for c, n := range m.Classes {
		if n.Used == 0 && n.Members+n.NonMembers > 0 {
			classes = append(classes, c)
		}
	}
	return classes
}

// MatchClasses pairs members with non-members class by class: of each class it
// keeps the smaller of the two counts on either side, drawn without replacement
// from a stream named after the seed, the side and the class. An attacker on the
// result learns nothing from the label, nor from the sizes. If no class has both,
// the error wraps ErrEmpty and the Matching still has the counts. Labels outside
// [0, classes) give ErrLabel.
func MatchClasses(member, nonmember []int, classes int, seed uint64) (Matching, error) {
	if err := checkLabelPair(member, nonmember, classes); err != nil {
		return Matching{}, err
	}
	m := Matching{Classes: make([]ClassCount, classes)}
	ofMember, ofNon := byClass(member, classes), byClass(nonmember, classes)
	for c := range m.Classes {
		n := ClassCount{Members: len(ofMember[c]), NonMembers: len(ofNon[c])}
		n.Used = min(n.Members, n.NonMembers)
		m.Classes[c] = n
		m.Members = append(m.Members, choose(rng.Stream(seed, "metrics match members", c), ofMember[c], n.Used)...)
		m.NonMembers = append(m.NonMembers, choose(rng.Stream(seed, "metrics match non-members", c), ofNon[c], n.Used)...)
	}
	slices.Sort(m.Members)
	slices.Sort(m.NonMembers)
	if len(m.Members) == 0 {
		return m, fmt.Errorf("metrics: %w: no class has both members (%d) and non-members (%d)", ErrEmpty, len(member), len(nonmember))
	}
	return m, nil
}

func checkLabelPair(member, nonmember []int, classes int) error {
	if err := checkLabels("members", member, len(member), classes); err != nil {
		return err
	}
	return checkLabels("non-members", nonmember, len(nonmember), classes)
}

func byClass(labels []int, classes int) [][]int {
	of := make([][]int, classes)
	for i, y := range labels {
		of[y] = append(of[y], i)
	}
	return of
}

// choose shuffles items in place and returns the first k.
func choose(r *rand.Rand, items []int, k int) []int {
	for i := range k {
		j := i + r.IntN(len(items)-i)
		items[i], items[j] = items[j], items[i]
	}
	return items[:k]
}

// dealByClass deals the samples of each class over the folds, in random order,
// each class going on at the fold where the last one ended, so that the folds
// are even in every class and in sum; element i is the fold of sample i. Two
// matched sides are dealt alike, so that every fold is matched too.
func dealByClass(r *rand.Rand, labels []int, classes, folds int) []int {
	fold := make([]int, len(labels))
	next := 0
	for _, items := range byClass(labels, classes) {
		for _, i := range r.Perm(len(items)) {
			fold[items[i]] = next % folds
			next++
		}
	}
	return fold
}

// allotment is how many samples of each class go into the two parts of a
// stratified shuffle split.
type allotment struct{ train, test [2]int }

// allot divides the classes as scikit-learn's StratifiedShuffleSplit does: the
// test part has ⌈share·n⌉ samples, the counts of the rest follow the classes'
// shares rounded down, and what is missing goes to the larger remainder, ties
// drawn anew each time.
func allot(r *rand.Rand, counts [2]int, share float64) (allotment, error) {
	n := counts[0] + counts[1]
	test := int(math.Ceil(share * float64(n)))
	if min(counts[0], counts[1]) < 2 || test < 2 || n-test < 2 {
		return allotment{}, fmt.Errorf("metrics: %w: %d and %d samples cannot be split into stratified parts with %d of %d for testing",
			ErrTooFew, counts[0], counts[1], test, n)
	}
	a := allotment{train: approximateMode(r, counts, n-test)}
	for i, c := range counts {
		a.test[i] = c - a.train[i]
	}
	return a, nil
}

// approximateMode follows the function of that name in sklearn.utils for two
// classes. The order of the floating-point operations is part of the contract:
// it decides what counts as a tie.
func approximateMode(r *rand.Rand, counts [2]int, draws int) [2]int {
	total := float64(counts[0] + counts[1])
	var floor [2]int
	var rest [2]float64
	for i, c := range counts {
		share := float64(c) / total * float64(draws)
		floor[i] = int(math.Floor(share))
		rest[i] = share - math.Floor(share)
	}
	switch missing := draws - floor[0] - floor[1]; {
	case missing == 2:
		floor[0]++
		floor[1]++
	case missing == 1 && rest[0] == rest[1]:
		floor[r.IntN(2)]++
	case missing == 1 && rest[0] > rest[1]:
		floor[0]++
	case missing == 1:
		floor[1]++
	}
	return floor
}

// identity returns 0, 1, …, n − 1.
func identity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}
