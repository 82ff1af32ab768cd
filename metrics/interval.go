package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dlfd-go/unlearn/internal/par"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Interval is a range of values from Lo to Hi.
type Interval struct{ Lo, Hi float64 }

// Contains reports whether v lies in i, its ends included.
func (i Interval) Contains(v float64) bool { return i.Lo <= v && v <= i.Hi }

// Wilson returns the Wilson score interval of a share of which k of n trials
// are a sample, at a confidence level such as .95, 0 < level < 1 (ErrRange). It
// keeps its coverage for shares near 0 and 1 and for small n.
//
// Reference: Wilson, "Probable Inference, the Law of Succession, and
// Statistical Inference", JASA 22 (1927).
func Wilson(k, n int, level float64) (Interval, error) {
	if n < 1 {
		return Interval{}, fmt.Errorf("metrics: %w: %d trials", ErrEmpty, n)
	}
	if k < 0 || k > n {
		return Interval{}, fmt.Errorf("metrics: %w: %d of %d trials", ErrRange, k, n)
	}
	if err := checkLevel(level); err != nil {
		return Interval{}, err
	}
	z := math.Sqrt2 * math.Erfinv(level)
	p, m := float64(k)/float64(n), float64(n)
	centre := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	iv := Interval{max(centre-half, 0), min(centre+half, 1)}
	if k == 0 { // exact ends, which rounding misses
		iv.Lo = 0
	}
	if k == n {
		iv.Hi = 1
	}
	return iv, nil
}

func checkLevel(level float64) error {
	if !(level > 0 && level < 1) {
		return fmt.Errorf("metrics: %w: confidence level is %v, want between 0 and 1", ErrRange, level)
	}
	return nil
}

// Bootstrap computes percentile intervals: a statistic's quantiles over
// resamples with replacement. Samples of several groups are resampled group by
// group, so their sizes stay. The zero value is ready to use.
//
// Reference: Efron & Tibshirani, "An Introduction to the Bootstrap" (1993),
// chapter 13.
type Bootstrap struct {
	Resamples int     // number of resamples; if it is zero, 1000 is used
	Level     float64 // confidence level between 0 and 1; if it is zero, 0.95 is used
}

func (b Bootstrap) resolve() (Bootstrap, error) {
	if b.Resamples == 0 {
		b.Resamples = 1000
	}
	if b.Level == 0 {
		b.Level = 0.95
	}
	if b.Resamples < 1 {
		return b, fmt.Errorf("metrics: %w: %d resamples", ErrRange, b.Resamples)
	}
	return b, checkLevel(b.Level)
}

// Mean returns an interval for the mean of x. For a paired difference, pass the
// differences. Cost: O(resamples·n).
func (b Bootstrap) Mean(x []float64, seed uint64) (Interval, error) {
	if err := checkScores("sample", x); err != nil {
		return Interval{}, err
	}
	return b.run(seed, "mean", func(r *rand.Rand) float64 { return resampledMean(r, x, nil) })
}

// Difference returns an interval for the mean of x less the mean of y, two
// independent samples.
func (b Bootstrap) Difference(x, y []float64, seed uint64) (Interval, error) {
	for i, s := range [][]float64{x, y} {
		if err := checkScores(fmt.Sprintf("sample %d", i), s); err != nil {
			return Interval{}, err
		}
	}
	return b.run(seed, "difference", func(r *rand.Rand) float64 {
		mx := resampledMean(r, x, nil)
		return mx - resampledMean(r, y, nil)
	})
}

// AUC returns an interval for AUC(member, nonmember); members and non-members
// are resampled separately. Cost: O((m+n)·resamples), after one sort.
func (b Bootstrap) AUC(member, nonmember []float64, seed uint64) (Interval, error) {
	r, err := newRanked(member, nonmember)
	if err != nil {
		return Interval{}, err
	}
	return b.aucOfGroups([]*ranked{r}, seed)
}

// AUCDifference returns an interval for AUC(a…) less AUC(b…), where a and b are
// the scores of the same samples under two models, in the same order: each
// resample draws the same samples for both.
func (b Bootstrap) AUCDifference(aMember, aNon, bMember, bNon []float64, seed uint64) (Interval, error) {
	if len(aMember) != len(bMember) || len(aNon) != len(bNon) {
		return Interval{}, fmt.Errorf("metrics: %w: %d and %d members, %d and %d non-members",
			ErrShape, len(aMember), len(bMember), len(aNon), len(bNon))
	}
	ra, err := newRanked(aMember, aNon)
	if err != nil {
		return Interval{}, err
	}
	rb, err := newRanked(bMember, bNon)
	if err != nil {
		return Interval{}, err
	}
	return b.run(seed, "auc difference", func(r *rand.Rand) float64 {
		m := draw(r, len(aMember), nil)
		n := draw(r, len(aNon), nil)
		return ra.aucAt(m, n) - rb.aucAt(m, n)
	})
}

// aucOfGroups returns an interval for the AUC over pairs within groups.
func (b Bootstrap) aucOfGroups(groups []*ranked, seed uint64) (Interval, error) {
	return b.run(seed, "auc", func(r *rand.Rand) float64 {
		return groupedAUC(groups, func(g *ranked) float64 {
			m := draw(r, len(g.memberAt), g.memberStrata)
			return g.aucAt(m, draw(r, len(g.nonAt), g.nonStrata))
		})
	})
}

// groupedAUC weighs the AUC of each group by its number of pairs.
func groupedAUC(groups []*ranked, auc func(g *ranked) float64) float64 {
	var sum, pairs float64
	for _, g := range groups {
		w := float64(len(g.memberAt)) * float64(len(g.nonAt))
		sum += w * auc(g)
		pairs += w
	}
	return sum / pairs
}

// run evaluates stat once a resample, each with its own stream.
func (b Bootstrap) run(seed uint64, purpose string, stat func(r *rand.Rand) float64) (Interval, error) {
	b, err := b.resolve()
	if err != nil {
		return Interval{}, err
	}
	values := make([]float64, b.Resamples)
	par.Each(b.Resamples, func(_, i int) {
		values[i] = stat(rng.Stream(seed, "metrics bootstrap "+purpose, i))
	})
	slices.Sort(values)
	return Interval{quantile(values, (1-b.Level)/2), quantile(values, (1+b.Level)/2)}, nil
}

// draw returns n positions below n, drawn with replacement: from each stratum
// as many as it has.
func draw(r *rand.Rand, n int, strata [][]int) []int32 {
	at := make([]int32, 0, n)
	if strata == nil {
		for range n {
			at = append(at, int32(r.IntN(n)))
		}
	}
	for _, items := range strata {
		for range items {
			at = append(at, int32(items[r.IntN(len(items))]))
		}
	}
	return at
}

func resampledMean(r *rand.Rand, x []float64, strata [][]int) float64 {
	var sum float64
	for _, i := range draw(r, len(x), strata) {
		sum += x[i]
	}
	return sum / float64(len(x))
}

// aucAt returns the AUC of the members and non-members at the given positions.
func (r *ranked) aucAt(member, non []int32) float64 {
	counts := make([]float64, 2*len(r.value))
	m, n := counts[:len(r.value)], counts[len(r.value):]
	for _, i := range member {
		m[r.memberAt[i]]++
	}
	for _, i := range non {
		n[r.nonAt[i]]++
	}
	return r.auc(m, n)
}

// quantile interpolates linearly between order statistics, as R's type 7 and
// NumPy's default do.
func quantile(sorted []float64, q float64) float64 {
	pos := q * float64(len(sorted)-1)
	lo := int(math.Floor(pos))
	hi := min(lo+1, len(sorted)-1)
	return sorted[lo] + (pos-float64(lo))*(sorted[hi]-sorted[lo])
}
