package distance

import (
	"fmt"
	"reflect"
)

// Distance is a discrepancy D(x, y) between two samples of the same dimension.
//
// Eval returns D(x, y). Where gx (gy) is not nil it is overwritten with the
// gradient in the points of x (y): N×Dim numbers, rows tight. ws keeps memory
// and warm starts between calls and may be nil. A Distance is read-only
// configuration and safe for concurrent use; a Workspace is not.
//
// A Distance returns an error, and never panics, for samples that it cannot
// compare: ErrShape, ErrNotFinite, ErrWeights, ErrParameter. One that does not
// use Sample.W refuses a sample that has it (ErrWeights), rather than ignore it;
// see Sample.Weights. An iteration that stops early returns its value together
// with ErrNotConverged.
type Distance interface {
	Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error)
}

// Func is a function that serves as a Distance.
type Func func(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error)

// Eval calls f. A nil f gives ErrParameter.
func (f Func) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	if f == nil {
		return 0, fmt.Errorf("%w: the function of Func is nil", ErrParameter)
	}
	return f(ws, gx, gy, x, y)
}

// Source returns d as Go source would write it, for records of settings; a function
// or a pointer is written as its type, and nil as the empty text.
func Source(d Distance) string {
	switch k := reflect.ValueOf(d).Kind(); k {
	case reflect.Invalid:
		return ""
	case reflect.Func, reflect.Pointer:
		return fmt.Sprintf("%T", d) // not its address
	default:
		return fmt.Sprintf("%#v", d)
	}
}

// Properties are the laws that a Distance declares about itself; package
// distancetest holds it to them. The zero value declares nothing.
type Properties struct {
	Symmetric   bool    // D(x, y) = D(y, x)
	Nonnegative bool    // D ≥ 0
	Definite    bool    // D(x, x) = 0, with zero gradient there unless Kinked
	Root        float64 // p > 0: the p-th root of D obeys the triangle inequality
	Translation bool    // D(x+t, y+t) = D(x, y)
	Rotation    bool    // D(Qx, Qy) = D(x, y) for orthogonal Q
	RowScale    bool    // D is blind to the length of each row (cosine)
	Homogeneous bool    // D(sx, sy) = s^Degree D(x, y) for s > 0
	Degree      float64
	Weighted    bool // weights act as masses: a row may be split into two
	AnyMass     bool // weights need not have the sum one
	Kinked      bool // not differentiable where points coincide
	MinN        int  // fewest points on either side; 0 means 1
	EqualN      bool // both sides must have the same number of points
	Paired      bool // row i of x belongs to row i of y
	WarmStart   bool // bits may depend on what the workspace saw before

	// Tol is the relative accuracy of the value, for iterative and
	// reduced-precision distances. 0 means rounding only.
	Tol float64
}

// Propertied is a Distance that declares its laws.
type Propertied interface {
	Distance
	Properties() Properties
}

// Freezer is a Distance with settings that are taken from the data (a kernel's
// bandwidth, a regularization relative to the costs), which its gradient
// treats as constants. Freeze returns the Distance with the settings fixed at
// the values that they have for x and y. A loop that moves x a little at a
// time should freeze first, or it follows a moving target.
type Freezer interface {
	Distance
	Freeze(ws *Workspace, x, y Sample) (Distance, error)
}
