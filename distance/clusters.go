package distance

import (
	"math"
	"slices"
)

// Far points cost the duals of all others their digits, since these lie some way
// through the far ones: beside costs of 1e12 only four digits are left behind the
// point. A problem with groups of points that are far from one another, each with
// one mass on both sides, is therefore solved group by group where the certificate
// of the whole is poor.

const (
	// lossy is the gap, as a share of the value, from which groups are tried: with
	// all digits it is some 1e-14.
	lossy = 1e-12

	// apart is how many times the next shorter link one between groups must have.
	apart = 100

	// maxCuts limits how many divisions into groups are tried.
	maxCuts = 8
)

// split solves the problem group by group and reports whether it could. The
// solution is optimal: mass that leaves a group has to come back, and an arc
// between groups costs at least as much as any within.
func (t *matching) split(ws *Workspace) bool {
	ws = ws.Enter()
	defer ws.Leave()
	order, link := t.spanningTree(ws)
	sorted := ws.Floats(len(link))
	copy(sorted, link)
	slices.Sort(sorted)
	group := ws.Ints(t.n + t.m)
	cuts := 0
	for k := len(sorted) - 1; k > 0 && cuts < maxCuts; k-- {
		if !(sorted[k] > apart*sorted[k-1]) {
			continue
		}
		cuts++
		if count := t.group(group, order, link, sorted[k]); t.balanced(ws, group, count, sorted[k]) {
			t.solveGroups(ws, group, count)
			return true
		}
	}
	return false
}

// spanningTree returns the points with mass, rows from 0 and columns from n, in
// the order in which Prim's algorithm finds them, and the cost of the arc that
// leads to each; the first has 0.
func (t *matching) spanningTree(ws *Workspace) (order []int, link []float64) {
	size := t.n + t.m
	order, link = ws.Ints(size)[:0], ws.Floats(size)[:0]
	near, left := ws.Floats(size), ws.Ints(size)[:0]
	for k := range size {
		if k < t.n && t.a[k] > 0 || k >= t.n && t.b[k-t.n] > 0 {
			left = append(left, k)
		}
		near[k] = math.Inf(1)
	}
	near[left[0]] = 0
	for len(left) > 0 {
		at := 0
		for p, k := range left {
			if near[k] < near[left[at]] {
				at = p
			}
		}
		k := left[at]
		left[at] = left[len(left)-1]
		left = left[:len(left)-1]
		order, link = append(order, k), append(link, near[k])
		for _, q := range left {
			switch {
			case k < t.n && q >= t.n:
				near[q] = min(near[q], t.c[k*t.m+q-t.n])
			case k >= t.n && q < t.n:
				near[q] = min(near[q], t.c[q*t.m+k-t.n])
			}
		}
	}
	return order, link
}

// group writes the group of each point, −1 for points without mass, and returns
// how many there are: a link of cut or more begins a new one.
func (t *matching) group(group, order []int, link []float64, cut float64) int {
	for k := range group {
		group[k] = -1
	}
	count := 0
	for p, k := range order {
		if p > 0 && link[p] >= cut {
			count++
		}
		group[k] = count
	}
	return count + 1
}

// balanced reports whether each group has one mass on both sides, up to the
// rounding of sums of weights, and no arc within groups costs more than cut.
func (t *matching) balanced(ws *Workspace, group []int, count int, cut float64) bool {
	ws = ws.Enter()
	defer ws.Leave()
	onX, onY := ws.Floats(count), ws.Floats(count)
	clear(onX)
	clear(onY)
	for i, w := range t.a {
		if g := group[i]; g >= 0 {
			onX[g] += w
		}
	}
	for j, w := range t.b {
		if g := group[t.n+j]; g >= 0 {
			onY[g] += w
		}
	}
	rounding := 0x1p-52 * float64(t.n+t.m)
	for g, w := range onX {
		if d := math.Abs(w - onY[g]); d > rounding || d > restShare*min(w, onY[g]) {
			return false
		}
	}
	for i := range t.n {
		for j, c := range t.c[i*t.m : (i+1)*t.m] {
			if group[i] >= 0 && group[i] == group[t.n+j] && c > cut {
				return false
			}
		}
	}
	return true
}

// solveGroups solves the groups one by one.
func (t *matching) solveGroups(ws *Workspace, group []int, count int) {
	clear(t.plan)
	clear(t.u)
	clear(t.v)
	converged := true
	for g := range count {
		converged = t.solveGroup(ws, group, g) && converged
	}
	ws.Stats.Converged = converged
	tighten(t.u, t.v, t.a, t.b, t.c)
}

// solveGroup solves one group, whose masses on both sides become one number.
func (t *matching) solveGroup(ws *Workspace, group []int, g int) bool {
	ws = ws.Enter()
	defer ws.Leave()
	rows, columns := members(ws, group[:t.n], g), members(ws, group[t.n:], g)
	s := newMatching(ws, len(rows), len(columns))
	s.a, s.b = ws.Floats(s.n), ws.Floats(s.m)
	for p, i := range rows {
		s.a[p] = t.a[i]
		for q, j := range columns {
			s.c[p*s.m+q] = t.c[i*t.m+j]
		}
	}
	for q, j := range columns {
		s.b[q] = t.b[j]
	}
	scaleBy(s.b, sum(s.a)/sum(s.b))
	s.solve(ws, false, false)
	for p, i := range rows {
		t.u[i] = s.u[p]
		for q, j := range columns {
			t.plan[i*t.m+j] = s.plan[p*s.m+q]
		}
	}
	for q, j := range columns {
		t.v[j] = s.v[q]
	}
	return ws.Stats.Converged
}

// members returns where group is g.
func members(ws *Workspace, group []int, g int) []int {
	out := ws.Ints(len(group))[:0]
	for k, v := range group {
		if v == g {
			out = append(out, k)
		}
	}
	return out
}
