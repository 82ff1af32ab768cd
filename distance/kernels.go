package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Form says which number of two points a Kernel is a function of.
type Form int

const (
	SqDist Form = iota // |x−y|²
	Inner              // ⟨x, y⟩
	L1Dist             // Σ|xₖ−yₖ|
)

// What a Kernel's Bandwidth may return instead of a positive scale.
const (
	MedianHeuristic  = 0.  // take MedianDistance of the samples
	InverseDimension = -1. // take 1/Dim
	NoBandwidth      = -2. // Map does not use it
)

// Kernel is a function k(x, y) = κ(s) of one number s of the two points.
type Kernel interface {
	// Form returns which number s is.
	Form() Form
	// Bandwidth returns the positive scale that Map wants, or one of
	// MedianHeuristic, InverseDimension and NoBandwidth.
	Bandwidth() float64
	// Map writes κ(s[i]) into k and, unless dk is nil, κ'(s[i]) into dk. All
	// are of one length; k and dk do not overlap s.
	Map(k, dk, s []float64, bandwidth float64)
}

// Gaussian is the kernel Σ exp(−|x−y|²/2σ²), summed over one or more
// bandwidths σ. Far beyond σ its gradient vanishes; Energy has none of this.
type Gaussian struct {
	// Sigma is the bandwidth. If it is zero, the median of the distances
	// between all points of both samples is used, anew at each Eval and as a
	// constant in the gradient.
	Sigma float64

	// Multiples are the bandwidths to sum over, in units of Sigma. If it is
	// empty, there is one, Sigma.
	Multiples []float64
}

// Form implements Kernel.
func (Gaussian) Form() Form { return SqDist }

// Bandwidth implements Kernel.
func (g Gaussian) Bandwidth() float64 { return g.Sigma }

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

// Form implements Kernel.
func (l Laplacian) Form() Form {
	if l.L1 {
		return L1Dist
	}
	return SqDist
}

// Bandwidth implements Kernel.
func (l Laplacian) Bandwidth() float64 { return l.Sigma }

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

// Form implements Kernel.
func (Energy) Form() Form { return SqDist }

// Bandwidth implements Kernel.
func (Energy) Bandwidth() float64 { return NoBandwidth }

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

// Form implements Kernel.
func (Linear) Form() Form { return Inner }

// Bandwidth implements Kernel.
func (Linear) Bandwidth() float64 { return NoBandwidth }

// Map implements Kernel.
func (Linear) Map(k, dk, s []float64, _ float64) {
	copy(k, s)
	fill(dk, 1)
}

// Polynomial is the kernel (γ⟨x, y⟩ + c)^p. The defaults, with the unbiased
// estimator, are those of the kernel Inception distance (Bińkowski et al.
// 2018).
type Polynomial struct {
	Degree int     // p. If it is zero, 3 is used.
	Gamma  float64 // If it is zero, 1/Dim is used.
	Offset float64 // c. If it is zero, 1 is used; for none, choose a tiny one.
}

// Form implements Kernel.
func (Polynomial) Form() Form { return Inner }

// Bandwidth implements Kernel: it is γ.
func (p Polynomial) Bandwidth() float64 {
	if p.Gamma == 0 {
		return InverseDimension
	}
	return p.Gamma
}

// Map implements Kernel.
func (p Polynomial) Map(k, dk, s []float64, gamma float64) {
	degree, offset := p.Degree, p.Offset
	if degree == 0 {
		degree = 3
	}
	if offset == 0 {
		offset = 1
	}
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
// Gaussians of all bandwidths.
type RationalQuadratic struct {
	Sigma float64 // as in Gaussian
	Alpha float64 // If it is zero, 1 is used.
}

// Form implements Kernel.
func (RationalQuadratic) Form() Form { return SqDist }

// Bandwidth implements Kernel.
func (q RationalQuadratic) Bandwidth() float64 { return q.Sigma }

// Map implements Kernel.
func (q RationalQuadratic) Map(k, dk, s []float64, bandwidth float64) {
	alpha := q.Alpha
	if alpha == 0 {
		alpha = 1
	}
	r := .5 / (alpha * bandwidth * bandwidth)
	for i, v := range s {
		base := 1 + r*v
		if alpha == 1 {
			k[i] = 1 / base
		} else {
			k[i] = math.Pow(base, -alpha)
		}
		if dk != nil {
			dk[i] = -alpha * r * k[i] / base
		}
	}
}

// InverseMultiquadric is the kernel (1 + |x−y|²/σ²)^(−½).
type InverseMultiquadric struct {
	Sigma float64 // as in Gaussian
}

// Form implements Kernel.
func (InverseMultiquadric) Form() Form { return SqDist }

// Bandwidth implements Kernel.
func (q InverseMultiquadric) Bandwidth() float64 { return q.Sigma }

// Map implements Kernel.
func (q InverseMultiquadric) Map(k, dk, s []float64, bandwidth float64) {
	r := 1 / (bandwidth * bandwidth)
	for i, v := range s {
		base := 1 + r*v
		k[i] = 1 / math.Sqrt(base)
		if dk != nil {
			dk[i] = -.5 * r * k[i] / base
		}
	}
}
