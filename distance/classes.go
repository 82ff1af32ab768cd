package distance

import (
	"errors"
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// ClassConditional compares samples class by class: Σ π_c D(x|c, y|c), where
// π_c is the share of class c in the mass of x. Classes that only one side has,
// or in which it has no weight, are left out and have zero gradients; their
// mass in x is Stats.SkippedMass. It is an error if no class is left.
type ClassConditional struct {
	D                Distance
	XLabels, YLabels []int // class of each row
}

// Eval implements Distance.
func (c ClassConditional) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	if len(c.XLabels) != x.N || len(c.YLabels) != y.N {
		return 0, fmt.Errorf("%w: %d labels for %d points of x, %d for %d of y", ErrShape, len(c.XLabels), x.N, len(c.YLabels), y.N)
	}
	var value float64
	var late error
	skipped, classes := 0.0, 0
	for i, label := range c.XLabels {
		if seen(c.XLabels[:i], label) {
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
				late = err
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

func seen(labels []int, label int) bool {
	for _, l := range labels {
		if l == label {
			return true
		}
	}
	return false
}

// class evaluates one class and adds its share of the gradients.
func (c ClassConditional) class(ws *Workspace, label int, gx, gy, a, b []float64, x, y Sample) (share, value float64, err error) {
	ws = ws.Enter()
	defer ws.Leave()
	cx, mx := pick(ws, c.XLabels, label, a, x)
	cy, my := pick(ws, c.YLabels, label, b, y)
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
	if value, err = ws.sub(label, c.D, hx, hy, cx, cy); err != nil && !errors.Is(err, ErrNotConverged) {
		return mx, 0, err
	}
	scatter(gx, mx, hx, c.XLabels, label, x.Dim)
	scatter(gy, mx, hy, c.YLabels, label, x.Dim)
	return mx, value, err
}

// pick returns the rows with the label, and their mass.
func pick(ws *Workspace, labels []int, label int, w []float64, s Sample) (Sample, float64) {
	n, mass := 0, 0.0
	for i, l := range labels {
		if l == label {
			n++
			mass += w[i]
		}
	}
	out := Sample{N: n, Dim: s.Dim, X: ws.Floats(n * s.Dim)}
	if s.W != nil {
		out.W = ws.Floats(n)
	}
	k := 0
	for i, l := range labels {
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

// scatter adds share·h to the rows of g with the label.
func scatter(g []float64, share float64, h []float64, labels []int, label, dim int) {
	if g == nil {
		return
	}
	k := 0
	for i, l := range labels {
		if l == label {
			kernel.Axpy(share, h[k*dim:(k+1)*dim], g[i*dim:(i+1)*dim])
			k++
		}
	}
}
