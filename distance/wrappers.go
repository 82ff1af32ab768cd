package distance

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Term is one summand of a Weighted distance.
type Term struct {
	Weight float64 // finite
	D      Distance
}

// Weighted is the linear combination Σ Weight·D. Stats sums what its terms
// report.
type Weighted struct{ Terms []Term }

// Properties implements Propertied: the laws that all terms have in common.
func (w Weighted) Properties() Properties {
	p := Properties{Symmetric: true, Nonnegative: true, Definite: true, Translation: true, Rotation: true, RowScale: true, Homogeneous: true, Weighted: true}
	for i, t := range w.Terms {
		q := properties(t.D)
		p.Symmetric = p.Symmetric && q.Symmetric
		p.Nonnegative = p.Nonnegative && q.Nonnegative && t.Weight >= 0
		p.Definite = p.Definite && q.Definite
		p.Translation = p.Translation && q.Translation
		p.Rotation = p.Rotation && q.Rotation
		p.RowScale = p.RowScale && q.RowScale
		p.Homogeneous = p.Homogeneous && q.Homogeneous && (i == 0 || p.Degree == q.Degree)
		p.Degree = q.Degree
		p.Weighted = p.Weighted && q.Weighted
		p.AnyMass = (i == 0 || p.AnyMass) && q.AnyMass
		p.Kinked = p.Kinked || q.Kinked
		p.MinN, p.Tol = max(p.MinN, q.MinN), max(p.Tol, q.Tol)
		p.EqualN = p.EqualN || q.EqualN
		p.Paired = p.Paired || q.Paired
		p.WarmStart = p.WarmStart || q.WarmStart
	}
	return p
}

func properties(d Distance) Properties {
	if p, ok := d.(Propertied); ok {
		return p.Properties()
	}
	return Properties{}
}

// Freeze implements Freezer: it freezes every term that can be.
func (w Weighted) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	out := Weighted{Terms: append([]Term(nil), w.Terms...)}
	for i := range out.Terms {
		d, err := freeze(ws, out.Terms[i].D, x, y)
		if err != nil {
			return nil, err
		}
		out.Terms[i].D = d
	}
	return out, nil
}

func freeze(ws *Workspace, d Distance, x, y Sample) (Distance, error) {
	if d == nil {
		return nil, fmt.Errorf("%w: a distance within another is nil", ErrParameter)
	}
	if f, ok := d.(Freezer); ok {
		return f.Freeze(ws, x, y)
	}
	return d, nil
}

// Eval implements Distance.
func (w Weighted) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	if err := Check(gx, gy, x, y); err != nil {
		return 0, err
	}
	if len(w.Terms) == 0 {
		return 0, fmt.Errorf("%w: Weighted without terms", ErrParameter)
	}
	clear(gx)
	clear(gy)
	hx, hy := ws.like(gx), ws.like(gy)
	var value float64
	var late error
	for i, t := range w.Terms {
		if t.D == nil || !finite.Is(t.Weight) {
			return 0, fmt.Errorf("%w: Weighted.Terms[%d] has the weight %v and the distance %v, want a finite number and a distance", ErrParameter, i, t.Weight, t.D)
		}
		v, err := ws.sub(i, t.D, hx, hy, x, y)
		if err != nil && !errors.Is(err, ErrNotConverged) {
			return 0, err
		}
		if err != nil {
			late = err
		}
		value += float64(t.Weight * v) // not fused: equal terms of opposite weights cancel
		kernel.Axpy(t.Weight, hx, gx)
		kernel.Axpy(t.Weight, hy, gy)
	}
	return value, late
}

// like returns memory of the length of g, or nil for nil.
func (w *Workspace) like(g []float64) []float64 {
	if g == nil {
		return nil
	}
	return w.Floats(len(g))
}

// sub evaluates part i of a composite distance, with warm starts of its own.
func (w *Workspace) sub(i int, d Distance, gx, gy []float64, x, y Sample) (float64, error) {
	key := w.Key
	w.Key = (key ^ uint64(i+1)) * 0x9e3779b97f4a7c15
	v, err := d.Eval(w, gx, gy, x, y)
	w.Key = key
	return v, err
}

// Root is D^(1/P): with P 2, the Wasserstein distance W₂ from EMD with squared
// costs, or the MMD from its square. Where D is zero or, by rounding, less, the
// gradient, which has no limit there, is set to zero.
type Root struct {
	D Distance
	P float64 // If it is zero, 2 is used.
}

func (r Root) power() float64 { return cmp.Or(r.P, 2) }

// Properties implements Propertied.
func (r Root) Properties() Properties {
	p := properties(r.D)
	if q := r.power(); p.Root == q {
		p.Root = 1
	} else {
		p.Root = 0
	}
	p.Degree /= r.power()
	p.Kinked = true
	if p.Tol > 0 {
		p.Tol = math.Pow(p.Tol, 1/r.power())
	}
	return p
}

// Freeze implements Freezer.
func (r Root) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	d, err := freeze(ws, r.D, x, y)
	return Root{d, r.P}, err
}

// Eval implements Distance.
func (r Root) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	p := r.power()
	if err := checkPositive("Root.P", p); err != nil {
		return 0, err
	}
	if r.D == nil {
		return 0, fmt.Errorf("%w: Root.D is nil", ErrParameter)
	}
	v, err := r.D.Eval(ws, gx, gy, x, y)
	if err != nil && !errors.Is(err, ErrNotConverged) {
		return v, err
	}
	if v <= 0 {
		clear(gx)
		clear(gy)
		return 0, err
	}
	root := math.Pow(v, 1/p)
	scaleBy(gx, root/v/p)
	scaleBy(gy, root/v/p)
	return root, err
}
