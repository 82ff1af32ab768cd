package distance

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// CORAL is the distance |S₁−S₂|²/4d² between the covariances of the samples in
// d dimensions, in the Frobenius norm. It is blind to the means. Reference: Sun
// and Saenko, Deep CORAL (2016), equation 1.
type CORAL struct {
	// Biased divides covariances by the sum of the weights. Without it they are
	// unbiased, as in the paper, and need two points on either side.
	Biased bool
}

// Properties implements Propertied.
func (d CORAL) Properties() Properties {
	p := Properties{Symmetric: true, Nonnegative: true, Definite: true, Root: 2, Translation: true, Rotation: true, Homogeneous: true, Degree: 4}
	if d.Biased {
		p.Weighted = true
	} else {
		p.MinN = 2
	}
	return p
}

// Eval implements Distance in O(min((N+M)·Dim², (N+M)²·Dim)).
func (d CORAL) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	ddof := 1
	if d.Biased {
		ddof = 0
	}
	xc, yc := centered(ws, x, y)
	mx, err := newMoments(ws, a, xc, x.Dim, ddof, 0)
	if err != nil {
		return 0, err
	}
	my, err := newMoments(ws, b, yc, x.Dim, ddof, 0)
	if err != nil {
		return 0, err
	}
	// With Z the rows of both factors and D = diag(1, −1), S₁−S₂ = ZᵀDZ: its
	// square is |ZZᵀD|² in the one order and itself in the other.
	dim, n, m := x.Dim, x.N, y.N
	da, db := ws.Floats(n*dim), ws.Floats(m*dim)
	var value float64
	if dim <= n+m {
		value = coralByColumns(ws, da, db, &mx, &my)
	} else {
		value = coralByRows(ws, da, db, &mx, &my)
	}
	if !finite.Is(value) {
		return 0, fmt.Errorf("%w: a covariance is %v", ErrNotFinite, value)
	}
	scale := 1 / float64(dim*dim)
	kernel.Scale(da, scale, da)
	kernel.Scale(db, -scale, db)
	zero := ws.Floats(dim)
	clear(zero)
	mx.pull(ws, gx, zero, da)
	my.pull(ws, gy, zero, db)
	return max(0, value) * scale / 4, nil
}

// coralByColumns returns |S₁−S₂|² from the covariances, with A(S₁−S₂) and
// B(S₁−S₂).
func coralByColumns(ws *Workspace, da, db []float64, x, y *moments) float64 {
	d := x.dim
	s := ws.Floats(d * d)
	gemm(ws, true, false, d, d, x.rows, 1, x.factor, x.factor, 0, s)
	gemm(ws, true, false, d, d, y.rows, -1, y.factor, y.factor, 1, s)
	gemm(ws, false, false, x.rows, d, d, 1, x.factor, s, 0, da)
	gemm(ws, false, false, y.rows, d, d, 1, y.factor, s, 0, db)
	return kernel.Dot(s, s)
}

// coralByRows does so from the inner products of the rows.
func coralByRows(ws *Workspace, da, db []float64, x, y *moments) float64 {
	d, n, m := x.dim, x.rows, y.rows
	aa, ab, bb := ws.Floats(n*n), ws.Floats(n*m), ws.Floats(m*m)
	gemm(ws, false, true, n, n, d, 1, x.factor, x.factor, 0, aa)
	gemm(ws, false, true, n, m, d, 1, x.factor, y.factor, 0, ab)
	gemm(ws, false, true, m, m, d, 1, y.factor, y.factor, 0, bb)
	gemm(ws, false, false, n, d, n, 1, aa, x.factor, 0, da)
	gemm(ws, false, false, n, d, m, -1, ab, y.factor, 1, da)
	gemm(ws, true, false, m, d, n, 1, ab, x.factor, 0, db)
	gemm(ws, false, false, m, d, m, -1, bb, y.factor, 1, db)
	return kernel.Dot(aa, aa) - 2*kernel.Dot(ab, ab) + kernel.Dot(bb, bb)
}
