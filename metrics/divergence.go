package metrics

import (
	"fmt"
	"math"
)

// sumTolerance bounds how far the probabilities of a distribution may be from
// adding up to one: the rounding of a float32 softmax over 1000 classes.
const sumTolerance = 1e-4

// KL returns the Kullback-Leibler divergence Σ p log(p/q) of two distributions,
// in nats. It is +Inf, and no error, where q is zero and p is not. Negative or
// non-finite elements give ErrRange, as does a sum further than 1e-4 from one.
func KL(p, q []float64) (float64, error) {
	if err := checkDistributions(p, q); err != nil {
		return 0, err
	}
	var sum float64
	for i, v := range p {
		if v > 0 {
			sum += v * logRatio(v, q[i])
		}
	}
	return max(sum, 0), nil
}

// logRatio returns log(p/q), also where the quotient overflows.
func logRatio(p, q float64) float64 {
	if r := p / q; !math.IsInf(r, 1) {
		return math.Log(r)
	}
	return math.Log(p) - math.Log(q)
}

// JS returns the Jensen-Shannon divergence ½KL(p‖m) + ½KL(q‖m), m = ½(p + q),
// of two distributions, in nats: 0 for equal ones, log 2 for disjoint ones.
// Errors as for KL.
func JS(p, q []float64) (float64, error) {
	if err := checkDistributions(p, q); err != nil {
		return 0, err
	}
	var sum float64
	for i := range p {
		sum += jsTerm(p[i], q[i]/p[i]) + jsTerm(q[i], p[i]/q[i])
	}
	return clampJS(sum / 2), nil
}

// jsTerm returns p log(p/m), where ratio is q/p and m the mean of p and q.
func jsTerm(p, ratio float64) float64 {
	if p == 0 {
		return 0
	}
	return -p * math.Log1p((min(ratio, math.MaxFloat64)-1)/2)
}

// clampJS removes what rounding puts outside the range that holds exactly.
func clampJS(v float64) float64 { return min(max(v, 0), math.Ln2) }

func checkDistributions(p, q []float64) error {
	if len(p) == 0 {
		return fmt.Errorf("metrics: %w: distribution", ErrEmpty)
	}
	if len(p) != len(q) {
		return fmt.Errorf("metrics: %w: distributions over %d and %d classes", ErrShape, len(p), len(q))
	}
	for _, d := range [][]float64{p, q} {
		var sum float64
		for i, v := range d {
			if !(v >= 0 && v <= 1+sumTolerance) {
				return fmt.Errorf("metrics: %w: probability %d is %v", ErrRange, i, v)
			}
			sum += v
		}
		if math.Abs(sum-1) > sumTolerance {
			return fmt.Errorf("metrics: %w: probabilities add up to %v", ErrRange, sum)
		}
	}
	return nil
}

// MeanKL returns the mean over samples of KL(softmax(a) ‖ softmax(b)), in nats,
// computed from the logits. a and b hold the outputs of two models for the same
// samples; labels are not read and may be nil.
func MeanKL(a, b Outputs) (float64, error) {
	return meanPairs(a, b, func(sp, sq float64) float64 { return math.Exp(-sp) * (sq - sp) }, func(v float64) float64 { return max(v, 0) })
}

// MeanJS returns the mean over samples of the Jensen-Shannon divergence between
// softmax(a) and softmax(b), in nats, from 0 to log 2, computed from the logits.
// a and b hold the outputs of two models for the same samples; labels are not
// read and may be nil.
func MeanJS(a, b Outputs) (float64, error) {
	return meanPairs(a, b, func(sp, sq float64) float64 {
		return (jsTerm(math.Exp(-sp), math.Exp(sp-sq)) + jsTerm(math.Exp(-sq), math.Exp(sq-sp))) / 2
	}, clampJS)
}

func meanPairs(a, b Outputs, term func(sp, sq float64) float64, clamp func(float64) float64) (float64, error) {
	for _, o := range []Outputs{a, b} {
		if err := o.checkLogits(); err != nil {
			return 0, err
		}
	}
	if a.N != b.N || a.Classes != b.Classes {
		return 0, fmt.Errorf("metrics: %w: outputs are %d×%d and %d×%d", ErrShape, a.N, a.Classes, b.N, b.Classes)
	}
	var total float64
	var p, q surprisals
	for i := range a.N {
		p.set(a.Row(i))
		q.set(b.Row(i))
		var sum float64
		for j := range p.s {
			sum += term(p.s[j], q.s[j])
		}
		total += clamp(sum)
	}
	return total / float64(a.N), nil
}

func needClasses(o Outputs) error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.Classes < 2 {
		return fmt.Errorf("metrics: %w: the outputs have %d", ErrOneClass, o.Classes)
	}
	return nil
}
