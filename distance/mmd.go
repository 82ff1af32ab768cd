package distance

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// MMD is the squared maximum mean discrepancy
//
//	E k(X, X') + E k(Y, Y') − 2 E k(X, Y).
//
// Samples with 65536 pairs or more are cut into blocks of rows, which are
// computed on all processors and added in order; memory stays bounded.
//
// Reference: Gretton et al., A kernel two-sample test (2012), Lemma 6.
type MMD struct {
	// Kernel to compare by. If it is nil, Gaussian{} is used.
	Kernel Kernel

	// Unbiased leaves out the pairs of a row with itself and divides by 1−Σw²,
	// which is 1−1/n for uniform weights. The value may be negative, and there
	// must be two points on either side. Without it all pairs count: the value
	// is never negative for a positive definite kernel, and on average too
	// large by about (1/n+1/m)(κ(0)−E k).
	Unbiased bool

	// LinearTime averages k(x₁,x₂) + k(y₁,y₂) − k(x₁,y₂) − k(x₂,y₁) over
	// disjoint pairs of consecutive rows, in O(N·Dim). It is unbiased, with or
	// without Unbiased, and noisy, depends on the order of the rows, takes no
	// weights and leaves rows over if the sizes are odd or differ.
	LinearTime bool
}

// Properties implements Propertied.
func (d MMD) Properties() Properties {
	p := Properties{Symmetric: true}
	k, isFrozen := thawed(d.kernel())
	argumentProperties(&p, k.Argument())
	switch {
	case d.LinearTime:
		p.MinN, p.Paired = 2, true
	case d.Unbiased:
		p.MinN = 2
	default:
		p.Weighted, p.Definite, p.Nonnegative, p.Root = true, true, true, 2
	}
	switch k := k.(type) {
	case Energy:
		p.Homogeneous, p.Degree, p.Kinked = true, 1, true
	case Linear:
		p.Homogeneous, p.Degree, p.Translation = true, 2, !d.Unbiased && !d.LinearTime
	case Laplacian:
		p.Homogeneous, p.Kinked = k.Sigma == 0 && !k.L1 && !isFrozen, true
	case Gaussian:
		p.Homogeneous = k.Sigma == 0 && !isFrozen
	case RationalQuadratic:
		p.Homogeneous = k.Sigma == 0 && !isFrozen
	}
	return p
}

// argumentProperties sets the laws that a kernel inherits from its argument.
func argumentProperties(p *Properties, c Cost) {
	switch c.(type) {
	case SqEuclidean, Euclidean:
		p.Translation, p.Rotation = true, true
	case CityBlock:
		p.Translation = true
	case InnerProduct:
		p.Rotation = true
	}
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
	b, err := kernelBandwidth(ws, d.kernel(), x, y)
	if err != nil {
		return nil, err
	}
	d.Kernel = frozen{d.kernel(), b}
	return d, nil
}

// frozen is a kernel whose bandwidth is fixed.
type frozen struct {
	Kernel
	bandwidth float64
}

func (f frozen) Bandwidth(*Workspace, Sample, Sample) (float64, error) { return f.bandwidth, nil }

// thawed returns the kernel within a frozen one.
func thawed(k Kernel) (_ Kernel, isFrozen bool) {
	f, ok := k.(frozen)
	if ok {
		k = f.Kernel
	}
	return k, ok
}

// kernelBandwidth returns the kernel's scale for these samples.
func kernelBandwidth(ws *Workspace, k Kernel, x, y Sample) (float64, error) {
	b, err := k.Bandwidth(ws, x, y)
	if err != nil {
		return 0, err
	}
	return b, checkPositive("a kernel's bandwidth", b)
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
	if q.bandwidth, err = kernelBandwidth(ws, q.kernel, x, y); err != nil {
		return 0, err
	}
	x, y = d.center(ws, x, y)
	if (d.Unbiased || d.LinearTime) && (x.N < 2 || y.N < 2) {
		return 0, fmt.Errorf("%w: this estimator needs 2 points a side, x has %d, y has %d", ErrShape, x.N, y.N)
	}
	var value float64
	if d.LinearTime {
		value, err = d.linear(ws, &q, gx, gy, x, y)
	} else {
		value, err = d.quadratic(ws, &q, gx, gy, a, b, x, y)
	}
	if err == nil && !finite.Is(value) {
		err = fmt.Errorf("%w: a mean of kernel values is %v", ErrNotFinite, value)
	}
	return value, err
}

// center moves the points to their common center where the value depends on
// differences of points, but the kernel on the points themselves.
func (d MMD) center(ws *Workspace, x, y Sample) (Sample, Sample) {
	k, _ := thawed(d.kernel())
	if _, ok := k.(Linear); !ok || d.Unbiased || d.LinearTime {
		return x, y
	}
	xc, yc := centered(ws, x, y)
	return Sample{N: x.N, Dim: x.Dim, X: xc, W: x.W}, Sample{N: y.N, Dim: y.Dim, X: yc, W: y.W}
}

// quadratic averages over all pairs.
func (d MMD) quadratic(ws *Workspace, q *pairs, gx, gy, a, b []float64, x, y Sample) (float64, error) {
	sx, sy := 1.0, 1.0
	if d.Unbiased {
		q.offDiagonal = true
		sx, sy = 1/(1-sumSquares(a)), 1/(1-sumSquares(b))
		if math.IsInf(sx, 0) || math.IsInf(sy, 0) {
			return 0, fmt.Errorf("%w: one point has all the weight", ErrWeights)
		}
	}
	var value float64
	if x.N >= parallelFrom/y.N {
		value = q.onAllCores(ws, sx, sy, gx, gy, a, b, x, y)
	} else {
		q.self = true
		value = q.mean(ws, sx, gx, nil, a, a, x, x)
		q.self = true
		value += q.mean(ws, sy, gy, nil, b, b, y, y)
		q.self = false
		value += q.mean(ws, -2, gx, gy, a, b, x, y)
	}
	if !d.Unbiased && value < 0 && value > -1e-12*q.scale {
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
	if d.Unbiased || d.LinearTime {
		return 0, fmt.Errorf("%w: only the biased MMD has a gradient in the weights", ErrParameter)
	}
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, nil, nil, x, y)
	if err != nil {
		return 0, err
	}
	q := pairs{kernel: d.kernel()}
	if q.bandwidth, err = kernelBandwidth(ws, q.kernel, x, y); err != nil {
		return 0, err
	}
	x, y = d.center(ws, x, y)
	clear(ga)
	clear(gb)
	q.ga, q.self = ga, true
	value := q.mean(ws, 1, nil, nil, a, a, x, x)
	q.ga, q.self = gb, true
	value += q.mean(ws, 1, nil, nil, b, b, y, y)
	q.ga, q.gb, q.self = ga, gb, false
	value += q.mean(ws, -2, nil, nil, a, b, x, y)
	center(ws, ga, x)
	center(ws, gb, y)
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
		value += q.one(ws, buf, 1/float64(h), row(gx, i), row(gx, j), x.at(i), x.at(j))
		value += q.one(ws, buf, 1/float64(h), row(gy, i), row(gy, j), y.at(i), y.at(j))
		value += q.one(ws, buf, -1/float64(h), row(gx, i), row(gy, j), x.at(i), y.at(j))
		value += q.one(ws, buf, -1/float64(h), row(gx, j), row(gy, i), x.at(j), y.at(i))
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
