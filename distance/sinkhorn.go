package distance

import (
	"cmp"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// Sinkhorn is entropic optimal transport,
//
//	OT(x, y) = min ⟨P, C⟩ + ε KL(P | a bᵀ)  over plans P with marginals a, b,
//
// or, if Debiased, the Sinkhorn divergence OT(x, y) − ½OT(x, x) − ½OT(y, y),
// which is zero for equal samples and has the gradient to go with it.
//
// The value is that of the dual, whose error is of second order in the
// marginal error; the gradient is that of the envelope theorem, which holds
// the plan fixed (Sharp apart). If Tol is not reached, Eval returns value
// and gradients as they are, with an error that is ErrNotConverged.
//
// The solver runs over-relaxed sweeps on the scaled plan, then Newton steps;
// costs that are large in units of ε are approached through larger ε.
// Stats.DualityGap bounds the error of OT by a plan with exact marginals or, with
// Rho, by the plan itself; there, a gap beyond 10·Tol·ρ(Σa+Σb) counts as not
// converged. A problem with equal points that does not converge is solved once
// more with these as one.
//
// References: Cuturi, Sinkhorn distances (2013); Peyré and Cuturi,
// Computational optimal transport (2019), §4; Feydy et al., Interpolating
// between optimal transport and MMD using Sinkhorn divergences (2019);
// Schmitzer, Stabilized sparse scaling algorithms for entropy regularized
// transport problems (2019).
type Sinkhorn struct {
	// Cost of moving one unit of mass. If it is nil, Cosine is used.
	Cost Cost

	// Epsilon is the strength of the regularization, in units of the cost. If
	// it is zero, it is .05 for Cosine, whose range is [0, 2], and .05 standard
	// deviations of the costs between x and y for any other cost.
	Epsilon float64

	// Debiased subtracts the halved self terms.
	Debiased bool

	// Sharp returns ⟨P, C⟩ of the optimal plan P, which lies between EMD and
	// the optimum above. Its gradient accounts for the change of the plan.
	// Cuturi's value of 2013, ⟨P, C⟩ − εH(P), is the optimum less ε(H(a)+H(b)),
	// where H(w) = −Σ w log w.
	Sharp bool

	// Tol is the marginal error Σ|P1 − a| + Σ|Pᵀ1 − b| at which to stop, where
	// the total mass is one. If it is zero, 1e-6 is used.
	Tol float64

	// MaxIter limits the sweeps of each of the transport problems. If it is
	// zero, 2000 is used.
	MaxIter int

	// NewtonAfter is the number of sweeps after which Newton steps take over,
	// if more than a few further sweeps would be needed. If it is zero, 32 is
	// used; if it is negative, there are none.
	NewtonAfter int

	// Rho, if positive, relaxes the marginals: the plan is charged
	// ρ KL(P1|a) + ρ KL(Pᵀ1|b) for missing them, weights may have any mass, and
	// the value stays below ρ(Σa+Σb) + εΣaΣb however far the points are. If
	// Debiased, (ε/2)(Σa−Σb)² is added. Sharp values are not defined.
	// If it is zero, marginals are exact.
	//
	// References: Chizat et al., Scaling algorithms for unbalanced optimal
	// transport problems (2018); Séjourné et al., Sinkhorn divergences for
	// unbalanced optimal transport (2019).
	Rho float64

	// MaxEntries is the number of entries up to which the matrices of costs and
	// of the plan are kept in memory, 16 bytes an entry. Larger problems are
	// streamed: costs are computed anew in every sweep, on all processors, by
	// plain sweeps without Newton steps, warm starts, a duality gap, the value
	// Sharp or gradients in the weights. If it is zero, 1<<24 is used.
	MaxEntries int

	// WarmStart keeps the potentials in the Workspace, under its Key, and
	// starts the next Eval at the same sizes from there: for loops that move
	// the points a little at a time. What does not converge from there is solved
	// anew, so that a warm start gives nothing that a cold one does not: both
	// values lie within Stats.DualityGap of the optimum, unless Sharp.
	WarmStart bool
}

const (
	defaultEpsilon = .05
	defaultTol     = 1e-6
	defaultMaxIter = 2000
	defaultNewton  = 32
	defaultEntries = 1 << 24
)

// resolve returns a copy of s with the defaults filled in, save for an Epsilon
// that depends on the costs.
func (s Sinkhorn) resolve() (Sinkhorn, error) {
	if s.Cost == nil {
		s.Cost = Cosine{}
	}
	if _, ok := s.Cost.(Cosine); ok && s.Epsilon == 0 {
		s.Epsilon = defaultEpsilon
	}
	s.Tol, s.MaxIter = cmp.Or(s.Tol, defaultTol), cmp.Or(s.MaxIter, defaultMaxIter)
	s.NewtonAfter, s.MaxEntries = cmp.Or(s.NewtonAfter, defaultNewton), cmp.Or(s.MaxEntries, defaultEntries)
	return s, s.check()
}

func (s Sinkhorn) check() error {
	if err := checkSetting("Sinkhorn.Epsilon", s.Epsilon); err != nil {
		return err
	}
	if err := checkPositive("Sinkhorn.Tol", s.Tol); err != nil {
		return err
	}
	if err := checkSetting("Sinkhorn.Rho", s.Rho); err != nil {
		return err
	}
	if s.MaxIter < 0 || s.MaxEntries < 0 {
		return fmt.Errorf("%w: Sinkhorn.MaxIter %d, MaxEntries %d, want ≥ 0", ErrParameter, s.MaxIter, s.MaxEntries)
	}
	if s.Rho > 0 && s.Sharp {
		return fmt.Errorf("%w: Sinkhorn.Sharp with Rho %v", ErrParameter, s.Rho)
	}
	return nil
}

// Properties implements Propertied.
func (s Sinkhorn) Properties() Properties {
	p := costProperties(s.Cost)
	p.Symmetric, p.WarmStart, p.AnyMass = true, s.WarmStart, s.Rho > 0
	p.Weighted, p.Definite = true, s.Debiased
	// Only positive definite exp(−c/ε) make the divergence nonnegative, and
	// only for the regularized value.
	p.Nonnegative = p.Nonnegative && !(s.Debiased && s.Sharp)
	p.Tol = 10 * defaultTol
	if s.Tol > 0 {
		p.Tol = max(10*s.Tol, 1e-9)
	}
	if s.Epsilon != 0 || s.Rho != 0 {
		p.Homogeneous = p.Homogeneous && p.Degree == 0
	}
	return p
}

// costProperties are the laws that transport inherits from its cost.
func costProperties(c Cost) Properties {
	switch c.(type) {
	case nil, Cosine:
		return Properties{RowScale: true, Rotation: true, Homogeneous: true, Nonnegative: true}
	case SqEuclidean:
		return Properties{Translation: true, Rotation: true, Homogeneous: true, Degree: 2, Nonnegative: true}
	case Euclidean:
		return Properties{Translation: true, Rotation: true, Homogeneous: true, Degree: 1, Nonnegative: true, Kinked: true}
	}
	return Properties{}
}

// Freeze implements Freezer: it fixes Epsilon.
func (s Sinkhorn) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	ws = ws.Enter()
	defer ws.Leave()
	r, a, b, err := s.begin(ws, nil, nil, x, y)
	if err != nil || r.Epsilon > 0 {
		return s, err
	}
	if x.N*y.N > r.MaxEntries {
		s.Epsilon, err = chooseEpsilon(r.newStream(ws, a, b, x, y).moments())
		return s, err
	}
	c := ws.Floats(x.N * y.N)
	r.Cost.Matrix(ws, c, x, y)
	s.Epsilon, err = chooseEpsilon(costMoments(a, b, c))
	return s, err
}

// begin checks the arguments and returns the resolved s and the masses.
func (s Sinkhorn) begin(ws *Workspace, gx, gy []float64, x, y Sample) (_ Sinkhorn, a, b []float64, err error) {
	if s, err = s.resolve(); err != nil {
		return s, nil, nil, err
	}
	if s.Rho == 0 {
		a, b, err = begin(ws, gx, gy, x, y)
		return s, a, b, err
	}
	if err = Check(gx, gy, x, y); err != nil {
		return s, nil, nil, err
	}
	if a, err = x.masses(ws, "x"); err != nil {
		return s, nil, nil, err
	}
	if b, err = y.masses(ws, "y"); err != nil {
		return s, nil, nil, err
	}
	clear(gx)
	clear(gy)
	return s, a, b, nil
}

// chooseEpsilon returns the default for a cost without a known range. Equal
// costs leave nothing to choose, and any ε gives the same plan.
func chooseEpsilon(mean, variance float64) (float64, error) {
	if !finite.Is(variance) {
		return 0, errCost(variance)
	}
	if eps := defaultEpsilon * math.Sqrt(variance); eps > 1e-12*math.Abs(mean) {
		return eps, nil
	}
	return 1, nil
}

// costMoments returns mean and variance of the costs under a bᵀ.
func costMoments(a, b, c []float64) (mean, variance float64) {
	total := sum(a) * sum(b)
	for i, ai := range a {
		mean += ai * weighted(b, c[i*len(b):(i+1)*len(b)]) / total
	}
	for i, ai := range a {
		for j, v := range c[i*len(b) : (i+1)*len(b)] {
			variance += ai * b[j] * (v - mean) * (v - mean) / total
		}
	}
	return mean, variance
}

func errCost(v float64) error {
	return fmt.Errorf("%w: a cost, or a sum of costs, is %v", ErrNotFinite, v)
}

func errDigits(eps, lo, hi float64) error {
	return fmt.Errorf("%w: Epsilon %v is lost in rounding beside costs from %v to %v; use EMD", ErrParameter, eps, lo, hi)
}
