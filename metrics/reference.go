package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Referenced is what the model judged says about some samples, beside what
// reference models say about the same samples, none of which they were trained
// on: models retrained without the forget set, for one. Labels are those of Model.
type Referenced struct {
	Model      Outputs
	References []Outputs // one a model, at least one
}

func (r Referenced) check(what string) error {
	if err := r.Model.check(what + "' logits"); err != nil {
		return err
	}
	if r.Model.Classes < 2 {
		return fmt.Errorf("metrics: %w: the outputs of %s have %d", ErrOneClass, what, r.Model.Classes)
	}
	if len(r.References) == 0 {
		return fmt.Errorf("metrics: %w: %s have no reference model", ErrEmpty, what)
	}
	for k, o := range r.References {
		if err := o.checkLogits(fmt.Sprintf("%s' logits of reference model %d", what, k)); err != nil {
			return err
		}
		if o.N != r.Model.N || o.Classes != r.Model.Classes {
			return fmt.Errorf("metrics: %w: %s' outputs are %d×%d, those of reference model %d %d×%d",
				ErrShape, what, r.Model.N, r.Model.Classes, k, o.N, o.Classes)
		}
	}
	return nil
}

// signals returns f of each sample for the model and for each reference model.
func (r Referenced) signals(f func(u *surprisals, y int) float64) (model []float64, references [][]float64) {
	for _, o := range r.References {
		references = append(references, signal(o, r.Model.Labels, f))
	}
	return signal(r.Model, r.Model.Labels, f), references
}

func signal(o Outputs, labels []int, f func(u *surprisals, y int) float64) []float64 {
	out := make([]float64, o.N)
	var u surprisals
	for i, y := range labels {
		u.set(o.Row(i))
		out[i] = f(&u, y)
	}
	return out
}

// perSample is from how many reference models on LiRA trusts the variance of a
// single sample.
const perSample = 64

// LiRA returns the score of the offline likelihood-ratio attack for each sample,
// larger for members: by how many standard deviations its scaled confidence (see
// Outputs.LogitMargins) lies above the mean of the reference models. Below 64 of
// these all samples share a standard deviation, that of the samples around their
// means, with a single model that of all samples; the order of scores is then that
// of the differences.
//
// Errors: those of Outputs.Check, ErrEmpty without a reference model, ErrShape
// if outputs differ in shape, ErrOneClass for a single class. Cost:
// O(n·classes·models).
//
// Reference: Carlini et al., "Membership Inference Attacks From First Principles",
// arXiv 2112.03570, section 4.2 and algorithm 1 without line 5; the tail
// probability given there has the order of this score.
func (r Referenced) LiRA() ([]float64, error) {
	if err := r.check("samples"); err != nil {
		return nil, err
	}
	model, refs := r.signals(func(u *surprisals, y int) float64 { return -u.s[y] - u.logOneMinus(y) })
	center := make([]float64, len(model))
	for i := range center {
		for _, x := range refs {
			center[i] += x[i] / float64(len(refs))
		}
	}
	shared := sharedDeviation(refs, center)
	for i := range model {
		model[i] = clampFinite((model[i] - center[i]) / deviationOf(refs, i, center[i], shared))
	}
	return model, nil
}

// sharedDeviation is that around the sample means, of a single model that of
// all samples. It is 1 where nothing varies.
func sharedDeviation(refs [][]float64, center []float64) float64 {
	norm, n := 0.0, float64(len(center)*(len(refs)-1))
	for _, x := range refs {
		for i, v := range x {
			norm = math.Hypot(norm, v-center[i])
		}
	}
	if len(refs) == 1 {
		norm, n = deviation(refs[0]), 1
	}
	if norm == 0 {
		return 1
	}
	return norm / math.Sqrt(n)
}

// deviation is the standard deviation of x, which is that of a population.
func deviation(x []float64) float64 {
	mu, norm := mean(x), 0.0
	for _, v := range x {
		norm = math.Hypot(norm, v-mu)
	}
	return norm / math.Sqrt(float64(len(x)))
}

func deviationOf(refs [][]float64, i int, center, shared float64) float64 {
	if len(refs) < perSample {
		return shared
	}
	norm := 0.0
	for _, x := range refs {
		norm = math.Hypot(norm, x[i]-center)
	}
	if norm == 0 {
		return shared
	}
	return norm / math.Sqrt(float64(len(refs)-1))
}

const (
	rmiaGamma   = 2
	rmiaOffline = .3 // a of equation 10 of the paper's appendix: p = ((1+a)·p_out + 1 − a)/2
)

// RMIA returns the score of the robust attack for each sample of r, larger for
// members: the share of population samples z for which the sample x is more than
// twice as likely as z to be a member, Pr(x|model)/Pr(x) > 2·Pr(z|model)/Pr(z),
// with Pr(·|model) the probability of the label and Pr(·) its mean over the
// reference models p, corrected to (1.3·p + .7)/2 as none of them was trained on
// the sample. Population samples are such that no model was trained on; r and
// population have the same reference models. Scores are multiples of the share of
// one of them, so many samples tie.
//
// Errors as for LiRA, ErrShape also for a different number of models or classes.
// Cost: that of LiRA for both and O(n·log population).
//
// Reference: Zarifzadeh et al., "Low-Cost High-Power Membership Inference
// Attacks", arXiv 2312.03262, equations 2 and 4, with the offline correction of
// its appendix; a and the factor are its defaults.
func (r Referenced) RMIA(population Referenced) ([]float64, error) {
	if err := r.check("samples"); err != nil {
		return nil, err
	}
	if err := population.check("population samples"); err != nil {
		return nil, err
	}
	if r.Model.Classes != population.Model.Classes || len(r.References) != len(population.References) {
		return nil, fmt.Errorf("metrics: %w: %d classes and %d reference models, the population has %d and %d", ErrShape,
			r.Model.Classes, len(r.References), population.Model.Classes, len(population.References))
	}
	x, z := r.logRatios(), population.logRatios()
	ranks := rankWeighted(z, nil, nil, nil)
	below := make([]float64, len(ranks.value)+1)
	for v, n := range ranks.member {
		below[v+1] = below[v] + n
	}
	for i, v := range x {
		k, _ := slices.BinarySearch(ranks.value, v-math.Log(rmiaGamma))
		x[i] = below[k] / float64(len(z))
	}
	return x, nil
}

// logRatios returns log Pr(x|model) − log Pr(x).
func (r Referenced) logRatios() []float64 {
	model, refs := r.signals(func(u *surprisals, y int) float64 { return -u.s[y] })
	for i := range model {
		var p float64
		for _, x := range refs {
			p += math.Exp(x[i]) / float64(len(refs))
		}
		model[i] -= math.Log(((1+rmiaOffline)*p + 1 - rmiaOffline) / 2)
	}
	return model
}

const (
	iamSteps  = 100  // interpolations from the reference to the original
	iamLoss   = 1e-2 // added to the loss, and
	iamChance = 1e-5 // to the probability, so that the signal is bounded
)

// IAM returns how completely each sample was forgotten, from 0 to 1: the least
// are the samples least forgotten. The signal of a sample, the logarithm of its
// loss turned round and scaled to [0, 1], is interpolated in 99 steps from the
// reference models towards the original; each step gives the probability that a
// Gumbel variable around it is less than the signal of the model judged, with the
// deviation that samples have at that step; steps nearer to the original weigh
// more. One minus the weighted mean is the completeness. Minus it is a score for
// JudgeScores.
//
// original has the outputs of the model before it was unlearned, for the same
// samples, those that it was trained on and those that it was not alike. Errors as
// for LiRA. Cost: O(n·(classes·models + 100)).
//
// Reference: "Towards Lifecycle Unlearning Commitment Management", arXiv
// 2506.06112, with the constants of the authors' code and its fixed variance.
func (r Referenced) IAM(original Outputs) ([]float64, error) {
	if err := r.check("samples"); err != nil {
		return nil, err
	}
	if err := (Referenced{r.Model, []Outputs{original}}).check("the original model's samples"); err != nil {
		return nil, err
	}
	model, refs := r.signals(fitSignal)
	start := signal(original, r.Model.Labels, fitSignal)
	complete := make([]float64, len(model))
	var weights float64
	for k := 1; k < iamSteps; k++ {
		step, weight := float64(k-1)/(iamSteps-1), float64(k)
		weights += weight
		center, deviation := interpolate(refs, start, step)
		for i, v := range model {
			complete[i] += weight * gumbelAbove(v, center[i], deviation)
		}
	}
	for i := range complete {
		complete[i] /= weights
	}
	return complete, nil
}

// fitSignal is −log of the loss, bounded, 0 for probability 0 and 1 for 1.
func fitSignal(u *surprisals, y int) float64 {
	at := func(p float64) float64 { return -math.Log(iamLoss - math.Log(iamChance+p)) }
	return (at(math.Exp(-u.s[y])) - at(0)) / (at(1) - at(0))
}

// interpolate returns the mean over the reference models of what lies at the
// given step to the original, and the deviation over all models and samples.
func interpolate(refs [][]float64, original []float64, step float64) (center []float64, dev float64) {
	all := make([]float64, 0, len(refs)*len(original))
	center = make([]float64, len(original))
	for _, x := range refs {
		for i, v := range x {
			at := v + step*(original[i]-v)
			center[i] += at / float64(len(refs))
			all = append(all, at)
		}
	}
	return center, deviation(all)
}

// gumbelAbove is the probability that a Gumbel variable with the given mean and
// deviation is more than v; without deviation, ½ at the mean.
func gumbelAbove(v, center, deviation float64) float64 {
	if deviation == 0 {
		switch {
		case v < center:
			return 1
		case v > center:
			return 0
		}
		return .5
	}
	beta := math.Sqrt(6) / math.Pi * deviation
	const gamma = 0.57721566490153286 // Euler's
	return -math.Expm1(-math.Exp(-(v-center)/beta - gamma))
}
