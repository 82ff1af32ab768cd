package feature

import (
	"cmp"
	"fmt"
	"slices"
)

// Partition divides d into the samples for which chosen is true and the rest,
// both in the order of d. It reads no sample. Either side may be empty. Errors
// wrap ErrParameter.
func Partition(d Dataset, chosen func(i int) bool) (yes, no Dataset, err error) {
	if d == nil || chosen == nil {
		return nil, nil, fmt.Errorf("feature: partition: %w: the dataset or the function is nil", ErrParameter)
	}
	var index [2][]int
	for i := range d.Len() {
		side := 1
		if chosen(i) {
			side = 0
		}
		index[side] = append(index[side], i)
	}
	return both(d, index)
}

// Halves divides d into two halves, both in the order of d, for a purpose that
// must not see the samples of another: steering a method and reporting on it. The
// halves are equal in size, and in the number of samples of each class, to within
// one sample. Where d is [Identified], all samples of a person go to one half,
// and sizes are as equal as a greedy division by persons, the largest first,
// makes them. Halves is deterministic. It reads no pixels where d is [Labeled].
// A half may be empty: the second, where d has one sample or shows one person.
func Halves(d Dataset) (first, second Dataset, err error) {
	return HalvesBeside(d, nil, nil)
}

// HalvesBeside is Halves beside two datasets that are divided already: a person
// of d who stands in one goes to the first half, one who stands in two to the
// second. A person who stands in both gives an error wrapping ErrParameter.
// Either may be nil.
func HalvesBeside(d, one, two Dataset) (first, second Dataset, err error) {
	if d == nil {
		return nil, nil, fmt.Errorf("feature: halves: %w: the dataset is nil", ErrParameter)
	}
	if shared := SharedIdentities(one, two); len(shared) > 0 {
		return nil, nil, fmt.Errorf("feature: halves: %w: %q stands on both sides already", ErrParameter, shared)
	}
	labels, err := Labels(d)
	if err != nil {
		return nil, nil, err
	}
	h := halving{labels: labels, excess: make(map[int]int)} // there may be more combinations of labels than samples
	groups := groupByPerson(d, labels)
	sides := [2][]string{Identities(one), Identities(two)}
	var free []group
	for _, g := range groups {
		side := slices.IndexFunc(sides[:], func(ids []string) bool { _, ok := slices.BinarySearch(ids, g.person); return ok })
		if side < 0 {
			free = append(free, g)
			continue
		}
		h.add(g, side)
	}
	for _, g := range free {
		h.add(g, h.smaller(g))
	}
	slices.Sort(h.index[0])
	slices.Sort(h.index[1])
	return both(d, h.index)
}

func both(d Dataset, index [2][]int) (a, b Dataset, err error) {
	if a, err = Subset(d, index[0]); err != nil {
		return nil, nil, err
	}
	b, err = Subset(d, index[1])
	return a, b, err
}

// group is the samples of one person, or one sample of whom nobody knows whom it
// shows.
type group struct {
	person string
	index  []int
}

// groupByPerson returns the groups of d in the order in which they are divided:
// the largest first, equal ones by the label of their first sample.
func groupByPerson(d Dataset, labels []int) []group {
	var groups []group
	id, known := As[Identified](d)
	at := make(map[string]int)
	for i := range labels {
		person := ""
		if known {
			person = id.Identity(i)
		}
		if k, seen := at[person]; seen && person != "" {
			groups[k].index = append(groups[k].index, i)
			continue
		}
		at[person] = len(groups)
		groups = append(groups, group{person, []int{i}})
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(len(b.index)-len(a.index), labels[a.index[0]]-labels[b.index[0]])
	})
	return groups
}

// halving is a division that is being made.
type halving struct {
	labels []int
	index  [2][]int
	excess map[int]int // by class: samples of the first half less those of the second
	total  int         // the sum of excess
}

func (h *halving) add(g group, side int) {
	h.index[side] = append(h.index[side], g.index...)
	for _, i := range g.index {
		h.excess[h.labels[i]] += 1 - 2*side
	}
	h.total += len(g.index) * (1 - 2*side)
}

// smaller returns the side on which g leaves the smaller sum of squares of the
// excesses, in all and class by class. Of single samples in the order of their
// labels, it sends every second one to either side, from class to class.
//
// With s = ±1, Σ(eᶜ+s·gᶜ)² − Σ(eᶜ)² = 2s·Σ eᶜgᶜ + const, and a sum over the
// samples of g of the excess of their class is Σ eᶜgᶜ.
func (h *halving) smaller(g group) int {
	lean := h.total * len(g.index)
	for _, i := range g.index {
		lean += h.excess[h.labels[i]]
	}
	if lean > 0 {
		return 1
	}
	return 0
}
