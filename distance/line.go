package distance

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
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
	l := newLine(ws, a, b, p)
	value := l.match(x, y, nil, nil)
	if !finite.Is(value) {
		return 0, fmt.Errorf("%w: a sum of |x−y|^%v is %v", ErrNotFinite, p, value)
	}
	return value, nil
}

func checkPower(p float64) error {
	if !(p >= 1) || !finite.Is(p) {
		return fmt.Errorf("%w: power %v, want a finite number ≥ 1", ErrParameter, p)
	}
	return nil
}

// line solves transport problems on a line between given masses.
type line struct {
	a, b   []float64
	p      float64
	ix, iy []int
	sorter
}

func newLine(ws *Workspace, a, b []float64, p float64) line {
	return line{a: a, b: b, p: p, ix: ws.Ints(len(a)), iy: ws.Ints(len(b)), sorter: newSorter(ws, max(len(a), len(b)))}
}

// match returns the optimum for points at x and y and writes into gx and gy,
// unless they are nil, its derivatives.
func (l *line) match(x, y, gx, gy []float64) (value float64) {
	l.order(l.ix, x)
	l.order(l.iy, y)
	if l.equal() {
		return l.matchEqual(x, y, gx, gy)
	}
	clear(gx)
	clear(gy)
	for s := l.start(); s.next(); {
		c, dc := l.cost(x[s.i] - y[s.j])
		value += s.mass * c
		if gx != nil {
			gx[s.i] += s.mass * dc
		}
		if gy != nil {
			gy[s.j] -= s.mass * dc
		}
	}
	return value
}

// equal reports whether all points have one weight.
func (l *line) equal() bool {
	if len(l.a) != len(l.b) {
		return false
	}
	for i, w := range l.a {
		if w != l.a[0] || l.b[i] != w {
			return false
		}
	}
	return true
}

// matchEqual is match for points of one weight, which go one to one.
func (l *line) matchEqual(x, y, gx, gy []float64) (value float64) {
	w := l.a[0]
	for k, i := range l.ix {
		j := l.iy[k]
		c, dc := l.cost(x[i] - y[j])
		value += w * c
		if gx != nil {
			gx[i] = w * dc
		}
		if gy != nil {
			gy[j] = -w * dc
		}
	}
	return value
}

// shipment walks through the plan that moves mass in order, which is optimal
// for every convex cost: mass goes from point i to point j.
type shipment struct {
	line
	i, j       int
	mass       float64
	p, q       int     // ranks of the two
	left, room float64 // mass that they have yet to give and to take
}

// start returns the plan of the orders in l.ix and l.iy before its first step.
func (l *line) start() shipment {
	return shipment{line: *l, left: l.a[l.ix[0]], room: l.b[l.iy[0]]}
}

// Rounding leaves rests where sums of weights agree. A rest is one if it is
// under restMass, where the total is one, and under restShare of the weight of
// its own point.
const (
	restMass  = 1e-15
	restShare = 1e-6
)

// next goes to the next step that moves mass, and reports whether there is one.
func (s *shipment) next() bool {
	for s.p < len(s.ix) && s.q < len(s.iy) {
		s.i, s.j = s.ix[s.p], s.iy[s.q]
		lastX, lastY := s.p == len(s.ix)-1, s.q == len(s.iy)-1
		switch {
		case lastX && lastY:
			s.mass = min(s.left, s.room)
			s.p++
		case lastY: // what is left over has nowhere else to go
			s.mass = s.left
			s.nextRow()
		case lastX:
			s.mass = s.room
			s.nextColumn()
		default:
			s.mass = min(s.left, s.room)
			s.left -= s.mass
			s.room -= s.mass
			noRest := s.left < restMass && s.left <= restShare*s.a[s.i]
			noRoom := s.room < restMass && s.room <= restShare*s.b[s.j]
			if noRest {
				s.nextRow()
			}
			if noRoom {
				s.nextColumn()
			}
		}
		if s.mass > 0 {
			return true
		}
	}
	return false
}

func (s *shipment) nextRow() {
	if s.p++; s.p < len(s.ix) {
		s.left = s.a[s.ix[s.p]]
	}
}

func (s *shipment) nextColumn() {
	if s.q++; s.q < len(s.iy) {
		s.room = s.b[s.iy[s.q]]
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
