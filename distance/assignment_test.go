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
	if gap := assignmentGap(col, u, v, c); gap > 1e-12 {
		t.Errorf("n=%d: gap %v", n, gap)
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
