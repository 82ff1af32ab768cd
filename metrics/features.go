package metrics

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/dlfd-go/unlearn/internal/par"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Features is an activation of a network for N samples.
type Features struct {
	N, Dim  int
	Data    []float32 // row-major N×Dim
	Classes int
	Labels  []int // in [0, Classes); CKA does not read them
}

func (f Features) check(what string) error {
	if f.N < 1 || f.Dim < 1 {
		return fmt.Errorf("metrics: %w: %s are %d×%d", ErrEmpty, what, f.N, f.Dim)
	}
	return checkMatrix(what, f.Data, f.N, f.Dim)
}

func (f Features) checkLabeled(what string) error {
	if err := f.check(what); err != nil {
		return err
	}
	return checkLabels(what, f.Labels, f.N, f.Classes)
}

func (f Features) row(i int) []float32 { return f.Data[i*f.Dim : (i+1)*f.Dim] }

// ScatterRatio returns the between-class over the within-class scatter of the
// features, tr(S_b)/tr(S_w) with S_b = Σ_c n_c(μ_c − μ)(μ_c − μ)ᵀ and
// S_w = Σ_i(x_i − μ_c)(x_i − μ_c)ᵀ. Falling far below that of the retrained model
// is correlation collapse. It does not change when features are shifted, rotated
// or scaled as a whole. Fewer than two classes with samples give ErrOneClass, and
// no scatter within any class ErrDegenerate. Cost: O(n·d).
//
// Reference: Fukunaga, "Introduction to Statistical Pattern Recognition" (1990),
// section 10.2, criterion J with traces.
func (f Features) ScatterRatio() (float64, error) {
	if err := f.checkLabeled("features"); err != nil {
		return 0, err
	}
	of := byClass(f.Labels, f.Classes)
	all := f.center(nil)
	var between, within float64
	present := 0
	for _, items := range of {
		if len(items) == 0 {
			continue
		}
		present++
		mu := f.center(items)
		for j, v := range mu {
			between += float64(len(items)) * (v - all[j]) * (v - all[j])
		}
		within += f.scatter(items, mu)
	}
	if present < 2 {
		return 0, fmt.Errorf("metrics: %w: scatter of %d samples", ErrOneClass, f.N)
	}
	if within == 0 {
		return 0, fmt.Errorf("metrics: %w: all features equal their class mean", ErrDegenerate)
	}
	return between / within, nil
}

// scatterGroups is how many parts RelativeScatter leaves out in turn.
const scatterGroups = 20

// RelativeScatter returns the scatter ratio of f over that of test, features of
// the same layer: near 1 if forgotten samples lie in their classes as others do,
// above it if they lie closer to their class, as samples do that were trained on.
// A model that hides what its outputs know keeps the ratio of the original.
//
// The interval at the confidence level, between 0 and 1 (ErrRange), is Student's
// for the logarithm, with the jackknife that leaves out a twentieth of each class
// of either side in turn. Errors as for ScatterRatio, ErrDegenerate also if all
// classes have one mean, ErrTooFew with less than 40 samples of either, ErrShape
// for different dimensions. Cost: O(20·n·d).
//
// Reference: Shao & Wu, "A General Theory for Jackknife Variance Estimation",
// Annals of Statistics 17 (1989).
func (f Features) RelativeScatter(test Features, level float64) (Estimate, error) {
	if err := checkLevel(level); err != nil {
		return Estimate{}, err
	}
	if f.Dim != test.Dim {
		return Estimate{}, fmt.Errorf("metrics: %w: features have %d dimensions, those of the test set %d", ErrShape, f.Dim, test.Dim)
	}
	s, err := f.logScatter()
	if err != nil {
		return Estimate{}, err
	}
	t, err := test.logScatter()
	if err != nil {
		return Estimate{}, err
	}
	e := difference(s, t, level)
	exp := func(v float64) float64 { return clampFinite(math.Exp(v)) }
	return Estimate{exp(e.Value), Interval{exp(e.Interval.Lo), exp(e.Interval.Hi)}}, nil
}

// logScatter is the logarithm of the scatter ratio with its jackknife variance.
func (f Features) logScatter() (summary, error) {
	ratio, err := f.logRatio()
	if err != nil {
		return summary{}, err
	}
	if f.N < 2*scatterGroups {
		return summary{}, fmt.Errorf("metrics: %w: scatter of %d samples, want %d", ErrTooFew, f.N, 2*scatterGroups)
	}
	fold := dealByClass(rng.Stream(0, "metrics scatter"), f.Labels, f.Classes, scatterGroups)
	part := make(sampled, scatterGroups)
	errs := make([]error, scatterGroups)
	par.Each(scatterGroups, func(_, g int) {
		var rest []int
		for i, k := range fold {
			if k != g {
				rest = append(rest, i)
			}
		}
		part[g], errs[g] = f.at(rest).logRatio()
	})
	if err := errors.Join(errs...); err != nil {
		return summary{}, err
	}
	s := part.summary(false)
	// Parts share all but a twentieth, so their spread is that much too small.
	s.variance *= (scatterGroups - 1) * (scatterGroups - 1)
	s.mean, s.center = ratio, ratio
	return s, nil
}

func (f Features) logRatio() (float64, error) {
	ratio, err := f.ScatterRatio()
	if err == nil && ratio == 0 {
		return 0, fmt.Errorf("metrics: %w: all classes have the same mean", ErrDegenerate)
	}
	return math.Log(ratio), err
}

// center returns the mean of the given rows, of all if items is nil.
func (f Features) center(items []int) []float64 {
	mu := make([]float64, f.Dim)
	n := len(items)
	if items == nil {
		n = f.N
	}
	for k := range n {
		i := k
		if items != nil {
			i = items[k]
		}
		for j, v := range f.row(i) {
			mu[j] += float64(v)
		}
	}
	for j := range mu {
		mu[j] /= float64(n)
	}
	return mu
}

func (f Features) scatter(items []int, mu []float64) float64 {
	var sum float64
	for _, i := range items {
		for j, v := range f.row(i) {
			sum += (float64(v) - mu[j]) * (float64(v) - mu[j])
		}
	}
	return sum
}

// CKA returns the linear centered kernel alignment of two activations of
// the same samples, ‖YᵀX‖²_F / (‖XᵀX‖_F ‖YᵀY‖_F) with centered columns: 1 if they
// agree up to rotation and scale, near 0 if unrelated. The dimensions may differ.
// The estimate is biased upwards if there are fewer samples than dimensions.
// Different N give ErrShape, constant features ErrDegenerate.
// Cost: O(n·d·min(n, d)), d the larger dimension.
//
// Reference: Kornblith et al., "Similarity of Neural Network Representations
// Revisited", ICML 2019, equation 5.
func (f Features) CKA(g Features) (float64, error) {
	a, b := f, g
	for _, f := range []Features{a, b} {
		if err := f.check("features"); err != nil {
			return 0, err
		}
	}
	if a.N != b.N {
		return 0, fmt.Errorf("metrics: %w: features of %d and %d samples", ErrShape, a.N, b.N)
	}
	x, y := a.centered(), b.centered()
	if mat.Norm(x, 2) == 0 || mat.Norm(y, 2) == 0 {
		return 0, fmt.Errorf("metrics: %w: features are constant", ErrDegenerate)
	}
	// Unit Frobenius norm, so that no product over- or underflows.
	x.Scale(1/mat.Norm(x, 2), x)
	y.Scale(1/mat.Norm(y, 2), y)
	var cross, norms float64
	if a.N < max(a.Dim, b.Dim) {
		kx, ky := product(x, x.T()), product(y, y.T())
		cross = frobenius(kx, ky)
		norms = math.Sqrt(frobenius(kx, kx) * frobenius(ky, ky))
	} else {
		yx, xx, yy := product(y.T(), x), product(x.T(), x), product(y.T(), y)
		cross = frobenius(yx, yx)
		norms = math.Sqrt(frobenius(xx, xx) * frobenius(yy, yy))
	}
	return min(max(cross/norms, 0), 1), nil
}

func (f Features) centered() *mat.Dense {
	mu := f.center(nil)
	x := mat.NewDense(f.N, f.Dim, nil)
	for i := range f.N {
		row := x.RawRowView(i)
		for j, v := range f.row(i) {
			row[j] = float64(v) - mu[j]
		}
	}
	return x
}

func product(a, b mat.Matrix) *mat.Dense {
	var c mat.Dense
	c.Mul(a, b)
	return &c
}

// frobenius returns Σ aᵢⱼbᵢⱼ.
func frobenius(a, b *mat.Dense) float64 {
	var sum float64
	x, y := a.RawMatrix(), b.RawMatrix()
	for i, v := range x.Data {
		sum += v * y.Data[i]
	}
	return sum
}
