package distance

import (
	"fmt"
)

// EMD is exact optimal transport, the minimum of ⟨P, C⟩ over the plans between
// x and y: with the cost |x−y|² the squared Wasserstein distance W₂², with
// |x−y| the distance W₁. The root is left to Root, since its gradient is
// infinite at zero.
//
// The gradient holds the optimal plan fixed. Where there is more than one, it
// is one of the subgradients.
//
// Stats.DualityGap certifies the value: it exceeds the minimum by no more.
//
// Reference: Peyré and Cuturi, Computational optimal transport (2019), §3.
type EMD struct {
	// Cost of moving one unit of mass. If it is nil, Cosine is used.
	Cost Cost
}

// Properties implements Propertied.
func (e EMD) Properties() Properties {
	p := costProperties(e.Cost)
	p.Symmetric, p.Definite = true, p.Nonnegative
	p.EqualN = true
	switch e.Cost.(type) {
	case SqEuclidean:
		p.Root = 2
	case Euclidean:
		p.Root = 1
	}
	return p
}

// Eval implements Distance. It takes O(N³) at worst and O(N²·Dim).
func (e EMD) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	if _, _, err := begin(ws, gx, gy, x, y); err != nil {
		return 0, err
	}
	if x.N != y.N || x.W != nil || y.W != nil {
		return 0, fmt.Errorf("%w: EMD wants equal uniform sizes, x has %d points, y has %d", ErrShape, x.N, y.N)
	}
	cost := e.Cost
	if cost == nil {
		cost = Cosine{}
	}
	n := x.N
	c := ws.Floats(n * n)
	cost.Matrix(ws, c, x, y)
	if _, _, err := costRange(c); err != nil {
		return 0, err
	}
	col, u, v := ws.Ints(n), ws.Floats(n), ws.Floats(n)
	assign(ws, col, u, v, c)
	ws.Stats.DualityGap += assignmentGap(col, u, v, c)
	var value float64
	for i, j := range col {
		value += c[i*n+j]
	}
	if gx != nil || gy != nil {
		p := ws.Floats(n * n)
		clear(p)
		for i, j := range col {
			p[i*n+j] = 1 / float64(n)
		}
		cost.VJP(ws, gx, gy, p, c, x, y)
	}
	return value / float64(n), nil
}
