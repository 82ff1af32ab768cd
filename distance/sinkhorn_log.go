package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// transport is one entropic transport problem between given masses, with its
// potentials f and g: the plan is aᵢ bⱼ exp((fᵢ+gⱼ−cᵢⱼ)/ε).
type transport struct {
	n, m    int
	eps     float64
	a, b    []float64
	la, lb  []float64 // ε log a, ε log b
	c, ct   []float64 // costs and their transpose
	f, g    []float64
	shifted []float64 // max(n, m) numbers
	work    []float64 // n numbers
	tol     float64
	maxIter int
	mass    float64 // of the plan
	stats   Stats
}

func newTransport(ws *Workspace, a, b, c []float64, eps, tol float64, maxIter int) transport {
	n, m := len(a), len(b)
	t := transport{
		n: n, m: m, eps: eps, a: a, b: b, c: c, tol: tol, maxIter: maxIter, mass: 1,
		la: ws.Floats(n), lb: ws.Floats(m), ct: ws.Floats(n * m),
		f: ws.Floats(n), g: ws.Floats(m), shifted: ws.Floats(max(n, m)), work: ws.Floats(n),
	}
	scaledLog(t.la, a, eps)
	scaledLog(t.lb, b, eps)
	transpose(t.ct, c, n, m)
	clear(t.f)
	clear(t.g)
	return t
}

func scaledLog(dst, w []float64, eps float64) {
	for i, v := range w {
		dst[i] = eps * math.Log(v)
	}
}

// transpose writes the transpose of the n×m matrix c, in blocks that stay in
// the first-level cache.
func transpose(dst, c []float64, n, m int) {
	const block = 16
	for i0 := 0; i0 < n; i0 += block {
		for j0 := 0; j0 < m; j0 += block {
			for i := i0; i < min(i0+block, n); i++ {
				for j := j0; j < min(j0+block, m); j++ {
					dst[j*n+i] = c[i*m+j]
				}
			}
		}
	}
}

// rows returns in dst the potential of the rows that gives each of them its
// mass: −ε log Σⱼ bⱼ exp((gⱼ−cᵢⱼ)/ε).
func (t *transport) rows(dst []float64) { t.half(dst, t.c, t.g, t.lb) }

// columns is rows for the columns.
func (t *transport) columns(dst []float64) { t.half(dst, t.ct, t.f, t.la) }

func (t *transport) half(dst, c, other, logw []float64) {
	w := t.shifted[:len(other)]
	for j, v := range other {
		w[j] = v + logw[j]
	}
	for i := range dst {
		dst[i] = -t.eps * kernel.LogSumExpDiff(w, c[i*len(w):(i+1)*len(w)], 1/t.eps)
	}
}

// solve runs Sinkhorn's sweeps in the log domain until the marginal error is
// within tol. The columns of the plan have their exact mass then.
func (t *transport) solve() {
	next := t.work
	t.rows(t.f)
	t.columns(t.g)
	for t.stats.Iterations = 1; ; t.stats.Iterations++ {
		t.rows(next)
		t.stats.MarginalError = t.marginal(t.f, next, t.a)
		t.stats.Converged = t.stats.MarginalError <= t.tol
		if t.stats.Converged || t.stats.Iterations >= t.maxIter {
			return
		}
		copy(t.f, next)
		t.columns(t.g)
	}
}

// marginal returns the error Σ|rows − w| of the plan with potential pot, where
// next is the potential that would have none.
func (t *transport) marginal(pot, next, w []float64) (err float64) {
	for i, v := range next {
		if w[i] > 0 {
			err += w[i] * math.Abs(math.Expm1((pot[i]-v)/t.eps))
		}
	}
	return err
}

// solveSelf is solve for a symmetric problem, whose two potentials are equal.
// The averaged update contracts where alternating ones oscillate (Feydy et
// al. 2019, §3.2).
func (t *transport) solveSelf() {
	next := t.work
	for t.stats.Iterations = 1; ; t.stats.Iterations++ {
		copy(t.g, t.f)
		t.rows(next)
		t.stats.MarginalError = 2 * t.marginal(t.f, next, t.a)
		t.stats.Converged = t.stats.MarginalError <= t.tol
		if t.stats.Converged || t.stats.Iterations >= t.maxIter {
			break
		}
		for i, v := range next {
			t.f[i] = (t.f[i] + v) / 2
		}
	}
	// The mass of the plan is not exactly one here.
	t.mass = 0
	for i, v := range next {
		if t.a[i] > 0 {
			t.mass += t.a[i] * math.Exp((t.f[i]-v)/t.eps)
		}
	}
}

// value is that of the dual problem at f and g.
func (t *transport) value() float64 {
	return weighted(t.a, t.f) + weighted(t.b, t.g) - t.eps*(t.mass-1)
}

// weighted is Σ wᵢvᵢ over the rows that have mass.
func weighted(w, v []float64) float64 {
	var s float64
	for i, x := range w {
		if x > 0 {
			s += x * v[i]
		}
	}
	return s
}

// plan writes coef times the plan.
func (t *transport) plan(dst []float64, coef float64) {
	for i, fi := range t.f {
		row, c := dst[i*t.m:(i+1)*t.m], t.c[i*t.m:(i+1)*t.m]
		for j, v := range c {
			row[j] = (fi + t.g[j] - v) / t.eps
		}
		kernel.Exp(row, row)
		for j, v := range t.b {
			row[j] *= coef * t.a[i] * v
		}
	}
}
