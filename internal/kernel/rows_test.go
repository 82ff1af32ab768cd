package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// rowsCase is a block of rows within larger ones.
type rowsCase struct {
	rows, n, ld, ldd int
	src, dst, whole  []float32
}

func newRowsCase(r *rand.Rand, rows, n, apart int) *rowsCase {
	c := &rowsCase{rows: rows, n: n, ld: n + r.IntN(3), ldd: apart*n + r.IntN(3)}
	c.src = floats(r, rows*c.ld+1)
	c.src[r.IntN(len(c.src))] = float32(math.NaN())
	c.dst, c.whole = guarded[float32](rows*c.ldd, 3)
	return c
}

// check compares the elements that are apart in each row of dst with want, and
// the others with what they were.
func (c *rowsCase) check(t *testing.T, what string, apart int, want func(i, j int) float32) {
	t.Helper()
	for i := range c.rows {
		for j := range c.ldd {
			w := float32(guard)
			if j < apart*c.n && j%apart == 0 {
				w = want(i, j/apart)
			}
			if got := c.dst[i*c.ldd+j]; got != w && !(got != got && w != w) {
				t.Fatalf("%s %d×%d: element %d,%d is %v, want %v", what, c.rows, c.n, i, j, got, w)
			}
		}
	}
	checkGuards(t, what, c.whole, 3, len(c.dst))
}

func TestRows(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(51, 52))
		for n := range 67 {
			rows := r.IntN(4)
			c := newRowsCase(r, rows, n, 1)
			copyRows(rows, n, c.src, c.ld, c.dst, c.ldd)
			c.check(t, "copyRows", 1, func(i, j int) float32 { return c.src[i*c.ld+j] })

			for _, add := range []bool{false, true} {
				c, bias := newRowsCase(r, rows, n, 1), float32(r.NormFloat64())
				finishRows(rows, n, c.src, c.ld, c.dst, c.ldd, bias, -0.5, add)
				c.check(t, "finishRows", 1, func(i, j int) float32 {
					v := c.src[i*c.ld+j]
					if add {
						v += guard
					}
					return max(-0.5, v+bias)
				})
			}
		}
	})
}

// limits.rows and NormalizeRows match what they say, for rows of any length.
func TestRowsWithNumbers(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(57, 58))
		for n := range 67 {
			rows := r.IntN(4)
			c, bias, numbers := newRowsCase(r, rows, n, 1), floats(r, rows), floats(r, 3*rows)
			l := []Limits{NoLimits, Rectified, {-.5, .25}}[n%3]
			limited := func(v float32) float32 { return min(l.High, max(l.Low, v)) }
			c.ld = c.ldd
			copy(c.dst, floats(r, rows*c.ldd))
			before := slices.Clone(c.dst)
			l.rows(rows, n, c.dst, c.ldd, bias)
			for i, v := range c.dst {
				if want := before[i]; i%c.ldd < n {
					if want = limited(before[i] + bias[i/c.ldd]); v != want {
						t.Fatalf("rows, %d×%d: element %d is %v, want %v", rows, n, i, v, want)
					}
				} else if v != want {
					t.Fatalf("rows, %d×%d: element %d between rows changed", rows, n, i)
				}
			}
			checkGuards(t, "limited rows", c.whole, 3, len(c.dst))
			got, whole := guarded[float32](rows*n, 3)
			x := floats(r, rows*n+1)
			x[0] = float32(math.NaN())
			table := make([]float32, NormTable(rows, n))
			for i := range rows {
				PutNorm(table, i, n, numbers[3*i], numbers[3*i+1], numbers[3*i+2])
			}
			NormalizeRows(got, x, table, n, l)
			for i, v := range got {
				k := numbers[3*(i/n):]
				want := min(float64(l.High), max(float64(l.Low), float64(k[1])*float64(x[i]-k[0])+float64(k[2])))
				if !near(float64(v), want, 1e-5) {
					t.Fatalf("NormalizeRows, %d×%d: element %d is %v, want %v", rows, n, i, v, want)
				}
			}
			checkGuards(t, "normalized rows", whole, 3, len(got))
		}
	})
}

func TestRowsFold(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(59, 60))
		for n := 1; n < 67; n++ {
			rows := r.IntN(5)
			x, y, a := floats(r, rows*n), floats(r, rows*n), floats(r, rows)
			scaled, wholeScaled := guarded[float32](rows*n, 3)
			sums, wholeSums := guarded[float32](rows, 3)
			dots, wholeDots := guarded[float32](rows, 3)
			ScaleRows(scaled, x, a, n)
			SumRows(sums, x, n, 3)
			DotRows(dots, x, y, n)
			for i := range rows {
				sum, dot := 0.0, 0.0
				for j := i * n; j < (i+1)*n; j++ {
					sum += float64(x[j])
					dot += float64(x[j]) * float64(y[j])
					if scaled[j] != a[i]*x[j] {
						t.Fatalf("ScaleRows, %d×%d: element %d is %v, want %v", rows, n, j, scaled[j], a[i]*x[j])
					}
				}
				if !near(float64(sums[i]), sum/3, 1e-6) || !near(float64(dots[i]), dot, 1e-6) {
					t.Fatalf("%d×%d: row %d has sum %v and product %v, want %v and %v", rows, n, i, sums[i], dots[i], sum/3, dot)
				}
			}
			checkGuards(t, "ScaleRows", wholeScaled, 3, rows*n)
			checkGuards(t, "SumRows", wholeSums, 3, rows)
			checkGuards(t, "DotRows", wholeDots, 3, rows)
		}
	})
}

func TestSpread(t *testing.T) {
	if !useAsm {
		t.Skip("no assembly")
	}
	r := rand.New(rand.NewPCG(53, 54))
	for n := range 67 {
		for _, add := range []bool{false, true} {
			rows := r.IntN(4)
			c := newRowsCase(r, rows, n, 2)
			spreadF32(rows, n, unsafe.SliceData(c.src), 4*c.ld, unsafe.SliceData(c.dst), 4*c.ldd, add)
			c.check(t, "spread", 2, func(i, j int) float32 {
				if add {
					return c.src[i*c.ld+j] + guard
				}
				return c.src[i*c.ld+j]
			})
		}
	}
}

// The panels that packLattice and packTurned write, whatever the lanes, are
// those of the twin.
func TestPackLattice(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(55, 56))
		img := floats(r, 4000)
		for trial := range 600 {
			rows, lanes := offsets(r, r.IntN(70), 1+trial%9), offsets(r, 1+r.IntN(16), 1+r.IntN(17))
			want, got := make([]float32, 16*len(rows)), make([]float32, 16*len(rows))
			packLatticePlain(img, rows, lanes, want)
			packLattice(img, rows, lanes, got)
			sameLanes(t, "packLattice", len(lanes), got, want)
			clear(got)
			fours := make([]bool, (len(rows)+7)/8)
			foursOf(rows, fours)
			packTurned(img, rows, lanes, fours, got)
			sameLanes(t, "packTurned", len(lanes), got, want)
		}
	})
}

// offsets returns n offsets in runs of the given length.
func offsets(r *rand.Rand, n, run int) []int32 {
	s := make([]int32, n)
	for i := range s {
		if i%run == 0 {
			s[i] = int32(r.IntN(1900))
		} else {
			s[i] = s[i-1] + 1
		}
	}
	return s
}

// sameLanes compares the first lanes of panels of 16; the others are free.
func sameLanes(t *testing.T, what string, lanes int, got, want []float32) {
	t.Helper()
	for i, v := range want {
		if i%16 < lanes && got[i] != v {
			t.Fatalf("%s, %d lanes: element %d is %v, want %v", what, lanes, i, got[i], v)
		}
	}
}
