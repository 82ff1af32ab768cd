package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// inner returns ⟨P, C⟩ after finish.
func (t *transport) inner() float64 {
	var s float64
	for i := range t.n {
		s += kernel.Dot(t.p[i*t.m:(i+1)*t.m], t.c[i*t.m:(i+1)*t.m])
	}
	return s
}

// sharpen turns the plan into the derivative of ⟨P, C⟩ in C, which accounts for
// how the plan itself moves:
//
//	G = P∘(1 − C/ε + λ1ᵀ + 1μᵀ),  diag(P1)λ + Pμ = (P∘C)1/ε,
//	                               Pᵀλ + diag(Pᵀ1)μ = (P∘C)ᵀ1/ε.
//
// It eliminates λ and solves for μ by conjugate gradients. Reference: Luise et
// al., Differential properties of Sinkhorn approximation (2018), Theorem 2.
func (t *transport) sharpen(ws *Workspace) {
	ws = ws.Enter()
	defer ws.Leave()
	m := t.m
	r, pc := ws.Floats(t.n), ws.Floats(t.n)
	lambda := ws.Floats(t.n)
	rhs, mu := t.work.rhs, t.work.step
	clear(t.col)
	clear(rhs)
	for i := range t.n {
		row, c := t.p[i*m:i*m+m], t.c[i*m:i*m+m]
		r[i] = kernel.Sum(row)
		pc[i] = kernel.Dot(row, c) / t.eps
		lambda[i] = 0
		if r[i] > 0 {
			lambda[i] = pc[i] / r[i]
		}
		for j, p := range row {
			t.col[j] += p
			rhs[j] += p * (c[j]/t.eps - lambda[i])
		}
	}
	// The Schur complement is that of the plan as it is.
	exact := t.a
	t.a = r
	t.stats.Inner += t.solveSchur(mu, rhs, 1e-13)
	t.a = exact
	for i := range t.n {
		row, c := t.p[i*m:i*m+m], t.c[i*m:i*m+m]
		if r[i] > 0 {
			lambda[i] -= kernel.Dot(row, mu) / r[i]
		}
		for j, p := range row {
			row[j] = p * (1 - c[j]/t.eps + lambda[i] + mu[j])
		}
	}
}

// extend gives points without mass the potentials that one more point of
// infinitesimal mass would have there.
func (t *transport) extend() {
	for j, g := range t.g {
		t.shift[j] = g + t.eps*t.logb[j]
	}
	for i, a := range t.a {
		if a == 0 {
			t.f[i] = -t.eps * kernel.LogSumExpDiff(t.shift, t.c[i*t.m:(i+1)*t.m], 1/t.eps) / (1 + t.kappa)
		}
	}
	for j, b := range t.b {
		if b > 0 {
			continue
		}
		for i, a := range t.a {
			t.next[i] = (t.f[i]-t.c[i*t.m+j])/t.eps + math.Log(a)
		}
		t.g[j] = -t.eps * kernel.LogSumExp(t.next) / (1 + t.kappa)
	}
}

// massSlope writes into dst the derivative of the optimum in the weight of
// each point with potential pot, where the other side has the given mass.
func (t *transport) massSlope(dst, pot []float64, other, coef float64) {
	for i, f := range pot {
		s := t.worth(f)
		if t.kappa > 0 {
			s -= t.eps * (math.Exp(-f/t.rho()) - other)
		}
		dst[i] += coef * s
	}
}
