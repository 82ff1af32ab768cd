package experiment

import (
	"math"

	"github.com/dlfd-go/unlearn/metrics"
)

// Value is a figure over seeds.
type Value struct {
	Mean float64 `json:"mean"`
	SE   float64 `json:"se"` // standard error of the mean; 0 where N is below 2
	N    int     `json:"n"`  // seeds that have the figure; 0: there is no figure
	// Interval is the mean of the confidence intervals of the single seeds, where the
	// figure has such.
	Interval *metrics.Interval `json:"interval,omitempty"`
}

// summarize returns mean and standard error.
func summarize(x []float64) Value {
	v := Value{N: len(x)}
	if v.N == 0 {
		return v
	}
	v.Mean = mean(x)
	if v.N < 2 {
		return v
	}
	var squares float64
	for _, e := range x {
		squares += (e - v.Mean) * (e - v.Mean)
	}
	v.SE = math.Sqrt(squares / float64(v.N-1) / float64(v.N))
	return v
}

func mean(x []float64) float64 {
	var sum float64
	for _, e := range x {
		sum += e
	}
	return sum / float64(len(x))
}

// jackknife returns the mean of a symmetric quantity over all pairs of n models, in
// the order (0, 1), (0, 2), …, (1, 2), …, and the jackknife's standard error: pairs
// that share a model are not independent (Efron and Stein, "The Jackknife Estimate
// of Variance", Annals of Statistics 9, 1981). Two models make one pair, N is 1.
func jackknife(pairs []float64, n int) Value {
	v := Value{Mean: mean(pairs), N: n}
	if n < 3 {
		v.N = 1
		return v
	}
	total := v.Mean * float64(len(pairs))
	without := make([]float64, n) // mean over the pairs without a model
	for i := range without {
		without[i] = total
	}
	k := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			without[i] -= pairs[k]
			without[j] -= pairs[k]
			k++
		}
	}
	left := float64((n - 1) * (n - 2) / 2)
	for i := range without {
		without[i] /= left
	}
	center := mean(without)
	var squares float64
	for _, w := range without {
		squares += (w - center) * (w - center)
	}
	v.SE = math.Sqrt(squares * float64(n-1) / float64(n))
	return v
}
