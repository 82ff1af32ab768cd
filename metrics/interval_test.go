package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// Reference: Newcombe, "Two-sided confidence intervals for the single
// proportion", Statistics in Medicine 17 (1998), table I, method 3.
func TestWilsonAgainstNewcombe(t *testing.T) {
	for _, c := range []struct {
		k, n   int
		lo, hi float64
	}{
		{81, 263, .2553, .3662},
		{15, 148, .0624, .1605},
		{0, 20, 0, .1611},
		{1, 29, .0061, .1718},
	} {
		iv := must(Wilson(c.k, c.n, .95))
		near(t, "lower", iv.Lo, c.lo, 6e-5)
		near(t, "upper", iv.Hi, c.hi, 6e-5)
		mirror := must(Wilson(c.n-c.k, c.n, .95))
		near(t, "mirrored", mirror.Lo, 1-iv.Hi, 1e-15)
	}
}

// The ends solve (p − k/n)² = z² p(1 − p)/n.
func TestWilsonSolvesItsEquation(t *testing.T) {
	const z = 2.5758293035489004 // 99.5 % quantile of the normal distribution
	iv := must(Wilson(7, 31, .99))
	for _, p := range []float64{iv.Lo, iv.Hi} {
		d := p - 7.0/31
		near(t, "equation", d*d, z*z*p*(1-p)/31, 1e-15)
	}
}

func TestBadIntervals(t *testing.T) {
	_, empty := Wilson(0, 0, .95)
	_, many := Wilson(5, 4, .95)
	_, level := Wilson(1, 4, 1)
	_, none := MeanInterval(nil, .95)
	_, one := MeanInterval([]float64{1}, .95)
	_, infinite := MeanInterval([]float64{1, math.Inf(1)}, .95)
	_, nan := MeanInterval([]float64{1, 2}, math.NaN())
	_, auc := AUCInterval([]float64{1}, []float64{1}, 0)
	_, noMember := AUCInterval(nil, []float64{1}, .95)
	for i, c := range []struct{ got, want error }{
		{empty, ErrEmpty}, {many, ErrRange}, {level, ErrRange}, {none, ErrEmpty}, {one, ErrTooFew}, {infinite, ErrNotFinite},
		{nan, ErrRange}, {auc, ErrRange}, {noMember, ErrEmpty},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}

// Student's own data (1908, section IX): additional hours of sleep of ten
// patients, R's t.test(extra[11:20] - extra[1:10]) gives .7001142 to 2.4598858.
func TestMeanIntervalAgainstR(t *testing.T) {
	x := []float64{1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, .8, 4.6, 1.4}
	iv := must(MeanInterval(x, .95))
	near(t, "lower", iv.Lo, .7001142, 1e-6)
	near(t, "upper", iv.Hi, 2.4598858, 1e-6)
	for _, scale := range []float64{0x1p1000, 0x1p-1000} {
		large := must(MeanInterval(apply(x, func(v float64) float64 { return v * scale }), .95))
		if large != (Interval{iv.Lo * scale, iv.Hi * scale}) {
			t.Errorf("times %g: %v, want %v times that", scale, large, iv)
		}
	}
}

func TestMeansNearTheLargestFloat(t *testing.T) {
	iv := must(MeanInterval([]float64{1e308, 1e308}, .95))
	if iv != (Interval{1e308, 1e308}) {
		t.Errorf("interval of 1e308 twice is %v", iv)
	}
	iv = must(MeanInterval([]float64{math.MaxFloat64, -math.MaxFloat64}, .95))
	if iv != (Interval{-math.MaxFloat64, math.MaxFloat64}) {
		t.Errorf("interval of ± the largest float is %v", iv)
	}
	near(t, "mean", mean([]float64{1.5e308, 1.5e308, 0}), 1e308, 1e293)
	near(t, "mean of ± the largest", mean([]float64{math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64, -math.MaxFloat64}), 0, 0)
	s := must(JudgeScores([]float64{1.7e308, 1.6e308, 1.5e308}, []float64{-1.7e308, -1.6e308, -1.5e308}, 1, nil))
	if s.AUC != 1 || s.BalancedAccuracy != 1 {
		t.Errorf("perfect attacker near the largest float: %+v", s)
	}
}

// The AUC of N(1/2, 1) against N(0, 1) is Φ(1/(2√2)). Over 400 data sets a true
// coverage of 95 % has a standard deviation of 1.1 %.
func TestAUCIntervalAwayFromHalf(t *testing.T) {
	const sets = 400
	truth := math.Erfc(-1.0/4) / 2
	covered, below := 0, 0
	for k := range sets {
		r := rand.New(rand.NewPCG(7, uint64(k)))
		m, n := make([]float64, 60), make([]float64, 60)
		for i := range m {
			m[i], n[i] = r.NormFloat64()+.5, r.NormFloat64()
		}
		iv := must(AUCInterval(m, n, .95))
		if iv.Contains(truth) {
			covered++
		} else if iv.Hi < truth {
			below++
		}
	}
	near(t, "coverage", float64(covered)/sets, .95, .04)
	t.Logf("coverage %.3f, missed on the low side %.3f", float64(covered)/sets, float64(below)/sets)
}

func TestStrengthSameBitsAtAnyGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	r := rand.New(rand.NewPCG(5, 5))
	m, n := draws(r, 70, .2), draws(r, 90, 0)
	var first Strength
	for i, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		s := must(JudgeScores(m, n, 11, nil))
		if i == 0 {
			first = s
		}
		if s != first {
			t.Errorf("GOMAXPROCS %d: %+v, at 1 %+v", procs, s, first)
		}
	}
}
