package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// The singular vectors stay, by the decomposition of gonum, and the singular values are
// those of the polynomial, applied five times in float64.
func TestOrthogonalize(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {5, 5}, {16, 9}, {64, 576}, {128, 784}, {200, 33}} {
		rows, cols := shape[0], shape[1]
		r := rand.New(rand.NewPCG(1, uint64(rows*1000+cols)))
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(r.NormFloat64() * math.Exp(-float64(i%cols)/4)) // singular values of many sizes
		}
		want := orthogonalized(t, rows, cols, x)
		for _, size := range []float32{1, 1e-30, 1e30} {
			got := make([]float32, len(x))
			Scale32(got, size, x)
			Orthogonalize(rows, cols, got, make([]float32, OrthogonalizeScratch(rows, cols)))
			for i, v := range got {
				if math.Abs(float64(v)-want[i]) > 2e-3 {
					t.Fatalf("%d×%d, size %v: element %d is %v, not %v", rows, cols, size, i, v, want[i])
				}
			}
		}
	}
	zeros := make([]float32, 12)
	Orthogonalize(3, 4, zeros, make([]float32, OrthogonalizeScratch(3, 4)))
	for _, v := range zeros {
		if v != 0 {
			t.Fatalf("zeros become %v", zeros)
		}
	}
}

func orthogonalized(t *testing.T, rows, cols int, x []float32) []float64 {
	t.Helper()
	a := mat.NewDense(rows, cols, nil)
	for i, v := range x {
		a.Set(i/cols, i%cols, float64(v))
	}
	var d mat.SVD
	if !d.Factorize(a, mat.SVDThin) {
		t.Fatal("no decomposition")
	}
	values := d.Values(nil)
	norm := mat.Norm(a, 2)
	var u, v mat.Dense
	d.UTo(&u)
	d.VTo(&v)
	for i, s := range values {
		s /= norm
		for range 5 {
			s = s * (3.4445 + s*s*(-4.7750+s*s*2.0315))
		}
		if values[i]/norm > .01 && (s < .65 || s > 1.25) {
			t.Fatalf("%d×%d: a singular value of %v becomes %v", rows, cols, values[i]/norm, s)
		}
		values[i] = s
	}
	var us, w mat.Dense
	us.Mul(&u, mat.NewDiagDense(len(values), values))
	w.Mul(&us, v.T())
	return w.RawMatrix().Data
}

func BenchmarkOrthogonalize(b *testing.B) {
	x, scratch := make([]float32, 64*576), make([]float32, OrthogonalizeScratch(64, 576))
	for i := range x {
		x[i] = float32(i%17) - 8
	}
	for b.Loop() {
		Orthogonalize(64, 576, x, scratch)
	}
}
