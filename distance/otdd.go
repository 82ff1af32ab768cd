package distance

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// OTDD is exact transport between samples with classes, whose cost sees points
// and classes: between point x of class k and point y of class l it is
//
//	c(x, y) + Weight·D(points of class k of x, points of class l of y),
//
// so that classes are compared by where their points are and not by their numbers:
// sides may have different classes, and a class that is missing on one side costs
// what it takes to move its points to another. The classes are Sample.Labels;
// samples without give ErrShape.
//
// With the cost |x−y|² and the Wasserstein distance of the classes, or Bures as
// its bound, this is the optimal transport dataset distance of Alvarez-Melis and
// Fusi, Geometric dataset distances via optimal transport (2020),
// arXiv:2002.02923, squared: see Root.
//
// The gradient holds the optimal plan fixed, as that of EMD does, and accounts for
// the change of the distances between classes.
type OTDD struct {
	// Cost of moving one unit of mass from point to point. If it is nil,
	// SqEuclidean is used.
	Cost Cost

	// Between is the distance D between classes. If it is nil, Bures{} is used.
	Between Distance

	// Weight is the factor of Between, > 0. If it is zero, 1 is used.
	Weight float64
}

func (d OTDD) resolve() (OTDD, error) {
	if d.Cost == nil {
		d.Cost = SqEuclidean{}
	}
	if d.Between == nil {
		d.Between = Bures{}
	}
	d.Weight = cmp.Or(d.Weight, 1)
	return d, checkPositive("OTDD.Weight", d.Weight)
}

// Properties implements Propertied: the laws that Cost and Between have in common.
func (d OTDD) Properties() Properties {
	d, _ = d.resolve()
	p, q := costProperties(d.Cost), properties(d.Between)
	_, square := d.Cost.(SqEuclidean)
	_, metric := d.Cost.(Euclidean)
	if square && q.Root == 2 {
		p.Root = 2
	} else if metric && q.Root == 1 {
		p.Root = 1
	}
	p.Symmetric, p.Weighted = q.Symmetric, q.Weighted
	p.Nonnegative = p.Nonnegative && q.Nonnegative
	p.Definite = p.Nonnegative && q.Definite
	p.Translation, p.Rotation, p.RowScale = p.Translation && q.Translation, p.Rotation && q.Rotation, p.RowScale && q.RowScale
	p.Homogeneous = p.Homogeneous && q.Homogeneous && p.Degree == q.Degree
	p.Kinked, p.WarmStart = p.Kinked || q.Kinked, q.WarmStart
	p.MinN, p.Tol = q.MinN, q.Tol
	return p
}

// Eval implements Distance. With k and l classes it takes k·l calls of
// Between.Eval, twice as many if gradients are wanted, and the time of EMD.
func (d OTDD) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
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
	if x.Labels == nil || y.Labels == nil {
		return 0, fmt.Errorf("%w: OTDD has %d labels for %d points of x, %d for %d of y", ErrShape, len(x.Labels), x.N, len(y.Labels), y.N)
	}
	q := classTable{between: d.Between, a: a, b: b, x: x, y: y}
	q.ofX, q.kindX = classes(ws, x.Labels)
	q.ofY, q.kindY = classes(ws, y.Labels)
	q.dist, q.mass = ws.Floats(len(q.kindX)*len(q.kindY)), ws.Floats(len(q.kindX)*len(q.kindY))
	late, err := q.fill(ws)
	if err != nil {
		return 0, err
	}
	value, err := d.transport(ws, gx, gy, &q)
	if err != nil {
		return value, err
	}
	if gx != nil || gy != nil {
		if err := q.pull(ws, d.Weight, gx, gy); err != nil {
			return value, err
		}
	}
	return value, late
}

// transport solves the problem of the points, adds the gradients of their costs
// and sums the plan by pairs of classes.
func (d OTDD) transport(ws *Workspace, gx, gy []float64, q *classTable) (float64, error) {
	x, y := q.x, q.y
	t := newMatching(ws, x.N, y.N)
	t.a, t.b = q.a, q.b
	c := ws.Floats(x.N * y.N)
	d.Cost.Matrix(ws, c, x, y)
	l := len(q.kindY)
	for i, k := range q.ofX {
		for j, h := range q.ofY {
			t.c[i*y.N+j] = c[i*y.N+j] + d.Weight*q.dist[k*l+h]
		}
	}
	if _, _, err := costRange(t.c); err != nil {
		return 0, err
	}
	before := ws.beginPart()
	value := t.solve(ws, x.W == nil && y.W == nil, false)
	own := ws.endPart(before)
	if !finite.Is(value) {
		return 0, errCost(value)
	}
	clear(q.mass)
	for i, k := range q.ofX {
		for j, h := range q.ofY {
			q.mass[k*l+h] += t.plan[i*y.N+j]
		}
	}
	if gx != nil || gy != nil {
		d.Cost.VJP(ws, gx, gy, t.plan, c, x, y)
	}
	if !own.Converged {
		return value, notConverged(own, 0)
	}
	return value, nil
}

// classTable holds the distances between classes and the mass that moves there.
type classTable struct {
	between      Distance
	a, b         []float64
	x, y         Sample
	ofX, ofY     []int // class of each row, as a place in kindX and kindY
	kindX, kindY []int // labels, in the order of their first rows
	dist, mass   []float64
}

// classes returns the place of each label among those that differ.
func classes(ws *Workspace, labels []int) (of, kinds []int) {
	of, kinds = ws.Ints(len(labels)), ws.Ints(len(labels))[:0]
	for i, label := range labels {
		at := slices.Index(kinds, label)
		if at < 0 {
			at = len(kinds)
			kinds = append(kinds, label)
		}
		of[i] = at
	}
	return of, kinds
}

// fill computes the distances. late is an error that is ErrNotConverged.
func (q *classTable) fill(ws *Workspace) (late, err error) {
	for i := range q.dist {
		v, err := q.one(ws, i, 0, nil, nil)
		if err != nil && !errors.Is(err, ErrNotConverged) {
			return nil, err
		}
		if err != nil {
			late = err
		}
		q.dist[i] = v
	}
	return late, nil
}

// pull adds the gradients of the distances, times weight and the mass that moves.
func (q *classTable) pull(ws *Workspace, weight float64, gx, gy []float64) error {
	for i, mass := range q.mass {
		if mass == 0 {
			continue
		}
		if _, err := q.one(ws, i, weight*mass, gx, gy); err != nil && !errors.Is(err, ErrNotConverged) {
			return err
		}
	}
	return nil
}

// one returns the distance of pair i of classes and adds its gradients, times
// scale, to those that are not nil. Classes without mass are at distance 0.
func (q *classTable) one(ws *Workspace, i int, scale float64, gx, gy []float64) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	k, l := q.kindX[i/len(q.kindY)], q.kindY[i%len(q.kindY)]
	cx, mx := pick(ws, k, q.a, q.x)
	cy, my := pick(ws, l, q.b, q.y)
	if mx == 0 || my == 0 {
		return 0, nil
	}
	var hx, hy []float64
	if gx != nil {
		hx = ws.Floats(len(cx.X))
	}
	if gy != nil {
		hy = ws.Floats(len(cy.X))
	}
	v, err := ws.sub(i, q.between, hx, hy, cx, cy)
	if err != nil && !errors.Is(err, ErrNotConverged) {
		return 0, fmt.Errorf("classes %d of x and %d of y: %w", k, l, err)
	}
	scatter(gx, scale, hx, k, q.x)
	scatter(gy, scale, hy, l, q.y)
	if !finite.Is(v) {
		return 0, fmt.Errorf("%w: the distance between classes %d of x and %d of y is %v", ErrNotFinite, k, l, v)
	}
	return v, err
}
