package distance

import (
	"errors"
	"fmt"
)

// Errors that the functions of this package wrap, with the numbers: test for
// them with errors.Is. ErrNotConverged comes with the best value known, and
// Workspace.Stats says how far the iteration came.
var (
	ErrShape        = errors.New("distance: shape mismatch")
	ErrNotFinite    = errors.New("distance: not finite")
	ErrWeights      = errors.New("distance: bad weights")
	ErrParameter    = errors.New("distance: bad parameter")
	ErrNotConverged = errors.New("distance: not converged")
)

// notConverged is ErrNotConverged with how far an iteration came that was to
// reach the marginal error tol.
func notConverged(s Stats, tol float64) error {
	return fmt.Errorf("%w: marginal error %.3g for %.3g, duality gap %.3g, after %d sweeps and %d Newton steps",
		ErrNotConverged, s.MarginalError, tol, s.DualityGap, s.Iterations, s.NewtonSteps)
}

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
	StandardError float64 // of a mean over random subsets
	SkippedMass   float64 // of x, in classes that ClassConditional left out
}

func (s *Stats) merge(t Stats) {
	s.addCounts(t)
	s.MarginalError = max(s.MarginalError, t.MarginalError)
	s.DualityGap += t.DualityGap
	s.StandardError = max(s.StandardError, t.StandardError)
	s.ZeroVectors += t.ZeroVectors
	s.SkippedMass += t.SkippedMass
	s.Converged = s.Converged && t.Converged
}

// addCounts adds the work of t.
func (s *Stats) addCounts(t Stats) {
	s.Iterations += t.Iterations
	s.NewtonSteps += t.NewtonSteps
	s.Inner += t.Inner
}
