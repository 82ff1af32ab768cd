package metrics

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func TestMatchClasses(t *testing.T) {
	member := []int{0, 0, 0, 1, 1, 2, 4}
	non := []int{0, 1, 1, 1, 1, 2, 3, 3}
	m := must(MatchClasses(member, non, 6, 5))
	want := []ClassCount{{3, 1, 1}, {2, 4, 2}, {1, 1, 1}, {0, 2, 0}, {1, 0, 0}, {0, 0, 0}}
	if !reflect.DeepEqual(m.Classes, want) || !reflect.DeepEqual(m.Dropped(), []int{3, 4}) {
		t.Errorf("got %+v, dropped %v", m.Classes, m.Dropped())
	}
	a, b := histogram(member, m.Members), histogram(non, m.NonMembers)
	if a != b || a != [6]int{1, 2, 1} {
		t.Errorf("matched classes are %v and %v", a, b)
	}
	for _, at := range [][]int{m.Members, m.NonMembers} {
		if !slices.IsSorted(at) || len(slices.Compact(slices.Clone(at))) != len(at) {
			t.Errorf("positions %v are not increasing", at)
		}
	}
	if !reflect.DeepEqual(m, must(MatchClasses(member, non, 6, 5))) {
		t.Error("the same seed matches differently")
	}
}

func histogram(labels, at []int) (h [6]int) {
	for _, i := range at {
		h[labels[i]]++
	}
	return h
}

// Every sample of the larger side is as likely to be chosen: 2 of 5.
func TestMatchingIsUniform(t *testing.T) {
	var hits [5]float64
	const seeds = 4000
	for seed := range uint64(seeds) {
		for _, i := range must(MatchClasses([]int{0, 0, 0, 0, 0}, []int{0, 0}, 1, seed)).Members {
			hits[i]++
		}
	}
	for _, h := range hits { // the standard deviation is .008
		near(t, "share of draws", h/seeds, .4, .03)
	}
}

func TestMatchingErrors(t *testing.T) {
	m, err := MatchClasses([]int{0, 0}, []int{1}, 2, 1)
	if !errors.Is(err, ErrEmpty) || !reflect.DeepEqual(m.Classes, []ClassCount{{2, 0, 0}, {0, 1, 0}}) {
		t.Errorf("no common class: %+v, %v", m, err)
	}
	if _, err := MatchClasses([]int{0}, []int{2}, 2, 1); !errors.Is(err, ErrLabel) {
		t.Errorf("label 2 of 2: %v", err)
	}
	if _, err := MatchClasses(nil, nil, 0, 1); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := MatchClasses(nil, nil, -1, 1); !errors.Is(err, ErrRange) {
		t.Errorf("-1 classes: %v", err)
	}
}

func TestFoldsAreStratified(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	labels := make([]int, 103)
	for i := range labels {
		labels[i] = r.IntN(4)
	}
	size, per := foldCounts(labels, dealByClass(r, labels, 4, 5))
	slices.Reverse(labels) // the other of two matched sides
	for range 5 {
		if _, other := foldCounts(labels, dealByClass(r, labels, 4, 5)); other != per {
			t.Errorf("matched sides are dealt as %v and %v", per, other)
		}
	}
	slices.Reverse(labels)
	for f := range 5 {
		if size[f] < 20 || size[f] > 21 {
			t.Errorf("fold %d has %d of 103", f, size[f])
		}
		for c := range 4 {
			if d := per[f][c] - per[0][c]; d < -1 || d > 1 {
				t.Errorf("fold %d has %d of class %d, fold 0 has %d", f, per[f][c], c, per[0][c])
			}
		}
	}
}

func foldCounts(labels, fold []int) (size [5]int, per [5][4]int) {
	for i, f := range fold {
		size[f]++
		per[f][labels[i]]++
	}
	return size, per
}

// Golden: the counts that StratifiedShuffleSplit(10, random_state=s), s = 0…19,
// of scikit-learn 1.2.1 gives; where it breaks ties at random, all it gave.
func TestAllotmentAgainstScikitLearn(t *testing.T) {
	for _, c := range []struct {
		counts [2]int
		want   []allotment
	}{
		{[2]int{6, 6}, []allotment{{[2]int{5, 5}, [2]int{1, 1}}}},
		{[2]int{30, 39}, []allotment{{[2]int{27, 35}, [2]int{3, 4}}}},
		{[2]int{312, 378}, []allotment{{[2]int{281, 340}, [2]int{31, 38}}}},
		{[2]int{7, 100}, []allotment{{[2]int{6, 90}, [2]int{1, 10}}}},
		{[2]int{1500, 1504}, []allotment{{[2]int{1350, 1353}, [2]int{150, 151}}}},
		{[2]int{10, 11}, []allotment{{[2]int{9, 9}, [2]int{1, 2}}}},
		{[2]int{15, 9}, []allotment{{[2]int{13, 8}, [2]int{2, 1}}}},
		{[2]int{33, 58}, []allotment{{[2]int{29, 52}, [2]int{4, 6}}}},
		{[2]int{2, 19}, []allotment{{[2]int{2, 16}, [2]int{0, 3}}}},
		{[2]int{101, 7}, []allotment{{[2]int{91, 6}, [2]int{10, 1}}}},
		{[2]int{64, 64}, []allotment{{[2]int{57, 58}, [2]int{7, 6}}, {[2]int{58, 57}, [2]int{6, 7}}}},
		{[2]int{299, 390}, []allotment{{[2]int{269, 351}, [2]int{30, 39}}}},
	} {
		r := rand.New(rand.NewPCG(1, 1))
		seen := map[allotment]bool{}
		for range 50 {
			seen[must(allot(r, c.counts, .1))] = true
		}
		for _, w := range c.want {
			if !seen[w] {
				t.Errorf("%v: %+v never occurs", c.counts, w)
			}
		}
		if len(seen) != len(c.want) {
			t.Errorf("%v: got %v, want %v", c.counts, seen, c.want)
		}
	}
	for _, counts := range [][2]int{{1, 50}, {5, 5}, {0, 0}} {
		if _, err := allot(rand.New(rand.NewPCG(1, 1)), counts, .1); !errors.Is(err, ErrTooFew) {
			t.Errorf("%v: got %v", counts, err)
		}
	}
}
