package distance

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
)

// stream is a transport problem whose costs are computed anew, a panel of rows
// at a time, in every sweep.
type stream struct {
	transport
	cost   Cost
	x, y   Sample
	lo, hi float64      // range of the costs met
	ws     []*Workspace // one for each chunk
	cols   []float64    // column sums of each chunk
	ranges []float64    // and ranges of its costs
}

// Rows are cut into streamChunks, whatever the number of processors; each chunk
// goes through panels of streamPanel entries.
const (
	streamChunks = 8
	streamPanel  = 1 << 19
)

func (s *Sinkhorn) newStream(ws *Workspace, a, b []float64, x, y Sample) *stream {
	n, m := x.N, y.N
	t := &stream{cost: s.Cost, x: x, y: y}
	t.transport = transport{
		n: n, m: m, eps: s.Epsilon, a: a, b: b, tol: s.Tol, maxIter: s.MaxIter,
		logb: ws.Floats(m), f: ws.Floats(n), g: ws.Floats(m), next: ws.Floats(n), col: ws.Floats(m), ones: ws.Floats(m),
		scale: math.Sqrt(sum(a) * sum(b)),
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
	t.cols, t.ranges = ws.Floats(streamChunks*m), ws.Floats(2*streamChunks)
	for i := range streamChunks {
		t.ws = append(t.ws, ws.worker(i))
	}
	return t
}

// panels calls visit for the panels of one chunk, with costs filled in.
func (t *stream) panels(chunk int, visit func(p *transport, lo, hi int)) {
	size := (t.n + streamChunks - 1) / streamChunks
	first, last := min(chunk*size, t.n), min((chunk+1)*size, t.n)
	rows := max(1, streamPanel/t.m)
	for lo := first; lo < last; lo += rows {
		hi := min(lo+rows, last)
		ws := t.ws[chunk].Enter()
		p := t.transport
		p.n, p.a, p.f = hi-lo, t.a[lo:hi], t.f[lo:hi]
		p.c, p.p = ws.Floats(p.n*t.m), ws.Floats(p.n*t.m)
		p.u, p.v, p.shift, p.col = ws.Floats(p.n), ws.Floats(t.m), ws.Floats(t.m), ws.Floats(t.m)
		t.cost.Matrix(ws, p.c, t.x.slice(lo, hi), t.y)
		visit(&p, lo, hi)
		ws.Leave()
	}
}

// spread is transport.spread for the whole problem; the plan is not kept.
func (t *stream) spread() {
	par.Each(streamChunks, func(_, chunk int) {
		col := t.cols[chunk*t.m : (chunk+1)*t.m]
		clear(col)
		r := t.ranges[2*chunk : 2*chunk+2]
		r[0], r[1] = math.Inf(1), math.Inf(-1)
		t.panels(chunk, func(p *transport, _, _ int) {
			p.spread()
			kernel.Axpy(1, p.col, col)
			for _, c := range p.c {
				r[0], r[1] = min(r[0], c), max(r[1], c)
			}
		})
	})
	clear(t.col)
	t.lo, t.hi = math.Inf(1), math.Inf(-1)
	for chunk := range streamChunks {
		kernel.Axpy(1, t.cols[chunk*t.m:(chunk+1)*t.m], t.col)
		t.lo, t.hi = min(t.lo, t.ranges[2*chunk]), max(t.hi, t.ranges[2*chunk+1])
	}
}

// raise gives the columns their mass.
func (t *stream) raise() {
	lost := false
	for j, b := range t.b {
		switch s := t.col[j]; {
		case b == 0:
		case s > 1e-280:
			t.g[j] = (t.g[j] + t.eps*math.Log(b/s)) / (1 + t.kappa)
		case t.target(j) > 1e-280:
			lost = true
		}
	}
	if lost {
		t.lift()
	}
}

// lift is transport.lift for the columns without mass.
func (t *stream) lift() {
	for j, s := range t.col {
		if s <= 1e-280 && t.b[j] > 0 {
			t.g[j] = math.Inf(1)
		}
	}
	for chunk := range streamChunks {
		t.panels(chunk, func(p *transport, _, _ int) {
			for i, f := range p.f {
				if p.a[i] == 0 {
					continue
				}
				for j, c := range p.c[i*t.m : (i+1)*t.m] {
					if t.col[j] <= 1e-280 && t.b[j] > 0 {
						t.g[j] = min(t.g[j], (c-f)/(1+t.kappa))
					}
				}
			}
		})
	}
}

// change returns the marginal error of the rows before the last spread, when
// their potentials were in next.
func (t *stream) change() (err float64) {
	for i, f := range t.f {
		if t.a[i] > 0 {
			err += t.rowMass(i) * math.Abs(math.Expm1((t.next[i]-f)/t.eps))
		}
	}
	return err / t.scale
}

// solve runs plain sweeps in the log domain.
func (t *stream) solve() {
	t.spread()
	for t.stats.Iterations = 1; ; t.stats.Iterations++ {
		t.raise()
		copy(t.next, t.f)
		t.spread()
		t.stats.MarginalError = t.change()
		if !(t.stats.MarginalError > t.tol) || t.stats.Iterations >= t.maxIter {
			break
		}
	}
	t.end()
}

// solveSelf is transport.solveSelf.
func (t *stream) solveSelf() {
	for t.stats.Iterations = 1; ; t.stats.Iterations++ {
		copy(t.next, t.f)
		copy(t.g, t.f)
		t.spread()
		t.stats.MarginalError = 2 * t.change()
		if !(t.stats.MarginalError > t.tol) || t.stats.Iterations >= t.maxIter {
			break
		}
		for i, f := range t.f {
			t.f[i] = (t.next[i] + f) / 2
		}
	}
	t.end()
}

func (t *stream) end() {
	t.mass = sum(t.col)
	t.stats.Converged = t.stats.MarginalError <= t.tol
}

// pull adds the gradients, times coef, in one more pass, which is sequential
// since all rows add to gy.
func (t *stream) pull(coef float64, gx, gy []float64) {
	d := t.x.Dim
	for chunk := range streamChunks {
		t.panels(chunk, func(p *transport, lo, hi int) {
			p.spread()
			scaleBy(p.p, coef)
			var g []float64
			if gx != nil {
				g = gx[lo*d : hi*d]
			}
			t.cost.VJP(t.ws[chunk], g, gy, p.p, p.c, t.x.slice(lo, hi), t.y)
		})
	}
}

// moments returns mean and variance of the costs under a bᵀ.
func (t *stream) moments() (mean, variance float64) {
	var first, second, mass, shift float64
	for chunk := range streamChunks {
		t.panels(chunk, func(p *transport, _, _ int) {
			if mass == 0 {
				shift = p.c[0]
			}
			for i, a := range p.a {
				mass += a
				for j, c := range p.c[i*t.m : (i+1)*t.m] {
					first += a * t.b[j] * (c - shift)
					second += a * t.b[j] * (c - shift) * (c - shift)
				}
			}
		})
	}
	mass *= sum(t.b)
	first /= mass
	return shift + first, max(0, second/mass-first*first)
}

// streamed is term for problems that do not fit into memory.
func (s *Sinkhorn) streamed(ws *Workspace, coef float64, r request, a, b []float64, x, y Sample) (float64, error) {
	if s.Sharp || r.weights() {
		return 0, fmt.Errorf("%w: %d×%d entries exceed MaxEntries %d, and streaming gives neither sharp values nor gradients in weights", ErrParameter, x.N, y.N, s.MaxEntries)
	}
	ws = ws.Enter()
	defer ws.Leave()
	t := s.newStream(ws, a, b, x, y)
	if s.Epsilon == 0 {
		mean, variance := t.moments()
		var err error
		if s.Epsilon, err = chooseEpsilon(mean, variance); err != nil {
			return 0, err
		}
		t.eps = s.Epsilon
		if s.Rho > 0 {
			t.kappa = t.eps / s.Rho
		}
	}
	if x.same(y) && slices.Equal(a, b) {
		t.solveSelf()
	} else {
		t.solve()
	}
	value := s.number(&t.transport)
	if !finite.Is(value) || !finite.Is(t.hi-t.lo) {
		return 0, errCost(value)
	}
	if t.hi-t.lo > digits*s.Epsilon {
		return 0, errDigits(s.Epsilon, t.lo, t.hi)
	}
	if r.points() {
		t.pull(coef, r.gx, r.gy)
	}
	ws.Stats.merge(t.stats)
	if _, ok := s.Cost.(Cosine); ok {
		ws.Stats.ZeroVectors += zeroRows(x) + zeroRows(y)
	}
	return value, nil
}

func zeroRows(x Sample) (zeros int) {
	for i := range x.N {
		if largestAbs(x.Row(i)) < tiny {
			zeros++
		}
	}
	return zeros
}
