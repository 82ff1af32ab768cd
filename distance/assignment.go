package distance

import "math"

// assign solves the assignment problem for the n×n costs c: it writes the
// column of each row into col and optimal duals into u and v, such that
// u[i]+v[j] ≤ c[i,j], with equality where col[i] is j. It takes O(n³) at worst.
//
// The method is the shortest augmenting path of Jonker and Volgenant, A
// shortest augmenting path algorithm for dense and sparse linear assignment
// problems (1987), with their column reduction and reduction transfer.
func assign(ws *Workspace, col []int, u, v, c []float64) {
	ws = ws.Enter()
	defer ws.Leave()
	n := len(col)
	s := assignment{
		n: n, c: c, u: u, v: v, col: col,
		row: ws.Ints(n), prev: ws.Ints(n), todo: ws.Ints(n), dist: ws.Floats(n),
	}
	s.reduce()
	for i := range n {
		if col[i] < 0 {
			s.augment(i)
		}
	}
	// The prices of the rows follow from those of the columns.
	for i, j := range col {
		u[i] = c[i*n+j] - v[j]
	}
}

type assignment struct {
	n        int
	c, u, v  []float64
	col, row []int // partner of each row and column, −1 for none
	prev     []int // row from which the shortest path enters a column
	todo     []int // columns not yet final
	dist     []float64
}

// reduce sets each price to the least cost of its column and gives each row
// the first such column that it can have.
func (s *assignment) reduce() {
	n := s.n
	for i := range s.col {
		s.col[i] = -1
	}
	copy(s.v, s.c[:n])
	clear(s.prev)
	for i := 1; i < n; i++ {
		for j, w := range s.c[i*n : i*n+n] {
			if w < s.v[j] {
				s.v[j], s.prev[j] = w, i
			}
		}
	}
	for j := range n {
		s.row[j] = -1
		if i := s.prev[j]; s.col[i] < 0 {
			s.col[i], s.row[j] = j, i
		}
	}
}

// augment finds the shortest path in reduced costs from the free row start to
// a free column, adapts the prices and swaps partners along the path.
func (s *assignment) augment(start int) {
	n := s.n
	for j := range n {
		s.dist[j], s.todo[j] = math.Inf(1), j
	}
	i, lowest, left := start, 0.0, n
	sink := -1
	for sink < 0 {
		row := s.c[i*n : i*n+n]
		h := lowest
		if i != start {
			h -= row[s.col[i]] - s.v[s.col[i]]
		}
		at := s.relax(row, h, i, left)
		j := s.todo[at]
		lowest = s.dist[j]
		left--
		s.todo[at], s.todo[left] = s.todo[left], j
		if i = s.row[j]; i < 0 {
			sink = j
		}
	}
	for _, j := range s.todo[left:n] {
		s.v[j] += s.dist[j] - lowest
	}
	for j := sink; ; {
		i := s.prev[j]
		s.row[j] = i
		j, s.col[i] = s.col[i], j
		if i == start {
			return
		}
	}
}

// relax shortens the distances of the columns that are left through row i and
// returns the place in todo of the nearest, preferring a free one.
func (s *assignment) relax(row []float64, h float64, i, left int) (at int) {
	best := math.Inf(1)
	for k, j := range s.todo[:left] {
		d := s.dist[j]
		if r := h + row[j] - s.v[j]; r < d {
			d = r
			s.dist[j], s.prev[j] = r, i
		}
		if d < best || d == best && s.row[j] < 0 {
			best, at = d, k
		}
	}
	return at
}
