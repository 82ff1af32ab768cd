package released

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// Sinkhorn reproduces the Sinkhorn distance in the code released with
// Choi and Na, Distribution-level feature distancing (2025), for comparison:
// cosine cost, potentials in float32, a log-sum-exp with 1e-6 added inside the
// logarithm and without subtraction of the maximum, a stop on the sum of the
// changes in cost units, ⟨P, C⟩ as the value, and the gradient of the loop
// unrolled, as automatic differentiation gives it.
//
// It never reports distance.ErrNotConverged, because the original does not: read
// Stats.MarginalError. Use distance.Sinkhorn for anything else.
type Sinkhorn struct {
	Epsilon   float64 // If it is zero, .01 is used.
	MaxIter   int     // If it is zero, 50 is used.
	Threshold float64 // on Σ|change of u|. If it is zero, .1 is used.
	LogOffset float64 // inside the logarithm. If it is zero, 1e-6 is used.
}

func (r Sinkhorn) resolve() (Sinkhorn, error) {
	r.Epsilon, r.MaxIter = cmp.Or(r.Epsilon, .01), cmp.Or(r.MaxIter, 50)
	r.Threshold, r.LogOffset = cmp.Or(r.Threshold, .1), cmp.Or(r.LogOffset, 1e-6)
	if !(r.Epsilon > 0) || r.MaxIter < 0 || r.MaxIter > 1<<20 || !(r.Threshold > 0) || !(r.LogOffset > 0) {
		return r, fmt.Errorf("%w: %+v, want every field > 0 and at most 1<<20 sweeps", distance.ErrParameter, r)
	}
	return r, nil
}

// Properties implements Propertied: the early stop leaves few laws.
func (Sinkhorn) Properties() distance.Properties {
	return distance.Properties{Nonnegative: true, Rotation: true, RowScale: true, Tol: 2e-3}
}

// runs keeps the memory of past runs.
var runs = sync.Pool{New: func() any { return new(unrolled) }}

// unrolled is one run of the released loop: u and v hold the potentials before
// the first and after every sweep.
type unrolled struct {
	n, m, sweeps int
	eps, offset  float32
	c            []float32
	u, v         []float32
	la, lb       float32 // log of the uniform weights
	row          []float32
}

// Eval implements Distance in O(MaxIter·N·M + N·M·Dim). Weights are refused.
func (r Sinkhorn) Eval(ws *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	if err := distance.Check(gx, gy, x, y); err != nil {
		return 0, err
	}
	clear(gx)
	clear(gy)
	if x.W != nil || y.W != nil {
		return 0, fmt.Errorf("%w: the released Sinkhorn is uniform", distance.ErrWeights)
	}
	r, err := r.resolve()
	if err != nil {
		return 0, err
	}
	n, m := x.N, y.N
	c := ws.Floats(n * m)
	distance.Cosine{}.Matrix(ws, c, x, y)
	t := runs.Get().(*unrolled)
	defer runs.Put(t)
	t.n, t.m, t.sweeps, t.eps, t.offset = n, m, 0, float32(r.Epsilon), float32(r.LogOffset)
	t.la, t.lb = -float32(math.Log(float64(n))), -float32(math.Log(float64(m)))
	t.c, t.row = resize(t.c, n*m), resize(t.row, m)
	t.u, t.v = resize(t.u, n*(r.MaxIter+1)), resize(t.v, m*(r.MaxIter+1))
	for i, v := range c {
		t.c[i] = float32(v)
	}
	t.run(r.Threshold, r.MaxIter)
	ws.Stats.Iterations += t.sweeps
	ws.Stats.MarginalError = max(ws.Stats.MarginalError, t.marginalError())
	g := ws.Floats(n * m)
	value := t.loss(g)
	if !finite.Is(value) {
		return 0, fmt.Errorf("%w: the released loop gave %v", distance.ErrNotFinite, value)
	}
	if gx != nil || gy != nil {
		t.backward(ws, g)
		distance.Cosine{}.VJP(ws, gx, gy, g, c, x, y)
	}
	return value, nil
}

func resize(x []float32, n int) []float32 { return slices.Grow(x[:0], n)[:n] }

func (t *unrolled) at(k int) (u, v []float32) {
	return t.u[k*t.n : (k+1)*t.n], t.v[k*t.m : (k+1)*t.m]
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }
func log32(x float32) float32 { return float32(math.Log(float64(x))) }

// run sweeps until the change of u is under threshold.
func (t *unrolled) run(threshold float64, maxIter int) {
	u, v := t.at(0)
	clear(u)
	clear(v)
	for t.sweeps < maxIter {
		u, v = t.at(t.sweeps)
		t.sweeps++
		un, vn := t.at(t.sweeps)
		var change float64
		for i := range un {
			un[i] = t.eps*(t.la-t.rowLSE(i, u, v)) + u[i]
			change += math.Abs(float64(un[i] - u[i]))
		}
		t.columnLSE(vn, un, v)
		for j, s := range vn {
			vn[j] = t.eps*(t.lb-s) + v[j]
		}
		if change < threshold {
			return
		}
	}
}

// rowLSE is the released log-sum-exp of row i.
func (t *unrolled) rowLSE(i int, u, v []float32) float32 {
	var s float32
	for j, c := range t.c[i*t.m : (i+1)*t.m] {
		s += exp32((-c + u[i] + v[j]) / t.eps)
	}
	return log32(s + t.offset)
}

func (t *unrolled) columnLSE(dst, u, v []float32) {
	clear(dst)
	for i := range u {
		for j, c := range t.c[i*t.m : (i+1)*t.m] {
			dst[j] += exp32((-c + u[i] + v[j]) / t.eps)
		}
	}
	for j, s := range dst {
		dst[j] = log32(s + t.offset)
	}
}

// entries writes row i of exp((u+v−C)/ε) into t.row.
func (t *unrolled) entries(i int, u, v []float32) []float32 {
	for j, c := range t.c[i*t.m : (i+1)*t.m] {
		t.row[j] = exp32((-c + u[i] + v[j]) / t.eps)
	}
	return t.row
}

// loss returns ⟨P, C⟩ and writes P.
func (t *unrolled) loss(p []float64) float64 {
	u, v := t.at(t.sweeps)
	var s float64
	for i := range t.n {
		for j, e := range t.entries(i, u, v) {
			p[i*t.m+j] = float64(e)
			s += float64(e) * float64(t.c[i*t.m+j])
		}
	}
	return s
}

func (t *unrolled) marginalError() (err float64) {
	u, v := t.at(t.sweeps)
	for i := range t.n {
		var s float64
		for _, e := range t.entries(i, u, v) {
			s += float64(e)
		}
		err += math.Abs(s - 1/float64(t.n))
	}
	return err
}

// backward turns P in g into the derivative of ⟨P, C⟩ in C through all sweeps.
func (t *unrolled) backward(ws *distance.Workspace, g []float64) {
	du, dv := ws.Floats(t.n), ws.Floats(t.m)
	clear(du)
	clear(dv)
	for i := range t.n {
		for j := range t.m {
			k := i*t.m + j
			d := g[k] * float64(t.c[k]) / float64(t.eps)
			du[i] += d
			dv[j] += d
			g[k] -= d
		}
	}
	col := ws.Floats(t.m)
	for k := t.sweeps; k > 0; k-- {
		u, _ := t.at(k)
		u0, v0 := t.at(k - 1)
		t.backColumns(g, du, dv, col, u, v0)
		t.backRows(g, du, dv, u0, v0)
	}
}

// backColumns passes dv through v ← ε(log b − lse) + v, in which the entries
// were e(u, v): with R = e/(Σe + offset), ∂v'ⱼ/∂cᵢⱼ = R = −∂v'ⱼ/∂uᵢ.
func (t *unrolled) backColumns(g, du, dv, col []float64, u, v []float32) {
	clear(col)
	for i := range t.n {
		for j, e := range t.entries(i, u, v) {
			col[j] += float64(e)
		}
	}
	for j, s := range col {
		dv[j] /= s + float64(t.offset)
	}
	for i := range t.n {
		for j, e := range t.entries(i, u, v) {
			d := dv[j] * float64(e)
			g[i*t.m+j] += d
			du[i] -= d
		}
	}
	// What is left of ∂v'/∂v = 1 − ΣR is offset/(Σe + offset).
	for j := range dv {
		dv[j] *= float64(t.offset)
	}
}

// backRows is backColumns for the rows.
func (t *unrolled) backRows(g, du, dv []float64, u, v []float32) {
	for i := range t.n {
		row := t.entries(i, u, v)
		s := float64(t.offset)
		for _, e := range row {
			s += float64(e)
		}
		du[i] /= s
		for j, e := range row {
			d := du[i] * float64(e)
			g[i*t.m+j] += d
			dv[j] -= d
		}
		du[i] *= float64(t.offset)
	}
}
