package dlfd

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// brokenBelow is how far below others the test accuracy of a retrained model lies that
// did not learn its task. Seeds of one training differ by about a tenth of that.
const brokenBelow = .1

// doubtReferences notes which retrained models make no band.
func (a *audit) doubtReferences(context.Context) error {
	a.doubted = a.brokenReferences()
	a.Notes = append(a.Notes, a.doubted...)
	return nil
}

// brokenReferences says which retrained models did not learn the task: their test
// accuracy is below the median of the others, or below that of the model judged, by more
// than brokenBelow and more than intervals at 95 % allow. They widen every band.
func (a *audit) brokenReferences() []string {
	var broken []string
	own, n := a.taskAccuracy()
	for k, r := range a.References.Retrained {
		v, m := r.taskAccuracy()
		var than []string
		if others := a.otherAccuracies(k); len(others) > 0 && clearlyBelow(v, others[len(others)/2], m, m) {
			than = append(than, fmt.Sprintf("the other retrained models have %.3f to %.3f", others[0], others[len(others)-1]))
		}
		if clearlyBelow(v, own, m, n) {
			than = append(than, fmt.Sprintf("the model judged has %.3f", own))
		}
		if len(than) > 0 {
			broken = append(broken, fmt.Sprintf("retrained model %d of %d has a test accuracy of %.3f, and %s: it did not learn the task, and makes every band too wide",
				k+1, len(a.References.Retrained), v, strings.Join(than, " and ")))
		}
	}
	return broken
}

// taskAccuracy is the test accuracy, without classes that go, and on how many samples.
func (a *Audited) taskAccuracy() (float64, int) {
	if v, ok := a.others(); ok {
		return v, a.Class.OthersSamples
	}
	return a.TestAccuracy, a.Counts.Test
}

// otherAccuracies returns those of the retrained models but number k, sorted.
func (a *audit) otherAccuracies(k int) []float64 {
	var all []float64
	for i, r := range a.References.Retrained {
		if v, _ := r.taskAccuracy(); i != k {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return all
}

// clearlyBelow reports whether a share of n samples is below another of m.
func clearlyBelow(low, high float64, n, m int) bool {
	if high-low <= brokenBelow || n == 0 || m == 0 {
		return false
	}
	above, err := shareAbove([2]float64{high, low}, [2]int{m, n})
	return err == nil && above.Interval.Lo > 0 // an error would be one of the counts
}
