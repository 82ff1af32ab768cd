package metrics

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
)

// Head is the last linear layer of a classifier: class c has the output
// Weights[c]·x + Bias[c] for features x.
type Head struct {
	Classes, Dim int
	Weights      []float64 // row-major Classes×Dim
	Bias         []float64
}

func (h Head) row(c int) []float64 { return h.Weights[c*h.Dim : (c+1)*h.Dim] }

func (h Head) check(f Features, what string) error {
	if err := f.checkLabeled(what); err != nil {
		return err
	}
	if h.Classes < 2 || h.Classes != f.Classes || h.Dim != f.Dim || len(h.Bias) != h.Classes || len(h.Weights) != h.Classes*h.Dim {
		return fmt.Errorf("metrics: %w: a head of %d×%d with %d weights and %d biases for %s of %d classes and %d dimensions", ErrShape,
			h.Classes, h.Dim, len(h.Weights), len(h.Bias), what, f.Classes, f.Dim)
	}
	if !finite.All(h.Weights) || !finite.All(h.Bias) {
		return fmt.Errorf("metrics: %w: a weight or bias of the head", ErrNotFinite)
	}
	return nil
}

// FitHead trains a head on frozen features: for each class a logistic regression
// on standardized features against all others, with the penalty of the attacks
// (C = 1/d). Fitted on a small share of the training data, 2 % for one, and tried
// on the forget set, it tells how much the layers below still know: far above the
// same of a retrained model, only the head forgot. A class without samples is never
// answered. Less than two classes with samples give ErrOneClass.
// Cost: O(classes·(n·d² + d³)) a Newton step.
//
// Reference: the head retrained on a small share is in the spirit of the
// information difference index, arXiv 2405.17878, whose mutual information it
// replaces by accuracy.
func FitHead(f Features) (Head, error) {
	if err := f.checkLabeled("features"); err != nil {
		return Head{}, err
	}
	t := f.table()
	s := standardize(t.x, t.d)
	h := Head{f.Classes, f.Dim, make([]float64, f.Classes*f.Dim), make([]float64, f.Classes)}
	of := byClass(f.Labels, f.Classes)
	errs := make([]error, f.Classes)
	par.Each(f.Classes, func(_, c int) {
		if len(of[c]) == 0 {
			h.Bias[c] = -math.MaxFloat64
			return
		}
		errs[c] = h.fit(c, t, s)
	})
	for _, err := range errs {
		if err != nil {
			return Head{}, err
		}
	}
	return h, nil
}

// fit sets class c; t is standardized by s, which the weights undo.
func (h Head) fit(c int, t table, s scaler) error {
	y := make([]bool, len(t.labels))
	for i, label := range t.labels {
		y[i] = label == c
	}
	fit, err := fitPenalized(t.x, t.d, y, 1/float64(t.d), 1, crossFitGain)
	if err != nil {
		return err
	}
	h.Bias[c] = fit.intercept
	for j, w := range fit.weight {
		h.row(c)[j] = w * s.scale[j]
		h.Bias[c] -= w * s.scale[j] * s.mean[j]
	}
	return nil
}

// Accuracy returns the share of the features whose class has the largest output
// of the head. Of equal outputs the first class wins. ErrShape if the head does not
// fit the features.
func (h Head) Accuracy(f Features) (float64, error) {
	if err := h.check(f, "features"); err != nil {
		return 0, err
	}
	right := 0
	x := make([]float64, f.Dim)
	for i, y := range f.Labels {
		for j, v := range f.row(i) {
			x[j] = float64(v)
		}
		best, top := 0, math.Inf(-1)
		for c := range h.Classes {
			if v := kernel.Dot(h.row(c), x) + h.Bias[c]; v > top {
				best, top = c, v
			}
		}
		if best == y {
			right++
		}
	}
	return float64(right) / float64(f.N), nil
}

// Relearn returns the head with prototypes in the place of the classes that the
// shots belong to, one to ten images of each forgotten class by custom: the mean of
// the shots' directions, as long as the rows of the other classes are on average,
// with the mean of their biases. Its Accuracy on other samples of the class, less
// that of h, is how much of the class a few images bring back without training.
// All shots zero, or no other class, give ErrDegenerate. h is not modified.
//
// Reference: prototype relearning, arXiv 2506.01318; how it scales the prototype
// could not be confirmed.
func (h Head) Relearn(shots Features) (Head, error) {
	if err := h.check(shots, "shots"); err != nil {
		return Head{}, err
	}
	of := byClass(shots.Labels, shots.Classes)
	var norm, bias, others float64
	for c, items := range of {
		if len(items) == 0 {
			norm += math.Sqrt(kernel.Dot(h.row(c), h.row(c)))
			bias += h.Bias[c]
			others++
		}
	}
	if others == 0 || norm == 0 {
		return Head{}, fmt.Errorf("metrics: %w: the head has %v other classes, their rows are %v long in sum", ErrDegenerate, others, norm)
	}
	next := Head{h.Classes, h.Dim, append([]float64{}, h.Weights...), append([]float64{}, h.Bias...)}
	for c, items := range of {
		if len(items) == 0 {
			continue
		}
		p := shots.direction(items)
		length := math.Sqrt(kernel.Dot(p, p))
		if length == 0 {
			return Head{}, fmt.Errorf("metrics: %w: shots of class %d have no direction", ErrDegenerate, c)
		}
		for j, v := range p {
			next.row(c)[j] = v / length * norm / others
		}
		next.Bias[c] = bias / others
	}
	return next, nil
}

// direction returns the sum of the given rows, each divided by its length.
func (f Features) direction(items []int) []float64 {
	sum := make([]float64, f.Dim)
	for _, i := range items {
		var length float64
		for _, v := range f.row(i) {
			length += float64(v) * float64(v)
		}
		if length == 0 {
			continue
		}
		for j, v := range f.row(i) {
			sum[j] += float64(v) / math.Sqrt(length)
		}
	}
	return sum
}
