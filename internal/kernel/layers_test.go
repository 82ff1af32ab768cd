package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// bnPlain is batch normalization with ReLU, in float64.
func bnPlain(x []float64, gamma, beta, eps float64) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = max(0, gamma*(v-mean)/math.Sqrt(variance+eps)+beta)
	}
	return y
}

// The formulas of batchnorm.go, put together, give the gradients of finite
// differences through statistics, normalization and ReLU.
func TestBatchNormGradient(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		const n, gamma, beta, eps = 45, 1.3, 0.2, 1e-5
		r := rand.New(rand.NewPCG(41, 42))
		x, dy, y, dx := floats(r, n), floats(r, n), make([]float32, n), make([]float32, n)
		sum, squares := Moments(x)
		mean := sum / n
		sigma := math.Sqrt(squares/n - mean*mean + eps)
		NormalizeReLU(y, x, float32(mean), float32(gamma/sigma), beta)
		dBeta, dot := NormalizeSumsReLU(dy, x, y)
		dGamma := (dot - mean*dBeta) / sigma
		a := gamma / sigma
		NormalizeGradReLU(dx, dy, x, y, float32(mean), float32(a), float32(-a*dGamma/(n*sigma)), float32(-a*dBeta/n))

		point := make([]float64, n)
		for i, v := range x {
			point[i] = float64(v)
		}
		loss := func(x []float64, gamma, beta float64) (s float64) {
			for i, v := range bnPlain(x, gamma, beta, eps) {
				s += v * float64(dy[i])
			}
			return s
		}
		const h = 1e-6
		for i := range point {
			v := point[i]
			point[i] = v + h
			up := loss(point, gamma, beta)
			point[i] = v - h
			want := (up - loss(point, gamma, beta)) / (2 * h)
			point[i] = v
			if !near(float64(dx[i]), want, 2e-6) {
				t.Errorf("dx[%d] = %v, want %v", i, dx[i], want)
			}
		}
		if want := (loss(point, gamma+h, beta) - loss(point, gamma-h, beta)) / (2 * h); !near(dGamma, want, 1e-6) {
			t.Errorf("dγ = %v, want %v", dGamma, want)
		}
		if want := (loss(point, gamma, beta+h) - loss(point, gamma, beta-h)) / (2 * h); !near(dBeta, want, 1e-6) {
			t.Errorf("dβ = %v, want %v", dBeta, want)
		}
	})
}

// A convolution shared by 1, 2 and 4 goroutines, each with samples and scratch
// of its own, computes the bits of one alone, and its passes are adjoint.
func TestConvConcurrently(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 44))
	for i := range 10 {
		d := newConvData(r, NewConv(randomWindow(r), 1+r.IntN(20), 1), 4)
		if i%3 == 0 { // by Winograd's transforms
			d = newConvData(r, NewConv(Window{25, 4 + i, 7, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 26, 1), 4)
		}
		c := d.c
		fwd, in := make([]float32, c.PackedForward()), make([]float32, c.PackedInput())
		c.PackForward(fwd, d.w)
		c.PackInput(in, d.w)
		together := make([]float32, d.out)
		c.Forward(together, d.x, fwd, nil, NoLimits, false, 4, d.scratch, nil)
		var first []float32
		for _, workers := range []int{1, 2, 4} {
			y, dx, dw := make([]float32, d.out), make([]float32, d.in), make([]float32, 4*len(d.w))
			var wg sync.WaitGroup
			for worker := range workers {
				wg.Go(func() {
					scratch := make([]float32, c.Scratch(1))
					for s := worker; s < 4; s += workers {
						ys, xs := s*d.out/4, s*d.in/4
						c.Forward(y[ys:], d.x[xs:], fwd, nil, NoLimits, false, 1, scratch, nil)
						c.BackwardInput(dx[xs:], d.dy[ys:], in, false, 1, scratch, nil)
						c.BackwardWeight(dw[s*len(d.w):][:len(d.w)], d.dy[ys:], d.x[xs:], 1, scratch, nil)
					}
				})
			}
			wg.Wait()
			all := slices.Concat(y, dx, dw)
			if first == nil {
				first = all
			}
			if !slices.Equal(y, together) {
				t.Fatalf("%+v: other bits with four samples in a call", c.Window)
			}
			if !slices.Equal(all, first) {
				t.Fatalf("%+v: other bits with %d goroutines", c.Window, workers)
			}
			var byWeight float64
			for s := range 4 {
				byWeight += Dot32(dw[s*len(d.w):][:len(d.w)], d.w)
			}
			if a, b := Dot32(y, d.dy), Dot32(d.x, dx); !near(a, b, 1e-4) || !near(a, byWeight, 1e-4) {
				t.Fatalf("%+v: ⟨Ax,y⟩ = %v, ⟨x,Aᵀy⟩ = %v, by the weights %v", c.Window, a, b, byWeight)
			}
		}
	}
}

// The products of a packed block agree to the bit however the columns are cut.
func TestGemmColumnsIndependent(t *testing.T) {
	r := rand.New(rand.NewPCG(45, 46))
	const m, n, k = 19, 300, 500
	a, b, whole, cut := floats(r, m*k), floats(r, k*n), make([]float32, m*n), make([]float32, m*n)
	scratch := make([]float32, SgemmScratch(m, n, k))
	Sgemm(false, false, m, n, k, 1, a, k, b, n, 0, whole, n, scratch, nil)
	for j := 0; j < n; j += 100 {
		Sgemm(false, false, m, 100, k, 1, a, k, b[j:], n, 0, cut[j:], n, scratch, nil)
	}
	if !slices.Equal(whole, cut) {
		t.Error("the cut changed the bits")
	}
}
