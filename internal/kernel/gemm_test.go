package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// eachKernel runs the test with every kind of assembly that this machine can
// run, and with the plain twins.
func eachKernel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for _, path := range Paths() {
		_, name, _ := strings.Cut(path, "/")
		t.Run(name, func(t *testing.T) {
			defer force(t, path)()
			test(t)
		})
	}
}

// force switches to a path and returns what switches back.
func force(t *testing.T, path string) func() {
	t.Helper()
	asm, wide := useAsm, useWide
	if err := Use(path); err != nil {
		t.Fatal(err)
	}
	return func() { useAsm, useWide = asm, wide }
}

func TestPath(t *testing.T) {
	before := Path()
	eachKernel(t, func(t *testing.T) {
		want := runtime.GOARCH + "/" + strings.TrimPrefix(t.Name(), "TestPath/")
		if got := Path(); got != want || hasTapRows() && !useAsm || useWide && !useAsm {
			t.Errorf("%q while %s is forced", got, want)
		}
	})
	if got := Path(); got != before || got != Paths()[0] {
		t.Errorf("%q at the end, %q before, of %q", got, before, Paths())
	}
	for _, wrong := range []string{"", "plain", "arm64/avx2", "amd64/neon"} {
		if err := Use(wrong); err == nil || !strings.Contains(err.Error(), before) {
			t.Errorf("Use(%q): %v", wrong, err)
		}
	}
	if got := Path(); got != before {
		t.Errorf("%q after errors, %q before", got, before)
	}
}

// guard is a value that no kernel computes.
const guard = -7777

// guarded returns n elements at the given offset from an allocation's start,
// and the whole allocation, which is guard elsewhere.
func guarded[T element](n, offset int) (s, whole []T) {
	whole = make([]T, n+offset+40)
	for i := range whole {
		whole[i] = guard
	}
	return whole[offset : offset+n : offset+n], whole
}

// checkGuards fails if an element outside [offset, offset+n) changed.
func checkGuards[T element](t *testing.T, name string, whole []T, offset, n int) {
	t.Helper()
	for i, v := range whole {
		if (i < offset || i >= offset+n) && v != guard {
			t.Fatalf("%s: wrote element %d of [0,%d)", name, i-offset, n)
		}
	}
}

func fillNormal[T element](r *rand.Rand, s []T) {
	for i := range s {
		s[i] = T(r.NormFloat64())
	}
}

// gemmCase is one product in either precision.
type gemmCase struct {
	tA, tB           bool
	m, n, k          int
	padA, padB, padC int // beyond the rows
	alpha, beta      float64
	offset           int
}

func randomCase(r *rand.Rand, limit int) gemmCase {
	scalars := []float64{0, 1, 1, 1, -1, 0.5, 2}
	pick := func() float64 { return scalars[r.IntN(len(scalars))] }
	size := func() int { return []int{r.IntN(8), r.IntN(20), r.IntN(limit)}[r.IntN(3)] }
	return gemmCase{r.IntN(2) == 0, r.IntN(2) == 0, size(), size(), size(), r.IntN(4), r.IntN(4), r.IntN(4), pick(), pick(), r.IntN(8)}
}

func stride(trans bool, rows, cols, pad int) (ld, size int) {
	if trans {
		rows, cols = cols, rows
	}
	return cols + pad, max(0, rows*(cols+pad)-pad)
}

// runGemm compares one product with a naive sum in float64, with a tolerance
// of the textbook bound k·u·Σ|a||b| (Higham, Accuracy and Stability, §3.5).
func runGemm[T element](t *testing.T, r *rand.Rand, c gemmCase, unit float64,
	gemm func(tA, tB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, scratch []T), size func(m, n, k int) int) {
	t.Helper()
	name := fmt.Sprintf("%+v", c)
	lda, na := stride(c.tA, c.m, c.k, c.padA)
	ldb, nb := stride(c.tB, c.k, c.n, c.padB)
	ldc, nc := stride(false, c.m, c.n, c.padC)
	a, b := make([]T, na), make([]T, nb)
	fillNormal(r, a)
	fillNormal(r, b)
	out, whole := guarded[T](nc, c.offset)
	for i := range c.m {
		for j := range c.n {
			out[i*ldc+j] = T(r.NormFloat64())
			if c.beta == 0 {
				out[i*ldc+j] = T(math.NaN())
			}
		}
	}
	before := append([]T(nil), out...)
	need := size(c.m, c.n, c.k)
	scratch, wholeScratch := guarded[T](need, c.offset)
	gemm(c.tA, c.tB, c.m, c.n, c.k, T(c.alpha), a, lda, b, ldb, T(c.beta), out, ldc, scratch)
	checkGuards(t, name+" scratch", wholeScratch, c.offset, need)
	checkGuards(t, name+" C", whole, c.offset, nc)
	at := func(s []T, ld int, trans bool, i, j int) float64 {
		if trans {
			i, j = j, i
		}
		return float64(s[i*ld+j])
	}
	for i := range c.m {
		for j := range c.n {
			var want, size float64
			for p := range c.k {
				v := at(a, lda, c.tA, i, p) * at(b, ldb, c.tB, p, j)
				want += v
				size += math.Abs(v)
			}
			want *= c.alpha
			size *= math.Abs(c.alpha)
			if c.beta != 0 {
				want += c.beta * float64(before[i*ldc+j])
				size += math.Abs(c.beta * float64(before[i*ldc+j]))
			}
			if got := float64(out[i*ldc+j]); !(math.Abs(got-want) <= float64(c.k+4)*unit*size) {
				t.Fatalf("%s: C[%d,%d] = %v, want %v", name, i, j, got, want)
			}
		}
		for j := c.n; j < ldc && i+1 < c.m; j++ {
			if out[i*ldc+j] != guard {
				t.Fatalf("%s: wrote the gap after row %d", name, i)
			}
		}
	}
}

func TestGemmMatchesNaive(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 400 {
			c := randomCase(r, 70)
			runGemm(t, r, c, 0x1p-24, sgemm, SgemmScratch)
			runGemm(t, r, c, 0x1p-53, Dgemm, DgemmScratch)
		}
	})
}

// The block bounds: sizes just below, at and above every block.
func TestGemmBlockEdges(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, c := range []gemmCase{
			{m: 7, n: 257, k: 385, alpha: 1}, {m: 6, n: 300, k: 769, alpha: 1, beta: 1}, {m: 241, n: 17, k: 9, alpha: 2},
			{tA: true, m: 245, n: 20, k: 390, alpha: 1}, {tB: true, m: 13, n: 270, k: 400, alpha: -1, beta: 0.5},
			{tA: true, tB: true, m: 37, n: 259, k: 391, alpha: 1, padA: 3, padB: 5, padC: 7}, {m: 4100, n: 5, k: 3, alpha: 1},
		} {
			runGemm(t, r, c, 0x1p-24, sgemm, SgemmScratch)
			runGemm(t, r, c, 0x1p-53, Dgemm, DgemmScratch)
		}
	})
}

// A NaN or infinity of A or B reaches its row or column of C and no other.
func TestGemmSpecialValues(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		for _, n := range []int{1, 4, 5, 17} {
			for _, m := range []int{1, 3, 7} {
				const k = 9
				a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
				for i := range a {
					a[i] = 1
				}
				for i := range b {
					b[i] = 1
				}
				a[(m-1)*k+4] = float32(math.Inf(1))
				b[3*n+n-1] = float32(math.NaN())
				Sgemm(false, false, m, n, k, 1, a, k, b, n, 0, c, n, make([]float32, SgemmScratch(m, n, k)), nil)
				for i := range m {
					for j := range n {
						v := float64(c[i*n+j])
						ok := v == k
						if j == n-1 {
							ok = math.IsNaN(v)
						} else if i == m-1 {
							ok = math.IsInf(v, 1)
						}
						if !ok {
							t.Fatalf("m=%d n=%d: C[%d,%d] = %v", m, n, i, j, v)
						}
					}
				}
			}
		}
	})
}

// sgemm is Sgemm with nothing to stop it, in the form of Dgemm.
func sgemm(tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, scratch []float32) {
	Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, scratch, nil)
}

// allocations returns what a product of n×n operands allocates.
func allocations[T element](c gemmCase, size func(m, n, k int) int,
	gemm func(tA, tB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, scratch []T)) float64 {
	n := max(c.m, c.n, c.k)
	a, out, scratch := make([]T, n*n), make([]T, n*n), make([]T, size(c.m, c.n, c.k))
	return testing.AllocsPerRun(1, func() {
		gemm(c.tA, c.tB, c.m, c.n, c.k, T(c.alpha), a, n, a, n, T(c.beta), out, n, scratch)
	})
}

// Every path, narrow and blocked, for every small size.
func TestGemmAllocatesNothing(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		sizes := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
		for i := range 9 * 9 * 9 * 4 {
			c := gemmCase{tA: i%2 == 0, tB: i/2%2 == 0, m: sizes[i/4%9], n: sizes[i/36%9], k: sizes[i/324], alpha: 2, beta: float64(i % 3)}
			if got := allocations(c, SgemmScratch, sgemm); got != 0 {
				t.Fatalf("Sgemm %+v: %v allocations", c, got)
			}
			if got := allocations(c, DgemmScratch, Dgemm); got != 0 {
				t.Fatalf("Dgemm %+v: %v allocations", c, got)
			}
		}
	})
}

func BenchmarkSgemm(b *testing.B) {
	for _, s := range [][5]int{{1024, 1024, 1024}, {64, 576, 16384}, {128, 1152, 8192}, {512, 4608, 1024}, {64, 147, 1024}, {64, 576, 64}, {512, 4608, 16},
		{64, 576, 1024, 0, 1}, {32, 512, 1000, 0, 1}, {576, 64, 1024, 1, 0}, {1, 1024, 1024}, {1024, 1024, 1}, {4, 1024, 1024}, {8, 1024, 1024}, {1024, 1024, 4}, {1024, 1024, 4, 1}, {1, 1024, 1024, 0, 1}} {
		m, k, n, tA, tB := s[0], s[1], s[2], s[3] == 1, s[4] == 1
		b.Run(fmt.Sprintf("%d-%d-%d-%v-%v", m, k, n, tA, tB), func(b *testing.B) {
			x, y, z, scratch := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n), make([]float32, SgemmScratch(m, n, k))
			r := rand.New(rand.NewPCG(1, 2))
			fillNormal(r, x)
			fillNormal(r, y)
			lda, _ := stride(tA, m, k, 0)
			ldb, _ := stride(tB, k, n, 0)
			for b.Loop() {
				Sgemm(tA, tB, m, n, k, 1, x, lda, y, ldb, 0, z, n, scratch, nil)
			}
			b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

// A product whose B was packed before has the bits of Sgemm, or close ones where
// Sgemm does not pack.
func TestSgemmPacked(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	eachKernel(t, func(t *testing.T) {
		for i := range 400 {
			c := randomCase(r, []int{40, 700}[i%20/19])
			c.tA, c.padA = false, i%3
			m, n, k := c.m+1, c.n+1, c.k+1
			lda, na := stride(false, m, k, c.padA)
			ldb, nb := stride(c.tB, k, n, c.padB)
			a, b := floats(r, na), floats(r, nb)
			got, whole := guarded[float32](m*n, 3)
			copy(got, floats(r, m*n))
			want, scratch := append([]float32(nil), got...), make([]float32, SgemmScratch(m, n, k))
			packed, wholePacked := guarded[float32](PackedB(n, k), 1)
			PackB(c.tB, n, k, b, ldb, packed)
			checkGuards(t, "PackB", wholePacked, 1, len(packed))
			SgemmPacked(m, n, k, float32(c.alpha), a, lda, packed, float32(c.beta), got, n, scratch, nil)
			checkGuards(t, "SgemmPacked", whole, 3, len(got))
			Sgemm(false, c.tB, m, n, k, float32(c.alpha), a, lda, b, ldb, float32(c.beta), want, n, scratch, nil)
			for j, v := range want {
				if got[j] != v && (min(m, n) > narrowest || !near(float64(got[j]), float64(v), 1e-5)) {
					t.Fatalf("%+v: element %d is %v, want %v", c, j, got[j], v)
				}
			}
		}
	})
}
