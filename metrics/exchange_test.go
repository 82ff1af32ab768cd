package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestExchangeByHand(t *testing.T) {
	// AUC 3/4 in the first world, where members are {2, 4}; 1 in the second, {5, 6} against {1, 2}.
	e := Exchange{Forget: [2][]float64{{2, 4}, {1, 2}}, Holdout: [2][]float64{{1, 3}, {5, 6}}}
	near(t, "quality", must(e.Quality(.95)).Value, 1-.75, 1e-15)
	// The sets differ, whatever the world: the two attacks cancel.
	e = Exchange{Forget: [2][]float64{{5, 6, 9}, {5, 6, 9}}, Holdout: [2][]float64{{1, 2}, {1, 2}}}
	if q := must(e.Quality(.95)); q != (Estimate{1, Interval{1, 1}}) {
		t.Errorf("labels alone: %+v", q)
	}
	worst := Exchange{Forget: [2][]float64{{5, 6, 9}, {1, 2, 0}}, Holdout: [2][]float64{{1, 2}, {7, 9}}}
	if q := must(worst.Quality(.95)); q.Value != 0 || q.Interval.Lo != 0 || q.Interval.Hi < .1 {
		t.Errorf("perfect attacker: %+v", q)
	}
}

// Retrained models have quality 1 at the promised rate, also where the sets
// differ and where samples keep their difficulty from one world to the other.
func TestCoverageOfExchange(t *testing.T) {
	draws, lo, hi := 400, .91, .99
	if *fullCoverage {
		draws, lo, hi = 2000, .92, .98
	}
	for _, c := range []struct {
		m, n         int
		keeps, apart float64
	}{{10, 10, 0, 0}, {20, 20, .9, 0}, {100, 40, .9, 1}, {200, 200, 0, .5}, {8, 100, .5, 0}} {
		rate := covered(draws, 1, func(k int) []bool {
			r := rand.New(rand.NewPCG(uint64(k), 85))
			var e Exchange
			draw := func(n int, mean float64) (x [2][]float64) {
				for range n {
					own := r.NormFloat64()
					for w := range 2 {
						x[w] = append(x[w], mean+c.keeps*own+math.Sqrt(1-c.keeps*c.keeps)*r.NormFloat64())
					}
				}
				return x
			}
			e.Forget, e.Holdout = draw(c.m, c.apart), draw(c.n, 0)
			return []bool{must(e.Quality(.95)).Interval.Contains(1)}
		})
		t.Logf("%3d and %3d samples, kept %.1f, apart %.1f: %.3f", c.m, c.n, c.keeps, c.apart, rate[0])
		if rate[0] < lo || rate[0] > hi {
			t.Errorf("coverage %.3f", rate[0])
		}
	}
}

func TestBadExchange(t *testing.T) {
	two, one := [2][]float64{{1, 2}, {3, 4}}, [2][]float64{{1}, {3}}
	for i, c := range []struct {
		e     Exchange
		level float64
		want  error
	}{
		{Exchange{two, two}, 0, ErrRange},
		{Exchange{}, .9, ErrEmpty},
		{Exchange{two, one}, .9, ErrTooFew},
		{Exchange{two, [2][]float64{{1, 2}, {3}}}, .9, ErrShape},
		{Exchange{two, [2][]float64{{1, 2}, {3, math.NaN()}}}, .9, ErrNotFinite},
	} {
		if _, err := c.e.Quality(c.level); !errors.Is(err, c.want) {
			t.Errorf("case %d: got %v, want %v", i, err, c.want)
		}
	}
}
