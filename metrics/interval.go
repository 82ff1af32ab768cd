package metrics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a range of values from Lo to Hi.
type Interval struct{ Lo, Hi float64 }

// Contains reports whether v lies in i, its ends included.
func (i Interval) Contains(v float64) bool { return i.Lo <= v && v <= i.Hi }

// Estimate is a value and the interval that it is uncertain by.
type Estimate struct {
	Value    float64
	Interval Interval
}

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
	return wilson(float64(k)/float64(n), float64(n), level), nil
}

// Newcombe returns the confidence interval of the difference p₁ − p₂ of two independent
// shares, of which k₁ of n₁ and k₂ of n₂ were seen: from the Wilson limits l and u of
// both, with d the difference seen, it is
//
//	d − √((p₁−l₁)² + (u₂−p₂)²)  to  d + √((u₁−p₁)² + (p₂−l₂)²)
//
// (Newcombe, Statistics in Medicine 17, 1998, method 10). Errors are those of Wilson.
func Newcombe(k1, n1, k2, n2 int, level float64) (Interval, error) {
	w1, err := Wilson(k1, n1, level)
	if err != nil {
		return Interval{}, err
	}
	w2, err := Wilson(k2, n2, level)
	if err != nil {
		return Interval{}, err
	}
	p1, p2 := float64(k1)/float64(n1), float64(k2)/float64(n2)
	return Interval{
		Lo: p1 - p2 - math.Hypot(p1-w1.Lo, w2.Hi-p2),
		Hi: p1 - p2 + math.Hypot(w1.Hi-p1, p2-w2.Lo),
	}, nil
}

// wilson returns the score interval of a share p seen in m trials, which need
// not be a whole number.
func wilson(p, m, level float64) Interval {
	z := math.Sqrt2 * math.Erfinv(level)
	center := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	// Rounding may move an end past the share itself, at 0 and 1 above all.
	return Interval{max(min(center-half, p), 0), min(max(center+half, p), 1)}
}

func checkLevel(level float64) error {
	if !(level > 0 && level < 1) {
		return fmt.Errorf("metrics: %w: confidence level is %v, want between 0 and 1", ErrRange, level)
	}
	return nil
}

// MeanInterval returns Student's interval for the mean of x at a confidence
// level between 0 and 1 (ErrRange). For a paired difference pass the
// differences. It is exact for normal values of any number from two on
// (ErrTooFew), and holds its level for skewed ones as their number grows. An end
// beyond the largest float is that float.
//
// Reference: Student, "The Probable Error of a Mean", Biometrika 6 (1908).
func MeanInterval(x []float64, level float64) (Interval, error) {
	if err := checkLevel(level); err != nil {
		return Interval{}, err
	}
	if err := checkScores("sample", x); err != nil {
		return Interval{}, err
	}
	n := float64(len(x))
	if n < 2 {
		return Interval{}, fmt.Errorf("metrics: %w: an interval of %v value, want 2", ErrTooFew, n)
	}
	// Divided by a power of two, which is exact, neither sum nor squares overflow.
	scale := powerAbove(x)
	center := 0.0
	for _, v := range x {
		center += v / scale
	}
	center /= n
	norm := 0.0
	for _, v := range x {
		norm = math.Hypot(norm, v/scale-center)
	}
	half := studentQuantile(level, n-1) * norm / math.Sqrt(n*(n-1))
	return Interval{clampFinite((center - half) * scale), clampFinite((center + half) * scale)}, nil
}

// studentQuantile returns t such that a variable of Student's distribution
// with nu degrees of freedom lies within ±t with probability level.
func studentQuantile(level, nu float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: nu}.Quantile((1 + level) / 2)
}

// powerAbove returns a power of two that no element of x exceeds more than
// twofold, and at least the smallest normal number.
func powerAbove(x []float64) float64 {
	top := 0x1p-1022
	for _, v := range x {
		top = max(top, math.Abs(v))
	}
	return math.Ldexp(1, math.Ilogb(top))
}

func clampFinite(v float64) float64 { return min(max(v, -math.MaxFloat64), math.MaxFloat64) }

// AUCInterval returns an interval for AUC(member, nonmember) at a confidence
// level between 0 and 1 (ErrRange): the score interval of Wilson, with as many
// trials as give the variance of the AUC. Two variances are looked at, that of
// ranks when the two sides do not differ, which is exact for any number of
// samples, and that of the placements of each side (DeLong); the larger counts.
// Errors as for AUC. Cost: O((m+n) log(m+n)).
//
// References: Lehmann, "Nonparametrics" (1975), section 1.4; DeLong et al.,
// "Comparing the Areas under Two or More Correlated ROC Curves", Biometrics 44
// (1988).
func AUCInterval(member, nonmember []float64, level float64) (Interval, error) {
	if err := checkLevel(level); err != nil {
		return Interval{}, err
	}
	a, err := newSides(side{member, nil}, side{nonmember, nil}, 1)
	if err != nil {
		return Interval{}, err
	}
	return aucInterval(a.ranks.auc(), a.nullVariance(), a.variance(), level), nil
}

// aucInterval takes the variance that the AUC has if members and non-members do
// not differ, and the variance estimated where it is.
func aucInterval(auc, null, estimated, level float64) Interval {
	if null == 0 { // all samples of every class tie
		return Interval{auc, auc}
	}
	trials := 0.25 / null
	if estimated > 0 {
		if t := auc * (1 - auc) / estimated; t > 0 {
			trials = min(trials, t)
		}
	}
	return wilson(auc, trials, level)
}
