package distance

import (
	"fmt"
	"math"
)

// Sinkhorn is entropic optimal transport,
//
//	OT(x, y) = min ⟨P, C⟩ + ε KL(P | a bᵀ)  over plans P with marginals a, b,
//
// or, if Debiased, the Sinkhorn divergence OT(x, y) − ½OT(x, x) − ½OT(y, y),
// which is zero for equal samples and has the gradient to go with it.
//
// The value is that of the dual, whose error is of second order in the
// marginal error; the gradient is that of the envelope theorem: the plan is
// held fixed. If MaxIter sweeps do not reach Tol, Eval returns value and
// gradients as they are, with an error that is ErrNotConverged.
//
// References: Cuturi, Sinkhorn distances (2013); Peyré and Cuturi,
// Computational optimal transport (2019), §4; Feydy et al., Interpolating
// between optimal transport and MMD using Sinkhorn divergences (2019).
type Sinkhorn struct {
	// Cost of moving one unit of mass. If it is nil, Cosine is used.
	Cost Cost

	// Epsilon is the strength of the regularisation, in units of the cost. If
	// it is zero, it is .05 for Cosine, whose range is [0, 2], and .05 standard
	// deviations of the costs between x and y for any other cost.
	Epsilon float64

	// Debiased subtracts the halved self terms.
	Debiased bool

	// Tol is the marginal error Σ|P1 − a| + Σ|Pᵀ1 − b| at which to stop, where
	// the total mass is one. If it is zero, 1e-6 is used.
	Tol float64

	// MaxIter limits the sweeps of each of the transport problems. If it is
	// zero, 2000 is used.
	MaxIter int

	// NewtonAfter is the number of sweeps after which Newton steps take over,
	// if more than about a hundred further sweeps would be needed. If it is
	// zero, 32 is used; if it is negative, there are none.
	NewtonAfter int

	// Rho, if positive, relaxes the marginals: the plan is charged
	// ρ KL(P1|a) + ρ KL(Pᵀ1|b) for missing them, weights may have any mass, and
	// the value stays below ρ(Σa+Σb) + εΣaΣb however far the points are. If
	// Debiased, (ε/2)(Σa−Σb)² is added. If it is zero, marginals are exact.
	//
	// References: Chizat et al., Scaling algorithms for unbalanced optimal
	// transport problems (2018); Séjourné et al., Sinkhorn divergences for
	// unbalanced optimal transport (2019).
	Rho float64
}

const (
	defaultEpsilon = .05
	defaultTol     = 1e-6
	defaultMaxIter = 2000
	defaultNewton  = 32
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
	if s.Tol == 0 {
		s.Tol = defaultTol
	}
	if s.MaxIter == 0 {
		s.MaxIter = defaultMaxIter
	}
	if s.NewtonAfter == 0 {
		s.NewtonAfter = defaultNewton
	}
	if !(s.Epsilon >= 0) || math.IsInf(s.Epsilon, 1) {
		return s, fmt.Errorf("%w: Sinkhorn.Epsilon %v, want a finite number > 0", ErrParameter, s.Epsilon)
	}
	if !(s.Tol > 0) || s.MaxIter < 0 {
		return s, fmt.Errorf("%w: Sinkhorn.Tol %v, MaxIter %d, want > 0", ErrParameter, s.Tol, s.MaxIter)
	}
	return s, nil
}

// Properties implements Propertied.
func (s Sinkhorn) Properties() Properties {
	p := costProperties(s.Cost)
	p.Symmetric, p.Weighted = true, true
	p.Nonnegative, p.Definite = s.Debiased, s.Debiased
	p.Tol = 1e-5
	if s.Epsilon != 0 || s.Cost == nil {
		p.Homogeneous = p.Homogeneous && p.Degree == 0
	}
	return p
}

// Freeze implements Freezer: it fixes Epsilon.
func (s Sinkhorn) Freeze(ws *Workspace, x, y Sample) (Distance, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, nil, nil, x, y)
	if err != nil {
		return nil, err
	}
	if s, err = s.resolve(); err != nil || s.Epsilon > 0 {
		return s, err
	}
	c := ws.Floats(x.N * y.N)
	s.Cost.Matrix(ws, c, x, y)
	s.Epsilon, err = relativeEpsilon(a, b, c)
	return s, err
}

// relativeEpsilon returns the default for a cost without a known range. Equal
// costs leave nothing to choose, and any ε gives the same plan.
func relativeEpsilon(a, b, c []float64) (float64, error) {
	mean, scale := costMoments(a, b, c, 0)
	if mean-mean != 0 {
		return 0, errCost(mean)
	}
	_, variance := costMoments(a, b, c, mean)
	if eps := defaultEpsilon * math.Sqrt(variance); eps > 1e-12*math.Sqrt(scale) {
		return eps, nil
	}
	return 1, nil
}

// costMoments returns Σ aᵢbⱼcᵢⱼ and Σ aᵢbⱼ(cᵢⱼ−mean)².
func costMoments(a, b, c []float64, mean float64) (first, second float64) {
	for i, ai := range a {
		var s1, s2 float64
		for j, v := range c[i*len(b) : (i+1)*len(b)] {
			s1 += b[j] * v
			s2 += b[j] * (v - mean) * (v - mean)
		}
		first += ai * s1
		second += ai * s2
	}
	return first, second
}

func errCost(v float64) error {
	return fmt.Errorf("%w: a cost, or a sum of costs, is %v", ErrNotFinite, v)
}

// Eval implements Distance. A sweep costs O(N·M) and the rest O(N·M·Dim), for
// each of the transport problems.
func (s Sinkhorn) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	if s, err = s.resolve(); err != nil {
		return 0, err
	}
	value, err := s.term(ws, 1, gx, gy, a, b, x, y)
	if err != nil || !s.Debiased {
		return s.finish(ws, value, err)
	}
	xx, err := s.term(ws, -1, gx, nil, a, a, x, x)
	if err != nil {
		return s.finish(ws, value, err)
	}
	yy, err := s.term(ws, -1, gy, nil, b, b, y, y)
	return s.finish(ws, value-xx/2-yy/2, err)
}

func (s Sinkhorn) finish(ws *Workspace, value float64, err error) (float64, error) {
	if err == nil && !ws.Stats.Converged {
		err = &ConvergenceError{ws.Stats, s.Tol}
	}
	return value, err
}

// term returns OT(x, y) and adds its gradients, times coef, to gx and gy. It
// sets s.Epsilon where it depends on the costs.
func (s *Sinkhorn) term(ws *Workspace, coef float64, gx, gy, a, b []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	c := ws.Floats(x.N * y.N)
	s.Cost.Matrix(ws, c, x, y)
	if err := checkCosts(c); err != nil {
		return 0, err
	}
	if s.Epsilon == 0 {
		var err error
		if s.Epsilon, err = relativeEpsilon(a, b, c); err != nil {
			return 0, err
		}
	}
	t := newTransport(ws, s, a, b, c)
	if x.same(y) {
		t.solveSelf()
	} else {
		t.solve(true)
	}
	ws.Stats.merge(t.stats)
	if gx != nil || gy != nil {
		scaleBy(t.p, coef)
		s.Cost.VJP(ws, gx, gy, t.p, c, x, y)
	}
	return t.dual(t.mass), nil
}

func checkCosts(c []float64) error {
	for _, v := range c {
		if v-v != 0 {
			return errCost(v)
		}
	}
	return nil
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
