package metrics

import (
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// crossFitted judges a logistic regression that tells the rows of xm (members)
// from those of xn, both of d columns, with folds stratified by class. The AUC
// compares samples of the same fold only: log-odds of different regressions have
// different offsets, and comparing them biases the AUC of useless features below
// one half.
func crossFitted(xm, xn []float64, d int, ym, yn []int, classes int, seed uint64, opt *AttackOptions) (Strength, error) {
	o, err := opt.resolve(d)
	if err != nil {
		return Strength{}, err
	}
	if err := checkPair(len(ym), len(yn), 2); err != nil {
		return Strength{}, err
	}
	folds := min(o.Folds, len(ym), len(yn))
	r := rng.Stream(seed, "metrics folds")
	foldM, foldN := dealByClass(r, ym, classes, folds), dealByClass(r, yn, classes, folds)
	sm, sn := make([]float64, len(ym)), make([]float64, len(yn))
	groups := make([]*ranked, folds)
	for f := range folds {
		if err := fitFold(f, xm, xn, d, foldM, foldN, sm, sn, o.C); err != nil {
			return Strength{}, err
		}
		if groups[f], err = newRanked(pick(sm, foldM, f), pick(sn, foldN, f)); err != nil {
			return Strength{}, err
		}
		groups[f].memberStrata = byClass(pick(ym, foldM, f), classes)
		groups[f].nonStrata = byClass(pick(yn, foldN, f), classes)
	}
	tpr, err := TPRAtFPR(sm, sn, o.FPR)
	if err != nil {
		return Strength{}, err
	}
	v := verdicts{signs(sm, true), signs(sn, false), byClass(ym, classes), byClass(yn, classes)}
	return strength(groups, tpr, v, seed, o.Bootstrap)
}

// fitFold fits on all folds but f and writes the log-odds of the samples of f.
func fitFold(f int, xm, xn []float64, d int, foldM, foldN []int, sm, sn []float64, c float64) error {
	train := append(others(xm, d, foldM, f), others(xn, d, foldN, f)...)
	y := make([]bool, len(train)/d)
	for i := range len(foldM) - countOf(foldM, f) {
		y[i] = true
	}
	s := standardise(train, d)
	fit, err := fitLogistic(train, d, y, c)
	if err != nil {
		return err
	}
	s.score(sm, xm, foldM, f, fit)
	s.score(sn, xn, foldN, f, fit)
	return nil
}

func countOf(fold []int, f int) int {
	n := 0
	for _, k := range fold {
		if k == f {
			n++
		}
	}
	return n
}

// others returns a copy of the rows outside fold f.
func others(x []float64, d int, fold []int, f int) []float64 {
	var out []float64
	for i, k := range fold {
		if k != f {
			out = append(out, x[i*d:(i+1)*d]...)
		}
	}
	return out
}

// scaler maps a feature to mean 0 and standard deviation 1 over the samples it
// was made from; a constant feature is only centred.
type scaler struct{ mean, scale []float64 }

// constantShare is the deviation, relative to the mean, up to which a feature
// counts as constant: the mean's own rounding error over 10⁴ samples.
const constantShare = 1e-12

// standardise changes x in place.
func standardise(x []float64, d int) scaler {
	n := len(x) / d
	s := scaler{make([]float64, d), make([]float64, d)}
	for i, v := range x {
		s.mean[i%d] += v / float64(n)
	}
	for i, v := range x {
		s.scale[i%d] = math.Hypot(s.scale[i%d], v-s.mean[i%d])
	}
	for j, norm := range s.scale {
		s.scale[j] = 1
		if std := norm / math.Sqrt(float64(n)); std > constantShare*math.Abs(s.mean[j]) {
			s.scale[j] = 1 / std
		}
	}
	for i := range n {
		s.apply(x[i*d : (i+1)*d])
	}
	return s
}

func (s scaler) apply(row []float64) {
	for j, v := range row {
		row[j] = (v - s.mean[j]) * s.scale[j]
	}
}

func (s scaler) score(dst, x []float64, fold []int, f int, fit logistic) {
	d := len(s.mean)
	for i, k := range fold {
		if k == f {
			row := slices.Clone(x[i*d : (i+1)*d])
			s.apply(row)
			dst[i] = fit.logOdds(row)
		}
	}
}

// signs returns 1 where the sign of the log-odds is that of a member (or not).
func signs(logOdds []float64, member bool) []float64 {
	right := make([]float64, len(logOdds))
	for i, v := range logOdds {
		if (v > 0) == member {
			right[i] = 1
		}
	}
	return right
}
