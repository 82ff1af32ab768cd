package distance

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Planner is a Distance that is the cost of a transport plan.
type Planner interface {
	Distance
	// Plan writes the N×M plan between x and y into dst and returns what Eval
	// returns.
	Plan(ws *Workspace, dst []float64, x, y Sample) (float64, error)
}

// WeightGradienter is a Distance with a gradient in the weights.
type WeightGradienter interface {
	Distance
	// EvalWeights overwrites ga and gb, where not nil, with the derivative of
	// the value in each weight of x and of y, and returns what Eval returns.
	// Since weights have the sum one, only differences mean anything: the
	// gradients are such that Σ wᵢgᵢ = 0, unless weights may have any mass.
	EvalWeights(ws *Workspace, ga, gb []float64, x, y Sample) (float64, error)
}

// request is what one call wants beside the value.
type request struct {
	gx, gy []float64 // gradients in the points
	ga, gb []float64 // and in the weights
	plan   []float64
}

func (r request) points() bool  { return r.gx != nil || r.gy != nil }
func (r request) weights() bool { return r.ga != nil || r.gb != nil }

// Eval implements Distance. A sweep costs O(N·M) and the rest O(N·M·Dim), for
// each of the transport problems. If Debiased and gy is nil, the self term of y
// is computed once and kept in the Workspace for as long as y stays the same.
func (s Sinkhorn) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	return s.eval(ws, request{gx: gx, gy: gy}, x, y)
}

// Plan implements Planner; the plan is that between x and y, also if Debiased.
func (s Sinkhorn) Plan(ws *Workspace, dst []float64, x, y Sample) (float64, error) {
	if len(dst) != x.N*y.N {
		return 0, fmt.Errorf("%w: plan has %d elements, want %d×%d", ErrShape, len(dst), x.N, y.N)
	}
	return s.eval(ws, request{plan: dst}, x, y)
}

// EvalWeights implements WeightGradienter. Sharp values have no gradient in the
// weights: ErrParameter.
func (s Sinkhorn) EvalWeights(ws *Workspace, ga, gb []float64, x, y Sample) (float64, error) {
	if err := checkWeightGradients(ga, gb, x, y); err != nil {
		return 0, err
	}
	if s.Sharp {
		return 0, fmt.Errorf("%w: Sinkhorn.Sharp has no gradient in the weights", ErrParameter)
	}
	ws = ws.Enter()
	defer ws.Leave()
	clear(ga)
	clear(gb)
	v, err := s.eval(ws, request{ga: ga, gb: gb}, x, y)
	if s.Rho == 0 {
		center(ws, ga, x)
		center(ws, gb, y)
	}
	return v, err
}

func checkWeightGradients(ga, gb []float64, x, y Sample) error {
	if ga != nil && len(ga) != x.N || gb != nil && len(gb) != y.N {
		return fmt.Errorf("%w: ga has %d elements for %d points, gb %d for %d", ErrShape, len(ga), x.N, len(gb), y.N)
	}
	return nil
}

// center subtracts the mean under the weights of s.
func center(ws *Workspace, g []float64, s Sample) {
	if g == nil {
		return
	}
	if w, err := s.weights(ws, ""); err == nil {
		mean := weighted(w, g)
		floats.AddConst(-mean, g)
	}
}

func (s Sinkhorn) eval(ws *Workspace, r request, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	s, a, b, err := s.begin(ws, r.gx, r.gy, x, y)
	if err != nil {
		return 0, err
	}
	before := ws.beginPart()
	value, err := s.term(ws, roleXY, 1, r, a, b, x, y)
	if s.Debiased && err == nil {
		var self float64
		self, err = s.selfTerms(ws, r, a, b, x, y)
		value += self
	}
	own := ws.endPart(before)
	if err != nil {
		return 0, err
	}
	if !own.Converged {
		err = notConverged(own, s.Tol)
	}
	return value, err
}

// selfTerms returns −½OT(x, x) − ½OT(y, y), with (ε/2)(Σa−Σb)² if unbalanced.
// By symmetry the gradient of a half is that in the first argument alone.
func (s Sinkhorn) selfTerms(ws *Workspace, r request, a, b []float64, x, y Sample) (float64, error) {
	xx, err := s.term(ws, roleXX, -1, request{gx: r.gx, ga: r.ga}, a, a, x, x)
	if err != nil {
		return 0, err
	}
	yy, err := s.cachedSelf(ws, r, b, y)
	if err != nil {
		return 0, err
	}
	value := -xx/2 - yy/2
	if s.Rho > 0 {
		diff := sum(a) - sum(b)
		value += s.Epsilon / 2 * diff * diff
		floats.AddConst(s.Epsilon*diff, r.ga)
		floats.AddConst(-s.Epsilon*diff, r.gb)
	}
	return value, nil
}

// cachedSelf returns OT(y, y), which it remembers for the last y.
func (s Sinkhorn) cachedSelf(ws *Workspace, r request, b []float64, y Sample) (float64, error) {
	if r.gy != nil || r.gb != nil {
		return s.term(ws, roleYY, -1, request{gx: r.gy, ga: r.gb}, b, b, y, y)
	}
	m := ws.memo(roleYY)
	settings := [...]float64{s.Epsilon, s.Tol, s.Rho, 0, float64(s.MaxIter), float64(s.NewtonAfter)}
	if s.Sharp {
		settings[3] = 1
	}
	if m.holds(s.Cost, settings[:], b, y) {
		ws.Stats.merge(m.stats)
		return m.value, nil
	}
	before := ws.beginPart()
	value, err := s.term(ws, roleYY, -1, request{}, b, b, y, y)
	stats := ws.endPart(before)
	if err == nil {
		m.keep(s.Cost, settings[:], b, y, value, stats)
	}
	return value, err
}

// term returns OT(x, y) and adds its gradients, times coef, to those wanted. It
// sets s.Epsilon where it depends on the costs.
func (s *Sinkhorn) term(ws *Workspace, which role, coef float64, r request, a, b []float64, x, y Sample) (float64, error) {
	if r.plan == nil && x.N*y.N > s.MaxEntries {
		return s.streamed(ws, coef, r, a, b, x, y)
	}
	ws = ws.Enter()
	defer ws.Leave()
	c := ws.Floats(x.N * y.N)
	s.Cost.Matrix(ws, c, x, y)
	lo, hi, err := costRange(c)
	if err != nil {
		return 0, err
	}
	if s.Epsilon == 0 {
		if s.Epsilon, err = chooseEpsilon(costMoments(a, b, c)); err != nil {
			return 0, err
		}
	}
	if hi-lo > digits*s.Epsilon {
		return 0, errDigits(s.Epsilon, lo, hi)
	}
	t := newTransport(ws, s, a, b, c)
	t.span = hi - lo
	s.run(ws, &t, which, x, y)
	value := s.number(&t)
	if !finite.Is(value) {
		return 0, errCost(value)
	}
	s.answer(ws, &t, coef, r, x, y)
	ws.Stats.merge(t.stats)
	return value, nil
}

// run solves t, from the potentials of the last time where these are kept. What
// they do not lead to the end is solved anew, so that a warm start gives nothing
// that a cold one does not; only the potentials of a solution are kept.
func (s *Sinkhorn) run(ws *Workspace, t *transport, which role, x, y Sample) {
	self := x.same(y) && slices.Equal(t.a, t.b)
	kept := ws.potentials(which, t.n, t.m)
	if s.WarmStart && kept != nil {
		copy(t.f, kept)
		copy(t.g, kept[t.n:])
		// What a small move leaves to do are the slow modes.
		newtonAt := t.newtonAt
		t.newtonAt = min(t.newtonAt, every)
		s.attempt(ws, t, self, false)
		t.newtonAt = newtonAt
	}
	if !s.WarmStart || kept == nil || !t.stats.Converged {
		before := t.stats
		t.restart()
		s.attempt(ws, t, self, true)
		t.stats.addCounts(before)
	}
	if !t.stats.Converged {
		s.runMerged(ws, t, x, y)
	}
	if s.WarmStart {
		ws.keepPotentials(which, t)
	}
}

// attempt solves t from its potentials and computes the gap. It has converged
// if the gap says so too.
func (s *Sinkhorn) attempt(ws *Workspace, t *transport, self, cold bool) {
	if self {
		t.solveSelf()
	} else {
		t.solve(cold)
	}
	t.certify(ws)
}

// certify computes the duality gap after finish. Of a problem with relaxed
// marginals it decides convergence beside the marginal error, which says
// nothing where mass that should move was lost to underflow.
func (t *transport) certify(ws *Workspace) {
	if t.kappa == 0 {
		t.stats.DualityGap = t.gap(ws)
	} else {
		t.stats.DualityGap = t.relaxedGap(ws)
		if limit := gapSlack * t.tol * t.rho() * (sum(t.a) + sum(t.b)); !(t.stats.DualityGap <= limit) {
			t.stats.Converged = false
		}
	}
	if !finite.Is(t.stats.DualityGap) {
		t.stats.Converged = false
	}
}

// number is the value that was asked for.
func (s *Sinkhorn) number(t *transport) float64 {
	if s.Sharp {
		return t.inner()
	}
	return t.dual(t.mass)
}

// answer computes what was asked for beside the value.
func (s *Sinkhorn) answer(ws *Workspace, t *transport, coef float64, r request, x, y Sample) {
	if r.plan != nil {
		copy(r.plan, t.p)
	}
	if r.weights() {
		t.extend()
		if r.ga != nil {
			t.massSlope(r.ga, t.f, sum(t.b), coef)
		}
		if r.gb != nil {
			t.massSlope(r.gb, t.g, sum(t.a), coef)
		}
	}
	if !r.points() {
		return
	}
	if s.Sharp {
		t.sharpen(ws)
	}
	scaleBy(t.p, coef)
	s.Cost.VJP(ws, r.gx, r.gy, t.p, t.c, x, y)
}

// digits is the range of the costs in units of ε at which the exponents keep
// only three digits after the point.
const digits = 1e12

// costRange returns the least and the largest cost.
func costRange(c []float64) (lo, hi float64, err error) {
	lo, hi = c[0], c[0]
	for _, v := range c {
		if v < lo {
			lo = v
		} else if v > hi {
			hi = v
		}
	}
	if total := kernel.Sum(c); !finite.Is(total) {
		return 0, 0, errCost(total)
	}
	return lo, hi, nil
}
