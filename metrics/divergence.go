package metrics

import (
	"fmt"
	"math"
)

// jsTerm returns p log(p/m), where ratio is q/p and m the mean of p and q.
func jsTerm(p, ratio float64) float64 {
	if p == 0 {
		return 0
	}
	return -p * math.Log1p((min(ratio, math.MaxFloat64)-1)/2)
}

// clampJS removes what rounding puts outside the range that holds exactly.
func clampJS(v float64) float64 { return min(max(v, 0), math.Ln2) }

// KL returns the mean over samples of KL(softmax(o) ‖ softmax(p)), in nats,
// computed from the logits. o and p hold the outputs of two models for the same
// samples; labels are not read and may be nil.
func (o Outputs) KL(p Outputs) (float64, error) {
	return meanPairs(o, p, func(sp, sq float64) float64 { return math.Exp(-sp) * (sq - sp) }, func(v float64) float64 { return max(v, 0) })
}

// JS returns the mean over samples of the Jensen-Shannon divergence between
// softmax(o) and softmax(p), in nats, from 0 to log 2, computed from the logits.
// o and p hold the outputs of two models for the same samples; labels are not
// read and may be nil.
func (o Outputs) JS(p Outputs) (float64, error) {
	return meanPairs(o, p, func(sp, sq float64) float64 {
		return (jsTerm(math.Exp(-sp), math.Exp(sp-sq)) + jsTerm(math.Exp(-sq), math.Exp(sq-sp))) / 2
	}, clampJS)
}

func meanPairs(a, b Outputs, term func(sp, sq float64) float64, clamp func(float64) float64) (float64, error) {
	for _, o := range []Outputs{a, b} {
		if err := o.checkLogits("logits"); err != nil {
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
