package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// geluWant and geluSlopeWant are the textbook formulas, by erf where the kernels
// go by the tail.
func geluWant(x float64) float64 { return x * (1 + math.Erf(x/math.Sqrt2)) / 2 }

func geluSlopeWant(x float64) float64 {
	return (1+math.Erf(x/math.Sqrt2))/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

// sweep returns numbers of every exponent and both signs, subnormal ones and the
// neighbors of ±v for the given v included.
func sweep(around ...float32) []float32 {
	var x []float32
	for b := uint32(0); b < 0x7f800000; b += 104729 {
		x = append(x, math.Float32frombits(b), -math.Float32frombits(b))
	}
	for _, v := range around {
		for d := range uint32(64) {
			u := math.Float32frombits(math.Float32bits(v) + d - 32)
			x = append(x, u, -u)
		}
	}
	for i := range 20000 {
		x = append(x, float32(i-10000)/700)
	}
	return x
}

// worstUnits returns the largest error of got in units of the last place of
// want, the subnormal's below 2⁻¹²⁶.
func worstUnits(x, got []float32, want func(x float64) float64) (worst float64, at float32) {
	for i, v := range x {
		w := want(float64(v))
		unit := math.Ldexp(1, max(math.Ilogb(w), -126)-23)
		if err := math.Abs(float64(got[i])-w) / unit; !(err <= worst) {
			worst, at = err, v
		}
	}
	return worst, at
}

func TestSmoothSweep(t *testing.T) {
	x := sweep(0.625, 0.9, 4, 10, 14.6)
	got := make([]float32, len(x))
	eachKernel(t, func(t *testing.T) {
		for _, c := range []struct {
			name  string
			run   func(dst, x []float32)
			want  func(x float64) float64
			limit float64
		}{
			{"Erf", Erf, math.Erf, 2},
			{"Tanh", Tanh, math.Tanh, 2},
			{"GELU", GELU, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, 8},
		} {
			c.run(got, x)
			worst, at := worstUnits(x, got, c.want)
			t.Logf("%s: %.2f ulp at %v", c.name, worst, at)
			if !(worst <= c.limit) {
				t.Errorf("%s: error of %.2f ulp at %v, want at most %v", c.name, worst, at, c.limit)
			}
		}
	})
}

// The slope has a zero, so its error is absolute.
func TestGELUGradSweep(t *testing.T) {
	x := sweep(0.7517916, 14.6)
	ones, got := make([]float32, len(x)), make([]float32, len(x))
	for i := range ones {
		ones[i] = 1
	}
	eachKernel(t, func(t *testing.T) {
		GELUGrad(got, ones, x)
		for i, v := range x {
			want := float64(0)
			if math.Abs(float64(v)) < 40 {
				want = geluSlopeWant(float64(v))
			} else if v > 0 {
				want = 1
			}
			if err := math.Abs(float64(got[i]) - want); !(err <= 2.5e-7) {
				t.Fatalf("slope at %v is %v, want %v", v, got[i], want)
			}
		}
	})
}

// TanhGrad goes by the output, the differences by the input.
func TestTanhGradDifferences(t *testing.T) {
	r := rand.New(rand.NewPCG(63, 64))
	eachKernel(t, func(t *testing.T) {
		x, y, dy, dx := make([]float32, 257), make([]float32, 257), make([]float32, 257), make([]float32, 257)
		fillNormal(r, dy)
		for i := range x {
			x[i] = float32(i-128) / 16
		}
		Tanh(y, x)
		TanhGrad(dx, dy, y)
		const h = 1e-5
		for i, v := range x {
			want := float64(dy[i]) * (math.Tanh(float64(v)+h) - math.Tanh(float64(v)-h)) / (2 * h)
			if !near(float64(dx[i]), want, 1e-6) {
				t.Errorf("at %v: %v, want %v", v, dx[i], want)
			}
		}
	})
}

func TestGELUGradSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachKernel(t, func(t *testing.T) {
		dx := make([]float32, 9)
		GELUGrad(dx, []float32{2, 2, 2, 2, 2, 2, nan, inf, 2}, []float32{inf, -inf, nan, 0, 1e30, -1e30, 1, 1, float32(math.Copysign(0, -1))})
		for i, w := range []float32{2, 0, nan, 1, 2, 0, nan, inf, 1} {
			if !near(float64(dx[i]), float64(w), 1e-7) {
				t.Errorf("element %d: %v, want %v", i, dx[i], w)
			}
		}
	})
}

// Finite differences in float64 of the textbook formula, over the whole range
// in which the slope bends.
func TestGELUGradDifferences(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	eachKernel(t, func(t *testing.T) {
		x, dy, dx := make([]float32, 257), make([]float32, 257), make([]float32, 257)
		fillNormal(r, dy)
		for i := range x {
			x[i] = float32(i-128) / 16
		}
		GELUGrad(dx, dy, x)
		const h = 1e-5 // the difference's error is about h²/6 + 2⁻⁵³·8/h
		for i, v := range x {
			want := float64(dy[i]) * (geluWant(float64(v)+h) - geluWant(float64(v)-h)) / (2 * h)
			if !near(float64(dx[i]), want, 1e-6) {
				t.Errorf("at %v: %v, want %v", v, dx[i], want)
			}
		}
	})
}
