package distance

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Sample is a weighted empirical measure: the rows of X are its points.
// Functions of this package never modify or keep one. A *mat.Dense of gonum is
// one without copying: where r is its RawMatrix, Sample{N: r.Rows, Dim: r.Cols,
// Stride: r.Stride, X: r.Data}.
type Sample struct {
	N, Dim int       // number of points and of coordinates
	Stride int       // from one row to the next; 0 means Dim
	X      []float64 // row-major
	W      []float64 // one weight ≥ 0 a point, with sum 1; nil: uniform
	Labels []int     // one class a point, which only ClassConditional reads; may be nil
}

// FromRows returns a uniform Sample with a copy of the rows. Rows that differ
// in length give a Sample that every Distance refuses with ErrShape.
func FromRows(rows [][]float64) Sample {
	if len(rows) == 0 {
		return Sample{}
	}
	s := Sample{N: len(rows), Dim: len(rows[0])}
	for _, r := range rows {
		if len(r) != s.Dim {
			return Sample{N: len(rows), Dim: s.Dim}
		}
		s.X = append(s.X, r...)
	}
	return s
}

// FromFloat32 returns n uniform rows of width len(x)/n, converted into memory
// of ws, which they share until the matching Leave (see Workspace). If ws is nil
// or no frame of it is open, the memory is new.
func FromFloat32(ws *Workspace, x []float32, n int) Sample {
	if ws == nil {
		ws = new(Workspace)
	}
	if n <= 0 || len(x)%n != 0 {
		return Sample{N: n}
	}
	s := Sample{N: n, Dim: len(x) / n, X: ws.Floats(len(x))}
	for i, v := range x {
		s.X[i] = float64(v)
	}
	return s
}

// Row returns row i of X, which it shares.
func (s Sample) Row(i int) []float64 {
	k := i * s.stride()
	return s.X[k : k+s.Dim : k+s.Dim]
}

func (s Sample) stride() int {
	if s.Stride == 0 {
		return s.Dim
	}
	return s.Stride
}

// slice returns rows lo to hi without weights.
func (s Sample) slice(lo, hi int) Sample {
	k := s.stride()
	return Sample{N: hi - lo, Dim: s.Dim, Stride: s.Stride, X: s.X[lo*k : (hi-1)*k+s.Dim]}
}

// at returns row i as a sample of one point.
func (s Sample) at(i int) Sample { return s.slice(i, i+1) }

// same reports whether both samples are the same rows of the same memory.
func (s Sample) same(t Sample) bool {
	return s.N == t.N && s.Dim == t.Dim && s.stride() == t.stride() && &s.X[0] == &t.X[0]
}

// Check returns an error unless Distance.Eval may be computed from the
// arguments: both samples well formed, finite and of the same dimension, and
// gx and gy nil or of the right length. Distances written elsewhere may use it
// as their first line.
func Check(gx, gy []float64, x, y Sample) error {
	if err := x.check("x"); err != nil {
		return err
	}
	if err := y.check("y"); err != nil {
		return err
	}
	if x.Dim != y.Dim {
		return fmt.Errorf("%w: x is %d×%d, y is %d×%d", ErrShape, x.N, x.Dim, y.N, y.Dim)
	}
	if gx != nil && len(gx) != x.N*x.Dim {
		return fmt.Errorf("%w: gx has %d elements, x is %d×%d", ErrShape, len(gx), x.N, x.Dim)
	}
	if gy != nil && len(gy) != y.N*y.Dim {
		return fmt.Errorf("%w: gy has %d elements, y is %d×%d", ErrShape, len(gy), y.N, y.Dim)
	}
	return nil
}

func (s Sample) check(name string) error {
	if s.N <= 0 || s.Dim <= 0 {
		return fmt.Errorf("%w: %s is %d×%d, want at least 1×1", ErrShape, name, s.N, s.Dim)
	}
	if !s.fits() {
		return fmt.Errorf("%w: %s is %d×%d with stride %d in %d elements", ErrShape, name, s.N, s.Dim, s.stride(), len(s.X))
	}
	if s.Labels != nil && len(s.Labels) != s.N {
		return fmt.Errorf("%w: %s has %d labels for %d points", ErrShape, name, len(s.Labels), s.N)
	}
	for i := range s.N {
		if finite.Is(kernel.Sum(s.Row(i))) {
			continue // no term of a finite sum is infinite or NaN
		}
		if j := finite.First(s.Row(i)); j >= 0 {
			return fmt.Errorf("%w: %s[%d][%d] is %v", ErrNotFinite, name, i, j, s.Row(i)[j])
		}
	}
	return s.checkWeights(name)
}

// fits reports whether len(X) is what N, Dim and Stride say: N·Stride, or less
// what lies behind the last row. It divides, since products may overflow.
func (s Sample) fits() bool {
	k := s.stride()
	if k < s.Dim || len(s.X) < s.Dim {
		return false
	}
	rows, rest := len(s.X)/k, len(s.X)%k
	return rows == s.N && rest == 0 || rows == s.N-1 && rest == s.Dim
}

func (s Sample) checkWeights(name string) error {
	if s.W == nil {
		return nil
	}
	if len(s.W) != s.N {
		return fmt.Errorf("%w: %s has %d weights for %d points", ErrWeights, name, len(s.W), s.N)
	}
	for i, w := range s.W {
		if !(w >= 0) || !finite.Is(w) {
			return fmt.Errorf("%w: weight %d of %s is %v", ErrWeights, i, name, w)
		}
	}
	return nil
}

// sumSlack is how far the sum of weights may be from one: weights divided by
// their sum in float32 get within this for a million points. They are divided
// by their sum once more, so that both sides have the same mass exactly.
const sumSlack = 1e-4

// weights returns the masses of s, with sum 1, in memory of ws.
func (s Sample) weights(ws *Workspace, name string) ([]float64, error) {
	w := ws.Floats(s.N)
	if s.W == nil {
		fill(w, 1/float64(s.N))
		return w, nil
	}
	total := sum(s.W)
	if !(math.Abs(total-1) <= sumSlack) {
		return nil, fmt.Errorf("%w: the weights of %s have sum %v, want 1", ErrWeights, name, total)
	}
	for i, v := range s.W {
		w[i] = v / total
	}
	return w, nil
}

// Weights returns the weights of a checked sample, uniform ones where W is nil,
// divided by their sum, in memory of ws, which may be nil. It returns ErrWeights
// if the sum is not 1 within 1e-4.
func (s Sample) Weights(ws *Workspace) ([]float64, error) {
	if ws == nil {
		ws = new(Workspace)
	}
	return s.weights(ws, "a sample")
}

// masses is weights for measures of any mass: of one where W is nil.
func (s Sample) masses(ws *Workspace, name string) ([]float64, error) {
	if s.W == nil {
		return s.weights(ws, name)
	}
	w := ws.Floats(s.N)
	copy(w, s.W)
	if total := sum(w); !(total > 0) || !finite.Is(total) {
		return nil, fmt.Errorf("%w: the weights of %s have sum %v, want a finite number > 0", ErrWeights, name, total)
	}
	return w, nil
}

// begin is the first line of an Eval with probability weights: it checks the
// arguments, clears the gradients and returns the weights.
func begin(ws *Workspace, gx, gy []float64, x, y Sample) (a, b []float64, err error) {
	if err := Check(gx, gy, x, y); err != nil {
		return nil, nil, err
	}
	if a, err = x.weights(ws, "x"); err != nil {
		return nil, nil, err
	}
	if b, err = y.weights(ws, "y"); err != nil {
		return nil, nil, err
	}
	clear(gx)
	clear(gy)
	return a, b, nil
}

func fill(x []float64, v float64) {
	for i := range x {
		x[i] = v
	}
}

// sum adds in order, which floats.Sum does not do on every machine.
func sum(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s
}
