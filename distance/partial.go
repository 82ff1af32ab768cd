package distance

import (
	"cmp"
	"fmt"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Partial is optimal transport of a share s of the mass, that which costs least
// to move,
//
//	min ⟨P, C⟩  over P ≥ 0 with P1 ≤ a, Pᵀ1 ≤ b, 1ᵀP1 = s:
//
// points that have no counterpart on the other side, such as those of a class that
// only one side has, do not decide the value, and their gradients are zero.
//
// It is transport between the samples with one more point each, of mass 1−s, that
// takes from any other at no cost. Reference: Chapel, Alaya, Gasso, Partial optimal
// transport with applications on positive-unlabeled learning (2020),
// arXiv:2002.08276.
type Partial struct {
	// Cost of moving one unit of mass. If it is nil, Cosine is used.
	Cost Cost

	// Share is s, from 0, exclusive, to 1, which is EMD. If it is zero, .9 is
	// used.
	Share float64

	// Epsilon, if positive, regularizes the problem with the additional points
	// as Sinkhorn does: the value is that of the dual, the gradient that of the
	// envelope. It is in units of the cost. If it is zero, the solution is exact.
	Epsilon float64
}

const defaultShare = .9

// Properties implements Propertied.
func (d Partial) Properties() Properties {
	p := costProperties(d.Cost)
	p.Symmetric, p.Weighted = true, true
	if d.Epsilon == 0 {
		p.Definite = p.Nonnegative
		return p
	}
	// The plan of the least value need not be one that costs nothing.
	p.Homogeneous = p.Homogeneous && p.Degree == 0
	p.Tol = 10 * partialTol
	return p
}

// partialTol is the marginal error of the regularized problem.
const partialTol = 1e-8

func (d Partial) resolve() (Partial, error) {
	if d.Cost == nil {
		d.Cost = Cosine{}
	}
	d.Share = cmp.Or(d.Share, defaultShare)
	if !(d.Share > 0 && d.Share <= 1) {
		return d, fmt.Errorf("%w: Partial.Share is %v, want more than 0 and at most 1", ErrParameter, d.Share)
	}
	return d, checkSetting("Partial.Epsilon", d.Epsilon)
}

// Eval implements Distance. With n points on either side it takes O(n²·Dim), and
// O(n³) at worst.
func (d Partial) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	d, err := d.resolve()
	if err != nil {
		return 0, err
	}
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	n, m := x.N, y.N
	c, plan := ws.Floats(n*m), ws.Floats(n*m)
	d.Cost.Matrix(ws, c, x, y)
	if _, _, err := costRange(c); err != nil {
		return 0, err
	}
	before := ws.beginPart()
	value, err := d.solve(ws, plan, d.extended(ws, a, b, c))
	own := ws.endPart(before)
	if err == nil && !finite.Is(value) {
		err = errCost(value)
	}
	if err != nil {
		return 0, err
	}
	if gx != nil || gy != nil {
		d.Cost.VJP(ws, gx, gy, plan, c, x, y)
	}
	if !own.Converged {
		return value, notConverged(own, partialTol)
	}
	return value, nil
}

// extended returns the problem with one more point on either side. Between these
// two, mass costs so much that none moves there.
func (d Partial) extended(ws *Workspace, a, b, c []float64) matching {
	n, m := len(a), len(b)
	t := newMatching(ws, n+1, m+1)
	t.a, t.b = ws.Floats(n+1), ws.Floats(m+1)
	copy(t.a, a)
	copy(t.b, b)
	t.a[n], t.b[m] = 1-d.Share, 1-d.Share
	for i := range n {
		copy(t.c[i*(m+1):], c[i*m:(i+1)*m])
		t.c[i*(m+1)+m] = 0
	}
	clear(t.c[n*(m+1):])
	t.c[n*(m+1)+m] = 4*largestAbs(c) + 100*d.Epsilon + 1e-300
	return t
}

// solve writes the plan between the points of x and y and returns the value.
func (d Partial) solve(ws *Workspace, plan []float64, t matching) (value float64, err error) {
	whole := t.plan
	if d.Epsilon == 0 {
		t.ship(ws, false)
		value, ws.Stats.DualityGap = t.certify()
	} else if whole, value, err = d.entropic(ws, &t); err != nil {
		return 0, err
	}
	n, m := t.n-1, t.m-1
	for i := range n {
		copy(plan[i*m:(i+1)*m], whole[i*t.m:])
	}
	if d.Epsilon == 0 {
		value = 0
		for i := range n {
			value += kernel.Dot(plan[i*m:(i+1)*m], t.c[i*t.m:i*t.m+m])
		}
	}
	return value, nil
}

// entropic solves the extended problem by sweeps and Newton steps.
func (d Partial) entropic(ws *Workspace, t *matching) (plan []float64, value float64, err error) {
	s, err := Sinkhorn{Cost: d.Cost, Epsilon: d.Epsilon, Tol: partialTol}.resolve()
	if err != nil {
		return nil, 0, err
	}
	lo, hi, err := costRange(t.c)
	if err != nil {
		return nil, 0, err
	}
	if hi-lo > digits*s.Epsilon {
		return nil, 0, errDigits(s.Epsilon, lo, hi)
	}
	q := newTransport(ws, &s, t.a, t.b, t.c)
	q.span = hi - lo
	q.restart()
	s.attempt(ws, &q, false, true)
	ws.Stats.merge(q.stats)
	return q.p, q.dual(q.mass), nil
}
