package distance

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// EMD is exact optimal transport, the minimum of ⟨P, C⟩ over the plans between
// x and y: with the cost |x−y|² the squared Wasserstein distance W₂², with
// |x−y| the distance W₁. The root is left to Root, since its gradient is
// infinite at zero.
//
// The gradient holds the optimal plan fixed. Where there is more than one, it
// is one of the subgradients.
//
// Stats.DualityGap certifies the value: it exceeds the minimum by no more. Where
// groups of points that are far from one another have equal masses on both sides,
// up to the rounding of sums of weights, they are solved one by one, so that a far
// point costs the others no digits. If they have not, mass moves from group to
// group, and the value is as large as that.
//
// In one dimension, with a cost that is SqEuclidean, Euclidean or CityBlock,
// points are sorted, in O((N+M) log(N+M)) and without a matrix. Elsewhere,
// samples of equal size without weights are matched by the algorithm of Jonker
// and Volgenant, as long as it makes progress, and others by the network simplex
// method. Reference: Peyré and Cuturi, Computational optimal transport (2019),
// §2.6 and §3.
type EMD struct {
	// Cost of moving one unit of mass. If it is nil, Cosine is used.
	Cost Cost
}

// Properties implements Propertied.
func (e EMD) Properties() Properties {
	p := costProperties(e.Cost)
	p.Symmetric, p.Definite, p.Weighted = true, p.Nonnegative, true
	switch e.Cost.(type) {
	case SqEuclidean:
		p.Root = 2
	case Euclidean:
		p.Root = 1
	}
	return p
}

// In up to crowdedDim dimensions, crowdedFrom points or more have so many
// neighbors that the algorithm of Jonker and Volgenant always gives up.
const (
	crowdedDim  = 2
	crowdedFrom = 128
)

// linePower returns p where the cost of two numbers is |x−y|^p, and 0 elsewhere.
func linePower(c Cost, dim int) float64 {
	if dim > 1 {
		return 0
	}
	switch c.(type) {
	case SqEuclidean:
		return 2
	case Euclidean, CityBlock:
		return 1
	}
	return 0
}

// sorted is eval on a line.
func sorted(ws *Workspace, p float64, r request, a, b []float64, x, y Sample) (float64, error) {
	l := newLine(ws, a, b, p)
	px, py := tight(ws, x), tight(ws, y)
	value := l.match(px, py, r.gx, r.gy)
	if !finite.Is(value) {
		return 0, errCost(value)
	}
	if r.plan != nil {
		clear(r.plan)
		for s := l.start(); s.next(); {
			r.plan[s.i*y.N+s.j] = s.mass
		}
	}
	return value, nil
}

// matching is an exact transport problem and its solution.
type matching struct {
	n, m       int
	a, b, c    []float64
	u, v, plan []float64
}

func newMatching(ws *Workspace, n, m int) matching {
	return matching{n: n, m: m, c: ws.Floats(n * m), u: ws.Floats(n), v: ws.Floats(m), plan: ws.Floats(n * m)}
}

// Eval implements Distance. It takes O(N²·Dim), and O(N³) at worst.
func (e EMD) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	return e.eval(ws, request{gx: gx, gy: gy}, x, y)
}

// Plan implements Planner.
func (e EMD) Plan(ws *Workspace, dst []float64, x, y Sample) (float64, error) {
	if len(dst) != x.N*y.N {
		return 0, fmt.Errorf("%w: plan has %d elements, want %d×%d", ErrShape, len(dst), x.N, y.N)
	}
	return e.eval(ws, request{plan: dst}, x, y)
}

// EvalWeights implements WeightGradienter: the gradients are the optimal dual
// potentials. Where the plan is degenerate, as it is for uniform weights, they
// are one choice of several.
func (e EMD) EvalWeights(ws *Workspace, ga, gb []float64, x, y Sample) (float64, error) {
	if err := checkWeightGradients(ga, gb, x, y); err != nil {
		return 0, err
	}
	ws = ws.Enter()
	defer ws.Leave()
	v, err := e.eval(ws, request{ga: ga, gb: gb}, x, y)
	center(ws, ga, x)
	center(ws, gb, y)
	return v, err
}

func (e EMD) eval(ws *Workspace, r request, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, r.gx, r.gy, x, y)
	if err != nil {
		return 0, err
	}
	if e.Cost == nil {
		e.Cost = Cosine{}
	}
	if p := linePower(e.Cost, x.Dim); p > 0 && !r.weights() {
		return sorted(ws, p, r, a, b, x, y)
	}
	t := newMatching(ws, x.N, y.N)
	t.a, t.b = a, b
	e.Cost.Matrix(ws, t.c, x, y)
	if _, _, err := costRange(t.c); err != nil {
		return 0, err
	}
	before := ws.beginPart()
	value := t.solve(ws, x.W == nil && y.W == nil, x.Dim <= crowdedDim && x.N >= crowdedFrom)
	own := ws.endPart(before)
	if !finite.Is(value) {
		return 0, errCost(value)
	}
	copy(r.plan, t.plan)
	copy(r.ga, t.u)
	copy(r.gb, t.v)
	if r.points() {
		e.Cost.VJP(ws, r.gx, r.gy, t.plan, t.c, x, y)
	}
	if !own.Converged {
		return value, notConverged(own, 0)
	}
	return value, nil
}

// solve finds plan and duals, returns the cost and writes the statistics.
func (t *matching) solve(ws *Workspace, uniform, crowded bool) float64 {
	if !uniform || t.n != t.m || crowded || !t.assign(ws) {
		t.ship(ws, uniform)
	}
	value, gap := t.certify()
	if gap > lossy*math.Abs(value) {
		value, gap = t.improve(ws, value, gap)
	}
	ws.Stats.DualityGap = gap
	return value
}

// improve solves the problem by groups of points, and keeps that solution if its
// gap is smaller.
func (t *matching) improve(ws *Workspace, value, gap float64) (float64, float64) {
	ws = ws.Enter()
	defer ws.Leave()
	s := *t
	s.u, s.v, s.plan = ws.Floats(t.n), ws.Floats(t.m), ws.Floats(t.n*t.m)
	converged := ws.Stats.Converged
	if s.split(ws) {
		if v, g := s.certify(); g < gap && ws.Stats.Converged {
			copy(t.u, s.u)
			copy(t.v, s.v)
			copy(t.plan, s.plan)
			return v, g
		}
	}
	ws.Stats.Converged = converged
	return value, gap
}

// assign solves the problem with equal uniform sides, and reports false if it
// gave up.
func (t *matching) assign(ws *Workspace) bool {
	ws = ws.Enter()
	defer ws.Leave()
	col := ws.Ints(t.n)
	if !assign(ws, col, t.u, t.v, t.c) {
		return false
	}
	clear(t.plan)
	for i, j := range col {
		t.plan[i*t.m+j] = t.a[i]
	}
	return true
}

// ship solves the problem for any weights. Uniform ones are counted in units of
// 1/nm, so that no sum of them is rounded.
func (t *matching) ship(ws *Workspace, uniform bool) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, unit := t.a, t.b, 1.
	if uniform {
		a, b = ws.Floats(t.n), ws.Floats(t.m)
		fill(a, float64(t.m))
		fill(b, float64(t.n))
		unit = 1 / (float64(t.n) * float64(t.m))
	}
	ws.Stats.Converged = simplex(ws, t.plan, t.u, t.v, a, b, t.c)
	if uniform {
		kernel.Scale(t.plan, unit, t.plan)
	}
}

// certify returns the cost of the plan and by how much it can exceed the
// optimum: the difference to the dual value, once the duals are lowered until
// they are feasible. Points without mass have no part in it.
func (t *matching) certify() (value, gap float64) {
	var worst, dual float64
	for i, u := range t.u {
		row := t.c[i*t.m : (i+1)*t.m]
		value += kernel.Dot(row, t.plan[i*t.m:(i+1)*t.m])
		dual += t.a[i] * u
		if t.a[i] == 0 {
			continue
		}
		for j, w := range row {
			if d := u + t.v[j] - w; d > worst && t.b[j] > 0 {
				worst = d
			}
		}
	}
	dual += kernel.Dot(t.b, t.v)
	return value, math.Abs(value-dual) + worst
}
