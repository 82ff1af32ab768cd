package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// curve is an activation with its gradient and the formulas of both, in float64.
type curve struct {
	name         string
	run          func(dst, x []float32)
	grad         func(dx, dy, x []float32)
	value, slope func(x float64) float64
	ulps         float64 // error of run, in units of the last place
	absolute     float64 // and below it, where the result is near a zero that is no zero of x
	bends        []float64
}

func piece(x, from, to float64, below, between, above float64) float64 {
	switch {
	case x <= from:
		return below
	case x >= to:
		return above
	}
	return between
}

var curves = []curve{
	{"Clip", func(dst, x []float32) { Clip(dst, x, -0.5, 6) }, func(dx, dy, x []float32) { ClipGrad(dx, dy, x, -0.5, 6) },
		func(x float64) float64 { return min(6, max(-0.5, x)) }, func(x float64) float64 { return piece(x, -0.5, 6, 0, 1, 0) }, 0, 0, []float64{-0.5, 6}},
	{"LeakyReLU", func(dst, x []float32) { LeakyReLU(dst, x, 0.01) }, func(dx, dy, x []float32) { LeakyReLUGrad(dx, dy, x, 0.01) },
		func(x float64) float64 { return x * piece(x, 0, 0, float64(float32(0.01)), 0, 1) },
		func(x float64) float64 { return piece(x, -5e-324, 0, float64(float32(0.01)), 0, 1) }, 1, 0, nil},
	{"HardSigmoid", func(dst, x []float32) { HardSigmoid(dst, x, 0.25, 0.5) }, func(dx, dy, x []float32) { HardSigmoidGrad(dx, dy, x, 0.25, 0.5) },
		func(x float64) float64 { return max(0, min(1, x/4+.5)) }, func(x float64) float64 { return piece(float64(float32(x/4+.5)), 0, 1, 0, .25, 0) }, 1, 0, []float64{-2, 2}},
	{"HardSwish", HardSwish, HardSwishGrad,
		func(x float64) float64 { return x * max(0, min(1, (x+3)/6)) }, func(x float64) float64 { return piece(x, -3, 3, 0, x/3+.5, 1) }, 3, 0, []float64{-3, 3}},
	{"ELU", func(dst, x []float32) { ELU(dst, x, 0.5, 2, 1) }, func(dx, dy, x []float32) { ELUGrad(dx, dy, x, 0.5, 2, 1) },
		func(x float64) float64 { return piece(x, 0, 0, 2*math.Expm1(x), 0, 0.5*x) }, func(x float64) float64 { return piece(x, 0, 0, 2*math.Exp(x), 0, 0.5) }, 2, 0, nil},
	{"GELUTanh", GELUTanh, GELUTanhGrad, geluTanhWant, geluTanhSlopeWant, 160, 2e-37, nil},
}

func geluTanhWant(x float64) float64 {
	return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

func geluTanhSlopeWant(x float64) float64 {
	if math.Abs(x) > 20 {
		return piece(x, 0, 0, 0, 0, 1)
	}
	t := math.Tanh(math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x))
	return (1+t)/2 + x/2*(1-t*t)*math.Sqrt(2/math.Pi)*(1+3*0.044715*x*x)
}

// Every length, every start, guards behind the ends, in place and not.
func TestPointwiseVectors(t *testing.T) {
	var cases []vectorCase[float32]
	for _, c := range curves {
		cases = append(cases,
			vectorCase[float32]{c.name, func(dst, x, _ []float32) { c.run(dst, x) }, each(func(_, x, _ float32) float32 { return float32(c.value(float64(x))) }), 2 * tol32},
			vectorCase[float32]{c.name + " in place", func(dst, _, _ []float32) { c.run(dst, dst) }, each(func(d, _, _ float32) float32 { return float32(c.value(float64(d))) }), 2 * tol32},
			vectorCase[float32]{c.name + "Grad", c.grad, each(func(_, x, y float32) float32 { return float32(float64(x) * c.slope(float64(y))) }), 3 * tol32})
	}
	cases = append(cases,
		vectorCase[float32]{"Sub32", Sub32, each(func(_, x, y float32) float32 { return x - y }), 0},
		vectorCase[float32]{"Div32", Div32, each(func(_, x, y float32) float32 { return x / y }), 0},
		vectorCase[float32]{"DivBy32", func(dst, x, _ []float32) { DivBy32(dst, x, 0.7) }, each(func(_, x, _ float32) float32 { return x / 0.7 }), 0},
		vectorCase[float32]{"DivInto32", func(dst, x, _ []float32) { DivInto32(dst, 0.7, x) }, each(func(_, x, _ float32) float32 { return 0.7 / x }), 0},
		vectorCase[float32]{"MulAdd32", MulAdd32, each(func(d, x, y float32) float32 { return float32(float64(d) + float64(x)*float64(y)) }), tol32},
		vectorCase[float32]{"SoftmaxGrad", SoftmaxGrad, softmaxGradWant, 2 * tol32})
	eachKernel(t, func(t *testing.T) { checkVectors(t, cases) })
}

func softmaxGradWant(dst, dy, y []float32) {
	var dot float64
	for i, v := range dy {
		dot += float64(v) * float64(y[i])
	}
	for i, v := range dy {
		dst[i] = float32(float64(y[i]) * (float64(v) - dot))
	}
}

// Numbers of every exponent, and those around the bends.
func TestPointwiseSweep(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		for _, c := range curves {
			var bends []float32
			for _, b := range c.bends {
				bends = append(bends, float32(b))
			}
			x := sweep(bends...)
			got, slope, ones := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
			fillOnes(ones)
			c.run(got, x)
			c.grad(slope, ones, x)
			worst, at := 0.0, float32(0)
			for i, v := range x {
				w := c.value(float64(v))
				unit := math.Ldexp(1, max(math.Ilogb(w), -126)-23)
				err := math.Abs(float64(got[i])-w) / unit
				if math.Abs(float64(got[i])-w) < c.absolute {
					err = 0
				}
				if err > worst {
					worst, at = err, v
				}
				if w := c.slope(float64(v)); !(math.Abs(float64(slope[i])-w) <= 1e-6*max(1, math.Abs(w))) {
					t.Fatalf("%s: slope at %v is %v, want %v", c.name, v, slope[i], w)
				}
			}
			t.Logf("%s: %.2f ulp at %v", c.name, worst, at)
			if worst > c.ulps {
				t.Errorf("%s: error of %.2f ulp at %v, want at most %v", c.name, worst, at, c.ulps)
			}
		}
	})
}

func fillOnes(x []float32) {
	for i := range x {
		x[i] = 1
	}
}

// The slopes are those of differences of the kernels' own formulas in float64.
func TestPointwiseGradients(t *testing.T) {
	const h = 1e-5
	for _, c := range curves {
		for v := -7.93; v < 8; v += .05 {
			want := (c.value(v+h) - c.value(v-h)) / (2 * h)
			if !near(c.slope(v), want, 1e-6) {
				t.Errorf("%s: slope at %v is %v, by differences %v", c.name, v, c.slope(v), want)
			}
		}
	}
}

// What is not finite stays so, in the value and, from dy, in the gradient.
func TestPointwiseSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	want := map[string][]float32{ // at +Inf and −Inf; nan where the formula says Inf·0
		"Clip": {6, -0.5}, "LeakyReLU": {inf, -inf}, "HardSigmoid": {1, 0}, "HardSwish": {inf, nan}, "ELU": {inf, -2}, "GELUTanh": {inf, nan},
	}
	eachKernel(t, func(t *testing.T) {
		for _, c := range curves {
			for _, n := range []int{3, 8, 35} { // masked ends, whole vectors, both
				x, y, dx, dy := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
				x[0], x[1], x[2] = nan, inf, -inf
				fillOnes(dy)
				c.run(y, x)
				c.grad(dx, dy, x)
				for i, w := range append([]float32{nan}, want[c.name]...) {
					if !sameFloat(y[i], w) {
						t.Errorf("%s of %v is %v, want %v", c.name, x[i], y[i], w)
					}
				}
				for _, v := range dx[1:3] {
					if v != v {
						t.Errorf("%s: slopes %v", c.name, dx[:3])
					}
				}
				for _, v := range []float32{nan, inf} {
					clear(x)
					dy[0] = v
					x[0] = -10 // beyond all bends
					if c.grad(dx, dy, x); dx[0]-dx[0] == 0 {
						t.Errorf("%s: %v became %v", c.name, v, dx[0])
					}
				}
			}
		}
	})
}

func sameFloat(a, b float32) bool { return a == b || a != a && b != b }

// A row of layer normalization, its gradients by differences in float64.
func TestNormRow(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(71, 72))
		for _, n := range []int{1, 2, 7, 8, 17, 64, 101} {
			checkNormRow(t, r, n)
		}
	})
}

func checkNormRow(t *testing.T, r *rand.Rand, n int) {
	t.Helper()
	const epsilon, h = 1e-2, 1e-5
	x, scale, shift, dy := floats(r, n), floats(r, n), floats(r, n), floats(r, n)
	y, _ := guarded[float32](n, 3)
	dx, whole := guarded[float32](n, 3)
	dscale, dshift := make([]float32, n), make([]float32, n)
	s := RowStats(x, epsilon)
	NormRow(y, x, scale, shift, s)
	NormRowGrad(dx, dy, x, scale, s)
	NormRowParams(dscale, dshift, dy, x, s)
	checkGuards(t, "NormRowGrad", whole, 3, n)
	for i := range n {
		if want := float64(scale[i])*(float64(x[i])-s.Mean)*s.Inv + float64(shift[i]); !near(float64(y[i]), want, 1e-6) {
			t.Fatalf("n=%d: element %d is %v, want %v", n, i, y[i], want)
		}
		for k, got := range [][]float32{dx, dscale, dshift} {
			want := (normLoss(x, scale, shift, dy, epsilon, k, i, h) - normLoss(x, scale, shift, dy, epsilon, k, i, -h)) / (2 * h)
			if !near(float64(got[i]), want, 1e-5) {
				t.Fatalf("n=%d: gradient %d of element %d is %v, want %v", n, k, i, got[i], want)
			}
		}
	}
}

// normLoss is Σ dy·y in float64, with d added to element i of input k.
func normLoss(x, scale, shift, dy []float32, epsilon float64, k, i int, d float64) (loss float64) {
	wide := make([][]float64, 3)
	for j, s := range [][]float32{x, scale, shift} {
		for _, v := range s {
			wide[j] = append(wide[j], float64(v))
		}
	}
	wide[k][i] += d
	n := float64(len(x))
	var mean, variance float64
	for _, v := range wide[0] {
		mean += v / n
	}
	for _, v := range wide[0] {
		variance += (v - mean) * (v - mean) / n
	}
	for j, v := range wide[0] {
		loss += float64(dy[j]) * ((v-mean)/math.Sqrt(variance+epsilon)*wide[1][j] + wide[2][j])
	}
	return loss
}

// A mean of ten thousand deviations keeps the variance; a constant row has none; NaN
// stays.
func TestRowStats(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		x := make([]float32, 96)
		for i := range x {
			x[i] = 1e4 + float32(i%2*2-1)
		}
		if s := RowStats(x, 1e-12); !near(s.Mean, 1e4, 1e-12) || !near(s.Inv, 1, 1e-7) {
			t.Errorf("%+v", s)
		}
		for i := range x {
			x[i] = 0.1
		}
		if s := RowStats(x, 1e-6); !near(s.Inv, 1e3, 1e-9) {
			t.Errorf("constant row: %+v", s)
		}
		x[3] = float32(math.NaN())
		if s := RowStats(x, 1e-6); s.Mean == s.Mean || s.Inv == s.Inv {
			t.Errorf("row with NaN: %+v", s)
		}
	})
}

func BenchmarkPointwise(b *testing.B) {
	const n = 4096
	x, dy, dst := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], dy[i] = float32(i%17-8)/2, 1
	}
	for _, c := range curves {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.run(dst, x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
		b.Run(c.name+"Grad", func(b *testing.B) {
			for b.Loop() {
				c.grad(dst, dy, x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
