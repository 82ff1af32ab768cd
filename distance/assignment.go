package distance

import "math"

// assign solves the assignment problem for the n×n costs c: it writes the
// column of each row into col and optimal duals into u and v, such that
// u[i]+v[j] ≤ c[i,j], with equality where col[i] is j. It takes O(n³) at worst,
// and reports false where it has relaxed handOver·n² arcs without an end: on
// such problems, mostly of points in few dimensions, the simplex is faster.
//
// The method is the shortest augmenting path of Jonker and Volgenant, A
// shortest augmenting path algorithm for dense and sparse linear assignment
// problems (1987), with their column reduction and augmenting row reduction.
func assign(ws *Workspace, col []int, u, v, c []float64) bool {
	ws = ws.Enter()
	defer ws.Leave()
	n := len(col)
	s := assignment{
		n: n, c: c, u: u, v: v, col: col,
		row: ws.Ints(n), prev: ws.Ints(n), todo: ws.Ints(n), dist: ws.Floats(n),
	}
	s.reduce()
	for range 2 {
		s.bid()
	}
	for i := range n {
		if col[i] >= 0 {
			continue
		}
		if s.relaxed > handOver*n*n {
			return false
		}
		s.augment(i)
	}
	// The prices of the rows follow from those of the columns.
	for i, j := range col {
		u[i] = c[i*n+j] - v[j]
	}
	return true
}

// handOver is how many times n² arcs are relaxed before assign gives up.
const handOver = 30

type assignment struct {
	n        int
	c, u, v  []float64
	col, row []int // partner of each row and column, −1 for none
	prev     []int // row from which the shortest path enters a column
	todo     []int // columns not yet final
	dist     []float64
	relaxed  int // arcs so far
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

// bid lets each free row take its cheapest column, at a price under which the
// second cheapest would do as well, from the row that has it, which bids next
// in turn if the price has fallen. The number of bids is limited, since prices
// may fall by very little.
func (s *assignment) bid() {
	free := s.todo[:0]
	for i, j := range s.col {
		if j < 0 {
			free = append(free, i)
		}
	}
	bids := 4 * s.n
	for _, i := range free {
		for ; i >= 0 && bids > 0; bids-- {
			first, second, at, next := s.cheapest(i)
			fell := s.v[at]-(second-first) < s.v[at]
			if fell {
				s.v[at] -= second - first
			} else if s.row[at] >= 0 {
				at = next
			}
			loser := s.row[at]
			s.row[at], s.col[i] = i, at
			if loser >= 0 {
				s.col[loser] = -1
			}
			if i = loser; !fell {
				break
			}
		}
	}
}

// cheapest returns the two lowest reduced costs of row i and their columns.
func (s *assignment) cheapest(i int) (first, second float64, at, next int) {
	row, v := s.c[i*s.n:i*s.n+s.n], s.v[:s.n]
	first, second = math.Inf(1), math.Inf(1)
	for j, w := range row {
		if r := w - v[j]; r < second {
			if r < first {
				first, second, at, next = r, first, j, at
			} else {
				second, next = r, j
			}
		}
	}
	if math.IsInf(second, 1) { // a single column
		return first, first, at, at
	}
	return first, second, at, next
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
	s.relaxed += left
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
