package distance

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// ClassConditional compares samples class by class: Σ π_c D(x|c, y|c), where
// π_c is the share of class c in the mass of x. The classes are Sample.Labels,
// which belong to the points and so come with each call; samples without labels
// give ErrShape. Classes that only one side has, or in which it has no weight,
// are left out and have zero gradients; their mass in x is Stats.SkippedMass.
// It is an error if no class is left.
type ClassConditional struct {
	D Distance // of the points of one class

	frozen map[int]Distance // by class, where Freeze has fixed them
}

// Properties implements Propertied: the laws that D has, less symmetry and
// those of metrics, since the shares are those of x.
func (c ClassConditional) Properties() Properties {
	p := properties(c.D)
	p.Symmetric, p.AnyMass, p.Root = false, false, 0
	p.Homogeneous = p.Homogeneous && c.frozen == nil
	return p
}

// Freeze implements Freezer: it fixes the settings of D for each class that
// both sides have.
func (c ClassConditional) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := c.begin(ws, nil, nil, x, y)
	if err != nil {
		return nil, err
	}
	if _, ok := c.D.(Freezer); !ok {
		return c, nil
	}
	out := ClassConditional{D: c.D, frozen: make(map[int]Distance)}
	for i, label := range x.Labels {
		if slices.Contains(x.Labels[:i], label) {
			continue
		}
		if err := c.freezeClass(ws, out.frozen, label, a, b, x, y); err != nil {
			return nil, fmt.Errorf("class %d: %w", label, err)
		}
	}
	return out, nil
}

func (c ClassConditional) freezeClass(ws *Workspace, into map[int]Distance, label int, a, b []float64, x, y Sample) (err error) {
	ws = ws.Enter()
	defer ws.Leave()
	cx, mx := pick(ws, label, a, x)
	cy, my := pick(ws, label, b, y)
	if mx > 0 && my > 0 {
		into[label], err = freeze(ws, c.D, cx, cy)
	}
	return err
}

// begin checks the arguments, clears the gradients and returns the weights.
func (c ClassConditional) begin(ws *Workspace, gx, gy []float64, x, y Sample) (a, b []float64, err error) {
	if a, b, err = begin(ws, gx, gy, x, y); err != nil {
		return nil, nil, err
	}
	if c.D == nil {
		return nil, nil, fmt.Errorf("%w: ClassConditional.D is nil", ErrParameter)
	}
	if x.Labels == nil || y.Labels == nil {
		return nil, nil, fmt.Errorf("%w: ClassConditional has %d labels for %d points of x, %d for %d of y",
			ErrShape, len(x.Labels), x.N, len(y.Labels), y.N)
	}
	return a, b, nil
}

// Eval implements Distance.
func (c ClassConditional) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := c.begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	var value float64
	var late error
	skipped, classes := 0.0, 0
	for i, label := range x.Labels {
		if slices.Contains(x.Labels[:i], label) {
			continue
		}
		share, v, err := c.class(ws, label, gx, gy, a, b, x, y)
		switch {
		case err == errSkipped:
			skipped += share
		case err != nil && !errors.Is(err, ErrNotConverged):
			return 0, fmt.Errorf("class %d: %w", label, err)
		default:
			classes++
			value += share * v
			if err != nil {
				late = fmt.Errorf("class %d: %w", label, err)
			}
		}
	}
	ws.Stats.SkippedMass += skipped
	if classes == 0 {
		return 0, fmt.Errorf("%w: x and y have no class in common", ErrParameter)
	}
	return value, late
}

var errSkipped = errors.New("distance: class on one side only")

// class evaluates one class and adds its share of the gradients.
func (c ClassConditional) class(ws *Workspace, label int, gx, gy, a, b []float64, x, y Sample) (share, value float64, err error) {
	ws = ws.Enter()
	defer ws.Leave()
	cx, mx := pick(ws, label, a, x)
	cy, my := pick(ws, label, b, y)
	if mx == 0 || my == 0 {
		return mx, 0, errSkipped
	}
	var hx, hy []float64
	if gx != nil {
		hx = ws.Floats(len(cx.X))
	}
	if gy != nil {
		hy = ws.Floats(len(cy.X))
	}
	d := c.D
	if f := c.frozen[label]; f != nil {
		d = f
	}
	if value, err = ws.sub(label, d, hx, hy, cx, cy); err != nil && !errors.Is(err, ErrNotConverged) {
		return mx, 0, err
	}
	scatter(gx, mx, hx, label, x)
	scatter(gy, mx, hy, label, y)
	return mx, value, err
}

// pick returns the rows of s with the label, and their mass under w.
func pick(ws *Workspace, label int, w []float64, s Sample) (Sample, float64) {
	n, mass := 0, 0.0
	for i, l := range s.Labels {
		if l == label {
			n++
			mass += w[i]
		}
	}
	out := Sample{N: n, Dim: s.Dim, X: ws.Floats(n * s.Dim)}
	if s.W != nil {
		out.W = ws.Floats(n)
		clear(out.W)
	}
	k := 0
	for i, l := range s.Labels {
		if l != label {
			continue
		}
		copy(out.Row(k), s.Row(i))
		if out.W != nil && mass > 0 {
			out.W[k] = w[i] / mass
		}
		k++
	}
	return out, mass
}

// scatter adds share·h to the rows of g that have the label in s.
func scatter(g []float64, share float64, h []float64, label int, s Sample) {
	if g == nil {
		return
	}
	k, d := 0, s.Dim
	for i, l := range s.Labels {
		if l == label {
			kernel.Axpy(share, h[k*d:(k+1)*d], g[i*d:(i+1)*d])
			k++
		}
	}
}
