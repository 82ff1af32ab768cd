package distance

import (
	"errors"
	"fmt"
)

// Errors that the functions of this package wrap, with the numbers.
var (
	ErrShape        = errors.New("distance: shape mismatch")
	ErrNotFinite    = errors.New("distance: not finite")
	ErrWeights      = errors.New("distance: bad weights")
	ErrParameter    = errors.New("distance: bad parameter")
	ErrNotConverged = errors.New("distance: not converged")
)

// ConvergenceError says how far an iteration came. The value that is returned
// beside it is the best one known. errors.Is(err, ErrNotConverged) holds.
type ConvergenceError struct {
	Stats Stats
	Tol   float64 // the marginal error asked for
}

func (e *ConvergenceError) Error() string {
	return fmt.Sprintf("%v: marginal error %.3g > %.3g after %d sweeps and %d Newton steps",
		ErrNotConverged, e.Stats.MarginalError, e.Tol, e.Stats.Iterations, e.Stats.NewtonSteps)
}

// Unwrap returns ErrNotConverged.
func (e *ConvergenceError) Unwrap() error { return ErrNotConverged }

// Stats tells how the last Eval went. Composite distances report sums of
// counts, the largest error and the sum of gaps.
type Stats struct {
	Iterations    int     // sweeps, each over rows and columns
	NewtonSteps   int     // Newton steps after the sweeps
	Inner         int     // conjugate-gradient steps inside Newton steps and implicit gradients
	MarginalError float64 // Σ|marginal of the plan − weights|, in units of mass
	DualityGap    float64 // upper bound on the error of the value, where computed
	Converged     bool    // every iteration reached its tolerance
	ZeroVectors   int     // rows without a direction that met the cosine cost
	SkippedMass   float64 // of x, in classes that ClassConditional left out
}

func (s *Stats) merge(t Stats) {
	s.Iterations += t.Iterations
	s.NewtonSteps += t.NewtonSteps
	s.Inner += t.Inner
	s.MarginalError = max(s.MarginalError, t.MarginalError)
	s.DualityGap += t.DualityGap
	s.ZeroVectors += t.ZeroVectors
	s.SkippedMass += t.SkippedMass
	s.Converged = s.Converged && t.Converged
}
