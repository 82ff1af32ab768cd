// Package distance measures how far apart two samples of points are, with the
// gradient in every point.
package distance

import "errors"

// ErrNotConverged is wrapped by the error of a solver that stopped early.
var ErrNotConverged = errors.New("not converged")

// Sample is a weighted empirical measure: the rows of X are its points.
// Functions of this package never modify one.
type Sample struct {
	N, Dim int       // number of points and of coordinates
	Stride int       // from one row to the next; 0 means Dim
	X      []float64 // row-major
	W      []float64 // one weight ≥ 0 a point, with sum 1; nil: uniform
}

// Distance is a discrepancy D(x, y) between two samples of the same dimension.
//
// Eval returns D(x, y). Where gx (gy) is not nil it is overwritten with the
// gradient in the points of x (y): N×Dim numbers, rows tight. ws keeps memory
// and warm starts between calls and may be nil. A Distance is read-only
// configuration and safe for concurrent use; a Workspace is not.
type Distance interface {
	Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error)
}

// Workspace keeps scratch memory between calls of Eval.
type Workspace struct{}
