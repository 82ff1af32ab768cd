package distance

import (
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
// those in the weights to q.ga and q.gb. Of a self term, gy is nil and gx gets
// the gradient in both arguments; so does q.ga.
func (q *pairs) mean(ws *Workspace, coef float64, gx, gy, a, b []float64, x, y Sample) float64 {
	rows := max(1, min(x.N, panel/y.N))
	var value float64
	for lo := 0; lo < x.N; lo += rows {
		hi := min(lo+rows, x.N)
		var g, ga []float64
		if gx != nil {
			g = gx[lo*x.Dim : hi*x.Dim]
		}
		if q.ga != nil {
			ga = q.ga[lo:hi]
		}
		value += q.panel(ws, coef, g, gy, ga, a[lo:hi], b, x.slice(lo, hi), y, lo)
	}
	q.scale = max(q.scale, coef*value, -coef*value)
	return coef * value
}

// panel is mean, less the factor coef, for the rows of x from first on.
func (q *pairs) panel(ws *Workspace, coef float64, gx, gy, ga, a, b []float64, x, y Sample, first int) (value float64) {
	ws = ws.Enter()
	defer ws.Leave()
	n, m := x.N, y.N
	form := q.kernel.Form().cost()
	s, k := ws.Floats(n*m), ws.Floats(m)
	form.Matrix(ws, s, x, y)
	var dk []float64
	gcoef := coef
	if gx != nil || gy != nil {
		dk = ws.Floats(m)
	}
	if q.self {
		gcoef *= 2
	}
	for i, ai := range a {
		row := s[i*m : i*m+m]
		q.kernel.Map(k, dk, row, q.bandwidth)
		if q.self && q.offDiagonal {
			k[first+i] = 0
		}
		mean := kernel.Dot(b, k)
		value += ai * mean
		if ga != nil {
			ga[i] += gcoef * mean
		}
		if q.gb != nil {
			kernel.Axpy(coef*ai, k, q.gb)
		}
		if dk == nil {
			continue
		}
		kernel.Mul(row, b, dk)
		kernel.Scale(row, gcoef*ai, row)
		if q.self && q.offDiagonal {
			row[first+i] = 0
		}
	}
	if dk != nil {
		form.VJP(ws, gx, gy, s, nil, x, y)
	}
	return value
}

// one returns w k(x, y) for one pair and adds its gradients. buf is scratch
// for three numbers.
func (q *pairs) one(buf []float64, w float64, gx, gy, x, y []float64) float64 {
	form := q.kernel.Form()
	k, dk, s := buf[:1], buf[1:2], buf[2:3]
	s[0] = form.of(x, y)
	q.kernel.Map(k, dk, s, q.bandwidth)
	form.pull(gx, gy, w*dk[0], x, y)
	return w * k[0]
}
