package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// gap returns a bound on the error of the dual value after finish: the primal
// objective of a plan with exact marginals less the dual objective.
//
// The plan is that of Altschuler, Weed and Rigollet, Near-linear time
// approximation algorithms for optimal transport via Sinkhorn iteration (2017),
// Algorithm 2: rows and columns that have too much are scaled down by x and y,
// which leaves Q₁ of mass 1−δ, and the missing mass is spread as the rank-one
// Q₂. The objective F is convex, so F(Q₁+Q₂) ≤ (1−δ)F(Q₁/(1−δ)) + δF(Q₂/δ), and
// both terms follow from marginals, without a logarithm an entry.
func (t *transport) gap(ws *Workspace) float64 {
	ws = ws.Enter()
	defer ws.Leave()
	n, m := t.n, t.m
	er, ec := ws.Floats(n), ws.Floats(m)
	x, y := t.u, t.v
	clear(ec)
	for i, a := range t.a {
		row := t.p[i*m : i*m+m]
		x[i] = 0
		if s := kernel.Sum(row); s > 0 {
			x[i] = min(1, a/s)
		}
		kernel.Axpy(x[i], row, ec)
	}
	var short float64
	for j, b := range t.b {
		y[j] = 0
		if ec[j] > 0 {
			y[j] = min(1, b/ec[j])
		}
		ec[j] = max(0, b-float64(y[j]*ec[j])) // not fused: what y makes equal leaves no rest
		short += ec[j]
	}
	var first, mass float64
	for i, a := range t.a {
		s := x[i] * kernel.Dot(t.p[i*m:i*m+m], y)
		er[i] = max(0, a-s)
		if s > 0 {
			first += s * (t.f[i] + t.eps*math.Log(x[i]))
			mass += s
		}
	}
	for j, b := range t.b {
		if s := b - ec[j]; s > 0 && b > 0 {
			first += s * (t.g[j] + t.eps*math.Log(y[j]))
		}
	}
	first -= t.eps * mass * math.Log(mass)
	return max(0, first+t.spreadCost(er, ec, short)-t.dual(t.mass))
}

// gapSlack is the share of Tol·ρ(Σa+Σb) that the gap of a relaxed problem may
// have: with r and s the marginals of the plan and a' the marginal that f asks
// for, the gap ρ KL(r|a') exceeds ρΣ|r−a'|, which Tol bounds, by the logarithm
// of r/a' at most where r is larger.
const gapSlack = 10

// relaxedGap is gap for relaxed marginals, where every plan is feasible: with
// a' = a e^(−f/ρ), b' = b e^(−g/ρ), the objective of the plan of f and g exceeds
// the dual objective by ρ KL(P1|a') + ρ KL(Pᵀ1|b').
func (t *transport) relaxedGap(ws *Workspace) float64 {
	ws = ws.Enter()
	defer ws.Leave()
	col := ws.Floats(t.m)
	clear(col)
	var gap float64
	for i, a := range t.a {
		row := t.p[i*t.m : (i+1)*t.m]
		if a > 0 {
			gap += relaxedEntropy(kernel.Sum(row), t.rowMass(i))
		}
		kernel.Axpy(1, row, col)
	}
	for j, b := range t.b {
		if b > 0 {
			gap += relaxedEntropy(col[j], t.target(j))
		}
	}
	return t.rho() * gap
}

// relaxedEntropy returns r log(r/w) − r + w. Near r = w it is computed from the
// difference, which the three terms would lose.
func relaxedEntropy(r, w float64) float64 {
	if r == 0 {
		return w
	}
	if d := (r - w) / w; math.Abs(d) < 1e-3 {
		return w * d * d * (.5 - d*(1./6-d/12))
	}
	return r*math.Log(r/w) - r + w
}

// spreadCost returns δ F(er ecᵀ/δ²), where er and ec have the sum δ.
func (t *transport) spreadCost(er, ec []float64, delta float64) float64 {
	if !(delta > 0) {
		return 0
	}
	var cost float64
	for i, e := range er {
		if e > 0 {
			cost += e / delta * kernel.Dot(ec, t.c[i*t.m:(i+1)*t.m])
		}
	}
	return cost + t.eps*(relativeEntropy(er, t.a, delta)+relativeEntropy(ec, t.b, delta))
}

// relativeEntropy returns Σ e log(e/(δ w)).
func relativeEntropy(e, w []float64, delta float64) float64 {
	var s float64
	for i, v := range e {
		if v > 0 {
			s += v * math.Log(v/(delta*w[i]))
		}
	}
	return s
}
