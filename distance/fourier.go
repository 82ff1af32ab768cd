package distance

import (
	"cmp"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// RandomFourier estimates the MMD² of a Gaussian or Laplacian kernel from
// random frequencies, in O((N+M)·Features·Dim): it is the squared distance of
// the mean features (cos ωx, sin ωx)/√Features. The error is of the order
// 1/√Features. Frequencies are a function of Seed, Features and the dimension.
//
// Reference: Rahimi and Recht, Random features for large-scale kernel machines
// (2007), Algorithm 1.
type RandomFourier struct {
	// Sigma is the bandwidth. If it is zero, MedianDistance is used, as a
	// constant in the gradient.
	Sigma float64

	// Features is the number of frequencies. If it is zero, 256 is used.
	Features int

	// Seed of the frequencies.
	Seed uint64

	// L1 selects the kernel exp(−Σ|xₖ−yₖ|/σ) instead of exp(−|x−y|²/2σ²).
	L1 bool
}

// Properties implements Propertied. Frequencies single out directions, and with
// few of them different samples may be at distance zero.
func (r RandomFourier) Properties() Properties {
	return Properties{Symmetric: true, Nonnegative: true, Definite: true, Root: 2, Translation: true, Weighted: true, Homogeneous: r.Sigma == 0}
}

// Freeze implements Freezer: it fixes the bandwidth.
func (r RandomFourier) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	if err := Check(nil, nil, x, y); err != nil {
		return nil, err
	}
	ws = ws.Enter()
	defer ws.Leave()
	var err error
	r.Sigma, err = bandwidth(ws, "RandomFourier.Sigma", r.Sigma, x, y)
	return r, err
}

// Eval implements Distance.
func (r RandomFourier) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	r.Features = cmp.Or(r.Features, 256)
	if r.Sigma, err = bandwidth(ws, "RandomFourier.Sigma", r.Sigma, x, y); err != nil {
		return 0, err
	}
	if r.Features < 0 || r.Features > maxDraws/x.Dim {
		return 0, fmt.Errorf("%w: RandomFourier.Features %d, want 1 to %d", ErrParameter, r.Features, maxDraws/x.Dim)
	}
	kind := drawNormal
	if r.L1 {
		kind = drawCauchy
	}
	omega := ws.table(draws{r.Seed, r.Features, x.Dim, kind})
	xc, yc := centered(ws, x, y)
	cosx, sinx := r.features(ws, xc, omega, x)
	cosy, siny := r.features(ws, yc, omega, y)
	dc, ds := ws.Floats(r.Features), ws.Floats(r.Features)
	clear(dc)
	clear(ds)
	meanFeatures(dc, ds, 1, a, cosx, sinx)
	meanFeatures(dc, ds, -1, b, cosy, siny)
	r.pull(ws, gx, 1, a, dc, ds, cosx, sinx, omega, x.Dim)
	r.pull(ws, gy, -1, b, dc, ds, cosy, siny, omega, x.Dim)
	value := (kernel.Dot(dc, dc) + kernel.Dot(ds, ds)) / float64(r.Features)
	if !finite.Is(value) {
		return 0, fmt.Errorf("%w: a mean of features is %v", ErrNotFinite, value)
	}
	return value, nil
}

// features returns cosine and sine of the rows times the frequencies.
func (r RandomFourier) features(ws *Workspace, rows, omega []float64, x Sample) (c, s []float64) {
	c, s = ws.Floats(x.N*r.Features), ws.Floats(x.N*r.Features)
	gemm(ws, false, true, x.N, r.Features, x.Dim, 1/r.Sigma, rows, omega, 0, c)
	for i, z := range c {
		s[i], c[i] = math.Sincos(z)
	}
	return c, s
}

// meanFeatures adds ±Σ wᵢ features to dc and ds.
func meanFeatures(dc, ds []float64, sign float64, w, c, s []float64) {
	n := len(dc)
	for i, wi := range w {
		kernel.Axpy(sign*wi, c[i*n:(i+1)*n], dc)
		kernel.Axpy(sign*wi, s[i*n:(i+1)*n], ds)
	}
}

// pull adds the gradient ±2w/D Σₖ (dsₖ cos ωₖx − dcₖ sin ωₖx) ωₖ/σ. It spoils c.
func (r RandomFourier) pull(ws *Workspace, g []float64, sign float64, w, dc, ds, c, s, omega []float64, dim int) {
	if g == nil {
		return
	}
	n := r.Features
	for i, wi := range w {
		scale := 2 * sign * wi / (float64(n) * r.Sigma)
		ci, si := c[i*n:(i+1)*n], s[i*n:(i+1)*n]
		for k := range ci {
			ci[k] = scale * (ds[k]*ci[k] - dc[k]*si[k])
		}
	}
	gemm(ws, false, false, len(w), dim, n, 1, c, omega, 1, g)
}
