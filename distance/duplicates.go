package distance

import (
	"slices"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// runMerged solves t once more with equal points as one, where there are some
// and t has not converged: at small ε, mass that equal points exchange at no
// cost keeps sweeps and Newton steps from the end. The value of entropic
// transport is the same, and so are the potentials of equal points.
func (s *Sinkhorn) runMerged(ws *Workspace, t *transport, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	gx, a := groups(ws, x, t.a)
	gy, b := groups(ws, y, t.b)
	n, m := len(a), len(b)
	if n == t.n && m == t.m {
		return
	}
	c := ws.Floats(n * m)
	for i, k := range gx {
		for j, l := range gy {
			c[k*m+l] = t.c[i*t.m+j]
		}
	}
	q := newTransport(ws, s, a, b, c)
	q.span = t.span
	s.attempt(ws, &q, x.same(y) && slices.Equal(t.a, t.b), true)
	if !q.stats.Converged {
		t.stats.addCounts(q.stats)
		return
	}
	q.stats.addCounts(t.stats)
	t.divide(&q, gx, gy)
}

// groups returns the number of each row's group of equal rows and the masses of
// the groups, in the order of their first rows.
func groups(ws *Workspace, s Sample, w []float64) (of []int, mass []float64) {
	of, mass = ws.Ints(s.N), ws.Floats(s.N)
	order, first := ws.Ints(s.N), ws.Ints(s.N)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		if c := slices.Compare(s.Row(i), s.Row(j)); c != 0 {
			return c
		}
		return i - j
	})
	for k, i := range order {
		first[i] = i
		if k > 0 && slices.Equal(s.Row(i), s.Row(order[k-1])) {
			first[i] = first[order[k-1]]
		}
	}
	n := 0
	for i, f := range first {
		if f == i {
			of[i], mass[n] = n, 0
			n++
		}
		of[i] = of[f]
		mass[of[i]] += w[i]
	}
	return of, mass[:n]
}

// divide gives the points of t the potentials of their groups in the solution
// q, and shares of the mass that the groups exchange.
func (t *transport) divide(q *transport, gx, gy []int) {
	t.stats, t.mass = q.stats, q.mass
	for j, l := range gy {
		t.g[j] = q.g[l]
	}
	for i, k := range gx {
		t.f[i] = q.f[k]
		row := t.p[i*t.m : (i+1)*t.m]
		clear(row)
		if t.a[i] == 0 {
			continue
		}
		for j, l := range gy {
			if t.b[j] > 0 {
				row[j] = q.p[k*q.m+l] * (t.a[i] / q.a[k]) * (t.b[j] / q.b[l])
			}
		}
	}
	// What follows reads the column sums.
	clear(t.col)
	for i := range t.n {
		kernel.Axpy(1, t.p[i*t.m:(i+1)*t.m], t.col)
	}
}
