package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// Goldens: scikit-learn 1.2.1, LogisticRegression(C=c, tol=1e-14,
// max_iter=100000, solver="newton-cg"); lbfgs agrees to 2e-6.
var (
	oneX = []float64{.4058, .5922, .4721, .9212, .083, .0455, .7749, .053, 2.2295, .6746, .8988, .042,
		.5387, .1339, .7838, .3346, .6051, .4748, .2108, .1706, .0326, .1784, .431, .0085}
	oneY   = []int{0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1}
	threeX = []float64{4.498, -1.413, 10.022, 4.438, 7.517, 9.957, 3.332, 3.675, 9.961, 1.222, 3.274, 10.179,
		3.416, -4.618, 9.961, 2.409, -1.499, 10.259, 4.53, 3.347, 10.11, 3.677, -0.061, 9.985,
		2.326, -0.279, 10.452, 3.869, -1.711, 9.906, 2.136, 1.872, 10.078, 1.557, 2.432, 9.886,
		4.427, 0.784, 10.344, 2.542, -1.44, 10.06, 4.056, 2.829, 9.753, 3.183, 0.111, 9.914,
		2.352, 8.738, 9.922, 2.154, 3.186, 10.026, 2.924, 3.907, 10.098, 3.362, 4.821, 10.057}
	threeY = []int{1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0}
)

func TestLogisticAgainstScikitLearn(t *testing.T) {
	for _, c := range []struct {
		what      string
		x         []float64
		d         int
		y         []int
		c         float64
		weight    []float64
		intercept float64
	}{
		{"one feature", oneX, 1, oneY, 1, []float64{-1.7317367441317748}, 1.1223578040549755},
		{"three features", threeX, 3, threeY, 1,
			[]float64{1.540310126812549, 0.3643282787205488, -0.0902210905540838}, -4.824628689789309},
		{"three features, C .1", threeX, 3, threeY, .1,
			[]float64{0.4568254177254248, 0.2217394529704732, -0.019143772031140226}, -1.8406429031197207},
		{"separable", []float64{0, 1, 2, 3, 10, 11, 12, 13}, 1, []int{1, 1, 1, 1, 0, 0, 0, 0}, 1,
			[]float64{-0.8101254932348734}, 5.265815706026627},
	} {
		fit := must(fitLogistic(c.x, c.d, bools(c.y), c.c))
		for j, w := range c.weight {
			near(t, c.what+" weight", fit.weight[j], w, 1e-6)
		}
		near(t, c.what+" intercept", fit.intercept, c.intercept, 1e-6)
	}
}

func bools(y []int) []bool {
	b := make([]bool, len(y))
	for i, v := range y {
		b[i] = v == 1
	}
	return b
}

// At the optimum w = c Σ (y − p)x and Σ (y − p) = 0, whatever the data's scale.
func TestLogisticIsStationary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for _, scale := range []float64{1e-6, 1, 1e3, 1e6} {
		const n, d = 60, 4
		x, y := make([]float64, n*d), make([]bool, n)
		for i := range n {
			for j := range d {
				x[i*d+j] = scale * (r.NormFloat64() + 2)
			}
			y[i] = x[i*d]/scale+r.NormFloat64() > 2
		}
		fit := must(fitLogistic(x, d, y, .5))
		var gb float64
		g := append([]float64{}, fit.weight...)
		for i := range n {
			e := sigmoid(fit.logOdds(x[i*d : i*d+d]))
			if y[i] {
				e--
			}
			gb += e
			for j := range d {
				g[j] += .5 * e * x[i*d+j]
			}
		}
		near(t, "intercept", gb, 0, 1e-6)
		for _, v := range g {
			near(t, "weight", v/scale, 0, 1e-5)
		}
	}
}

func TestLogisticExtremes(t *testing.T) {
	if _, err := fitLogistic([]float64{1, 2}, 1, []bool{true, true}, 1); !errors.Is(err, ErrOneClass) {
		t.Errorf("one class: got %v", err)
	}
	fit := must(fitLogistic([]float64{3, 3, 3, 3}, 1, []bool{true, false, false, false}, 1))
	near(t, "a constant feature has no weight", fit.weight[0], 0, 1e-12)
	near(t, "and leaves the prior", fit.intercept, -math.Log(3), 1e-9)
	fit = must(fitLogistic([]float64{-1e8, -2e8, 1e8, 2e8}, 1, []bool{true, true, false, false}, 1))
	if !(fit.weight[0] < 0) || fit.logOdds([]float64{-1e8}) <= 0 || fit.logOdds([]float64{1e8}) >= 0 {
		t.Errorf("separable at 1e8: %+v", fit)
	}
}
