package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// relaxation is one strength of over-relaxation: a factor x is applied to the
// power ω = 2 − 2^(−roots). The dual gains a(ω log x − x^(ω−1) + 1/x) by it in
// each coordinate, which is positive for x up to limit: coordinates beyond take
// the plain step, so every half sweep ascends (compare Thibault et al.,
// Overrelaxed Sinkhorn–Knopp algorithm, 2021).
type relaxation struct {
	roots int
	limit float64
}

var relaxations = [...]relaxation{{0, math.MaxFloat64}, {1, 16}, {2, 2}, {3, 1.5}, {4, 1.2}}

// power returns x^ω within the limit and x beyond it.
func (r relaxation) power(x float64) float64 {
	if !(x <= r.limit) {
		return x
	}
	y := x
	for range r.roots {
		x = math.Sqrt(x)
		y *= x
	}
	return y
}

func (r relaxation) omega() float64 { return 2 - math.Pow(2, -float64(r.roots)) }

// far is the factor at which u and v are absorbed: entries of the plan that
// were lost to underflow stay below 1e-308·far² then.
const far = 1e40

// pace follows the marginal error to choose the relaxation, and to tell when
// sweeps do not pay any more.
type pace struct {
	level int
	mark  float64 // error at the last decision
}

// every is the number of sweeps between two decisions.
const every = 8

// decide raises the relaxation while the error falls more slowly than the
// present one would make it at its best, which is by ω−1 a sweep, and returns
// how many more sweeps the error needs to reach tol.
func (p *pace) decide(err, tol float64, sweeps int) (left float64) {
	rate := math.Pow(err/p.mark, 1/float64(sweeps))
	p.mark = err
	if !(rate < 1) {
		rate = 1 - 1e-3
	}
	best := 2 / (1 + math.Sqrt(1-rate)) // if the present step were plain
	if p.level > 0 {
		best = rate + 1
	}
	for p.level < len(relaxations)-1 && relaxations[p.level+1].omega() < best+.05*(2-best) {
		p.level++
		if p.level > 1 {
			break
		}
	}
	return math.Log(tol/err) / math.Log(rate)
}

// sweep runs sweeps from a fresh spread until the marginal error is within tol
// or limit sweeps are done, or (if mayStop) Newton steps promise more.
func (t *transport) sweep(tol float64, limit int, mayStop bool) {
	var p pace
	plain := relaxations[0]
	r, exact := plain, true
	for k := 1; k <= limit; k++ {
		t.stats.Iterations++
		if !t.columns(r) {
			t.lift()
			r = plain
			t.columns(r)
		}
		exact = r.roots == 0
		err, wild := t.rows(r)
		t.stats.MarginalError = err
		if err <= tol && exact || math.IsNaN(err) {
			return
		}
		copy(t.u, t.next)
		if wild {
			t.absorb()
			t.spread()
		}
		r = relaxations[p.level]
		if t.kappa > 0 || err <= tol {
			r = plain
		}
		if k == 1 {
			p.mark = err
		}
		if k%every > 0 {
			continue
		}
		left := p.decide(err, tol, min(k-1, every))
		if mayStop && t.newtonAt >= 0 && t.stats.Iterations+every > t.newtonAt && left > every-2 {
			return
		}
	}
}

// columns scales the columns towards their mass, from the sums of the plan
// scaled by u in col. It reports false if one has underflowed.
func (t *transport) columns(r relaxation) bool {
	for j, b := range t.b {
		s := t.col[j]
		switch {
		case b == 0:
		case !(s > 1e-280):
			if t.target(j) > 1e-280 {
				return false
			}
		case t.kappa > 0:
			t.v[j] = math.Pow(t.target(j)/s, 1/(1+t.kappa))
		case r.roots == 0:
			t.v[j] = b / s
		default:
			t.v[j] *= r.power(b / (s * t.v[j]))
		}
	}
	return true
}

// rows writes into next the factors that scale the rows towards their mass and
// into col the column sums then, in one pass over the plan. It returns the
// marginal error of the rows with the factors as they are, and whether factors
// are so far from one that they should be absorbed.
func (t *transport) rows(r relaxation) (err float64, wild bool) {
	clear(t.col)
	m := t.m
	for i, a := range t.a {
		row := t.p[i*m : i*m+m]
		s := kernel.Dot(row, t.v)
		if a == 0 || s == 0 && t.kappa > 0 { // a relaxed row may have no mass
			t.next[i] = 1
			continue
		}
		u := t.rowFactor(r, i, a, s)
		best := a / s
		if t.kappa > 0 {
			best = u
		}
		err += s * math.Abs(t.u[i]-best)
		if !(u < far && u > 1/far) {
			wild = true
		}
		t.next[i] = u
		kernel.Axpy(u, row, t.col)
	}
	for _, v := range t.v {
		if !(v < far && v > 1/far) {
			wild = true
		}
	}
	return err / t.scale, wild
}

func (t *transport) rowFactor(r relaxation, i int, a, s float64) float64 {
	switch {
	case t.kappa > 0:
		return math.Pow(a*math.Exp(-t.f[i]/t.rho())/s, 1/(1+t.kappa))
	case r.roots == 0:
		return a / s
	}
	return t.u[i] * r.power(a/(s*t.u[i]))
}

// solve finds the potentials: from those in f and g, in stages of decreasing ε
// if anneal is set and the costs are large in units of ε.
func (t *transport) solve(anneal bool) {
	if anneal {
		t.anneal()
	}
	t.spread()
	t.sweep(t.tol, t.maxIter-t.stats.Iterations, true)
	if t.newtonAt >= 0 && t.stats.MarginalError > t.tol && t.stats.Iterations < t.maxIter {
		t.absorb()
		t.spread()
		t.newton(t.tol, 50)
		if left := t.maxIter - t.stats.Iterations; t.stats.MarginalError > t.tol && left > 0 {
			t.sweep(t.tol, left, false)
		}
	}
	t.finish()
}

// annealFrom is the range of the costs in units of ε above which the problem is
// first solved, to the marginal error rough, for larger ε: where groups of
// points have to exchange mass over long distances, neither sweeps nor Newton
// steps at the final ε see them.
const (
	annealFrom = 60
	rough      = .02
)

func (t *transport) anneal() {
	eps, kappa := t.eps, t.kappa
	if t.span <= annealFrom*eps {
		return
	}
	for e := t.span / 10; e > 1.5*eps && t.stats.Iterations < t.maxIter; e /= 3 {
		t.eps, t.kappa = e, kappa*(e/eps)
		t.spread()
		t.sweep(rough, min(4, t.maxIter-t.stats.Iterations), false)
		t.absorb()
		if t.stats.MarginalError > rough && t.newtonAt >= 0 {
			t.spread()
			t.newton(rough, 20)
		}
	}
	t.eps, t.kappa = eps, kappa
}

// selfSweeps is how many averaged sweeps are tried. Where exp(−c/ε) is
// positive definite, the error is at least halved by each.
const selfSweeps = 60

// solveSelf is solve for a symmetric problem, whose two potentials are equal.
// The averaged update contracts where alternating ones oscillate (Feydy et
// al. 2019, §3.2).
func (t *transport) solveSelf() {
	copy(t.g, t.f)
	for range min(selfSweeps, t.maxIter) {
		t.stats.Iterations++
		copy(t.next, t.f)
		t.spread()
		var err float64
		for i, f := range t.f {
			if t.a[i] > 0 {
				best := t.a[i]
				if t.kappa > 0 {
					best *= math.Exp(-f / t.rho())
				}
				err += best * math.Abs(math.Expm1((t.next[i]-f)/t.eps))
			}
		}
		t.stats.MarginalError = 2 * err / t.scale
		if t.stats.MarginalError <= t.tol {
			break
		}
		for i, f := range t.f {
			t.g[i] = (t.next[i] + f) / 2
		}
		copy(t.f, t.g)
	}
	if t.stats.MarginalError > t.tol {
		t.solve(true)
		return
	}
	// p has its rows from the new f and its columns from the old.
	t.finish()
}
