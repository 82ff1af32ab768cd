package distance

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// Numeric returns a Distance with the values of f and gradients by central
// differences, which take two values of f a coordinate: for trying out ideas.
// f must not modify or keep the samples, which are well formed, finite and of
// one dimension.
//
// Each coordinate moves by a share of the spread of its column over both
// samples: by 6e-6 of it where points are as far from the origin as from one
// another, and by more where an offset costs the differences digits.
func Numeric(f func(x, y Sample) (float64, error)) Distance { return numeric{f} }

type numeric struct {
	f func(x, y Sample) (float64, error)
}

func (d numeric) Properties() Properties { return Properties{Tol: 1e-6} }

func (d numeric) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	if err := Check(gx, gy, x, y); err != nil {
		return 0, err
	}
	if d.f == nil {
		return 0, fmt.Errorf("%w: the function of Numeric is nil", ErrParameter)
	}
	value, err := d.value(x, y)
	if err != nil || gx == nil && gy == nil {
		return value, err
	}
	steps := steps(ws, x, y)
	if gx != nil {
		z := copied(ws, x)
		err = differences(gx, z, steps, func() (float64, error) { return d.value(z, y) })
	}
	if gy != nil && err == nil {
		z := copied(ws, y)
		err = differences(gy, z, steps, func() (float64, error) { return d.value(x, z) })
	}
	return value, err
}

// value returns a finite value of f or an error.
func (d numeric) value(x, y Sample) (float64, error) {
	v, err := d.f(x, y)
	if err == nil && !finite.Is(v) {
		err = fmt.Errorf("%w: the value is %v", ErrNotFinite, v)
	}
	return v, err
}

func copied(ws *Workspace, s Sample) Sample {
	z := Sample{N: s.N, Dim: s.Dim, X: ws.Floats(s.N * s.Dim), W: s.W, Labels: s.Labels}
	for i := range s.N {
		copy(z.Row(i), s.Row(i))
	}
	return z
}

// steps returns the step for each column. Where s is the standard deviation of
// the column and δ the relative rounding error of a coordinate less its mean,
// the errors of truncation, of order (h/s)², and of rounding, of order δs/h,
// balance at h = s·δ^⅓. A column of equal numbers takes s from all columns; if
// there is no spread at all, s is the size of the numbers, or 1.
func steps(ws *Workspace, x, y Sample) []float64 {
	out := ws.Floats(x.Dim)
	var total, top float64
	for k := range out {
		mean, deviation := column(k, x, y)
		out[k] = deviation
		total += deviation * deviation / float64(x.Dim)
		top = max(top, math.Abs(mean))
	}
	whole := math.Sqrt(total)
	if whole == 0 {
		if whole = top; whole == 0 {
			whole = 1
		}
	}
	for k, s := range out {
		if s == 0 {
			s = whole
		}
		const rounding = 0x1p-52
		mean, _ := column(k, x, y)
		out[k] = s * math.Cbrt(rounding*max(1, math.Abs(mean)/s))
	}
	return out
}

// column returns mean and standard deviation of column k of both samples.
func column(k int, x, y Sample) (mean, deviation float64) {
	count := float64(x.N + y.N)
	base := x.Row(0)[k] // comes off first, since a sum of large offsets rounds
	var first, second float64
	for _, s := range [2]Sample{x, y} {
		for i := range s.N {
			first += (s.Row(i)[k] - base) / count
		}
	}
	for _, s := range [2]Sample{x, y} {
		for i := range s.N {
			d := s.Row(i)[k] - base - first
			second += d * d / count
		}
	}
	return base + first, math.Sqrt(second)
}

// differences writes central differences over the steps that rounding leaves.
func differences(g []float64, z Sample, steps []float64, f func() (float64, error)) error {
	for k, v := range z.X {
		h := steps[k%z.Dim]
		high, low := v+h, v-h
		z.X[k] = high
		up, err := f()
		if err != nil {
			return err
		}
		z.X[k] = low
		down, err := f()
		if err != nil {
			return err
		}
		z.X[k] = v
		g[k] = (up - down) / (high - low)
	}
	return nil
}
