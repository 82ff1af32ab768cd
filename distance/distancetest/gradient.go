package distancetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/distance"
)

// GradientError compares the gradients of d at (x, y) with finite differences
// and returns the largest difference in each, relative to the largest
// component of that gradient. It takes some 20 evaluations a coordinate.
func GradientError(d distance.Distance, x, y distance.Sample) (relx, rely float64, err error) {
	r, err := eval(d, nil, x, y)
	if err != nil {
		return 0, 0, err
	}
	rel := func(g []float64, s distance.Sample, at func(distance.Sample) (float64, error)) (float64, error) {
		var worst float64
		for i := range g {
			fd, err := partial(s, at, i)
			if err != nil {
				return 0, err
			}
			worst = max(worst, math.Abs(fd-g[i]))
		}
		return worst / max(largest(g), math.SmallestNonzeroFloat64), nil
	}
	if relx, err = rel(r.gx, x, func(z distance.Sample) (float64, error) { return d.Eval(nil, nil, nil, z, y) }); err != nil {
		return 0, 0, err
	}
	rely, err = rel(r.gy, y, func(z distance.Sample) (float64, error) { return d.Eval(nil, nil, nil, x, z) })
	return relx, rely, err
}

// estimate is a derivative with an estimate of its error.
type estimate struct {
	value, err float64
	kink       bool // the two one-sided slopes differ
}

// slope estimates the derivative of at along dir by central differences
// extrapolated to step zero (Ridders, Accurate computation of F'(x) and
// F'(x)F”(x), 1982).
func slope(s distance.Sample, at func(distance.Sample) (float64, error), dir func(k int) float64) (estimate, error) {
	s = tight(s)
	moved := clone(s)
	value := func(h float64) (float64, error) {
		for k, v := range s.X {
			moved.X[k] = v + h*dir(k)
		}
		return at(moved)
	}
	mid, err := value(0)
	if err != nil {
		return estimate{}, err
	}
	const rounds, shrink = 10, 1.6
	var table [rounds][rounds]float64
	best := estimate{err: math.Inf(1)}
	h := .02 * (1 + rms(s.X))
	for i := range rounds {
		up, err1 := value(h)
		down, err2 := value(-h)
		if err1 != nil || err2 != nil {
			return estimate{}, fmt.Errorf("in a finite difference with step %.2g: %v, %v", h, err1, err2)
		}
		table[i][0] = (up - down) / (2 * h)
		fac := shrink * shrink
		for k := 1; k <= i; k++ {
			table[i][k] = (table[i][k-1]*fac - table[i-1][k-1]) / (fac - 1)
			fac *= shrink * shrink
			e := max(math.Abs(table[i][k]-table[i][k-1]), math.Abs(table[i][k]-table[i-1][k-1]))
			if e < best.err {
				left, right := (mid-down)/h, (up-mid)/h
				// A smooth function's one-sided slopes differ by O(h).
				kink := math.Abs(left-right) > 1e-2*(math.Abs(left)+math.Abs(right)) && h < 1e-3
				best = estimate{table[i][k], e, kink}
			}
		}
		h /= shrink
	}
	return best, nil
}

// fineSlope estimates the same for functions that are smooth in pieces only,
// too small for the steps of slope: of central differences with ever smaller
// steps, it takes the two that agree best.
func fineSlope(s distance.Sample, at func(distance.Sample) (float64, error), dir func(k int) float64) (estimate, error) {
	s = tight(s)
	up, down := clone(s), clone(s)
	best := estimate{err: math.Inf(1)}
	last, kink := math.NaN(), false
	mid, err := at(s)
	if err != nil {
		return best, err
	}
	for h := 1e-4 * (1 + rms(s.X)); h > 1e-7; h /= 5 {
		for k, v := range s.X {
			up.X[k], down.X[k] = v+h*dir(k), v-h*dir(k)
		}
		a, err1 := at(up)
		b, err2 := at(down)
		if err1 != nil || err2 != nil {
			return estimate{}, fmt.Errorf("in a finite difference with step %.2g: %v, %v", h, err1, err2)
		}
		fd := (a - b) / (2 * h)
		if e := math.Abs(fd - last); e < best.err {
			best = estimate{value: fd, err: e}
		}
		last = fd
		// The one-sided slopes of a smooth function differ by O(h) only; that
		// of the last and smallest step counts.
		left, right := (mid-b)/h, (a-mid)/h
		kink = math.Abs(left-right) > 1e-4*(math.Abs(left)+math.Abs(right))
	}
	best.kink = kink
	return best, nil
}

// partial returns the derivative by coordinate i, by the better of both ways.
func partial(s distance.Sample, at func(distance.Sample) (float64, error), i int) (float64, error) {
	dir := func(k int) float64 {
		if k == i {
			return 1
		}
		return 0
	}
	wide, err := slope(s, at, dir)
	if err != nil {
		return 0, err
	}
	fine, err := fineSlope(s, at, dir)
	if err == nil && fine.err < wide.err {
		return fine.value, nil
	}
	return wide.value, err
}

// tight returns s with Stride equal to Dim.
func tight(s distance.Sample) distance.Sample {
	out := distance.Sample{N: s.N, Dim: s.Dim, W: s.W, Labels: s.Labels}
	for i := range s.N {
		out.X = append(out.X, s.Row(i)...)
	}
	return out
}

func rms(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s / float64(len(x)))
}

// gradientLaw: the derivative along random directions is that which the
// gradient predicts.
func gradientLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		r, err := eval(d, nil, x, y)
		if err != nil {
			return err
		}
		rnd := c.rng(s, 2)
		floor := max(c.unit, math.Abs(r.value)) / (1 + rms(x.X) + rms(y.X))
		ws := new(distance.Workspace)
		if err := c.along("gx", rnd, r.gx, x, floor, func(z distance.Sample) (float64, error) { return d.Eval(ws, nil, nil, z, y) }); err != nil {
			return err
		}
		return c.along("gy", rnd, r.gy, y, floor, func(z distance.Sample) (float64, error) { return d.Eval(ws, nil, nil, x, z) })
	})
}

// fewCoordinates is the size up to which gradients are tested more than once.
const fewCoordinates = 150

// along tests one gradient in random directions; if one fails, it looks for the
// coordinate that is furthest off.
func (c *checker) along(name string, rnd *rand.Rand, g []float64, s distance.Sample, floor float64, at func(distance.Sample) (float64, error)) error {
	directions := 3
	if len(g) > fewCoordinates {
		directions = 1
	}
	for range directions {
		dir := make([]float64, len(g))
		for k := range dir {
			dir[k] = rnd.NormFloat64()
		}
		fd, err := slope(s, at, func(k int) float64 { return dir[k] })
		if err != nil {
			return err
		}
		var want float64
		for k, v := range g {
			want += v * dir[k]
		}
		scale := max(norm(g), floor, math.Abs(want))
		if fd.kink || math.Abs(fd.value-want) <= c.gradTol()*scale+2*min(fd.err, 1e-2*scale) {
			continue
		}
		fine, err := fineSlope(s, at, func(k int) float64 { return dir[k] })
		if err == nil && (fine.kink || math.Abs(fine.value-want) <= c.gradTol()*scale+2*min(fine.err, 1e-5*scale)) {
			continue
		}
		return c.worst(name, g, s, at, fmt.Errorf("along a random direction %s predicts %v, finite differences give %v (within %.1g)", name, want, fd.value, fd.err))
	}
	return nil
}

// worst adds to err the coordinate of g that is furthest from its finite
// difference.
func (c *checker) worst(name string, g []float64, s distance.Sample, at func(distance.Sample) (float64, error), err error) error {
	at0, fd0, diff := -1, 0.0, 0.0
	for i := 0; i < len(g); i += 1 + len(g)/fewCoordinates {
		fd, e := partial(s, at, i)
		if d := math.Abs(fd - g[i]); e == nil && (d > diff || math.IsNaN(d)) {
			at0, fd0, diff = i, fd, d
		}
	}
	if at0 < 0 {
		return err
	}
	return fmt.Errorf("%w; furthest off is %s at row %d, coordinate %d: got %v, want %v", err, name, at0/s.Dim, at0%s.Dim, g[at0], fd0)
}

func norm(x []float64) float64 { return rms(x) * math.Sqrt(float64(len(x))) }
