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

// Kernel is a function k(x, y) = κ(s) of one number s of the two points.
type Kernel interface {
	// Form returns which number s is.
	Form() Form
	// Bandwidth returns the scale that Map wants, or 0 to have it chosen by
	// the median heuristic, or a negative number if Map does not use it.
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
		for i, v := range s[lo:hi] {
			e[i] = r * v
		}
		kernel.Exp(e, e)
		if !more {
			clear(k[lo:hi])
		}
		kernel.Axpy(1, e, k[lo:hi])
		if dk == nil {
			continue
		}
		if !more {
			clear(dk[lo:hi])
		}
		kernel.Axpy(r, e, dk[lo:hi])
	}
}

// Energy is the kernel −|x−y|, for which MMD² is the energy distance
// 2E|X−Y| − E|X−X'| − E|Y−Y'| (Székely and Rizzo 2013). It has no scale to
// choose and its gradient does not vanish with distance. Where points
// coincide, the gradient is taken as zero.
type Energy struct{}

// Form implements Kernel.
func (Energy) Form() Form { return SqDist }

// Bandwidth implements Kernel.
func (Energy) Bandwidth() float64 { return -1 }

// Map implements Kernel.
func (Energy) Map(k, dk, s []float64, _ float64) {
	for i, v := range s {
		k[i] = -math.Sqrt(v)
	}
	for i := range dk {
		dk[i] = 0
		if k[i] < 0 {
			dk[i] = .5 / k[i]
		}
	}
}
