package kernel

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// lengths calls test for every length 0…257 and offsets 0…7 in turn.
func lengths(test func(n, offset int)) {
	for n := range 258 {
		test(n, n%8)
		test(n, (n/8+3)%8)
	}
}

// near reports whether got is within tol·(1+|want|) of want, or both are NaN or
// the same infinity.
func near(got, want, tol float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return math.IsNaN(got) && math.IsNaN(want) || got == want
	}
	return math.Abs(got-want) <= tol*(1+math.Abs(want))
}

// vectorCase is a kernel that writes dst from x and y, beside its definition.
type vectorCase[T element] struct {
	name string
	run  func(dst, x, y []T)
	want func(dst, x, y []T) // on the same inputs
	tol  float64
}

func checkVectors[T element](t *testing.T, cases []vectorCase[T]) {
	t.Helper()
	for _, c := range cases {
		r := rand.New(rand.NewPCG(5, 6))
		lengths(func(n, offset int) {
			name := fmt.Sprintf("%s n=%d offset=%d", c.name, n, offset)
			x, wx := guarded[T](n, offset)
			y, wy := guarded[T](n, (offset*3)%8)
			dst, wd := guarded[T](n, (offset*5)%8)
			fillNormal(r, x)
			fillNormal(r, y)
			fillNormal(r, dst)
			want := append([]T(nil), dst...)
			x2, y2 := append([]T(nil), x...), append([]T(nil), y...)
			c.want(want, x2, y2)
			c.run(dst, x, y)
			checkGuards(t, name, wx, offset, n)
			checkGuards(t, name, wy, (offset*3)%8, n)
			checkGuards(t, name, wd, (offset*5)%8, n)
			for _, pair := range [][2][]T{{dst, want}, {x, x2}, {y, y2}} {
				for i := range pair[1] {
					if !near(float64(pair[0][i]), float64(pair[1][i]), c.tol) {
						t.Fatalf("%s: element %d is %v, want %v", name, i, pair[0][i], pair[1][i])
					}
				}
			}
		})
	}
}

func each[T element](f func(d, x, y T) T) func(dst, x, y []T) {
	return func(dst, x, y []T) {
		for i := range dst {
			dst[i] = f(dst[i], x[i], y[i])
		}
	}
}

// total turns a reduction into a vector kernel that writes the result to dst[0].
func total[T element](f func(x, y []T) T) func(dst, x, y []T) {
	return func(dst, x, y []T) {
		v := f(x, y)
		if len(dst) > 0 {
			dst[0] = v
		} else if v != 0 {
			panic("a sum of nothing is not zero")
		}
	}
}

func sumOf[T element](term func(x, y T) T) func(dst, x, y []T) {
	return total(func(x, y []T) T {
		var s float64
		for i := range x {
			s += float64(term(x[i], y[i]))
		}
		return T(s)
	})
}

func TestFloat64Vectors(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		checkVectors(t, []vectorCase[float64]{
			{"Axpy", func(dst, x, _ []float64) { Axpy(1.5, x, dst) }, each(func(d, x, _ float64) float64 { return d + 1.5*x }), 1e-15},
			{"Scale", func(dst, x, _ []float64) { Scale(dst, -2.5, x) }, each(func(_, x, _ float64) float64 { return -2.5 * x }), 0},
			{"Scale in place", func(dst, x, _ []float64) { Scale(dst, 3, dst) }, each(func(d, _, _ float64) float64 { return 3 * d }), 0},
			{"Mul", Mul, each(func(_, x, y float64) float64 { return x * y }), 0},
			{"Add", Add, each(func(_, x, y float64) float64 { return x + y }), 0},
			{"Exp", func(dst, x, _ []float64) { Exp(dst, x) }, each(func(_, x, _ float64) float64 { return math.Exp(x) }), 1e-15},
			{"Dot", total(Dot), sumOf(func(x, y float64) float64 { return x * y }), 1e-13},
			{"Sum", total(func(x, _ []float64) float64 { return Sum(x) }), sumOf(func(x, _ float64) float64 { return x }), 1e-13},
		})
	})
}

func TestLogSumExp(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	if got := LogSumExp(nil); !math.IsInf(got, -1) {
		t.Errorf("of nothing: %v", got)
	}
	for n := 1; n < 258; n++ {
		f, c := make([]float64, n), make([]float64, n)
		for i := range f {
			f[i], c[i] = r.NormFloat64()*100, r.NormFloat64()*100
		}
		f[r.IntN(n)] = math.Inf(-1)
		diff := make([]float64, n)
		for i := range f {
			diff[i] = (f[i] - c[i]) * 0.7
		}
		want := logSumExpPlain(diff)
		if got := LogSumExp(diff); !near(got, want, 1e-15) {
			t.Errorf("n=%d: LogSumExp %v, want %v", n, got, want)
		}
		if got := LogSumExpDiff(f, c, 0.7); !near(got, want, 1e-15) {
			t.Errorf("n=%d: LogSumExpDiff %v, want %v", n, got, want)
		}
	}
}

// log Σᵢ exp(a) over n equal elements is a + log n.
func TestLogSumExpClosedForm(t *testing.T) {
	for _, a := range []float64{-1e300, -800, -1, 0, 3, 750, 1e8} {
		for _, n := range []int{1, 2, 3, 7, 16, 100} {
			x, zero := make([]float64, n), make([]float64, n)
			for i := range x {
				x[i] = a
			}
			want := a + math.Log(float64(n))
			if got := LogSumExp(x); !near(got, want, 2e-16) {
				t.Errorf("LogSumExp of %d × %v is %v, want %v", n, a, got, want)
			}
			if got := LogSumExpDiff(x, zero, 1); !near(got, want, 2e-16) {
				t.Errorf("LogSumExpDiff of %d × %v is %v, want %v", n, a, got, want)
			}
		}
	}
}

func TestLogSumExpSpecialValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	eachKernel(t, func(t *testing.T) {
		for _, n := range []int{3, 4, 5, 16, 17, 40} {
			for at := range n {
				for _, c := range []struct{ special, other, want float64 }{
					{inf, 1, inf}, {nan, 1, nan}, {nan, inf, nan}, {-inf, -inf, -inf}, {-inf, 0, math.Log(float64(n - 1))}, {nan, -inf, nan},
				} {
					x, zero := make([]float64, n), make([]float64, n)
					for i := range x {
						x[i] = c.other
					}
					x[at] = c.special
					if got := LogSumExp(x); !near(got, c.want, 1e-15) {
						t.Fatalf("LogSumExp of %d × %v with %v at %d: %v", n, c.other, c.special, at, got)
					}
					if got := LogSumExpDiff(x, zero, 1); !near(got, c.want, 1e-15) {
						t.Fatalf("LogSumExpDiff of %d × %v with %v at %d: %v", n, c.other, c.special, at, got)
					}
				}
			}
		}
	})
}

// ulps returns |got−want| in units of want's last place, want exact to more
// than twice the precision.
func ulps(got float64, want *big.Float) float64 {
	w, _ := want.Float64()
	unit := math.Nextafter(math.Abs(w), math.Inf(1)) - math.Abs(w)
	d := new(big.Float).Sub(want, big.NewFloat(got))
	v, _ := d.Quo(d, big.NewFloat(unit)).Float64()
	return math.Abs(v)
}

// bigExp is the Taylor series after halving the argument 20 times.
func bigExp(x float64) *big.Float {
	const prec = 200
	r := new(big.Float).SetPrec(prec).SetMantExp(big.NewFloat(x), -20)
	sum, term := big.NewFloat(1).SetPrec(prec), big.NewFloat(1).SetPrec(prec)
	for i := 1; i < 25; i++ {
		term.Mul(term, r)
		term.Quo(term, new(big.Float).SetInt64(int64(i)))
		sum.Add(sum, term)
	}
	for range 20 {
		sum.Mul(sum, sum)
	}
	return sum
}

func TestExpAccuracy(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	x := make([]float64, 3000)
	for i := range x {
		switch i % 3 {
		case 0:
			x[i] = r.Float64()*1454 - 745
		case 1:
			x[i] = r.NormFloat64()
		default:
			x[i] = r.NormFloat64() * math.Ldexp(1, -r.IntN(60))
		}
		x[i] = min(x[i], 709.7)
	}
	got := make([]float64, len(x))
	Exp(got, x)
	var worst float64
	for i, v := range x {
		worst = max(worst, ulps(got[i], bigExp(v)))
	}
	t.Logf("largest error %.3f ulp", worst)
	limit := 1.0
	if !useAsm {
		limit = 2 // math.Exp
	}
	if worst > limit {
		t.Errorf("largest error %.3f ulp, want at most %v", worst, limit)
	}
}

func TestExpSweep(t *testing.T) {
	const n = 1 << 16
	x, got := make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = -760 + 1480*float64(i)/n
	}
	Exp(got, x)
	for i, v := range x {
		want := math.Exp(v)
		if d := math.Abs(got[i] - want); d > 2*(math.Nextafter(want, math.Inf(1))-want) && got[i] != want {
			t.Fatalf("exp(%v) = %v, want %v", v, got[i], want)
		}
	}
}

func TestExpSpecialValues(t *testing.T) {
	inf := math.Inf(1)
	x := []float64{inf, -inf, math.NaN(), 0, math.Copysign(0, -1), 1e300, -1e300, 709.782712893384, 709.7827128933841, -745.1332191019411, -745.1332191019412, -708.5, -740}
	got := make([]float64, len(x))
	Exp(got, x)
	for i, v := range x {
		want := math.Exp(v)
		if !near(got[i], want, 0) && math.Abs(got[i]-want) > 5e-324 && math.Abs(got[i]-want) > 1e-16*want {
			t.Errorf("exp(%v) = %v, want %v", v, got[i], want)
		}
	}
}

func BenchmarkLogSumExpDiff(b *testing.B) {
	for _, n := range []int{64, 512, 4096} {
		b.Run(fmt.Sprint(n, "x", n), func(b *testing.B) {
			f, c := make([]float64, n), make([]float64, n*n)
			fillNormal(rand.New(rand.NewPCG(1, 2)), c)
			for b.Loop() {
				for i := range n {
					f[i] = LogSumExpDiff(f, c[i*n:], 1)
				}
				clear(f)
			}
		})
	}
}

func BenchmarkDgemm(b *testing.B) {
	for _, s := range [][3]int{{512, 512, 512}, {512, 128, 512}, {64, 128, 64}} {
		m, k, n := s[0], s[1], s[2]
		b.Run(fmt.Sprintf("%d-%d-%d-false-true", m, k, n), func(b *testing.B) {
			x, y, z, scratch := make([]float64, m*k), make([]float64, k*n), make([]float64, m*n), make([]float64, DgemmScratch(m, n, k))
			for b.Loop() {
				Dgemm(false, true, m, n, k, 1, x, k, y, k, 0, z, n, scratch)
			}
			b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

func BenchmarkFloat64(b *testing.B) {
	const n = 4096
	x, y := make([]float64, n), make([]float64, n)
	for _, k := range []struct {
		name string
		run  func()
	}{
		{"Exp", func() { Exp(y, x) }}, {"Dot", func() { Dot(x, y) }}, {"Axpy", func() { Axpy(1, x, y) }}, {"Scale", func() { Scale(y, 1, x) }},
		{"Mul", func() { Mul(y, x, x) }}, {"Sum", func() { Sum(x) }}, {"LogSumExp", func() { LogSumExp(x) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				k.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/elem")
		})
	}
}
