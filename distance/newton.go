package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// newton maximizes the dual over g, with f always the best for g, by Newton
// steps from a fresh spread. The Hessian is the Schur complement
//
//	S = diag(Pᵀ1) − Pᵀ diag(P1)⁻¹ P
//
// (with terms in ε/ρ where marginals are relaxed). It is applied, not formed,
// so that a step of conjugate gradients costs as much as a sweep. It stops
// when the marginal error is within tol, after limit steps, or when no step
// along the Newton direction improves.
func (t *transport) newton(tol float64, limit int) {
	w := t.work
	t.stats.MarginalError = t.columnError()
	for step := 0; t.stats.MarginalError > tol && step < limit; step++ {
		t.stats.NewtonSteps++
		for j := range t.m {
			w.rhs[j] = t.eps * (t.target(j) - t.col[j])
		}
		forcing := min(.1, math.Sqrt(t.stats.MarginalError))
		t.damping = min(1e-4, 1e-3*t.stats.MarginalError)
		t.stats.Inner += t.solveSchur(w.step, w.rhs, forcing)
		t.damping = 0
		if !t.search(w.step, kernel.Dot(w.rhs, w.step)/t.eps) {
			return
		}
	}
}

// columnError is the marginal error of the columns after spread.
func (t *transport) columnError() (err float64) {
	for j, s := range t.col {
		err += math.Abs(s - t.target(j))
	}
	return err / t.scale
}

// trust is how far the first trial may move a potential, in units of ε: where
// a group of points has yet to gain its mass, the dual is flat to one side,
// and Newton's own step leaps over the summit.
const trust = 20

// search halves the step along dir until the dual rises by enough of what its
// slope promises, or the marginal error falls, which decides where the rise is
// lost in rounding. If nothing helps, it restores the potentials.
func (t *transport) search(dir []float64, slope float64) bool {
	w := t.work
	copy(w.f, t.f)
	copy(w.g, t.g)
	before, err := t.dual(sum(t.col)), t.stats.MarginalError
	first := min(1, trust*t.eps/largestAbs(dir))
	for h := first; h > 1e-6*first; h /= 2 {
		for j, g := range w.g {
			t.g[j] = g + h*dir[j]
		}
		t.spread()
		t.stats.MarginalError = t.columnError()
		rise := t.dual(sum(t.col)) - before
		if t.stats.MarginalError <= .9*err || rise >= .1*h*slope && rise > 1e-14*math.Abs(before) {
			return true
		}
		copy(t.f, w.f)
	}
	copy(t.g, w.g)
	t.spread()
	t.stats.MarginalError = err
	return false
}

func largestAbs(x []float64) float64 {
	m := math.SmallestNonzeroFloat64
	for _, v := range x {
		m = max(m, math.Abs(v))
	}
	return m
}

// newtonWork is the memory of Newton steps.
type newtonWork struct {
	f                   []float64
	g, rhs, step        []float64
	res, dir, prod, pre []float64
}

func newNewtonWork(ws *Workspace, n, m int) newtonWork {
	v := func() []float64 { return ws.Floats(m) }
	return newtonWork{f: ws.Floats(n), g: v(), rhs: v(), step: v(), res: v(), dir: v(), prod: v(), pre: v()}
}

// maxInner limits the steps of conjugate gradients in one Newton step.
const maxInner = 400

// solveSchur solves S x = rhs to the relative accuracy forcing by conjugate
// gradients with diagonal preconditioning, and returns the number of steps. S
// may be singular along constants, which neither matter nor appear.
func (t *transport) solveSchur(x, rhs []float64, forcing float64) int {
	w := t.work
	t.schurDiagonal(w.pre)
	clear(x)
	copy(w.res, rhs)
	var rz float64
	for j, r := range w.res {
		w.dir[j] = r * w.pre[j]
		rz += r * w.dir[j]
	}
	goal := forcing * forcing * rz
	for k := 0; k < maxInner; k++ {
		if !(rz > goal) {
			return k
		}
		t.applySchur(w.prod, w.dir)
		curvature := kernel.Dot(w.dir, w.prod)
		if !(curvature > 0) {
			return k
		}
		alpha := rz / curvature
		kernel.Axpy(alpha, w.dir, x)
		kernel.Axpy(-alpha, w.prod, w.res)
		var next float64
		for j, r := range w.res {
			next += r * r * w.pre[j]
		}
		beta := next / rz
		for j, r := range w.res {
			w.dir[j] = r*w.pre[j] + beta*w.dir[j]
		}
		rz = next
	}
	return maxInner
}

// rowMass is the sum of row i of the plan after spread.
func (t *transport) rowMass(i int) float64 {
	if t.kappa == 0 {
		return t.a[i]
	}
	return t.a[i] * math.Exp(-t.f[i]/t.rho())
}

// applySchur writes S z in one pass over the plan.
func (t *transport) applySchur(dst, z []float64) {
	for j, s := range t.col {
		dst[j] = z[j] * (s*(1+t.damping) + t.kappa*t.target(j))
	}
	for i, a := range t.a {
		if a > 0 && t.rowMass(i) > 0 {
			row := t.p[i*t.m : (i+1)*t.m]
			kernel.Axpy(-kernel.Dot(row, z)/(t.rowMass(i)*(1+t.kappa)), row, dst)
		}
	}
}

// schurDiagonal writes the reciprocal diagonal of S, and 0 for columns without
// mass.
func (t *transport) schurDiagonal(dst []float64) {
	for j, s := range t.col {
		dst[j] = s*(1+t.damping) + t.kappa*t.target(j)
	}
	for i, a := range t.a {
		if a == 0 || t.rowMass(i) == 0 {
			continue
		}
		r := 1 / (t.rowMass(i) * (1 + t.kappa))
		for j, v := range t.p[i*t.m : (i+1)*t.m] {
			dst[j] -= r * v * v
		}
	}
	for j, s := range t.col {
		if d := max(dst[j], 1e-10*s); d > 0 {
			dst[j] = 1 / d
		} else {
			dst[j] = 0
		}
	}
}
