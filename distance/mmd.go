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
	// LinearTime averages k(x₁,x₂) + k(y₁,y₂) − k(x₁,y₂) − k(x₂,y₁) over
	// disjoint pairs of consecutive rows, in O(N·Dim). It is unbiased, noisy,
	// depends on the order of the rows, takes no weights and leaves rows over
	// if the sizes are odd or differ.
	LinearTime
)

// MMD is the squared maximum mean discrepancy
//
//	E k(X, X') + E k(Y, Y') − 2 E k(X, Y).
//
// Samples whose N·M is large are taken in panels of rows, so that memory stays
// below about 64 MiB.
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
	switch d.Estimator {
	case Biased:
		p.Weighted, p.Definite, p.Nonnegative, p.Root = true, true, true, 2
		if polynomial, ok := k.(Polynomial); ok {
			p.Nonnegative = polynomial.Offset >= 0
		}
	case LinearTime:
		p.MinN, p.Paired = 2, true
	default:
		p.MinN = 2
	}
	switch k := k.(type) {
	case Energy:
		p.Homogeneous, p.Degree, p.Kinked = true, 1, true
	case Linear:
		p.Homogeneous, p.Degree, p.Translation = true, 2, d.Estimator == Biased
	case Laplacian:
		p.Homogeneous, p.Kinked = k.Sigma == 0 && !k.L1, true
	case Gaussian:
		p.Homogeneous = k.Sigma == 0
	case RationalQuadratic:
		p.Homogeneous = k.Sigma == 0
	case InverseMultiquadric:
		p.Homogeneous = k.Sigma == 0
	}
	return p
}

func (d MMD) kernel() Kernel {
	if d.Kernel == nil {
		return Gaussian{}
	}
	return d.Kernel
}

// Freeze implements Freezer: it fixes the bandwidth.
func (d MMD) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	ws = ws.Enter()
	defer ws.Leave()
	if err := Check(nil, nil, x, y); err != nil {
		return nil, err
	}
	if d.kernel().Bandwidth() == MedianHeuristic {
		d.Kernel = frozen{d.kernel(), MedianDistance(ws, x, y)}
	}
	return d, nil
}

// frozen is a kernel whose bandwidth is fixed.
type frozen struct {
	Kernel
	bandwidth float64
}

func (f frozen) Bandwidth() float64 { return f.bandwidth }

// resolve returns the kernel's bandwidth for these samples.
func resolve(ws *Workspace, k Kernel, x, y Sample) (float64, error) {
	b := k.Bandwidth()
	switch b {
	case NoBandwidth:
		return b, nil
	case MedianHeuristic:
		b = MedianDistance(ws, x, y)
	case InverseDimension:
		b = 1 / float64(x.Dim)
	}
	if !(b > 0) || math.IsInf(b, 1) {
		return 0, fmt.Errorf("%w: kernel bandwidth %v, want a finite number > 0", ErrParameter, b)
	}
	return b, nil
}

// Eval implements Distance in O((N+M)²·Dim).
func (d MMD) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	q := pairs{kernel: d.kernel()}
	if q.bandwidth, err = resolve(ws, q.kernel, x, y); err != nil {
		return 0, err
	}
	if d.Estimator != Biased && (x.N < 2 || y.N < 2) {
		return 0, fmt.Errorf("%w: this estimator needs 2 points a side, x has %d, y has %d", ErrShape, x.N, y.N)
	}
	var value float64
	switch d.Estimator {
	case Biased, Unbiased:
		value, err = d.quadratic(ws, &q, gx, gy, a, b, x, y)
	case LinearTime:
		value, err = d.linear(ws, &q, gx, gy, x, y)
	default:
		err = fmt.Errorf("%w: MMD.Estimator %d", ErrParameter, d.Estimator)
	}
	if err == nil && value-value != 0 {
		err = fmt.Errorf("%w: a mean of kernel values is %v", ErrNotFinite, value)
	}
	return value, err
}

// quadratic averages over all pairs.
func (d MMD) quadratic(ws *Workspace, q *pairs, gx, gy, a, b []float64, x, y Sample) (float64, error) {
	sx, sy := 1.0, 1.0
	if d.Estimator == Unbiased {
		q.offDiagonal = true
		sx, sy = 1/(1-sumSquares(a)), 1/(1-sumSquares(b))
		if math.IsInf(sx, 0) || math.IsInf(sy, 0) {
			return 0, fmt.Errorf("%w: one point has all the weight", ErrWeights)
		}
	}
	q.self = true
	value := q.mean(ws, sx, gx, nil, a, a, x, x)
	q.self = true
	value += q.mean(ws, sy, gy, nil, b, b, y, y)
	q.self = false
	value += q.mean(ws, -2, gx, gy, a, b, x, y)
	if d.Estimator == Biased && value < 0 && value > -1e-12*q.scale {
		value = 0 // rounding: the terms cancel
	}
	return value, nil
}

// EvalWeights implements WeightGradienter for the biased estimator:
// ∂aᵢ = 2Σ aₖk(xᵢ,xₖ) − 2Σ bⱼk(xᵢ,yⱼ). Others give ErrParameter.
func (d MMD) EvalWeights(ws *Workspace, ga, gb []float64, x, y Sample) (float64, error) {
	if err := checkWeightGradients(ga, gb, x, y); err != nil {
		return 0, err
	}
	if d.Estimator != Biased {
		return 0, fmt.Errorf("%w: Estimator %d has no gradient in the weights", ErrParameter, d.Estimator)
	}
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, nil, nil, x, y)
	if err != nil {
		return 0, err
	}
	q := pairs{kernel: d.kernel()}
	if q.bandwidth, err = resolve(ws, q.kernel, x, y); err != nil {
		return 0, err
	}
	clear(ga)
	clear(gb)
	q.ga, q.self = ga, true
	value := q.mean(ws, 1, nil, nil, a, a, x, x)
	q.ga, q.self = gb, true
	value += q.mean(ws, 1, nil, nil, b, b, y, y)
	q.ga, q.gb, q.self = ga, gb, false
	value += q.mean(ws, -2, nil, nil, a, b, x, y)
	centre(ws, ga, x)
	centre(ws, gb, y)
	return value, nil
}

// linear averages over disjoint pairs of consecutive rows.
func (d MMD) linear(ws *Workspace, q *pairs, gx, gy []float64, x, y Sample) (float64, error) {
	if x.W != nil || y.W != nil {
		return 0, fmt.Errorf("%w: LinearTime is uniform", ErrWeights)
	}
	h := min(x.N, y.N) / 2
	dim := x.Dim
	none, buf := ws.Floats(dim), ws.Floats(3)
	row := func(g []float64, i int) []float64 {
		if g == nil {
			return none
		}
		return g[i*dim : (i+1)*dim]
	}
	var value float64
	for k := range h {
		i, j := 2*k, 2*k+1
		value += q.one(buf, 1/float64(h), row(gx, i), row(gx, j), x.Row(i), x.Row(j))
		value += q.one(buf, 1/float64(h), row(gy, i), row(gy, j), y.Row(i), y.Row(j))
		value += q.one(buf, -1/float64(h), row(gx, i), row(gy, j), x.Row(i), y.Row(j))
		value += q.one(buf, -1/float64(h), row(gx, j), row(gy, i), x.Row(j), y.Row(i))
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
