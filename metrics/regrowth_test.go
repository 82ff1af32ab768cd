package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func regrowth(at []float64, scores ...[]float64) Regrowth { return Regrowth{At: at, Scores: scores} }

// The intervals are those of SciPy 1.10: stats.t.ppf with Welch's degrees of
// freedom, and stats.t.interval on the np.trapz of the differences.
func TestRegrowthAgainstSciPy(t *testing.T) {
	forget := regrowth([]float64{0, 1}, []float64{-2, -1.5, -3, -.2}, []float64{-1, -1, -.5, -.1})
	test := regrowth([]float64{0, 1}, []float64{-1, -.4, -2.5}, []float64{-.9, -.5, -2})
	e := must(forget.Resurgence(test, .9))
	near(t, "rise", e.Value, 0.8583333333333333, 1e-14)
	near(t, "lower", e.Interval.Lo, -0.35610579951929167, 1e-6)
	near(t, "upper", e.Interval.Hi, 2.0727724661859583, 1e-6)

	at := []float64{0, 10, 40}
	model := regrowth(at, []float64{-2, -1.5, -3}, []float64{-1, -1.2, -.7}, []float64{-.3, -.2, -.4})
	retrained := regrowth(at, []float64{-2.5, -2.5, -2.8}, []float64{-2, -1.4, -2}, []float64{-.3, -.5, -.6})
	e = must(model.Relearning(retrained, .9))
	near(t, "area", e.Value, 0.5333333333333333, 1e-14)
	near(t, "lower", e.Interval.Lo, 0.2248192800833259, 1e-6)
	near(t, "upper", e.Interval.Hi, 0.8418473865833405, 1e-6)
}

// One of six answers changed; the interval has two more samples, of which half a
// one changed either way. By NumPy and SciPy.
func TestRegrowthOfAccuracies(t *testing.T) {
	zero := make([]float64, 6)
	at := []float64{0, 3}
	one := regrowth(at, []float64{1, 0, 0, 0, 0, 0}, []float64{1, 0, 0, 0, 0, 0})
	e := must(one.Relearning(regrowth(at, zero, zero), .95))
	near(t, "area", e.Value, 1.0/6, 1e-15)
	near(t, "lower", e.Interval.Lo, -0.3076819335731541, 1e-6)
	near(t, "upper", e.Interval.Hi, 0.5576819335731541, 1e-6)

	if e = must(one.Resurgence(one, .95)); e.Value != 0 || width(e.Interval) < .2 {
		t.Errorf("no answer changed: %+v", e)
	}
	all := regrowth(at, []float64{1, 1, 1, 1, 1, 1}, []float64{1, 1, 1, 1, 1, 1})
	if e = must(all.Relearning(regrowth(at, zero, zero), .95)); e.Value != 1 || e.Interval.Hi != 1 {
		t.Errorf("all against none: %+v", e)
	}
	means := must(regrowth(at, []float64{1, 0, 0, 1}, []float64{1, 1, 1, 0}).Means())
	near(t, "mean before", means[0], .5, 0)
	near(t, "mean after", means[1], .75, 0)
}

// A scale of losses scales value and interval.
func TestRegrowthAtAnyScale(t *testing.T) {
	draw := func(scale float64) (a, b Regrowth) {
		r := rand.New(rand.NewPCG(9, 1))
		for k := range 3 {
			rows := [2][]float64{}
			for i := range 2 * 7 {
				rows[i%2] = append(rows[i%2], -math.Abs(r.NormFloat64()+float64(2-k))*scale)
			}
			a, b = regrowth([]float64{0, 10, 40}, append(a.Scores, rows[0])...), regrowth([]float64{0, 10, 40}, append(b.Scores, rows[1])...)
		}
		return a, b
	}
	a, b := draw(1)
	area, rise := must(a.Relearning(b, .95)), must(a.Resurgence(b, .95))
	for _, scale := range []float64{1e-300, 1e9, 1e20, 1e300} {
		a, b := draw(scale)
		for i, got := range []Estimate{must(a.Relearning(b, .95)), must(a.Resurgence(b, .95))} {
			want := []Estimate{area, rise}[i]
			near(t, "value", got.Value/scale, want.Value, 1e-12)
			near(t, "lower", got.Interval.Lo/scale, want.Interval.Lo, 1e-12)
			near(t, "upper", got.Interval.Hi/scale, want.Interval.Hi, 1e-12)
		}
	}
	top := math.MaxFloat64
	wide := regrowth([]float64{-top, top}, []float64{-top, -top}, []float64{top, top})
	if e := must(wide.Resurgence(wide, .95)); e.Value != 0 {
		t.Errorf("largest floats: %+v", e)
	}
	if e := must(wide.Resurgence(regrowth([]float64{-top, top}, []float64{top, top}, []float64{-top, -top}), .95)); e.Value != top {
		t.Errorf("beyond the largest float: %+v", e)
	}
}

func TestCoverageOfRegrowth(t *testing.T) {
	draws, lo, hi := 400, .91, 1.0
	if *fullCoverage {
		draws, lo, hi = 2000, .92, .98
	}
	for _, n := range []int{10, 40, 200} {
		rate := covered(draws, 4, func(k int) []bool {
			r := rand.New(rand.NewPCG(uint64(k), 79))
			look := func(accuracy bool, n int, mean float64) []float64 {
				x := make([]float64, n)
				for i := range x {
					if x[i] = mean + r.NormFloat64(); accuracy {
						x[i] = 0
						if r.Float64() < mean {
							x[i] = 1
						}
					}
				}
				return x
			}
			var in []bool
			for _, accuracy := range []bool{false, true} {
				a := regrowth([]float64{0, 1}, look(accuracy, n, .6), look(accuracy, n, .9))
				b := regrowth([]float64{0, 1}, look(accuracy, n, .6), look(accuracy, n, .9))
				in = append(in, must(a.Relearning(b, .95)).Interval.Contains(0), must(a.Resurgence(b, .95)).Interval.Contains(0))
			}
			return in
		})
		t.Logf("%3d samples: losses %.3f and %.3f, accuracies %.3f and %.3f", n, rate[0], rate[1], rate[2], rate[3])
		for i, v := range rate {
			// Ten answers lie on a grid so coarse that no interval comes nearer.
			if v < lo || v > hi && (n > 10 || i < 2) {
				t.Errorf("%d samples, interval %d: coverage %.3f", n, i, v)
			}
		}
	}
}

func TestBadRegrowth(t *testing.T) {
	at := []float64{0, 1}
	good := regrowth(at, []float64{0, 1}, []float64{1, 1})
	relearn := func(a, b Regrowth, level float64) error { _, err := a.Relearning(b, level); return err }
	rise := func(a, b Regrowth) error { _, err := a.Resurgence(b, .95); return err }
	for i, c := range []struct{ got, want error }{
		{relearn(good, good, 1), ErrRange},
		{relearn(Regrowth{}, good, .95), ErrTooFew},
		{relearn(good, regrowth(at, []float64{0, 1, 1}, []float64{1, 1, 0}), .95), ErrShape},
		{rise(good, regrowth([]float64{0, 2}, []float64{0, 1}, []float64{1, 1})), ErrShape},
		{rise(good, regrowth([]float64{0, 1, 2}, []float64{0}, []float64{1}, []float64{1})), ErrTooFew},
		{rise(regrowth([]float64{1, 1}, []float64{0, 1}, []float64{1, 1}), good), ErrRange},
		{rise(regrowth(at, []float64{0, 1}), good), ErrShape},
		{rise(regrowth(at, []float64{0, 1}, []float64{1}), good), ErrShape},
		{rise(regrowth(at, []float64{0, 1}, []float64{1, math.NaN()}), good), ErrNotFinite},
		{rise(regrowth(at, nil, nil), good), ErrEmpty},
		{rise(regrowth([]float64{0, math.Inf(1)}, []float64{0, 1}, []float64{1, 1}), good), ErrNotFinite},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}
