package distance

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Subsets is the mean of a distance over random subsets of both samples. Its zero
// value is the kernel Inception distance of Bińkowski et al., Demystifying MMD
// GANs (2018), arXiv:1801.01401: the unbiased MMD² with a polynomial kernel.
// Since distances without bias are averaged, larger samples do not shift the
// value, and time grows with Count·Size² only.
//
// Stats.StandardError is the deviation of the values over √Count. It tells how much
// the value depends on the choice of the subsets, for the samples at hand; where
// subsets overlap, as they do beyond N/Size of them, other samples of the same
// size would differ by more.
type Subsets struct {
	// D is the distance between two subsets. If it is nil,
	// MMD{Kernel: Polynomial{}, Unbiased: true} is used.
	D Distance

	// Count is the number of pairs of subsets. If it is zero, 100 is used.
	Count int

	// Size is the number of rows of each subset, drawn without replacement; a
	// sample with no more rows is taken as a whole. If it is zero, 1000 is used.
	Size int

	// Seed chooses the subsets.
	Seed uint64
}

// kid is a variable so that no call allocates it. It is never written.
var kid Distance = MMD{Kernel: Polynomial{}, Unbiased: true}

const (
	defaultSubsets    = 100
	defaultSubsetSize = 1000
)

func (s Subsets) resolve() (Subsets, error) {
	if s.D == nil {
		s.D = kid
	}
	if s.Count < 0 || s.Size < 0 {
		return s, fmt.Errorf("%w: Subsets.Count %d, Size %d, want ≥ 0", ErrParameter, s.Count, s.Size)
	}
	s.Count, s.Size = cmp.Or(s.Count, defaultSubsets), cmp.Or(s.Size, defaultSubsetSize)
	return s, nil
}

// Properties implements Propertied: the laws of D that hold for different rows
// of both samples. The value depends on the order of the rows.
func (s Subsets) Properties() Properties {
	if s.D == nil {
		s.D = kid
	}
	p := properties(s.D)
	p.Symmetric, p.Definite, p.Weighted, p.AnyMass, p.Root, p.Paired = false, false, false, false, 0, true
	return p
}

// Freeze implements Freezer: it fixes the settings of D for the whole samples.
func (s Subsets) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	s, err := s.resolve()
	if err != nil {
		return nil, err
	}
	s.D, err = freeze(ws, s.D, x, y)
	return s, err
}

// Eval implements Distance. It takes Count calls of D.Eval at Size rows. Weights
// are refused with ErrWeights.
func (s Subsets) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	s, err := s.resolve()
	if err != nil {
		return 0, err
	}
	if err := Check(gx, gy, x, y); err != nil {
		return 0, err
	}
	if x.W != nil || y.W != nil {
		return 0, fmt.Errorf("%w: Subsets takes samples without weights", ErrWeights)
	}
	clear(gx)
	clear(gy)
	ix, iy := ordinals(ws, x.N), ordinals(ws, y.N)
	var mean, squares float64
	var late error
	for k := range s.Count {
		v, err := s.one(ws, k, gx, gy, ix, iy, x, y)
		if err != nil && !errors.Is(err, ErrNotConverged) {
			return 0, fmt.Errorf("%w, in subset %d of %d", err, k, s.Count)
		}
		if err != nil {
			late = err
		}
		d := v - mean
		mean += d / float64(k+1)
		squares += d * (v - mean)
	}
	if s.Count > 1 {
		n := float64(s.Count)
		ws.Stats.StandardError = math.Sqrt(squares / (n - 1) / n)
	}
	return mean, late
}

// one returns the distance of pair k of subsets, and adds its share of the
// gradients.
func (s Subsets) one(ws *Workspace, k int, gx, gy []float64, ix, iy []int, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	zx := s.draw(ws, rng.Seed(s.Seed, "subset of x", k), ix, x)
	zy := s.draw(ws, rng.Seed(s.Seed, "subset of y", k), iy, y)
	var hx, hy []float64
	if gx != nil {
		hx = ws.Floats(zx.N * zx.Dim)
	}
	if gy != nil {
		hy = ws.Floats(zy.N * zy.Dim)
	}
	v, err := ws.sub(k, s.D, hx, hy, zx, zy)
	if err != nil && !errors.Is(err, ErrNotConverged) {
		return 0, err
	}
	s.spread(gx, hx, ix, x.Dim)
	s.spread(gy, hy, iy, x.Dim)
	return v, err
}

// spread adds the mean of the gradients h of a subset to its rows in g.
func (s Subsets) spread(g, h []float64, rows []int, dim int) {
	for k := 0; k*dim < len(h); k++ {
		i := rows[k]
		kernel.Axpy(1/float64(s.Count), h[k*dim:(k+1)*dim], g[i*dim:(i+1)*dim])
	}
}

// draw moves random rows to the front of order, unless all are taken, and
// returns them.
func (s Subsets) draw(ws *Workspace, seed uint64, order []int, x Sample) Sample {
	n := min(s.Size, x.N)
	if n < x.N {
		var source rand.PCG
		source.Seed(seed, s.Seed)
		for k := range n {
			high, _ := bits.Mul64(source.Uint64(), uint64(x.N-k))
			j := k + int(high)
			order[k], order[j] = order[j], order[k]
		}
	}
	z := Sample{N: n, Dim: x.Dim, X: ws.Floats(n * x.Dim)}
	if x.Labels != nil {
		z.Labels = ws.Ints(n)
	}
	for k, i := range order[:n] {
		copy(z.Row(k), x.Row(i))
		if z.Labels != nil {
			z.Labels[k] = x.Labels[i]
		}
	}
	return z
}

// ordinals returns 0 … n−1.
func ordinals(ws *Workspace, n int) []int {
	out := ws.Ints(n)
	for i := range out {
		out[i] = i
	}
	return out
}
