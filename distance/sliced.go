package distance

import (
	"cmp"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// SlicedWasserstein is the mean of W_p^p over projections of both samples to
// lines, or, if Max, the largest that gradient ascent over the direction
// finds. It takes O((N+M)·L·Dim) and sorting, and lies below the W_p^p of EMD.
//
// References: Bonneel et al., Sliced and Radon Wasserstein barycenters of
// measures (2015); Deshpande et al., Max-sliced Wasserstein distance (2019).
type SlicedWasserstein struct {
	// P is the power, at least 1. If it is zero, 2 is used.
	P float64

	// Projections are the directions to use, rows of unit vectors of the
	// samples' dimension. If it is nil, there are L, drawn from Seed,
	// orthogonal in blocks of the dimension.
	Projections []float64

	// L is the number of directions to draw. If it is zero, 64 is used.
	L int

	// Seed of the directions: the same at each Eval, so that a loop follows
	// one function. Change it to draw anew.
	Seed uint64

	// Max looks for the direction of the largest distance, starting from the
	// best of the above. The search ends at a local maximum, and the gradient
	// holds the direction fixed.
	Max bool
}

// Properties implements Propertied.
func (s SlicedWasserstein) Properties() Properties {
	p := cmp.Or(s.P, 2)
	q := Properties{
		Symmetric: true, Nonnegative: true, Definite: true, Root: p, Translation: true,
		Homogeneous: true, Degree: p, Weighted: true, Kinked: p == 1,
	}
	if s.Max {
		q.Tol, q.Root = 1e-6, 0
	}
	return q
}

func (s SlicedWasserstein) resolve(ws *Workspace, dim int) (SlicedWasserstein, error) {
	s.P, s.L = cmp.Or(s.P, 2), cmp.Or(s.L, 64)
	if s.L < 0 || s.L > maxDraws/dim {
		return s, fmt.Errorf("%w: SlicedWasserstein.L %d, want 1 to %d", ErrParameter, s.L, maxDraws/dim)
	}
	if s.Projections == nil {
		s.Projections = ws.table(draws{s.Seed, s.L, dim, drawOrthogonal})
	}
	if len(s.Projections) == 0 || len(s.Projections)%dim != 0 {
		return s, fmt.Errorf("%w: %d numbers in Projections, want rows of %d", ErrShape, len(s.Projections), dim)
	}
	s.L = len(s.Projections) / dim
	for l := range s.L {
		theta := s.Projections[l*dim : (l+1)*dim]
		if n := kernel.Dot(theta, theta); !(math.Abs(n-1) <= unitSlack) {
			return s, fmt.Errorf("%w: row %d of Projections has the squared length %v, want 1", ErrParameter, l, n)
		}
	}
	return s, checkPower(s.P)
}

// unitSlack is how far the squared length of a direction may be from one: rows
// that were normalized in float32 get within this.
const unitSlack = 1e-5

// Freeze implements Freezer: if Max, it fixes the direction.
func (s SlicedWasserstein) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	if err := Check(nil, nil, x, y); err != nil || !s.Max {
		return s, err
	}
	ws = ws.Enter()
	defer ws.Leave()
	theta := make([]float64, x.Dim)
	_, err := s.eval(ws, theta, nil, nil, x, y)
	return SlicedWasserstein{P: s.P, Projections: theta}, err
}

// slicing is one call.
type slicing struct {
	line
	x, y   []float64 // centered rows
	n, m   int
	dim    int
	px, py []float64 // projections of the points
	gx, gy []float64 // derivatives by these
}

// Eval implements Distance.
func (s SlicedWasserstein) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	return s.eval(ws, nil, gx, gy, x, y)
}

// eval also writes the direction of the largest distance into found, unless
// it is nil.
func (s SlicedWasserstein) eval(ws *Workspace, found, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	if s, err = s.resolve(ws, x.Dim); err != nil {
		return 0, err
	}
	t := slicing{
		line: newLine(ws, a, b, s.P),
		n:    x.N, m: y.N, dim: x.Dim,
		px: ws.Floats(x.N), py: ws.Floats(y.N), gx: ws.Floats(x.N), gy: ws.Floats(y.N),
	}
	t.x, t.y = centered(ws, x, y)
	var value float64
	if s.Max {
		value = t.largest(ws, found, gx, gy, s.Projections)
	} else {
		rows := max(1, min(s.L, slicedPanel/(x.N+y.N)))
		for lo := 0; lo < s.L; lo += rows {
			hi := min(lo+rows, s.L)
			value += t.panel(ws, gx, gy, 1/float64(s.L), s.Projections[lo*t.dim:hi*t.dim])
		}
	}
	if !finite.Is(value) {
		return 0, fmt.Errorf("%w: a projected distance is %v", ErrNotFinite, value)
	}
	return value, nil
}

// slicedPanel is the number of projections of points that are in memory at once.
const slicedPanel = 1 << 21

// panel returns w times the sum of W_p^p over the directions, and adds the
// gradients, by one matrix product each.
func (t *slicing) panel(ws *Workspace, gx, gy []float64, w float64, directions []float64) (value float64) {
	ws = ws.Enter()
	defer ws.Leave()
	rows := len(directions) / t.dim
	px, py := ws.Floats(rows*t.n), ws.Floats(rows*t.m)
	gemm(ws, false, true, rows, t.n, t.dim, 1, directions, t.x, 0, px)
	gemm(ws, false, true, rows, t.m, t.dim, 1, directions, t.y, 0, py)
	var dx, dy []float64
	for l := range rows {
		x, y := px[l*t.n:(l+1)*t.n], py[l*t.m:(l+1)*t.m]
		if gx != nil {
			dx = t.gx
		}
		if gy != nil {
			dy = t.gy
		}
		value += w * t.match(x, y, dx, dy)
		// The derivatives take the places of the projections.
		copy(x, dx)
		copy(y, dy)
	}
	if gx != nil {
		gemm(ws, true, false, t.n, t.dim, rows, w, px, directions, 1, gx)
	}
	if gy != nil {
		gemm(ws, true, false, t.m, t.dim, rows, w, py, directions, 1, gy)
	}
	return value
}

// along returns W_p^p of the projections to theta, with its derivatives in
// t.gx and t.gy.
func (t *slicing) along(theta []float64) float64 {
	for i := range t.px {
		t.px[i] = kernel.Dot(t.x[i*t.dim:(i+1)*t.dim], theta)
	}
	for j := range t.py {
		t.py[j] = kernel.Dot(t.y[j*t.dim:(j+1)*t.dim], theta)
	}
	return t.match(t.px, t.py, t.gx, t.gy)
}

// lift adds w·g·thetaᵀ to dst, unless it is nil.
func (t *slicing) lift(dst []float64, w float64, g, theta []float64) {
	if dst == nil {
		return
	}
	for i, v := range g {
		kernel.Axpy(w*v, theta, dst[i*t.dim:(i+1)*t.dim])
	}
}

// maxAscent is the number of ascent steps at most.
const maxAscent = 500

// largest climbs from the best of the directions: the next one is that of the
// gradient in theta, or, where this does not rise, lies between. Where the
// distance is smooth in the direction, the gradient in the points is the one
// at the direction found (Danskin's theorem).
func (t *slicing) largest(ws *Workspace, found, gx, gy, directions []float64) float64 {
	theta, next, grad := ws.Floats(t.dim), ws.Floats(t.dim), ws.Floats(t.dim)
	best := -1.0
	for l := 0; l < len(directions); l += t.dim {
		if v := t.along(directions[l : l+t.dim]); v > best {
			best = v
			copy(theta, directions[l:l+t.dim])
		}
	}
	best = t.along(theta)
	for range maxAscent {
		clear(grad)
		t.slope(grad)
		if largestAbs(grad) < 1e-300 {
			break
		}
		normalize(grad)
		rise := t.climb(next, theta, grad, best)
		if rise <= 1e-15*best {
			break
		}
		best += rise
		copy(theta, next)
	}
	best = t.along(theta)
	copy(found, theta)
	t.lift(gx, 1, t.gx, theta)
	t.lift(gy, 1, t.gy, theta)
	return best
}

// slope adds the derivative in theta to grad.
func (t *slicing) slope(grad []float64) {
	for i, v := range t.gx {
		kernel.Axpy(v, t.x[i*t.dim:(i+1)*t.dim], grad)
	}
	for j, v := range t.gy {
		kernel.Axpy(v, t.y[j*t.dim:(j+1)*t.dim], grad)
	}
}

// climb writes into next the first of the unit vectors along theta + h·grad,
// for h = ∞, 1, ½ …, with a larger distance than best, and returns the rise,
// or 0.
func (t *slicing) climb(next, theta, grad []float64, best float64) float64 {
	copy(next, grad)
	for h := 1.0; h > 1e-9; h /= 2 {
		if v := t.along(next); v > best {
			return v - best
		}
		copy(next, theta)
		kernel.Axpy(h, grad, next)
		normalize(next)
	}
	return 0
}
