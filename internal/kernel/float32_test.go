package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

const tol32 = 4e-7 // four roundings of float32

func TestFloat32Vectors(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		checkVectors(t, []vectorCase[float32]{
			{"Axpy32", func(dst, x, _ []float32) { Axpy32(1.5, x, dst) }, each(func(d, x, _ float32) float32 { return d + 1.5*x }), tol32},
			{"Axpby32", func(dst, x, _ []float32) { Axpby32(1.5, x, 0.7, dst) }, each(func(d, x, _ float32) float32 { return 0.7*d + 1.5*x }), tol32},
			{"Scale32", func(dst, x, _ []float32) { Scale32(dst, -2.5, x) }, each(func(_, x, _ float32) float32 { return -2.5 * x }), 0},
			{"Mul32", Mul32, each(func(_, x, y float32) float32 { return x * y }), 0},
			{"Add32", Add32, each(func(_, x, y float32) float32 { return x + y }), 0},
			{"Exp32", func(dst, x, _ []float32) { Exp32(dst, x) }, each(func(_, x, _ float32) float32 { return exp32(x) }), tol32},
			{"ReLU", func(dst, x, _ []float32) { ReLU(dst, x) }, each(func(_, x, _ float32) float32 { return max(0, x) }), 0},
			{"ReLU in place", func(dst, _, _ []float32) { ReLU(dst, dst) }, each(func(d, _, _ float32) float32 { return max(0, d) }), 0},
			{"ReLUGrad", ReLUGrad, each(func(_, x, y float32) float32 { return passed(x, y) }), 0},
			{"AddReLU", AddReLU, each(func(_, x, y float32) float32 { return max(0, x+y) }), 0},
			{"Sigmoid", func(dst, x, _ []float32) { Sigmoid(dst, x) }, each(func(_, x, _ float32) float32 { return sigmoid(x) }), tol32},
			{"SigmoidGrad", SigmoidGrad, each(func(_, x, y float32) float32 { return x * y * (1 - y) }), tol32},
			{"SiLU", func(dst, x, _ []float32) { SiLU(dst, x) }, each(func(_, x, _ float32) float32 { return x * sigmoid(x) }), tol32},
			{"SiLUGrad", SiLUGrad, each(siluGradWant), 2 * tol32},
			{"Erf", func(dst, x, _ []float32) { Erf(dst, x) }, each(func(_, x, _ float32) float32 { return float32(math.Erf(float64(x))) }), tol32},
			{"GELU", func(dst, x, _ []float32) { GELU(dst, x) }, each(func(_, x, _ float32) float32 { return float32(geluWant(float64(x))) }), tol32},
			{"GELU in place", func(dst, _, _ []float32) { GELU(dst, dst) }, each(func(d, _, _ float32) float32 { return float32(geluWant(float64(d))) }), tol32},
			{"Tanh", func(dst, x, _ []float32) { Tanh(dst, x) }, each(func(_, x, _ float32) float32 { return float32(math.Tanh(float64(x))) }), tol32},
			{"TanhGrad", TanhGrad, each(func(_, x, y float32) float32 { return float32(float64(x) * (1 - float64(y)*float64(y))) }), tol32},
			{"GELUGrad", GELUGrad, each(func(_, x, y float32) float32 { return float32(float64(x) * geluSlopeWant(float64(y))) }), 2 * tol32},
			{"ScaleShift", func(dst, x, _ []float32) { ScaleShift(dst, x, 2, -0.5) }, each(func(_, x, _ float32) float32 { return 2*x - 0.5 }), tol32},
			{"ScaleShiftReLU", func(dst, x, _ []float32) { ScaleShiftReLU(dst, x, 2, -0.5) }, each(func(_, x, _ float32) float32 { return max(0, 2*x-0.5) }), tol32},
			{"Normalize", func(dst, x, _ []float32) { Normalize(dst, x, 0.3, 2, -0.5) }, each(func(_, x, _ float32) float32 { return 2*(x-0.3) - 0.5 }), tol32},
			{"NormalizeReLU", func(dst, x, _ []float32) { NormalizeReLU(dst, x, 0.3, 2, -0.5) }, each(func(_, x, _ float32) float32 { return max(0, 2*(x-0.3)-0.5) }), tol32},
			{"NormalizeGrad", func(dst, x, y []float32) { NormalizeGrad(dst, x, y, 0.3, 2, -0.5, 0.1) },
				each(func(_, x, y float32) float32 { return 2*x - 0.5*(y-0.3) + 0.1 }), tol32},
			{"NormalizeGradReLU", func(dst, x, y []float32) { NormalizeGradReLU(dst, x, y, dst, 0.3, 2, -0.5, 0.1) },
				each(func(d, x, y float32) float32 { return 2*passed(x, d) - 0.5*(y-0.3) + 0.1 }), tol32},
			{"Softmax", func(dst, x, _ []float32) { Softmax(dst, x) }, softmaxWant, tol32},
			{"SGDStep", func(dst, x, y []float32) { SGDStep(dst, x, y, 0.1, 0.9, 0.01) }, sgdWant(0.1, 0.9, 0.01), tol32},
			{"SGDStep without momentum", func(dst, x, _ []float32) { SGDStep(dst, nil, x, 0.1, 0, 0.01) },
				each(func(d, x, _ float32) float32 { return d - 0.1*(x+0.01*d) }), tol32},
		})
	})
}

func siluGradWant(_, dy, x float32) float32 {
	s := 1 / (1 + math.Exp(-float64(x)))
	return float32(float64(dy) * (s + float64(x)*s*(1-s)))
}

func softmaxWant(dst, x, _ []float32) {
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v))
	}
	for i, v := range x {
		dst[i] = float32(math.Exp(float64(v)) / sum)
	}
}

func sgdWant(lr, mu, wd float64) func(w, v, grad []float32) {
	return func(w, v, grad []float32) {
		for i := range w {
			g := float64(grad[i]) + wd*float64(w[i])
			v[i] = float32(mu*float64(v[i]) + g)
			w[i] = float32(float64(w[i]) - lr*float64(v[i]))
		}
	}
}

// The sums are those of a naive loop in float64, in any order.
func TestFloat32Sums(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(13, 14))
		lengths(func(n, offset int) {
			x, _ := guarded[float32](n, offset)
			y, _ := guarded[float32](n, offset/2)
			z, _ := guarded[float32](n, 7-offset)
			fillNormal(r, x)
			fillNormal(r, y)
			fillNormal(r, z)
			var sx, sxx, sxy, mx, mxy float64
			for i := range x {
				u, v, w := float64(x[i]), float64(y[i]), float64(passed(x[i], z[i]))
				sx, sxx, sxy, mx, mxy = sx+u, sxx+u*u, sxy+u*v, mx+w, mxy+w*v
			}
			sum, squares := Moments(x)
			s1, d1 := NormalizeSums(x, y)
			s2, d2 := NormalizeSumsReLU(x, y, z)
			got := []float64{Sum32(x), Dot32(x, y), sum, squares, s1, d1, s2, d2}
			for i, want := range []float64{sx, sxy, sx, sxx, sx, sxy, mx, mxy} {
				if !near(got[i], want, 1e-12) {
					t.Fatalf("n=%d: sum %d is %v, want %v", n, i, got[i], want)
				}
			}
		})
	})
}

// A million elements with a mean of a thousand deviations: the variance that
// float32 accumulators lose.
func TestMomentsKeepTheVariance(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		x := make([]float32, 1<<20)
		for i := range x {
			x[i] = 1000 + float32(i%2*2-1) // variance exactly 1
		}
		sum, squares := Moments(x)
		n := float64(len(x))
		if variance := squares/n - sum/n*(sum/n); math.Abs(variance-1) > 1e-9 {
			t.Errorf("variance %v, want 1", variance)
		}
	})
}

func TestAdamStep(t *testing.T) {
	o := Adam{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, L2: 0.02, Decay: 0.03}
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		lengths(func(n, offset int) {
			w, whole := guarded[float32](n, offset)
			fillNormal(r, w)
			m, v, grad := make([]float32, n), make([]float32, n), make([]float32, n)
			w2, m2, v2 := make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range w {
				w2[i] = float64(w[i])
			}
			for o.Step = 1; o.Step <= 3; o.Step++ {
				fillNormal(r, grad)
				AdamStep(w, m, v, grad, o)
				adamWant(w2, m2, v2, grad, o)
			}
			checkGuards(t, "AdamStep", whole, offset, n)
			for i := range w {
				if !near(float64(w[i]), w2[i], 1e-6) || !near(float64(m[i]), m2[i], 1e-6) || !near(float64(v[i]), v2[i], 1e-6) {
					t.Fatalf("n=%d element %d: %v %v %v, want %v %v %v", n, i, w[i], m[i], v[i], w2[i], m2[i], v2[i])
				}
			}
		})
	})
}

// adamWant follows the papers line by line.
func adamWant(w, m, v []float64, grad []float32, o Adam) {
	for i := range w {
		g := float64(grad[i]) + o.L2*w[i]
		m[i] = o.Beta1*m[i] + (1-o.Beta1)*g
		v[i] = o.Beta2*v[i] + (1-o.Beta2)*g*g
		mHat := m[i] / (1 - math.Pow(o.Beta1, float64(o.Step)))
		vHat := v[i] / (1 - math.Pow(o.Beta2, float64(o.Step)))
		w[i] -= o.LR * (mHat/(math.Sqrt(vHat)+o.Eps) + o.Decay*w[i])
	}
}

func TestExp32Sweep(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		const n = 1 << 18
		x, got := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = -110 + 202*float32(i)/n
		}
		Exp32(got, x)
		var worst float64
		for i, v := range x {
			want := math.Exp(float64(v))
			if want > math.MaxFloat32 {
				if !math.IsInf(float64(got[i]), 1) && want > math.MaxFloat32*(1+1e-7) {
					t.Fatalf("exp(%v) = %v", v, got[i])
				}
				continue
			}
			w := float32(want)
			unit := float64(math.Nextafter32(w, float32(math.Inf(1)))) - float64(w)
			worst = max(worst, math.Abs(float64(got[i])-want)/unit)
		}
		t.Logf("largest error %.3f ulp", worst)
		if worst > 1 {
			t.Errorf("largest error %.3f ulp, want at most 1", worst)
		}
	})
}

func TestActivationSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := []float32{inf, -inf, nan, 0, 1e30, -1e30, 100, -100, 3}
	eachKernel(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			run  func(dst, x []float32)
			want []float32
		}{
			{"ReLU", ReLU, []float32{inf, 0, nan, 0, 1e30, 0, 100, 0, 3}},
			{"ReLUGrad", func(dst, x []float32) { ReLUGrad(dst, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, x) }, []float32{1, 0, 3, 0, 5, 0, 7, 0, 9}},
			{"Exp32", Exp32, []float32{inf, 0, nan, 1, inf, 0, inf, 3.783506e-44, 20.085537}},
			{"Sigmoid", Sigmoid, []float32{1, 0, nan, 0.5, 1, 0, 1, 0, 0.95257413}},
			{"SiLU", SiLU, []float32{inf, nan, nan, 0, 1e30, 0, 100, 0, 2.8577224}},
			{"Erf", Erf, []float32{1, -1, nan, 0, 1, -1, 1, -1, 0.99997791}},
			{"Tanh", Tanh, []float32{1, -1, nan, 0, 1, -1, 1, -1, 0.99505475}},
			{"GELU", GELU, []float32{inf, nan, nan, 0, 1e30, 0, 100, 0, 2.9959502}}, // 3·Φ(3) = 3·0.9986501
			{"Softmax", Softmax, []float32{nan, nan, nan, nan, nan, nan, nan, nan, nan}},
			{"Softmax of −Inf", func(dst, _ []float32) { Softmax(dst, []float32{-inf, 0, -inf, 0, 0, 0, -200, -inf, -inf}) }, []float32{0, .25, 0, .25, .25, .25, 0, 0, 0}},
		} {
			got := make([]float32, len(x))
			c.run(got, x)
			for i, w := range c.want {
				if !near(float64(got[i]), float64(w), 1e-7) {
					t.Errorf("%s(%v) = %v, want %v", c.name, x[i], got[i], w)
				}
			}
		}
	})
}

// The gradients are those of finite differences in float64 of the formula, by
// way of a loss Σ rᵢ·f(xᵢ).
func TestActivationGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	x, dy, y, dx := make([]float32, 100), make([]float32, 100), make([]float32, 100), make([]float32, 100)
	fillNormal(r, x)
	fillNormal(r, dy)
	sigm := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	for _, c := range []struct {
		name string
		f    func(float64) float64
		grad func()
	}{
		{"ReLU", func(v float64) float64 { return max(0, v) }, func() { ReLU(y, x); ReLUGrad(dx, dy, y) }},
		{"Sigmoid", sigm, func() { Sigmoid(y, x); SigmoidGrad(dx, dy, y) }},
		{"SiLU", func(v float64) float64 { return v * sigm(v) }, func() { SiLUGrad(dx, dy, x) }},
		{"GELU", func(v float64) float64 { return v * (1 + math.Erf(v/math.Sqrt2)) / 2 }, func() { GELUGrad(dx, dy, x) }},
	} {
		c.grad()
		const h = 1e-5
		for i, v := range x {
			want := float64(dy[i]) * (c.f(float64(v)+h) - c.f(float64(v)-h)) / (2 * h)
			if !near(float64(dx[i]), want, 1e-6) {
				t.Errorf("%s at %v: %v, want %v", c.name, v, dx[i], want)
			}
		}
	}
}

func BenchmarkFloat32(b *testing.B) {
	const n = 4096
	x, y, z := make([]float32, n), make([]float32, n), make([]float32, n)
	fillNormal(rand.New(rand.NewPCG(1, 2)), x)
	for _, k := range []struct {
		name string
		run  func()
	}{
		{"ReLU", func() { ReLU(y, x) }}, {"ReLUGrad", func() { ReLUGrad(y, x, z) }}, {"AddReLU", func() { AddReLU(y, x, z) }},
		{"Exp32", func() { Exp32(y, x) }}, {"Sigmoid", func() { Sigmoid(y, x) }}, {"SiLU", func() { SiLU(y, x) }}, {"SiLUGrad", func() { SiLUGrad(y, x, z) }},
		{"Erf", func() { Erf(y, x) }}, {"GELU", func() { GELU(y, x) }}, {"GELUGrad", func() { GELUGrad(y, z, x) }},
		{"Tanh", func() { Tanh(y, x) }}, {"TanhGrad", func() { TanhGrad(y, z, x) }},
		{"Softmax", func() { Softmax(y, x) }}, {"Moments", func() { Moments(x) }}, {"Normalize", func() { Normalize(y, x, 0, 1, 2) }},
		{"NormalizeSumsReLU", func() { NormalizeSumsReLU(x, y, z) }}, {"NormalizeGradReLU", func() { NormalizeGradReLU(y, x, x, z, 0, 1, 2, 3) }},
		{"SGDStep", func() { SGDStep(y, z, x, 0.1, 0.9, 0) }}, {"AdamStep", func() { AdamStep(y, z, z, x, Adam{LR: 1e-9, Beta1: .9, Beta2: .99, Eps: 1, Step: 3}) }},
		{"Sum32", func() { Sum32(x) }}, {"Dot32", func() { Dot32(x, y) }}, {"Axpy32", func() { Axpy32(1, x, y) }},
		{"Axpby32", func() { Axpby32(.1, x, .1, y) }}, {"Add32", func() { Add32(y, x, z) }}, {"Mul32", func() { Mul32(y, x, z) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				k.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/elem")
		})
	}
}
