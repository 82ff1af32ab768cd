package distance

import (
	"fmt"
	"math"
)

// Estimator selects how MMD estimates the mean of the kernel over pairs.
type Estimator int

const (
	// Biased averages over all pairs of rows: never negative for a positive
	// definite kernel, too large by about (1/n+1/m)(κ(0)−E k) on average.
	Biased Estimator = iota
	// Unbiased leaves out the pairs of a row with itself and divides by
	// 1−Σw², which is 1−1/n for uniform weights. It may be negative and needs
	// two points on either side.
	Unbiased
)

// MMD is the squared maximum mean discrepancy
//
//	E k(X, X') + E k(Y, Y') − 2 E k(X, Y).
//
// Reference: Gretton et al., A kernel two-sample test (2012), Lemma 6.
type MMD struct {
	// Kernel to compare by. If it is nil, Gaussian{} is used.
	Kernel Kernel

	// Estimator of the expectations. If it is zero, Biased is used.
	Estimator Estimator
}

// Properties implements Propertied.
func (d MMD) Properties() Properties {
	k := d.kernel()
	p := Properties{Symmetric: true, Rotation: k.Form() != L1Dist, Translation: k.Form() != Inner}
	p.Weighted = d.Estimator == Biased
	p.Definite, p.Nonnegative = d.Estimator == Biased, d.Estimator == Biased
	if d.Estimator == Biased {
		p.Root = 2
	} else {
		p.MinN = 2
	}
	if _, ok := k.(Energy); ok {
		p.Homogeneous, p.Degree, p.Kinked = true, 1, true
	}
	return p
}

func (d MMD) kernel() Kernel {
	if d.Kernel == nil {
		return Gaussian{}
	}
	return d.Kernel
}

// Freeze implements Freezer: it fixes a Gaussian's bandwidth.
func (d MMD) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	ws = ws.Enter()
	defer ws.Leave()
	if err := Check(nil, nil, x, y); err != nil {
		return nil, err
	}
	if g, ok := d.kernel().(Gaussian); ok && g.Sigma == 0 {
		g.Sigma = MedianDistance(ws, x, y)
		d.Kernel = g
	}
	return d, nil
}

// Eval implements Distance in O((N+M)²·Dim).
func (d MMD) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	k := d.kernel()
	q := pairs{kernel: k, bandwidth: k.Bandwidth()}
	if q.bandwidth == 0 {
		q.bandwidth = MedianDistance(ws, x, y)
	}
	if math.IsNaN(q.bandwidth) || math.IsInf(q.bandwidth, 0) {
		return 0, fmt.Errorf("%w: bandwidth %v", ErrParameter, q.bandwidth)
	}
	sx, sy := 1.0, 1.0
	if d.Estimator == Unbiased {
		if x.N < 2 || y.N < 2 {
			return 0, fmt.Errorf("%w: the unbiased estimator needs 2 points a side, x has %d, y has %d", ErrShape, x.N, y.N)
		}
		q.offDiagonal = true
		sx, sy = 1/(1-sumSquares(a)), 1/(1-sumSquares(b))
	}
	q.self = true
	value := q.mean(ws, sx, gx, nil, a, a, x, x) + q.mean(ws, sy, gy, nil, b, b, y, y)
	q.self = false
	value += q.mean(ws, -2, gx, gy, a, b, x, y)
	if value-value != 0 {
		return 0, fmt.Errorf("%w: a mean of kernel values is %v", ErrNotFinite, value)
	}
	return value, nil
}

func sumSquares(w []float64) float64 {
	var s float64
	for _, v := range w {
		s += v * v
	}
	return s
}

// pairs averages a kernel over pairs of rows.
type pairs struct {
	kernel      Kernel
	bandwidth   float64
	self        bool // y is x, by definition and not by chance
	offDiagonal bool // leave out the pairs of a row with itself
}

// mean returns coef Σ aᵢbⱼ k(xᵢ, yⱼ) and adds its gradients to gx and gy.
// Of a self term, gy is nil and gx gets the gradient in both arguments.
func (q pairs) mean(ws *Workspace, coef float64, gx, gy, a, b []float64, x, y Sample) float64 {
	ws = ws.Enter()
	defer ws.Leave()
	n, m := x.N, y.N
	form := SqEuclidean{}
	s, k := ws.Floats(n*m), ws.Floats(m)
	form.Matrix(ws, s, x, y)
	var dk []float64
	gcoef := coef
	if gx != nil || gy != nil {
		dk = ws.Floats(m)
	}
	if q.self {
		gcoef *= 2
	}
	var value float64
	for i, ai := range a {
		row := s[i*m : i*m+m]
		q.kernel.Map(k, dk, row, q.bandwidth)
		if q.self && q.offDiagonal {
			k[i] = 0
		}
		value += ai * weighted(b, k)
		for j, v := range dk {
			row[j] = gcoef * ai * b[j] * v
		}
		if q.self && q.offDiagonal && dk != nil {
			row[i] = 0
		}
	}
	if dk != nil {
		form.VJP(ws, gx, gy, s, nil, x, y)
	}
	return coef * value
}
