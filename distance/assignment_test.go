package distance

import (
	"math"
	"math/rand/v2"
	"testing"
)

// bestPermutation is the least cost over all permutations.
func bestPermutation(c []float64, n int) float64 {
	best := math.Inf(1)
	used := make([]bool, n)
	var try func(i int, cost float64)
	try = func(i int, cost float64) {
		if i == n {
			best = min(best, cost)
			return
		}
		for j := range n {
			if !used[j] {
				used[j] = true
				try(i+1, cost+c[i*n+j])
				used[j] = false
			}
		}
	}
	try(0, 0)
	return best
}

func TestAssignAgainstBruteForce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		n := 1 + round%7
		c := make([]float64, n*n)
		for i := range c {
			c[i] = rnd.NormFloat64()
			if round%3 == 0 { // many ties
				c[i] = float64(rnd.IntN(3))
			}
		}
		checkAssignment(t, c, n, bestPermutation(c, n))
	}
}

// checkAssignment tests the solution by its certificate and, unless want is
// NaN, by its cost.
func checkAssignment(t *testing.T, c []float64, n int, want float64) {
	t.Helper()
	col, u, v := make([]int, n), make([]float64, n), make([]float64, n)
	assign(new(Workspace).Enter(), col, u, v, c)
	seen := make([]bool, n)
	var cost float64
	for i, j := range col {
		if seen[j] {
			t.Fatalf("n=%d: column %d taken twice", n, j)
		}
		seen[j] = true
		cost += c[i*n+j]
	}
	if !math.IsNaN(want) && math.Abs(cost-want) > 1e-12 {
		t.Errorf("n=%d: cost %v, want %v", n, cost, want)
	}
	for i, j := range col {
		if d := u[i] + v[j] - c[i*n+j]; math.Abs(d) > 1e-12 {
			t.Errorf("n=%d: slack %v at (%d, %d)", n, d, i, j)
		}
		for j := range n {
			if d := u[i] + v[j] - c[i*n+j]; d > 1e-12 {
				t.Errorf("n=%d: duals exceed the cost by %v at (%d, %d)", n, d, i, j)
			}
		}
	}
}

func TestAssignCertificate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{20, 64, 150} {
		c := make([]float64, n*n)
		for i := range c {
			c[i] = rnd.Float64()
		}
		checkAssignment(t, c, n, math.NaN())
	}
}

// TestSimplex compares with the assignment of points that are repeated in
// proportion to their weights.
func TestSimplex(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for round := range 200 {
		n, m, total := 1+rnd.IntN(6), 1+rnd.IntN(6), 12
		x, y := repeats(rnd, n, total), repeats(rnd, m, total)
		c, big := make([]float64, n*m), make([]float64, total*total)
		for i := range c {
			c[i] = rnd.NormFloat64()
			if round%3 == 0 {
				c[i] = float64(rnd.IntN(3))
			}
		}
		for i, p := range x {
			for j, q := range y {
				big[i*total+j] = c[p*m+q]
			}
		}
		col, u, v := make([]int, total), make([]float64, total), make([]float64, total)
		assign(new(Workspace).Enter(), col, u, v, big)
		var want float64
		for i, j := range col {
			want += big[i*total+j] / float64(total)
		}
		got := matching{n: n, m: m, a: share(x, n), b: share(y, m), c: c, u: make([]float64, n), v: make([]float64, m), plan: make([]float64, n*m)}
		got.ship(new(Workspace).Enter(), false)
		value, gap := got.certify()
		if math.Abs(value-want) > 1e-12 || gap > 1e-12 {
			t.Errorf("round %d, %d×%d: cost %v, want %v; gap %v", round, n, m, value, want, gap)
		}
		checkMarginals(t, got)
	}
}

// repeats draws which of n points each of total copies is of.
func repeats(rnd *rand.Rand, n, total int) []int {
	x := make([]int, total)
	for i := range x {
		x[i] = rnd.IntN(n)
	}
	return x
}

func share(x []int, n int) []float64 {
	w := make([]float64, n)
	for _, i := range x {
		w[i] += 1 / float64(len(x))
	}
	return w
}

func checkMarginals(t *testing.T, p matching) {
	t.Helper()
	col := make([]float64, p.m)
	for i, a := range p.a {
		var s float64
		for j, x := range p.plan[i*p.m : (i+1)*p.m] {
			if x < 0 {
				t.Errorf("plan[%d, %d] = %v", i, j, x)
			}
			s += x
			col[j] += x
		}
		if math.Abs(s-a) > 1e-14 {
			t.Errorf("row %d has mass %v, want %v", i, s, a)
		}
	}
	for j, b := range p.b {
		if math.Abs(col[j]-b) > 1e-14 {
			t.Errorf("column %d has mass %v, want %v", j, col[j], b)
		}
	}
}

// TestSimplexCertificate proves larger solutions by their duals, with ties and
// points without mass among them.
func TestSimplexCertificate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for round, size := range [][2]int{{30, 50}, {80, 20}, {64, 64}, {1, 40}, {40, 1}, {100, 90}} {
		n, m := size[0], size[1]
		p := matching{n: n, m: m, a: masses(rnd, n), b: masses(rnd, m), c: make([]float64, n*m), u: make([]float64, n), v: make([]float64, m), plan: make([]float64, n*m)}
		for i := range p.c {
			p.c[i] = rnd.NormFloat64()
			if round%2 == 0 {
				p.c[i] = float64(rnd.IntN(4))
			}
		}
		ws := new(Workspace).Enter()
		p.ship(ws, false)
		if _, gap := p.certify(); gap > 1e-12 || !ws.Stats.Converged {
			t.Errorf("%d×%d: gap %v", n, m, gap)
		}
		checkMarginals(t, p)
	}
}

// masses draws weights, one in five of them zero.
func masses(rnd *rand.Rand, n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		if w[i] = rnd.Float64(); rnd.IntN(5) == 0 {
			w[i] = 0
		}
	}
	w[0] = 1
	scaleBy(w, 1/sum(w))
	return w
}
