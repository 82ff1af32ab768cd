package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// pairs averages a kernel over pairs of rows.
type pairs struct {
	kernel      Kernel
	bandwidth   float64
	self        bool // y is x, by definition and not by chance
	offDiagonal bool // leave out the pairs of a row with itself
	ga, gb      []float64
	scale       float64
}

// panel is the number of pairs that are in memory at once at most.
const panel = 1 << 22

// mean returns coef Σ aᵢbⱼ k(xᵢ, yⱼ) and adds its gradients to gx and gy, and
// those in the weights to q.ga and q.gb. Of a self term, gy and q.gb are nil,
// and gx and q.ga get the gradients in both arguments.
func (q *pairs) mean(ws *Workspace, coef float64, gx, gy, a, b []float64, x, y Sample) (value float64) {
	if q.self {
		value = coef * q.selfMean(ws, coef, gx, a, x)
	} else {
		value = coef * q.rect(ws, coef, gx, gy, q.ga, q.gb, a, b, x, y)
	}
	q.scale = max(q.scale, math.Abs(value))
	return value
}

// selfMean goes through the blocks on the diagonal and, since the matrix is
// symmetric, those above it.
func (q *pairs) selfMean(ws *Workspace, coef float64, g, a []float64, x Sample) (value float64) {
	rows := min(max(64, (x.N+7)/8), 2048)
	for lo := 0; lo < x.N; lo += rows {
		hi := min(lo+rows, x.N)
		z := x.slice(lo, hi)
		q.self = true
		value += q.panel(ws, coef, part(g, lo, hi, x.Dim), nil, part(q.ga, lo, hi, 1), nil, a[lo:hi], a[lo:hi], z, z)
		q.self = false
		if hi < x.N {
			value += 2 * q.rect(ws, 2*coef, part(g, lo, hi, x.Dim), part(g, hi, x.N, x.Dim),
				part(q.ga, lo, hi, 1), part(q.ga, hi, x.N, 1), a[lo:hi], a[hi:], z, x.slice(hi, x.N))
		}
	}
	return value
}

// part returns rows lo to hi of g, or nil.
func part(g []float64, lo, hi, dim int) []float64 {
	if g == nil {
		return nil
	}
	return g[lo*dim : hi*dim]
}

// rect goes through panels of rows of x.
func (q *pairs) rect(ws *Workspace, coef float64, gx, gy, ga, gb, a, b []float64, x, y Sample) (value float64) {
	rows := max(1, min(x.N, panel/y.N))
	for lo := 0; lo < x.N; lo += rows {
		hi := min(lo+rows, x.N)
		value += q.panel(ws, coef, part(gx, lo, hi, x.Dim), gy, part(ga, lo, hi, 1), gb, a[lo:hi], b, x.slice(lo, hi), y)
	}
	return value
}

// panel returns the sum, without coef, over all pairs of x and y at once.
func (q *pairs) panel(ws *Workspace, coef float64, gx, gy, ga, gb, a, b []float64, x, y Sample) (value float64) {
	ws = ws.Enter()
	defer ws.Leave()
	n, m := x.N, y.N
	argument := q.kernel.Argument()
	s, k := ws.Floats(n*m), ws.Floats(m)
	argument.Matrix(ws, s, x, y)
	var dk, c []float64
	gcoef := coef
	if gx != nil || gy != nil {
		dk = ws.Floats(m)
		if !keepsNoCosts(argument) {
			c = ws.Floats(n * m)
			copy(c, s)
		}
	}
	if q.self {
		gcoef *= 2
	}
	for i, ai := range a {
		row := s[i*m : i*m+m]
		q.kernel.Map(k, dk, row, q.bandwidth)
		if q.self && q.offDiagonal {
			k[i] = 0
		}
		mean := kernel.Dot(b, k)
		value += ai * mean
		if ga != nil {
			ga[i] += gcoef * mean
		}
		if gb != nil {
			kernel.Axpy(coef*ai, k, gb)
		}
		if dk == nil {
			continue
		}
		kernel.Mul(row, b, dk)
		kernel.Scale(row, gcoef*ai, row)
		if q.self && q.offDiagonal {
			row[i] = 0
		}
	}
	if dk != nil {
		argument.VJP(ws, gx, gy, s, c, x, y)
	}
	return value
}

// one returns w k(x, y) for one pair of points and adds its gradients. buf is
// scratch for three numbers.
func (q *pairs) one(ws *Workspace, buf []float64, w float64, gx, gy []float64, x, y Sample) float64 {
	argument := q.kernel.Argument()
	k, dk, s := buf[:1], buf[1:2], buf[2:3]
	s[0] = ofPair(ws, argument, x, y)
	q.kernel.Map(k, dk, s, q.bandwidth)
	pullPair(ws, argument, gx, gy, w*dk[0], s[0], x, y)
	return w * k[0]
}
