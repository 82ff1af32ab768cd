package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// transport is one entropic transport problem with its potentials f and g: the
// plan is aᵢ bⱼ exp((fᵢ+gⱼ−cᵢⱼ)/ε).
//
// Work goes on in two representations. After spread, p holds the plan of f and
// g, whose rows have their mass, and col its column sums. Sweeps then keep f,
// g and p as they are and scale rows by u and columns by v; absorb moves these
// factors into f and g.
type transport struct {
	n, m       int
	eps        float64
	kappa      float64 // ε/ρ for marginals relaxed with strength ρ; 0: exact
	a, b, logb []float64
	c, p       []float64
	f, g       []float64
	u, v, next []float64
	col, shift []float64
	ones       []float64
	tol, scale float64 // scale is the mass that marginal errors are relative to
	span       float64 // of the costs, from least to largest
	damping    float64 // of Newton steps: added to S as a share of diag(Pᵀ1)
	mass       float64 // of the plan, once finished
	maxIter    int
	newtonAt   int // sweeps before Newton steps; negative: never
	work       newtonWork
	stats      Stats
}

func newTransport(ws *Workspace, s *Sinkhorn, a, b, c []float64) transport {
	n, m := len(a), len(b)
	t := transport{
		n: n, m: m, eps: s.Epsilon, a: a, b: b, c: c,
		tol: s.Tol, maxIter: s.MaxIter, newtonAt: s.NewtonAfter,
		logb: ws.Floats(m), p: ws.Floats(n * m),
		f: ws.Floats(n), g: ws.Floats(m), u: ws.Floats(n), v: ws.Floats(m),
		next: ws.Floats(n), col: ws.Floats(m), shift: ws.Floats(m), ones: ws.Floats(m),
		scale: math.Sqrt(sum(a) * sum(b)),
		work:  newNewtonWork(ws, n, m),
	}
	if s.Rho > 0 {
		t.kappa = t.eps / s.Rho
	}
	for j, w := range b {
		t.logb[j] = math.Log(w)
	}
	clear(t.f)
	clear(t.g)
	fill(t.ones, 1)
	return t
}

// restart forgets the potentials and the statistics.
func (t *transport) restart() {
	clear(t.f)
	clear(t.g)
	fill(t.u, 1)
	fill(t.v, 1)
	t.damping, t.stats = 0, Stats{}
}

// rho is the strength with which the marginals are held, +Inf for exactly.
func (t *transport) rho() float64 { return t.eps / t.kappa }

// spread sets f to the best potential of the rows for g, p to the plan and col
// to its column sums. It is the half sweep in the log domain: one exponential
// an entry, with the old f as the shift that keeps it in range.
func (t *transport) spread() {
	inv := 1 / t.eps
	for j, g := range t.g {
		t.shift[j] = g + t.eps*t.logb[j]
	}
	clear(t.col)
	for i := range t.f {
		row := t.p[i*t.m : (i+1)*t.m]
		t.spreadRow(row, t.c[i*t.m:(i+1)*t.m], i, inv)
		if t.a[i] > 0 {
			kernel.Axpy(1, row, t.col)
		}
	}
	fill(t.u, 1)
	fill(t.v, 1)
}

func (t *transport) spreadRow(row, c []float64, i int, inv float64) {
	s := t.entries(row, c, t.f[i], inv)
	if !(s > 1e-280 && s < 1e280) {
		t.f[i] = -t.eps * kernel.LogSumExpDiff(t.shift, c, inv)
		s = t.entries(row, c, t.f[i], inv)
	}
	best := (t.f[i] - t.eps*math.Log(s)) / (1 + t.kappa)
	q := t.a[i] / s
	if t.kappa > 0 {
		q = t.a[i] * math.Exp((best-t.f[i])*inv)
	}
	t.f[i] = best
	kernel.Scale(row, q, row)
}

// entries writes bⱼ exp((f+gⱼ−cⱼ)/ε) and returns the sum.
func (t *transport) entries(row, c []float64, f, inv float64) float64 {
	kernel.Scale(row, -1, c)
	kernel.Axpy(1, t.shift, row)
	kernel.Axpy(f, t.ones, row)
	kernel.Scale(row, inv, row)
	kernel.Exp(row, row)
	return kernel.Sum(row)
}

// absorb moves the factors u and v into the potentials.
func (t *transport) absorb() {
	for i, u := range t.u {
		t.f[i] += t.eps * math.Log(u)
	}
	for j, v := range t.v {
		t.g[j] += t.eps * math.Log(v)
	}
}

// finish leaves the solver: f and g are the potentials and p the plan.
func (t *transport) finish() {
	t.absorb()
	t.mass = 0
	for i, u := range t.u {
		row := t.p[i*t.m : (i+1)*t.m]
		if t.a[i] == 0 {
			clear(row)
			continue
		}
		kernel.Mul(row, t.v, row)
		kernel.Scale(row, u, row)
		t.mass += kernel.Sum(row)
	}
	t.stats.Converged = t.stats.MarginalError <= t.tol
}

// lift gives the columns that have lost all mass to underflow the potential at
// which their largest entry is of order one, and starts again from there.
func (t *transport) lift() {
	t.absorb()
	for j, s := range t.col {
		if s > 1e-280 || t.target(j) < 1e-280 {
			continue
		}
		least := math.Inf(1)
		for i, f := range t.f {
			if t.a[i] > 0 {
				least = min(least, t.c[i*t.m+j]-f)
			}
		}
		t.g[j] = least / (1 + t.kappa)
	}
	t.spread()
}

// worth is the term of the dual for one potential: f, or ρ(1−e^(−f/ρ)) where
// the marginals are relaxed.
func (t *transport) worth(f float64) float64 {
	if t.kappa == 0 {
		return f
	}
	rho := t.rho()
	return -rho * math.Expm1(-f/rho)
}

// dual is the value of the dual problem at f and g for a plan of that mass. It
// is never above the optimum.
func (t *transport) dual(mass float64) float64 {
	var v float64
	for i, w := range t.a {
		if w > 0 {
			v += w * t.worth(t.f[i])
		}
	}
	for j, w := range t.b {
		if w > 0 {
			v += w * t.worth(t.g[j])
		}
	}
	return v - t.eps*(mass-t.scale*t.scale)
}

// target is the mass that column j should have.
func (t *transport) target(j int) float64 {
	if t.kappa == 0 {
		return t.b[j]
	}
	return t.b[j] * math.Exp(-t.g[j]/t.rho())
}

func scaleBy(x []float64, s float64) {
	for i := range x {
		x[i] *= s
	}
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
