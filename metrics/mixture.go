package metrics

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/internal/par"
)

// The share of SMI and the ends of its interval are kept within these: beyond
// them they mean that seen and unseen features hardly differ, and nothing else.
const smiLeast, smiMost = -1, 2

// SMI returns the share of the forget features that a mixture of the features
// of unseen samples and of seen ones, retained for one, explains as unseen: about
// 1 for a retrained model and 0 for the original. It needs no other model. All
// features are of one layer of the model judged, the last but one by custom.
//
// Every sample is scored by a witness of its class, the mean Gaussian kernel to
// unseen samples less that to seen ones; its width is the median distance. Seen and
// unseen samples are scored by the half that they are not in. Whatever the score,
// the mean over a mixture is the mixture of the means, so the share is
// (S − F)/(S − U) for the mean scores S, F and U, each class weighing as in the
// forget set. This is the share with the least maximum mean discrepancy, free of
// the bias of its squares.
//
// The interval at the confidence level, between 0 and 1 (ErrRange), is Fieller's
// for a ratio of means: where seen and unseen features hardly differ it is wide, up
// to −1 to 2, at which share and interval are cut. Above 1 forgotten samples look
// less like seen ones than unseen ones do.
//
// Classes need one forget sample and two of each other kind to take part. Errors:
// those of labeled features, ErrShape for different dimensions or classes,
// ErrTooFew if no class or fewer than two forget samples take part, ErrDegenerate
// if features do not vary. Cost: O((f + s + u)(s + u)·d/classes).
//
// References: the audit by the share of a mixture, arXiv 2602.01150, whose
// estimator could not be confirmed and whose bootstrap is replaced; Iyer et al.,
// "Maximum Mean Discrepancy for Class Ratio Estimation", ICML 2014; Fieller, "Some
// Problems in Interval Estimation", JRSS B 16 (1954).
func SMI(forget, seen, unseen Features, level float64) (Estimate, error) {
	if err := checkLevel(level); err != nil {
		return Estimate{}, err
	}
	if err := checkAlike(forget, seen, unseen); err != nil {
		return Estimate{}, err
	}
	m := newMixture(forget, seen, unseen)
	if m.total < 2 {
		return Estimate{}, fmt.Errorf("metrics: %w: %d forget samples are of classes with two seen and two unseen ones, want 2", ErrTooFew, m.total)
	}
	if m.width = m.medianDistance(); m.width == 0 {
		return Estimate{}, fmt.Errorf("metrics: %w: seen and unseen features are equal", ErrDegenerate)
	}
	f, s, u := m.means()
	e := quotient{
		a: s.mean - f.mean, b: s.mean - u.mean,
		varA: s.variance + f.variance, varB: s.variance + u.variance, cov: s.variance,
		dof: float64(min(m.total, seen.N, unseen.N) - 1),
	}.fieller(level, Interval{smiLeast, smiMost})
	return e, nil
}

// checkAlike returns an error unless the three are labeled features of one layer.
func checkAlike(forget, seen, unseen Features) error {
	for _, c := range []struct {
		what string
		f    Features
	}{{"forget features", forget}, {"seen features", seen}, {"unseen features", unseen}} {
		if err := c.f.checkLabeled(c.what); err != nil {
			return err
		}
		if c.f.Dim != forget.Dim || c.f.Classes != forget.Classes {
			return fmt.Errorf("metrics: %w: %s have %d dimensions and %d classes, forget features %d and %d",
				ErrShape, c.what, c.f.Dim, c.f.Classes, forget.Dim, forget.Classes)
		}
	}
	return nil
}

// mixture is the three sets of features, class by class.
type mixture struct {
	forget, seen, unseen Features
	ofF, ofS, ofU        [][]int // none where a class takes no part
	total                int     // forget samples that take part
	width                float64
}

func newMixture(forget, seen, unseen Features) *mixture {
	m := &mixture{forget: forget, seen: seen, unseen: unseen}
	m.ofF, m.ofS, m.ofU = byClass(forget.Labels, forget.Classes), byClass(seen.Labels, seen.Classes), byClass(unseen.Labels, unseen.Classes)
	for c := range m.ofF {
		if len(m.ofS[c]) < 2 || len(m.ofU[c]) < 2 {
			m.ofF[c] = nil
		}
		m.total += len(m.ofF[c])
	}
	return m
}

// medianPairs bounds the distances that the median is taken of in each class.
const medianPairs = 2000

// medianDistance is taken between seen and unseen samples of a class.
func (m *mixture) medianDistance() float64 {
	var d []float64
	for c, items := range m.ofF {
		if len(items) == 0 {
			continue
		}
		s, u := m.ofS[c], m.ofU[c]
		for k := range min(medianPairs, len(s)*len(u)) { // runs through both sides, however few pairs are taken
			d = append(d, squaredDistance(m.seen.row(s[k%len(s)]), m.unseen.row(u[(k+k/len(s))%len(u)])))
		}
	}
	slices.Sort(d)
	return math.Sqrt(d[len(d)/2])
}

func squaredDistance(x, y []float32) float64 {
	var sum float64
	for j, v := range x {
		d := float64(v) - float64(y[j])
		sum += d * d
	}
	return sum
}

// witness returns the mean kernel of x to the unseen samples of class c in half
// h, less that to the seen ones.
func (m *mixture) witness(x []float32, c, h int) float64 {
	return m.meanKernel(x, m.unseen, m.ofU[c], h) - m.meanKernel(x, m.seen, m.ofS[c], h)
}

func (m *mixture) meanKernel(x []float32, f Features, items []int, h int) float64 {
	var sum, n float64
	for k := h; k < len(items); k += 2 {
		r := squaredDistance(x, f.row(items[k])) / m.width / m.width
		sum += math.Exp(-r / 2)
		n++
	}
	return sum / n
}

// means returns the mean score of each set and its variance.
func (m *mixture) means() (f, s, u summary) {
	score := func(set Features, of [][]int, both bool) [][]float64 {
		scores := make([][]float64, len(of))
		for c, items := range of {
			if len(m.ofF[c]) == 0 {
				continue
			}
			scores[c] = make([]float64, len(items))
			par.Each(len(items), func(_, k int) {
				x := set.row(items[k])
				if both {
					scores[c][k] = (m.witness(x, c, 0) + m.witness(x, c, 1)) / 2
				} else {
					scores[c][k] = m.witness(x, c, 1-k%2)
				}
			})
		}
		return scores
	}
	return m.stratified(score(m.forget, m.ofF, true)), m.stratified(score(m.seen, m.ofS, false)), m.stratified(score(m.unseen, m.ofU, false))
}

// stratified weighs the classes as the forget set does. A class with a single
// sample has the variance around the mean of all.
func (m *mixture) stratified(scores [][]float64) (s summary) {
	classMean := make([]float64, len(scores))
	for c, x := range scores {
		if len(x) > 0 {
			classMean[c] = mean(x)
			s.mean += float64(len(m.ofF[c])) / float64(m.total) * classMean[c]
		}
	}
	for c, x := range scores {
		if len(x) == 0 {
			continue
		}
		center, n := classMean[c], float64(len(x))
		squares := 0.0
		if len(x) == 1 {
			center, n = s.mean, 2
		}
		for _, v := range x {
			squares += (v - center) * (v - center)
		}
		share := float64(len(m.ofF[c])) / float64(m.total)
		s.variance += share * share * squares / (n - 1) / float64(len(x))
	}
	return s
}

// quotient is two means with their variances and covariance.
type quotient struct{ a, b, varA, varB, cov, dof float64 }

// fieller returns a/b and the values r for which a − rb is not told from zero,
// cut to the bounds, which also stand for an interval without an end.
func (q quotient) fieller(level float64, bounds Interval) Estimate {
	t := studentQuantile(level, max(q.dof, 1))
	cut := func(v float64) float64 { return min(max(v, bounds.Lo), bounds.Hi) }
	e := Estimate{Value: (bounds.Lo + bounds.Hi) / 2, Interval: bounds}
	if q.b != 0 {
		e.Value = cut(q.a / q.b)
	}
	square := q.b*q.b - t*t*q.varB
	if !(square > 0) {
		return e
	}
	mid := q.a*q.b - t*t*q.cov
	root := math.Sqrt(max(mid*mid-square*(q.a*q.a-t*t*q.varA), 0))
	e.Interval = Interval{cut((mid - root) / square), cut((mid + root) / square)}
	return e
}
