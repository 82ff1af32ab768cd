package distance

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOrder compares with a stable sort by comparison.
func TestOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 79, 80, 81, 300, 2999, 3000, 5000} {
		for kind := range 4 {
			x := make([]float64, n)
			for i := range x {
				switch kind {
				case 0:
					x[i] = rnd.NormFloat64()
				case 1:
					x[i] = float64(rnd.IntN(7) - 3) // ties
				case 2:
					x[i] = rnd.NormFloat64() * math.Pow(10, float64(rnd.IntN(600)-300))
				case 3:
					x[i] = 1e9 + float64(rnd.IntN(1000))*1e-6
				}
			}
			want := make([]int, n)
			for i := range want {
				want[i] = i
			}
			slices.SortStableFunc(want, func(i, j int) int {
				switch {
				case x[i] < x[j]:
					return -1
				case x[i] > x[j]:
					return 1
				}
				return 0
			})
			got := make([]int, n)
			s := newSorter(new(Workspace), n)
			s.order(got, x)
			if !slices.Equal(got, want) {
				t.Errorf("%d numbers of kind %d: another order", n, kind)
			}
		}
	}
}
