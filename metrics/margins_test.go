package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// lists returns margins on multiples of scale/4 by the formula of the golden's
// program.
func lists(models, n, k int, scale float64) [][]float64 {
	x := make([][]float64, models)
	for j := range x {
		for i := range n {
			x[j] = append(x[j], float64((i*7+j*13+k*5+i*j*k)%17)/4*scale)
		}
	}
	return x
}

// By NumPy 1.24: np.histogram over np.linspace of 21 edges, np.percentile.
func TestKLoMAgainstNumPy(t *testing.T) {
	d := must(KLoM(lists(7, 8, 1, 3.1), lists(5, 8, 2, 2.9)))
	want := []float64{6.737447443761734, 3.9078795716085564, 9.567015315914913, 6.737447443761734, 11.512925464970229, 8.152231379838325, 6.7374474437617335, 8.152231379838323}
	for i, v := range want {
		near(t, "sample", d.Samples[i], v, 1e-12)
	}
	near(t, "mean", d.Mean, 7.688078180431944, 1e-12)
	near(t, "P95", d.P95, 10.831856912800868, 1e-12)
}

func TestKLoMOfEqualAndFarModels(t *testing.T) {
	x := lists(4, 3, 1, 1)
	if d := must(KLoM(x, x)); d.Mean != 0 || d.P95 != 0 {
		t.Errorf("equal models: %+v", d)
	}
	far := [][]float64{{1e300}, {1e308}, {math.MaxFloat64}}
	near(t, "far", must(KLoM(far, [][]float64{{0}, {-1e300}, {1}})).P95, math.Log(1e5), 1e-9)
	if d := must(KLoM(far, far)); d.P95 != 0 { // all are cut to 100
		t.Errorf("beyond the cut: %+v", d)
	}
	_, few := KLoM(x[:2], x)
	_, shape := KLoM(x, lists(4, 2, 1, 1))
	_, nan := KLoM(x, [][]float64{{0, 1, math.NaN()}, {0, 1, 2}, {0, 1, 2}})
	_, empty := KLoM([][]float64{{}, {}, {}}, x)
	for i, c := range []struct{ got, want error }{{few, ErrTooFew}, {shape, ErrShape}, {nan, ErrNotFinite}, {empty, ErrEmpty}} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}

// Fieller's interval by NumPy and SciPy from np.cov.
func TestResidualKnowledgeAgainstSciPy(t *testing.T) {
	e := must(ResidualKnowledge([]int{3, 5, 0, 4, 2}, []int{2, 5, 1, 2, 2}, 5, .95))
	near(t, "ratio", e.Value, 1.1666666666666667, 1e-12)
	near(t, "lower", e.Interval.Lo, 0.4027840862407745, 1e-6)
	near(t, "upper", e.Interval.Hi, 2.3947811156271, 1e-6)
	if e := must(ResidualKnowledge([]int{3, 5, 4, 5, 4}, []int{3, 5, 4, 5, 4}, 5, .95)); e != (Estimate{1, Interval{1, 1}}) {
		t.Errorf("equal counts: %+v", e)
	}
	if e := must(ResidualKnowledge([]int{5, 5}, []int{1, 0}, 5, .95)); e.Value != 10 || e.Interval != (Interval{0, 10}) {
		t.Errorf("a retrained model hardly ever right: %+v", e)
	}
}

func TestCoverageOfResidualKnowledge(t *testing.T) {
	draws, lo, hi := 400, .91, .99
	if *fullCoverage {
		draws, lo, hi = 2000, .92, .98
	}
	for _, n := range []int{10, 40, 200} {
		rate := covered(draws, 1, func(k int) []bool {
			r := rand.New(rand.NewPCG(uint64(k), 86))
			m, q := make([]int, n), make([]int, n)
			for i := range m {
				p := r.Float64() // mean ½ for the model, ¼ for the retrained one
				for range 8 {
					if r.Float64() < p {
						m[i]++
					}
					if r.Float64() < p/2 {
						q[i]++
					}
				}
			}
			return []bool{must(ResidualKnowledge(m, q, 8, .95)).Interval.Contains(2)}
		})
		t.Logf("%3d samples: %.3f", n, rate[0])
		if rate[0] < lo || rate[0] > hi {
			t.Errorf("%d samples: coverage %.3f", n, rate[0])
		}
	}
}

func TestMostMemorized(t *testing.T) {
	with, without := []float64{.1, .1, .1, 2, .1, 0}, []float64{.2, 5, .2, 1, 3, 3}
	for _, c := range []struct {
		share float64
		want  []int
	}{{.1, []int{1}}, {.5, []int{1, 5, 4}}, {1, []int{1, 5, 4, 0, 2, 3}}} {
		if got := must(MostMemorized(with, without, c.share)); !slices.Equal(got, c.want) {
			t.Errorf("share %v: %v, want %v", c.share, got, c.want)
		}
	}
	top := math.MaxFloat64
	if got := must(MostMemorized([]float64{0, -top}, []float64{0, top}, .5)); got[0] != 1 {
		t.Errorf("largest floats: %v", got)
	}
}

func TestBadCountsAndLosses(t *testing.T) {
	residual := func(m, r []int, draws int, level float64) error {
		_, err := ResidualKnowledge(m, r, draws, level)
		return err
	}
	memorized := func(a, b []float64, share float64) error { _, err := MostMemorized(a, b, share); return err }
	two := []int{1, 2}
	for i, c := range []struct{ got, want error }{
		{residual(two, two, 2, 0), ErrRange},
		{residual(nil, nil, 2, .9), ErrEmpty},
		{residual(two, two[:1], 2, .9), ErrShape},
		{residual(two[:1], two[:1], 2, .9), ErrTooFew},
		{residual(two, two, 1, .9), ErrRange},
		{residual(two, []int{-1, 0}, 2, .9), ErrRange},
		{residual(two, []int{0, 0}, 2, .9), ErrDegenerate},
		{memorized(nil, nil, .1), ErrEmpty},
		{memorized([]float64{1}, []float64{1, 2}, .1), ErrShape},
		{memorized([]float64{1}, []float64{math.NaN()}, .1), ErrNotFinite},
		{memorized([]float64{1}, []float64{1}, 0), ErrRange},
		{memorized([]float64{1}, []float64{1}, math.NaN()), ErrRange},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}
