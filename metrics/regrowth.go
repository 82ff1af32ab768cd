package metrics

import (
	"fmt"
	"math"
)

// Regrowth records how well the same samples are known each time that a model,
// while it is trained further, is looked at. A model from which samples were
// only hidden learns them again faster than one that never saw them.
type Regrowth struct {
	At     []float64   // amount of training at each look, increasing: steps, epochs or sample-passes
	Scores [][]float64 // a row for each look: one score a sample, larger the better it is known (1 right and 0 wrong, or minus the loss)
}

// Means returns the mean score at each look, the curve to draw. Fewer than two
// looks give ErrTooFew, looks that do not increase ErrRange, no samples ErrEmpty
// and rows that differ in length ErrShape.
func (r Regrowth) Means() ([]float64, error) {
	if err := r.check("curve"); err != nil {
		return nil, err
	}
	means := make([]float64, len(r.Scores))
	for k, row := range r.Scores {
		means[k] = mean(row)
	}
	return means, nil
}

// Resurgence returns by how much more the mean score of the samples of r rose
// from the first look to the last than that of other samples: with r the forget
// set, test a test set and training on retained samples alone, the rise of forget
// accuracy minus test accuracy. It is near 0 for a retrained model; a rise beyond
// that of retrained models shows what was hidden, not erased.
//
// The interval at the confidence level, between 0 and 1 (ErrRange), is Welch's for
// the difference of two means. Scores that all lie in [0, 1] are taken as
// accuracies: each side then gains half a sample for each of the four outcomes
// before and after, so that the interval keeps a width where no answer changed.
// It has no share for the randomness of training. Errors as for Means, ErrShape
// if the two were looked at different times, ErrTooFew below two samples.
//
// References: resurgence by training on retained samples, arXiv 2505.22310;
// Agresti & Min, "Simple improved confidence intervals for comparing matched
// proportions", Statistics in Medicine 24 (2005).
func (r Regrowth) Resurgence(test Regrowth, level float64) (Estimate, error) {
	if err := r.checkPair(test, level); err != nil {
		return Estimate{}, err
	}
	weights := make([]float64, len(r.At))
	weights[0], weights[len(weights)-1] = -1, 1
	scale, unit := r.scale(test)
	forget, other := r.combine(weights, scale).summary(unit), test.combine(weights, scale).summary(unit)
	return difference(forget, other, level).scaled(scale, unit, 2), nil
}

// Relearning returns the area between the curve of r and that of a retrained
// model for the same samples, divided by the length of the curves: by how much
// the mean score of r is higher on average over the training. With the scores of
// one half of the forget set after 0, 10 and 40 steps on the other half, a
// positive area says that they come back faster than they are learned anew.
//
// The curves are straight between looks. The interval is Student's for the mean
// of the areas of single samples, with the addition that Resurgence makes to
// accuracies. Errors as for Resurgence, ErrShape also for different numbers of
// samples.
func (r Regrowth) Relearning(retrained Regrowth, level float64) (Estimate, error) {
	if err := r.checkPair(retrained, level); err != nil {
		return Estimate{}, err
	}
	if m, n := len(r.Scores[0]), len(retrained.Scores[0]); m != n {
		return Estimate{}, fmt.Errorf("metrics: %w: curves of %d and %d samples", ErrShape, m, n)
	}
	scale, unit := r.scale(retrained)
	weights := trapezoids(r.At)
	area, reference := r.combine(weights, scale), retrained.combine(weights, scale)
	for i, v := range reference {
		area[i] -= v
	}
	return area.summary(unit).estimate(level).scaled(scale, unit, 1), nil
}

func (r Regrowth) check(what string) error {
	if len(r.At) < 2 {
		return fmt.Errorf("metrics: %w: %s has %d looks, want 2", ErrTooFew, what, len(r.At))
	}
	if err := checkScores("amounts of training", r.At); err != nil {
		return err
	}
	if len(r.Scores) != len(r.At) {
		return fmt.Errorf("metrics: %w: %s has %d rows of scores for %d looks", ErrShape, what, len(r.Scores), len(r.At))
	}
	for k, row := range r.Scores {
		if k > 0 && !(r.At[k-1] < r.At[k]) {
			return fmt.Errorf("metrics: %w: look %d is at %v, the one before at %v", ErrRange, k, r.At[k], r.At[k-1])
		}
		if err := checkScores(fmt.Sprintf("scores of look %d", k), row); err != nil {
			return err
		}
		if len(row) != len(r.Scores[0]) {
			return fmt.Errorf("metrics: %w: look %d has %d samples, the first %d", ErrShape, k, len(row), len(r.Scores[0]))
		}
	}
	return nil
}

func (r Regrowth) checkPair(s Regrowth, level float64) error {
	if err := checkLevel(level); err != nil {
		return err
	}
	if err := r.check("first curve"); err != nil {
		return err
	}
	if err := s.check("second curve"); err != nil {
		return err
	}
	if m, n := len(r.Scores[0]), len(s.Scores[0]); min(m, n) < 2 {
		return fmt.Errorf("metrics: %w: curves of %d and %d samples, want 2", ErrTooFew, m, n)
	}
	if len(r.At) != len(s.At) {
		return fmt.Errorf("metrics: %w: curves of %d and %d looks", ErrShape, len(r.At), len(s.At))
	}
	for k, at := range r.At {
		if at != s.At[k] {
			return fmt.Errorf("metrics: %w: look %d is at %v in one curve, at %v in the other", ErrShape, k, at, s.At[k])
		}
	}
	return nil
}

// scale returns a power of two that no score of the two exceeds more than
// twofold, and whether all scores lie in [0, 1]; then it is 1.
func (r Regrowth) scale(s Regrowth) (scale float64, unit bool) {
	unit = true
	for _, rows := range [][][]float64{r.Scores, s.Scores} {
		for _, row := range rows {
			scale = max(scale, powerAbove(row))
			for _, v := range row {
				unit = unit && v >= 0 && v <= 1
			}
		}
	}
	if unit {
		return 1, true
	}
	return scale, false
}

// combine returns for each sample the sum of its scores over the looks, weighted
// and divided by scale.
func (r Regrowth) combine(weights []float64, scale float64) sampled {
	sum := make(sampled, len(r.Scores[0]))
	for k, row := range r.Scores {
		for i, v := range row {
			sum[i] += weights[k] * (v / scale)
		}
	}
	return sum
}

// trapezoids returns the weights of the trapezoidal rule; they add up to 1.
func trapezoids(at []float64) []float64 {
	w := make([]float64, len(at))
	half := at[len(at)-1]/2 - at[0]/2 // halves, so that no difference overflows
	for k := range len(at) - 1 {
		part := (at[k+1]/2 - at[k]/2) / half / 2
		w[k] += part
		w[k+1] += part
	}
	return w
}

// sampled is one finite value a sample.
type sampled []float64

// summary is a mean, the center of its interval, the variance of that, and the
// degrees of freedom of the variance.
type summary struct{ mean, center, variance, dof float64 }

// summary adds two samples where values are differences of accuracies: one
// without a change, and half a one for each direction of a change.
func (x sampled) summary(unit bool) summary {
	n, sum := float64(len(x)), 0.0
	for _, v := range x {
		sum += v
	}
	s := summary{mean: sum / n}
	squares := 0.0
	if unit {
		n += 2
		s.center = sum / n
		squares = 1 + 2*s.center*s.center
	} else {
		s.center = s.mean
	}
	for _, v := range x {
		squares += (v - s.center) * (v - s.center)
	}
	s.dof = n - 1
	s.variance = squares / (n * (n - 1))
	return s
}

func (s summary) estimate(level float64) Estimate {
	half := studentQuantile(level, s.dof) * math.Sqrt(s.variance)
	return Estimate{s.mean, Interval{s.center - half, s.center + half}}
}

// difference returns that of two means, with the degrees of freedom of Welch.
func difference(s, t summary, level float64) Estimate {
	d := summary{mean: s.mean - t.mean, center: s.center - t.center, variance: s.variance + t.variance, dof: s.dof + t.dof}
	if d.variance > 0 {
		a, b := s.variance/d.variance, t.variance/d.variance
		d.dof = 1 / (a*a/s.dof + b*b/t.dof)
	}
	return d.estimate(level)
}

// scaled multiplies by scale; what is made of accuracies lies within ±bound.
func (e Estimate) scaled(scale float64, unit bool, bound float64) Estimate {
	if !unit {
		bound = math.MaxFloat64
	}
	at := func(v float64) float64 { return min(max(v*scale, -bound), bound) }
	return Estimate{at(e.Value), Interval{at(e.Interval.Lo), at(e.Interval.Hi)}}
}
