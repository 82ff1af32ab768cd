package metrics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// logistic is a fitted logistic regression: log-odds = weight·x + intercept.
type logistic struct {
	weight    []float64
	intercept float64
}

func (l logistic) logOdds(x []float64) float64 { return kernel.Dot(l.weight, x) + l.intercept }

const (
	// The objective is strictly convex, so Newton's method with halving
	// converges from anywhere; these bounds are far beyond what it takes.
	logisticSteps    = 200
	logisticHalvings = 60
	// A step whose predicted gain is below this share of the objective cannot
	// be told from rounding.
	logisticGain = 1e-15
)

// fitLogistic minimizes ½‖w‖² + c Σ log(1 + exp(−y(w·x + b))) over w and b, the
// objective of scikit-learn's LogisticRegression: the intercept is not penalized.
// x is n×d, y[i] tells whether row i is positive; both classes must occur
// (ErrOneClass). On ErrNotConverged the result is the last iterate. Cost of a
// step: O(n·d² + d³).
func fitLogistic(x []float64, d int, y []bool, c float64) (logistic, error) {
	return fitPenalized(x, d, y, c, 1, logisticGain)
}

// leastPenaltyRoot squared is the smallest penalty: what is smaller moves no
// answer, and would take separable samples a step for each power of e.
const leastPenaltyRoot = 0x1p-40

// fitPenalized is fitLogistic with ½·penalty‖w‖², and stops at a step whose
// predicted gain is at most the share least of the objective.
func fitPenalized(x []float64, d int, y []bool, c, penalty, least float64) (logistic, error) {
	if err := checkTwoClasses(y); err != nil {
		return logistic{weight: make([]float64, d)}, err
	}
	p := newNewton(x, d, y, c, penalty)
	for range logisticSteps {
		step, gain, ok := p.direction()
		if !ok {
			break
		}
		if gain <= least*p.value || !p.move(step, gain) {
			return p.solution(), nil
		}
	}
	return p.solution(), fmt.Errorf("metrics: %w: logistic regression on %d×%d after %d steps", ErrNotConverged, len(y), d, logisticSteps)
}

func checkTwoClasses(y []bool) error {
	positive := 0
	for _, v := range y {
		if v {
			positive++
		}
	}
	if positive == 0 || positive == len(y) {
		return fmt.Errorf("metrics: %w: %d of %d samples are positive", ErrOneClass, positive, len(y))
	}
	return nil
}

// newton is the state of a fit. Features are centerd, which the free intercept
// makes good and which keeps the Hessian well conditioned.
type newton struct {
	x       *mat.Dense // n×(d+1), last column 1
	center  []float64
	y       []bool
	c       float64
	penalty float64
	w       []float64 // d weights and the intercept
	margin  []float64 // w·x of each row
	value   float64
	trial   []float64
	scratch *mat.Dense
}

func newNewton(x []float64, d int, y []bool, c, penalty float64) *newton {
	n := len(y)
	p := &newton{
		x: mat.NewDense(n, d+1, nil), scratch: mat.NewDense(n, d+1, nil), center: make([]float64, d), y: y, c: c, penalty: penalty,
		w: make([]float64, d+1), margin: make([]float64, n), trial: make([]float64, n),
	}
	for i := range n {
		for j := range d {
			p.center[j] += x[i*d+j] / float64(n)
		}
	}
	for i := range n {
		row := p.x.RawRowView(i)
		for j := range d {
			row[j] = x[i*d+j] - p.center[j]
		}
		row[d] = 1
	}
	p.value = p.objective(p.w, p.margin)
	return p
}

// objective writes the margins of w and returns its value.
func (p *newton) objective(w, margin []float64) float64 {
	d := len(w) - 1
	sum := p.penalty * kernel.Dot(w[:d], w[:d]) / 2
	for i, pos := range p.y {
		m := kernel.Dot(p.x.RawRowView(i), w)
		margin[i] = m
		if pos {
			m = -m
		}
		sum += p.c * softplus(m)
	}
	return sum
}

// softplus returns log(1 + exp(v)).
func softplus(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }

func sigmoid(v float64) float64 {
	if v < 0 {
		e := math.Exp(v)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-v))
}

// direction returns the Newton step and the decrease per unit step that it
// predicts. Where saturated probabilities leave the Hessian singular in floating
// point, a growing multiple of the identity is added: the step shortens, the
// optimum stays.
func (p *newton) direction() (step *mat.VecDense, gain float64, ok bool) {
	d := len(p.w)
	g := mat.NewVecDense(d, nil)
	kernel.Axpy(p.penalty, p.w[:d-1], g.RawVector().Data)
	for i, pos := range p.y {
		r, s := sigmoid(p.margin[i]), sigmoid(-p.margin[i])
		h := math.Sqrt(p.c * r * s)
		if pos {
			r = -s
		}
		row := p.x.RawRowView(i)
		kernel.Axpy(p.c*r, row, g.RawVector().Data)
		scaled := p.scratch.RawRowView(i)
		for j, v := range row {
			scaled[j] = h * v
		}
	}
	hess := mat.NewSymDense(d, nil)
	hess.SymOuterK(1, p.scratch.T())
	for j := range d - 1 {
		hess.SetSym(j, j, hess.At(j, j)+p.penalty)
	}
	step = mat.NewVecDense(d, nil)
	if !solveDamped(step, hess, g) {
		return nil, 0, false
	}
	return step, mat.Dot(g, step), true
}

func solveDamped(dst *mat.VecDense, a *mat.SymDense, b *mat.VecDense) bool {
	var chol mat.Cholesky
	damp := 1e-12 * (1 + mat.Trace(a))
	for range 40 {
		if chol.Factorize(a) && chol.SolveVecTo(dst, b) == nil {
			return true
		}
		for j := range a.SymmetricDim() {
			a.SetSym(j, j, a.At(j, j)+damp)
		}
		damp *= 10
	}
	return false
}

// move goes along −step, halving until the objective falls enough (Armijo). It
// reports false if no length improves it: the optimum up to rounding.
func (p *newton) move(step *mat.VecDense, gain float64) bool {
	next := make([]float64, len(p.w))
	t := 1.0
	for range logisticHalvings {
		copy(next, p.w)
		kernel.Axpy(-t, step.RawVector().Data, next)
		if v := p.objective(next, p.trial); v < p.value-1e-4*t*gain {
			p.w, p.value = next, v
			p.margin, p.trial = p.trial, p.margin
			return true
		}
		t /= 2
	}
	return false
}

// solution undoes the centering.
func (p *newton) solution() logistic {
	d := len(p.center)
	return logistic{weight: p.w[:d:d], intercept: p.w[d] - kernel.Dot(p.w[:d], p.center)}
}
