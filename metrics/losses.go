package metrics

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// CrossEntropies returns −log p(label) of each sample, in nats. It is computed
// from the logits with log1p, so that the losses of a model that has memorized
// its data keep their order down to 1e-300.
func (o Outputs) CrossEntropies() ([]float64, error) {
	return each(o, func(u *surprisals, y int) float64 { return u.s[y] })
}

// MeanCrossEntropy returns the mean of CrossEntropies.
func (o Outputs) MeanCrossEntropy() (float64, error) {
	ce, err := o.CrossEntropies()
	if err != nil {
		return 0, err
	}
	return mean(ce), nil
}

// Confidences returns the largest probability of each sample, whatever its label.
func (o Outputs) Confidences() ([]float64, error) {
	return each(o, func(u *surprisals, _ int) float64 { return math.Exp(u.logTop()) })
}

// LogitMargins returns log p(label) − log(1 − p(label)) of each sample, the
// scaled confidence of LiRA, which does not saturate as the probability does.
// A classifier with a single class gives ErrOneClass.
//
// Reference: Carlini et al., "Membership Inference Attacks From First
// Principles", arXiv 2112.03570, section 4.2.
func (o Outputs) LogitMargins() ([]float64, error) {
	if err := needClasses(o); err != nil {
		return nil, err
	}
	return each(o, func(u *surprisals, y int) float64 { return -u.s[y] - u.logOneMinus(y) })
}

// Entropies returns the entropy −Σ p log p of each sample's prediction, in nats.
func (o Outputs) Entropies() ([]float64, error) {
	return each(o, func(u *surprisals, _ int) float64 { return u.entropy() })
}

// ModifiedEntropies returns −(1 − p_y) log p_y − Σ_{i≠y} pᵢ log(1 − pᵢ) of each
// sample with label y: zero if the prediction is certain and right, large if
// certain and wrong. A classifier with a single class gives ErrOneClass.
//
// Reference: Song & Mittal, "Systematic Evaluation of Privacy Risks of Machine
// Learning Models", USENIX Security 2021, equation 8.
func (o Outputs) ModifiedEntropies() ([]float64, error) {
	if err := needClasses(o); err != nil {
		return nil, err
	}
	return each(o, func(u *surprisals, y int) float64 {
		h := math.Exp(u.logOneMinus(y)) * u.s[y]
		for i, s := range u.s {
			if i != y {
				h -= math.Exp(-s) * u.logOneMinus(i)
			}
		}
		return h
	})
}

func each(o Outputs, f func(u *surprisals, y int) float64) ([]float64, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	out := make([]float64, o.N)
	var u surprisals
	for i, y := range o.Labels {
		u.set(o.Row(i))
		out[i] = f(&u, y)
	}
	return out, nil
}

// mean returns the mean of finite numbers, which is finite.
func mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	if finite.Is(sum) {
		return sum / float64(len(x))
	}
	scale := powerAbove(x)
	sum = 0
	for _, v := range x {
		sum += v / scale
	}
	return clampFinite(sum / float64(len(x)) * scale)
}
