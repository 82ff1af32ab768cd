package dlfd

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/dlfd-go/unlearn/internal/rng"
	"github.com/dlfd-go/unlearn/metrics"
)

// scatterMatchings is how many matchings of forget and test samples a scatter ratio
// is averaged over.
const scatterMatchings = 5

// scatter compares how forget and test samples are gathered by class. Both have as
// many samples of each class: means of few samples differ by chance, so that the
// smaller set would seem gathered more.
func (a *audit) scatter(forget, test metrics.Features) error {
	s := new(Scatter)
	var ratio, variance float64 // of logarithms
	for k := range scatterMatchings {
		match, err := metrics.MatchClasses(forget.Labels, test.Labels, forget.Classes, rng.Seed(a.opt.Seed, "scatter matching", k))
		if err != nil {
			return err
		}
		f, vf, err := logScatter(selectFeatures(forget, match.Members))
		if err != nil {
			return fmt.Errorf("forget: %w", err)
		}
		t, vt, err := logScatter(selectFeatures(test, match.NonMembers))
		if err != nil {
			return fmt.Errorf("test: %w", err)
		}
		s.Forget += math.Exp(f) / scatterMatchings
		s.Test += math.Exp(t) / scatterMatchings
		ratio += (f - t) / scatterMatchings
		variance += (vf + vt) / scatterMatchings
		s.Samples = len(match.Members)
	}
	half := distuv.UnitNormal.Quantile((1+auditLevel)/2) * math.Sqrt(variance)
	s.Ratio = metrics.Estimate{Value: math.Exp(ratio), Interval: metrics.Interval{Lo: math.Exp(ratio - half), Hi: math.Exp(ratio + half)}}
	a.Scatter = s
	return nil
}

// logScatter returns the logarithm of the scatter ratio B/W and its variance by the
// influence of single samples within their classes: to the first order, a sample x
// of a class with mean μ changes B/n by ‖μ−m‖² + 2(x−μ)·(μ−m) − B/n and W/n by
// ‖x−μ‖² − W/n, where m is the mean of all.
func logScatter(f metrics.Features) (value, variance float64, err error) {
	ratio, err := f.ScatterRatio()
	if err != nil {
		return 0, 0, err
	}
	if ratio == 0 {
		return 0, 0, fmt.Errorf("%w: all classes have one mean", metrics.ErrDegenerate)
	}
	mean, center, size := classMeans(f)
	along, about := make([]float64, f.N), make([]float64, f.N) // 2(x−μ)·(μ−m) and ‖x−μ‖²
	var between, within float64
	for i, y := range f.Labels {
		for j, v := range f.Data[i*f.Dim : (i+1)*f.Dim] {
			d, c := float64(v)-mean[y][j], mean[y][j]-center[j]
			along[i] += 2 * d * c
			about[i] += d * d
			between += c * c
		}
		within += about[i]
	}
	influence, byClass := make([]float64, f.N), make([]float64, f.Classes)
	for i, y := range f.Labels {
		influence[i] = along[i]/between - about[i]/within
		byClass[y] += influence[i] / size[y]
	}
	for i, y := range f.Labels {
		if size[y] > 1 {
			d := influence[i] - byClass[y]
			variance += d * d * size[y] / (size[y] - 1)
		}
	}
	return math.Log(ratio), variance, nil
}

// classMeans returns the mean of each class, that of all samples, and the number of
// samples of each class.
func classMeans(f metrics.Features) (mean [][]float64, center, size []float64) {
	mean, center, size = make([][]float64, f.Classes), make([]float64, f.Dim), make([]float64, f.Classes)
	for c := range mean {
		mean[c] = make([]float64, f.Dim)
	}
	for i, y := range f.Labels {
		size[y]++
		for j, v := range f.Data[i*f.Dim : (i+1)*f.Dim] {
			mean[y][j] += float64(v)
			center[j] += float64(v) / float64(f.N)
		}
	}
	for c := range mean {
		for j := range mean[c] {
			mean[c][j] /= max(size[c], 1)
		}
	}
	return mean, center, size
}

// selectFeatures returns the features of some of the samples.
func selectFeatures(f metrics.Features, index []int) metrics.Features {
	s := metrics.Features{N: len(index), Dim: f.Dim, Classes: f.Classes, Labels: make([]int, len(index)), Data: make([]float32, 0, len(index)*f.Dim)}
	for i, k := range index {
		s.Labels[i] = f.Labels[k]
		s.Data = append(s.Data, f.Data[k*f.Dim:(k+1)*f.Dim]...)
	}
	return s
}
