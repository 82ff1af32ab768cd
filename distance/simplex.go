package distance

import "math"

// simplex solves the transport problem between the masses a and b for the
// costs c, n×m: it writes the plan and optimal duals u and v, such that
// u[i]+v[j] ≤ c[i,j], with equality where mass moves. It reports false if it
// gave up after very many pivots.
//
// This is the primal network simplex method on the complete bipartite graph
// with an artificial root. Only arcs of the spanning tree carry mass, and the
// leaving arc is chosen so that trees stay strongly feasible, which excludes
// cycling. References: Cunningham, A network simplex method (1976); Ahuja,
// Magnanti, Orlin, Network flows (1993), §11.
func simplex(ws *Workspace, plan, u, v, a, b, c []float64) bool {
	ws = ws.Enter()
	defer ws.Leave()
	n, m := len(a), len(b)
	t := newTree(ws, a, b, c)
	pivots := 1000 * (n + m) // about ten times n+m are usual
	row, idle := 0, 0
	for idle < n && pivots > 0 {
		if j, r := t.price(row); r < -t.rounding(row, n+j) {
			t.pivot(row, n+j)
			pivots--
			idle = 0
		} else {
			idle++
		}
		if row++; row == n {
			row = 0
		}
	}
	clear(plan)
	for k := range n + m {
		p := t.parent[k]
		i, j := min(k, p), max(k, p)
		if p < n+m && b[j-n] > 0 && !rest(t.flow[k], a[i], b[j-n]) {
			plan[i*m+j-n] = t.flow[k]
		}
	}
	for i := range u {
		u[i] = -t.pi[i]
	}
	copy(v, t.pi[n:n+m])
	tighten(u, v, a, b, c)
	return pivots > 0
}

// rest reports whether a mass between points of the weights a and b is what
// rounding has left of sums of weights: beside a far point it would cost more
// than all other mass.
func rest(mass, a, b float64) bool {
	return mass <= dust || mass < restMass && mass <= restShare*min(a, b)
}

// dust is a mass that does not count.
const dust = 1e-30

// tree is a spanning tree of rows 0 … n−1, columns n … n+m−1 and the root n+m.
// Arcs lead from rows to the root and to columns, and from the root to columns.
type tree struct {
	n, m   int
	c      []float64
	pi     []float64 // c + pi[row] − pi[column] is 0 on the tree
	flow   []float64 // mass on the arc between a node and its parent
	parent []int
	depth  []int
	child  []int // first child, −1 for none
	next   []int // siblings
	prev   []int
	stack  []int
	detour float64 // cost of the arcs from the root
}

func newTree(ws *Workspace, a, b, c []float64) tree {
	n, m := len(a), len(b)
	size := n + m + 1
	t := tree{
		n: n, m: m, c: c, pi: ws.Floats(size), flow: ws.Floats(size),
		parent: ws.Ints(size), depth: ws.Ints(size), child: ws.Ints(size),
		next: ws.Ints(size), prev: ws.Ints(size), stack: ws.Ints(size),
	}
	root := n + m
	// Through the root, mass pays more than on any arc.
	detour := 1 + 2*largestAbs(c)
	t.detour = detour
	t.pi[root], t.depth[root], t.parent[root] = 0, 0, -1
	for k := range size {
		t.child[k], t.next[k], t.prev[k] = -1, -1, -1
	}
	for k := range root {
		t.depth[k] = 1
		if k < n {
			t.flow[k], t.pi[k] = a[k], 0
		} else {
			// A tree is strongly feasible only with mass on arcs that lead down.
			t.flow[k], t.pi[k] = max(b[k-n], dust), detour
		}
		t.attach(k, root)
	}
	return t
}

// up reports whether the arc between node k and its parent leads to the
// parent.
func (t *tree) up(k int) bool { return k < t.n }

func (t *tree) attach(k, parent int) {
	t.parent[k] = parent
	first := t.child[parent]
	t.prev[k], t.next[k] = -1, first
	if first >= 0 {
		t.prev[first] = k
	}
	t.child[parent] = k
}

func (t *tree) detach(k int) {
	before, after := t.prev[k], t.next[k]
	if before >= 0 {
		t.next[before] = after
	} else {
		t.child[t.parent[k]] = after
	}
	if after >= 0 {
		t.prev[after] = before
	}
}

// price returns the column with the least reduced cost in row i.
func (t *tree) price(i int) (at int, least float64) {
	row, pi := t.c[i*t.m:(i+1)*t.m], t.pi[t.n:t.n+t.m]
	least = math.Inf(1)
	for j, c := range row {
		if r := c - pi[j]; r < least {
			least, at = r, j
		}
	}
	return at, least + t.pi[i]
}

// rounding is what counts as zero in the reduced cost of the arc from row i to
// node j: it is relative to the arc's own numbers, since those of a far point
// say nothing about the others.
func (t *tree) rounding(i, j int) float64 {
	return 1e-14 * (math.Abs(t.c[i*t.m+j-t.n]) + math.Abs(t.pi[i]) + math.Abs(t.pi[j]))
}

// pivot brings the arc from row i to node j into the tree. Mass goes along it,
// from j up to the join and down to i.
func (t *tree) pivot(i, j int) {
	out, most, onRow := t.leaving(i, j)
	t.push(i, j, most)
	in, under := j, i
	if onRow {
		in, under = i, j
	}
	t.reverse(in, out)
	t.attach(in, under)
	t.flow[in] = most
	t.evaluate(in)
}

func (t *tree) join(i, j int) int {
	for i != j {
		if t.depth[i] >= t.depth[j] {
			i = t.parent[i]
		} else {
			j = t.parent[j]
		}
	}
	return i
}

// leaving returns the node below the arc that blocks the cycle, the mass that
// the cycle takes, and whether the node is on the row's side. Of several, it is
// the last on the way from the join down to i and around to the join.
func (t *tree) leaving(i, j int) (out int, most float64, onRow bool) {
	top := t.join(i, j)
	most = math.Inf(1)
	for k := i; k != top; k = t.parent[k] {
		if t.up(k) && t.flow[k] < most {
			out, most, onRow = k, t.flow[k], true
		}
	}
	for k := j; k != top; k = t.parent[k] {
		if !t.up(k) && t.flow[k] <= most {
			out, most, onRow = k, t.flow[k], false
		}
	}
	return out, most, onRow
}

// push moves mass around the cycle.
func (t *tree) push(i, j int, mass float64) {
	if mass == 0 {
		return
	}
	for i != j {
		k, sign := i, mass
		if t.depth[i] >= t.depth[j] {
			if i = t.parent[i]; t.up(k) {
				sign = -mass
			}
		} else {
			if k, j = j, t.parent[j]; !t.up(k) {
				sign = -mass
			}
		}
		t.flow[k] = max(0, t.flow[k]+sign)
	}
}

// reverse makes in the top of the subtree under out, which is cut off.
func (t *tree) reverse(in, out int) {
	below, parent := in, t.parent[in]
	t.detach(in)
	carried := t.flow[in]
	for k := in; k != out; {
		k = parent
		parent = t.parent[k]
		t.detach(k)
		t.attach(k, below)
		t.flow[k], carried = carried, t.flow[k]
		below = k
	}
}

// evaluate computes potentials and depths of the subtree under top from the arcs
// of the tree: to add up changes would keep the rounding errors of the detour
// and of far points.
func (t *tree) evaluate(top int) {
	stack := append(t.stack[:0], top)
	for len(stack) > 0 {
		k := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		p := t.parent[k]
		t.depth[k] = t.depth[p] + 1
		switch root := t.n + t.m; {
		case p == root && k < t.n:
			t.pi[k] = 0
		case p == root:
			t.pi[k] = t.detour
		case k < t.n:
			t.pi[k] = t.pi[p] - t.c[k*t.m+p-t.n]
		default:
			t.pi[k] = t.pi[p] + t.c[p*t.m+k-t.n]
		}
		for q := t.child[k]; q >= 0; q = t.next[q] {
			stack = append(stack, q)
		}
	}
}

// tighten gives points without mass the duals of a point of infinitesimal mass.
func tighten(u, v, a, b, c []float64) {
	m := len(b)
	for j, w := range b {
		if w > 0 {
			continue
		}
		v[j] = math.Inf(1)
		for i, s := range a {
			if s > 0 {
				v[j] = min(v[j], c[i*m+j]-u[i])
			}
		}
	}
	for i, w := range a {
		if w > 0 {
			continue
		}
		u[i] = math.Inf(1)
		for j, w := range c[i*m : (i+1)*m] {
			if b[j] > 0 {
				u[i] = min(u[i], w-v[j])
			}
		}
	}
}
