package distance

import (
	"fmt"
	"math"
	"slices"
)

// Wasserstein1D returns W_p^p between weighted points on a line, the least
// Σ Pᵢⱼ|xᵢ−yⱼ|^p, exactly, in O(n log n). p is at least 1; nil weights are
// uniform, others are ≥ 0 with the sum 1. Errors are those of Distance.
func Wasserstein1D(x, y, wx, wy []float64, p float64) (float64, error) {
	ws := new(Workspace).Enter()
	a, b, err := begin(ws, nil, nil, Sample{N: len(x), Dim: 1, X: x, W: wx}, Sample{N: len(y), Dim: 1, X: y, W: wy})
	if err != nil {
		return 0, err
	}
	if err := checkPower(p); err != nil {
		return 0, err
	}
	return newLine(ws, a, b, p).match(x, y, nil, nil), nil
}

func checkPower(p float64) error {
	if !(p >= 1) || math.IsInf(p, 1) {
		return fmt.Errorf("%w: power %v, want a finite number ≥ 1", ErrParameter, p)
	}
	return nil
}

// line solves transport problems on a line between given masses.
type line struct {
	a, b   []float64
	p      float64
	ix, iy []int
}

func newLine(ws *Workspace, a, b []float64, p float64) *line {
	return &line{a: a, b: b, p: p, ix: ws.Ints(len(a)), iy: ws.Ints(len(b))}
}

// match returns the optimum for points at x and y and writes into gx and gy,
// unless they are nil, its derivatives. It moves mass in order, which is
// optimal for every convex cost.
func (l *line) match(x, y, gx, gy []float64) (value float64) {
	order(l.ix, x)
	order(l.iy, y)
	clear(gx)
	clear(gy)
	var i, j int
	left, room := l.a[l.ix[0]], l.b[l.iy[0]]
	for {
		p, q := l.ix[i], l.iy[j]
		w := min(left, room)
		if w > 0 {
			c, dc := l.cost(x[p] - y[q])
			value += w * c
			if gx != nil {
				gx[p] += w * dc
			}
			if gy != nil {
				gy[q] -= w * dc
			}
		}
		left -= w
		room -= w
		// Rounding may leave the last of one side with nothing opposite.
		switch {
		case left <= room && i+1 < len(x):
			i++
			left = l.a[l.ix[i]]
		case j+1 < len(y):
			j++
			room = l.b[l.iy[j]]
		case i+1 < len(x):
			i++
			left = l.a[l.ix[i]]
		default:
			return value
		}
	}
}

// cost returns |d|^p and its derivative.
func (l *line) cost(d float64) (c, dc float64) {
	switch {
	case l.p == 2:
		return d * d, 2 * d
	case d == 0:
		return 0, 0
	case l.p == 1:
		return math.Abs(d), math.Copysign(1, d)
	}
	s := math.Pow(math.Abs(d), l.p-1)
	return s * math.Abs(d), math.Copysign(l.p*s, d)
}

// order writes the order of x, with ties by index.
func order(ix []int, x []float64) {
	for i := range ix {
		ix[i] = i
	}
	slices.SortFunc(ix, func(i, j int) int {
		switch {
		case x[i] < x[j]:
			return -1
		case x[i] > x[j]:
			return 1
		}
		return i - j
	})
}
