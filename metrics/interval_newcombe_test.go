package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// The examples of Newcombe's table II, method 10.
func TestNewcombe(t *testing.T) {
	for _, c := range []struct {
		k1, n1, k2, n2 int
		lo, hi         float64
	}{
		{56, 70, 48, 80, .0524, .3339},
		{9, 10, 3, 10, .1705, .8090},
		{6, 7, 2, 7, .0582, .8062},
		{5, 56, 0, 29, -.0381, .1926},
		{0, 10, 0, 20, -.1611, .2775},
		{0, 10, 0, 10, -.2775, .2775},
		{10, 10, 0, 20, .6791, 1},
		{10, 10, 0, 10, .6075, 1},
	} {
		i, err := Newcombe(c.k1, c.n1, c.k2, c.n2, .95)
		if err != nil || math.Abs(i.Lo-c.lo) > 6e-5 || math.Abs(i.Hi-c.hi) > 6e-5 {
			t.Errorf("%d/%d − %d/%d: [%.4f, %.4f], %v; want [%.4f, %.4f]", c.k1, c.n1, c.k2, c.n2, i.Lo, i.Hi, err, c.lo, c.hi)
		}
	}
	if _, err := Newcombe(1, 2, 1, 0, .95); !errors.Is(err, ErrEmpty) {
		t.Errorf("no trials: %v", err)
	}
	if _, err := Newcombe(1, 2, 3, 2, .95); !errors.Is(err, ErrRange) {
		t.Errorf("3 of 2 trials: %v", err)
	}
}

func TestNewcombeCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	binomial := func(n int, p float64) (k int) {
		for range n {
			if r.Float64() < p {
				k++
			}
		}
		return k
	}
	for _, c := range []struct {
		n1, n2 int
		p1, p2 float64
	}{{15, 60, .97, .9}, {40, 200, .98, .9}, {750, 750, .97, .9}, {30, 30, .5, .5}} {
		const draws = 4000
		held := 0
		for range draws {
			i, err := Newcombe(binomial(c.n1, c.p1), c.n1, binomial(c.n2, c.p2), c.n2, .95)
			if err != nil {
				t.Fatal(err)
			}
			if i.Contains(c.p1 - c.p2) {
				held++
			}
		}
		if share := float64(held) / draws; share < .93 || share > .99 {
			t.Errorf("%+v: coverage %.3f", c, share)
		}
	}
}
