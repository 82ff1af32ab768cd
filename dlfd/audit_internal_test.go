package dlfd

import (
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

func TestBlocks(t *testing.T) {
	side := func(labels []int, persons ...string) activation {
		return activation{metrics.Features{N: len(labels), Labels: labels}, persons}
	}
	for name, c := range map[string]struct {
		member, nonmember activation
		m, n              []int
		strata            bool
	}{
		"nobody is known":       {side([]int{0, 1}, "", ""), side([]int{0}, ""), []int{0, 1}, []int{2}, true},
		"persons of one class":  {side([]int{0, 0, 1}, "a", "a", "b"), side([]int{0, 1}, "c", ""), []int{0, 0, 1}, []int{2, 3}, true},
		"persons of two":        {side([]int{0, 1}, "a", "a"), side([]int{0}, "c"), []int{0, 0}, []int{1}, false},
		"a person on both":      {side([]int{0, 1}, "a", "b"), side([]int{0}, "a"), nil, nil, true},
		"two of whom not known": {side([]int{0, 1, 1}, "", "b", ""), side([]int{0}, "c"), []int{0, 1, 2}, []int{3}, true},
	} {
		m, n, strata := blocks(c.member, c.nonmember)
		if !slices.Equal(m, c.m) || !slices.Equal(n, c.n) || strata != c.strata {
			t.Errorf("%s: %v, %v, %v; want %v, %v, %v", name, m, n, strata, c.m, c.n, c.strata)
		}
	}
}

func TestRelativeChange(t *testing.T) {
	spec := feature.Spec{Params: []feature.Param{{Shape: []int{2}}, {Shape: []int{1}, Kind: feature.Bias}, {Shape: []int{1}, Kind: feature.Statistic}}}
	before, now := feature.Weights{{3, 0}, {4}, {1}}, feature.Weights{{3, 3}, {8}, {100}}
	if got := relativeChange(spec, before, now); math.Abs(got-1) > 1e-15 { // √(3² + 4²)/√(3² + 4²), statistics left out
		t.Errorf("relative change %v, want 1", got)
	}
	if got := relativeChange(spec, feature.Weights{{0, 0}, {0}, {1}}, now); got != 0 {
		t.Errorf("relative change of nothing is %v", got)
	}
}

// The halves of relearning are equal in every class to within a sample, and in all.
func TestEverySecond(t *testing.T) {
	d := positions{labels: []int{0, 0, 0, 1, 1, 1, 1, 2, 0, 2, 2}, of: &labelled{make([]int, 11)}}
	one, other, err := everySecond(d)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := feature.Labels(one)
	b, _ := feature.Labels(other)
	if len(a) != 6 || len(b) != 5 {
		t.Errorf("halves of %d and %d", len(a), len(b))
	}
	for c := range 3 {
		n := 0
		for _, y := range a {
			if y == c {
				n++
			}
		}
		for _, y := range b {
			if y == c {
				n--
			}
		}
		if n < -1 || n > 1 {
			t.Errorf("class %d: the halves %v and %v differ by %d", c, a, b, n)
		}
	}
}

// The rise is the mean of the leads after the start less the lead at the start.
func TestRiseByHand(t *testing.T) {
	looks := resurgenceLooks{
		{{1, 0, 0, 0}, {1, 1, 0, 0}, {1, 1, 1, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}, {1, 1, 1, 1}},
		{{1, 0}, {1, 0}, {1, 1}, {1, 0}, {1, 0}, {1, 0}},
	}
	e, err := looks.rise(3)
	if err != nil {
		t.Fatal(err)
	}
	// Forget .25 → mean of .5, .75, .25, 1 = .625; test .5 → mean of .5, 1, .5, .5 = .625.
	if want := .375 - .125; math.Abs(e.Value-want) > 1e-15 {
		t.Errorf("rise %v, want %v", e.Value, want)
	}
}

// Positions of any size survive a dataset of float32.
func TestSecondHalf(t *testing.T) {
	const n = 9000
	d := &labelled{make([]int, n)}
	for i := range d.labels {
		d.labels[i] = i % 3
	}
	index, err := secondHalf(d)
	if err != nil {
		t.Fatal(err)
	}
	if len(index) != n/2 || !slices.IsSorted(index) || index[len(index)-1] < n-7 || index[len(index)-1] >= n {
		t.Errorf("%d positions up to %d", len(index), index[len(index)-1])
	}
	order := inTurns([]int{1, 0, 0, 1, 0, 1}, 3)
	if want := []int{1, 4, 2, 0, 3, 5}; !slices.Equal(order, want) {
		t.Errorf("in turns %v, want %v", order, want)
	}
}

func TestUnlessTied(t *testing.T) {
	c := &metrics.Compared{Interval: metrics.Interval{Lo: .5, Hi: .5}, Retrained: []float64{.47, .49}}
	if got := unlessTied(c); got != (metrics.Interval{Lo: .47, Hi: .5}) {
		t.Errorf("tied: %v", got)
	}
	c.Interval.Hi = .52
	if got := unlessTied(c); got != c.Interval {
		t.Errorf("not tied: %v", got)
	}
}
