package distance

import "math"

// ship solves the transport problem between the masses a and b for the costs
// c, n×m: it writes the transposed plan into xt, m×n, and optimal duals into u
// and v, such that u[i]+v[j] ≤ c[i,j], with equality where mass moves.
//
// Should rounding keep it from coming to an end, it gives up and reports false.
//
// Mass takes shortest paths in reduced costs, one source after the other, as
// in assign; since the duals stay feasible throughout and mass moves along
// tight arcs only, what comes out is optimal and the duals prove it.
//
// Reference: Ahuja, Magnanti, Orlin, Network flows (1993), §9.7.
func ship(ws *Workspace, xt, u, v, a, b, c []float64) bool {
	ws = ws.Enter()
	defer ws.Leave()
	n, m := len(a), len(b)
	f := flow{
		n: n, m: m, c: c, u: u, v: v, xt: xt,
		supply: ws.Floats(n), demand: ws.Floats(m), dist: ws.Floats(m), reached: ws.Floats(n),
		from: ws.Ints(m), via: ws.Ints(n), todo: ws.Ints(m), rows: ws.Ints(n),
	}
	copy(f.supply, a)
	copy(f.demand, b)
	f.dust = 1e-15 / float64(n+m)
	clear(xt)
	f.reduce()
	paths := 1000 + 100*(n+m) // about n+m are needed
	for i := range n {
		for f.supply[i] > f.dust && paths > 0 && f.augment(i) {
			paths--
		}
	}
	f.tighten(a, b)
	return paths > 0
}

type flow struct {
	n, m           int
	c, u, v, xt    []float64
	supply, demand []float64
	dust           float64   // mass that rounding leaves over
	dist           []float64 // of columns
	reached        []float64 // distance of rows, −1 where not reached
	from           []int     // row from which the shortest path enters a column
	via            []int     // column from which it enters a row
	todo           []int     // columns not yet final
	rows           []int     // rows to relax, nearest first
}

// reduce sets the duals of the columns to their least cost, then those of the
// rows, and ships what it can along the arcs that become tight.
func (f *flow) reduce() {
	copy(f.v, f.c[:f.m])
	for i := 1; i < f.n; i++ {
		for j, w := range f.c[i*f.m : (i+1)*f.m] {
			f.v[j] = min(f.v[j], w)
		}
	}
	for i := range f.n {
		f.u[i] = math.Inf(1)
		at := 0
		for j, w := range f.c[i*f.m : (i+1)*f.m] {
			if r := w - f.v[j]; r < f.u[i] {
				f.u[i], at = r, j
			}
		}
		if s := min(f.supply[i], f.demand[at]); s > f.dust {
			f.move(i, at, s)
			f.supply[i] -= s
			f.demand[at] -= s
		}
	}
}

// move adds s to the mass from row i to column j. What rounding leaves over
// must not count as mass, or it would be moved about for ever.
func (f *flow) move(i, j int, s float64) {
	x := &f.xt[j*f.n+i]
	if *x += s; *x <= f.dust {
		*x = 0
	}
}

// augment sends mass from row start along the shortest path to a column with
// demand. It reports false if there is none.
func (f *flow) augment(start int) bool {
	for i := range f.reached {
		f.reached[i] = -1
	}
	for j := range f.todo {
		f.dist[j], f.todo[j] = math.Inf(1), j
	}
	f.reached[start], f.via[start] = 0, -1
	f.rows = append(f.rows[:0], start)
	left := f.m
	var lowest float64
	for {
		for _, i := range f.rows {
			f.relax(i, lowest, left)
		}
		if left == 0 {
			return false
		}
		at := f.nearest(left)
		j := f.todo[at]
		lowest = max(lowest, f.dist[j]) // not less by rounding
		left--
		f.todo[at], f.todo[left] = f.todo[left], j
		if f.demand[j] > f.dust {
			f.reprice(lowest, left)
			f.push(start, j)
			return true
		}
		f.enter(j, lowest)
	}
}

// relax shortens the distances of the columns that are left through row i.
func (f *flow) relax(i int, lowest float64, left int) {
	row := f.c[i*f.m : (i+1)*f.m]
	h := lowest - f.u[i]
	for _, j := range f.todo[:left] {
		if r := h + row[j] - f.v[j]; r < f.dist[j] {
			f.dist[j], f.from[j] = r, i
		}
	}
}

func (f *flow) nearest(left int) (at int) {
	best := math.Inf(1)
	for k, j := range f.todo[:left] {
		if d := f.dist[j]; d < best || d == best && f.demand[j] > f.dust {
			best, at = d, k
		}
	}
	return at
}

// enter collects the rows that send mass to column j and are new.
func (f *flow) enter(j int, lowest float64) {
	f.rows = f.rows[:0]
	for i, x := range f.xt[j*f.n : (j+1)*f.n] {
		if x > f.dust && f.reached[i] < 0 {
			f.reached[i], f.via[i] = lowest, j
			f.rows = append(f.rows, i)
		}
	}
}

// reprice adapts the duals so that the shortest path becomes tight.
func (f *flow) reprice(lowest float64, left int) {
	for _, j := range f.todo[left:] {
		f.v[j] += f.dist[j] - lowest
	}
	for i, d := range f.reached {
		if d >= 0 {
			f.u[i] += lowest - d
		}
	}
}

// push moves as much mass as the path from start to sink carries.
func (f *flow) push(start, sink int) {
	s := min(f.supply[start], f.demand[sink])
	for i := f.from[sink]; f.via[i] >= 0; i = f.from[f.via[i]] {
		s = min(s, f.xt[f.via[i]*f.n+i])
	}
	f.supply[start] -= s
	f.demand[sink] -= s
	for j := sink; ; {
		i := f.from[j]
		f.move(i, j, s)
		if f.via[i] < 0 {
			return
		}
		j = f.via[i]
		f.move(i, j, -s)
	}
}

// tighten gives points without mass the duals of a point of infinitesimal mass.
func (f *flow) tighten(a, b []float64) {
	for j, w := range b {
		if w > 0 {
			continue
		}
		f.v[j] = math.Inf(1)
		for i, s := range a {
			if s > 0 {
				f.v[j] = min(f.v[j], f.c[i*f.m+j]-f.u[i])
			}
		}
	}
	for i, w := range a {
		if w > 0 {
			continue
		}
		f.u[i] = math.Inf(1)
		for j, w := range f.c[i*f.m : (i+1)*f.m] {
			if b[j] > 0 {
				f.u[i] = min(f.u[i], w-f.v[j])
			}
		}
	}
}
