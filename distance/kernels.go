package distance

import (
	"cmp"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Kernel is a function k(x, y) = κ(s) of one number s of the two points.
type Kernel interface {
	// Argument returns the function of two points whose value is s: SqEuclidean,
	// CityBlock, InnerProduct or another Cost.
	Argument() Cost
	// Bandwidth returns the scale that Map gets for these samples, which are
	// checked, and an error that is ErrParameter for fields out of range. A
	// kernel without a scale returns 1.
	Bandwidth(ws *Workspace, x, y Sample) (float64, error)
	// Map writes κ(s[i]) into k and, unless dk is nil, κ'(s[i]) into dk. All
	// are of one length; k and dk do not overlap s.
	Map(k, dk, s []float64, bandwidth float64)
}

// bandwidth returns the scale sigma, or the median distance for zero.
func bandwidth(ws *Workspace, name string, sigma float64, x, y Sample) (float64, error) {
	if sigma == 0 {
		sigma = MedianDistance(ws, x, y)
	}
	return sigma, checkPositive(name, sigma)
}

// checkPositive returns ErrParameter unless v is a finite number > 0.
func checkPositive(name string, v float64) error {
	if !(v > 0) || !finite.Is(v) {
		return fmt.Errorf("%w: %s is %v, want a finite number > 0", ErrParameter, name, v)
	}
	return nil
}

// checkSetting is checkPositive for fields whose zero means the default.
func checkSetting(name string, v float64) error {
	if v == 0 {
		return nil
	}
	return checkPositive(name, v)
}

// Gaussian is the kernel Σ exp(−|x−y|²/2σ²), summed over one or more
// bandwidths σ. Far beyond σ its gradient vanishes; Energy has none of this.
type Gaussian struct {
	// Sigma is the bandwidth. If it is zero, the median of the distances
	// between all points of both samples is used, anew at each Eval and as a
	// constant in the gradient.
	Sigma float64

	// Multiples are the bandwidths to sum over, each > 0, in units of Sigma. If
	// it is empty, there is one, Sigma.
	Multiples []float64
}

// Argument implements Kernel.
func (Gaussian) Argument() Cost { return SqEuclidean{} }

// Bandwidth implements Kernel.
func (g Gaussian) Bandwidth(ws *Workspace, x, y Sample) (float64, error) {
	for i, m := range g.Multiples {
		if !(m > 0) || !finite.Is(m) {
			return 0, fmt.Errorf("%w: Gaussian.Multiples[%d] is %v, want a finite number > 0", ErrParameter, i, m)
		}
	}
	return bandwidth(ws, "Gaussian.Sigma", g.Sigma, x, y)
}

// Map implements Kernel.
func (g Gaussian) Map(k, dk, s []float64, bandwidth float64) {
	if len(g.Multiples) == 0 {
		gaussian(k, dk, s, bandwidth, false)
		return
	}
	for i, q := range g.Multiples {
		gaussian(k, dk, s, bandwidth*q, i > 0)
	}
}

// gaussian writes, or adds if more, one Gaussian.
func gaussian(k, dk, s []float64, sigma float64, more bool) {
	const block = 256
	var buf [block]float64
	r := -.5 / sigma / sigma
	for lo := 0; lo < len(s); lo += block {
		hi := min(lo+block, len(s))
		e := buf[:hi-lo]
		kernel.Scale(e, r, s[lo:hi])
		kernel.Exp(e, e)
		put(k[lo:hi], 1, e, more)
		if dk != nil {
			put(dk[lo:hi], r, e, more)
		}
	}
}

func put(dst []float64, alpha float64, x []float64, more bool) {
	if more {
		kernel.Axpy(alpha, x, dst)
	} else {
		kernel.Scale(dst, alpha, x)
	}
}

// Laplacian is the kernel exp(−‖x−y‖/σ) with the Euclidean norm or, if L1, the
// sum of absolute differences. Where points coincide, the gradient is taken as
// zero.
type Laplacian struct {
	Sigma float64 // as in Gaussian
	L1    bool
}

// Argument implements Kernel.
func (l Laplacian) Argument() Cost {
	if l.L1 {
		return CityBlock{}
	}
	return SqEuclidean{}
}

// Bandwidth implements Kernel.
func (l Laplacian) Bandwidth(ws *Workspace, x, y Sample) (float64, error) {
	return bandwidth(ws, "Laplacian.Sigma", l.Sigma, x, y)
}

// Map implements Kernel.
func (l Laplacian) Map(k, dk, s []float64, bandwidth float64) {
	r := -1 / bandwidth
	for i, v := range s {
		if !l.L1 {
			v = math.Sqrt(v)
		}
		k[i] = r * v
	}
	kernel.Exp(k, k)
	for i := range dk {
		dk[i] = r * k[i]
		if !l.L1 {
			dk[i] = slopeOfRoot(dk[i], s[i])
		}
	}
}

// slopeOfRoot turns d/d√s into d/ds, and into 0 at s = 0.
func slopeOfRoot(d, s float64) float64 {
	if s == 0 {
		return 0
	}
	return d / (2 * math.Sqrt(s))
}

// Energy is the kernel −|x−y|, for which MMD² is the energy distance
// 2E|X−Y| − E|X−X'| − E|Y−Y'| (Székely and Rizzo 2013). It has no scale to
// choose and its gradient does not vanish with distance. Where points
// coincide, the gradient is taken as zero.
type Energy struct{}

// Argument implements Kernel.
func (Energy) Argument() Cost { return SqEuclidean{} }

// Bandwidth implements Kernel: there is none.
func (Energy) Bandwidth(*Workspace, Sample, Sample) (float64, error) { return 1, nil }

// Map implements Kernel.
func (Energy) Map(k, dk, s []float64, _ float64) {
	for i, v := range s {
		k[i] = -math.Sqrt(v)
	}
	for i := range dk {
		dk[i] = slopeOfRoot(-1, s[i])
	}
}

// Linear is the kernel ⟨x, y⟩, for which MMD² is |x̄−ȳ|².
type Linear struct{}

// Argument implements Kernel.
func (Linear) Argument() Cost { return InnerProduct{} }

// Bandwidth implements Kernel: there is none.
func (Linear) Bandwidth(*Workspace, Sample, Sample) (float64, error) { return 1, nil }

// Map implements Kernel.
func (Linear) Map(k, dk, s []float64, _ float64) {
	copy(k, s)
	fill(dk, 1)
}

// Polynomial is the kernel (γ⟨x, y⟩ + c)^p. The defaults, with the unbiased
// estimator, are those of the kernel Inception distance (Bińkowski et al.
// 2018).
type Polynomial struct {
	Degree int     // p, at most 100. If it is zero, 3 is used.
	Gamma  float64 // > 0. If it is zero, 1/Dim is used.
	Offset float64 // c ≥ 0. If it is zero, 1 is used; for none, choose a tiny one.
}

// maxDegree keeps the loop that multiplies powers short.
const maxDegree = 100

// Argument implements Kernel.
func (Polynomial) Argument() Cost { return InnerProduct{} }

// Bandwidth implements Kernel: it is γ.
func (p Polynomial) Bandwidth(_ *Workspace, x, _ Sample) (float64, error) {
	if p.Degree < 0 || p.Degree > maxDegree {
		return 0, fmt.Errorf("%w: Polynomial.Degree is %d, want 0 to %d", ErrParameter, p.Degree, maxDegree)
	}
	if err := checkSetting("Polynomial.Offset", p.Offset); err != nil {
		return 0, err
	}
	gamma := cmp.Or(p.Gamma, 1/float64(x.Dim))
	return gamma, checkPositive("Polynomial.Gamma", gamma)
}

// Map implements Kernel.
func (p Polynomial) Map(k, dk, s []float64, gamma float64) {
	degree, offset := cmp.Or(p.Degree, 3), cmp.Or(p.Offset, 1)
	for i, v := range s {
		base, power := gamma*v+offset, 1.
		for range degree - 1 {
			power *= base
		}
		k[i] = power * base
		if dk != nil {
			dk[i] = float64(degree) * gamma * power
		}
	}
}

// RationalQuadratic is the kernel (1 + |x−y|²/2ασ²)^(−α): a mixture of
// Gaussians of all bandwidths. With α = ½ it is the inverse multiquadric
// (1 + |x−y|²/σ²)^(−½).
type RationalQuadratic struct {
	Sigma float64 // as in Gaussian
	Alpha float64 // > 0. If it is zero, 1 is used.
}

// Argument implements Kernel.
func (RationalQuadratic) Argument() Cost { return SqEuclidean{} }

// Bandwidth implements Kernel.
func (q RationalQuadratic) Bandwidth(ws *Workspace, x, y Sample) (float64, error) {
	if err := checkSetting("RationalQuadratic.Alpha", q.Alpha); err != nil {
		return 0, err
	}
	return bandwidth(ws, "RationalQuadratic.Sigma", q.Sigma, x, y)
}

// Map implements Kernel.
func (q RationalQuadratic) Map(k, dk, s []float64, bandwidth float64) {
	alpha := cmp.Or(q.Alpha, 1)
	r := .5 / (alpha * bandwidth * bandwidth)
	for i, v := range s {
		base := 1 + r*v
		switch alpha {
		case 1:
			k[i] = 1 / base
		case .5:
			k[i] = 1 / math.Sqrt(base)
		default:
			k[i] = math.Pow(base, -alpha)
		}
		if dk != nil {
			dk[i] = -alpha * r * k[i] / base
		}
	}
}
