package dlfd

import (
	"math"

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
	var value, lo, hi, f, t float64 // of logarithms
	for k := range scatterMatchings {
		match, err := metrics.MatchClasses(forget.Labels, test.Labels, forget.Classes, rng.Seed(a.opt.Seed, "scatter matching", k))
		if err != nil {
			return err
		}
		one, other := selectFeatures(forget, match.Members), selectFeatures(test, match.NonMembers)
		e, err := one.RelativeScatter(other, auditLevel)
		if err != nil {
			return err
		}
		ratio, err := one.ScatterRatio()
		if err != nil {
			return err
		}
		f += math.Log(ratio) / scatterMatchings
		t += math.Log(ratio/e.Value) / scatterMatchings
		value += math.Log(e.Value) / scatterMatchings
		lo += math.Log(e.Interval.Lo) / scatterMatchings
		hi += math.Log(e.Interval.Hi) / scatterMatchings
		s.Samples = len(match.Members)
	}
	s.Forget, s.Test = math.Exp(f), math.Exp(t)
	s.Ratio = metrics.Estimate{Value: math.Exp(value), Interval: metrics.Interval{Lo: math.Exp(lo), Hi: math.Exp(hi)}}
	a.Scatter = s
	return nil
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
