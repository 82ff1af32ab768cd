package metrics

import (
	"fmt"
	"math"
)

// Accuracy returns the share of samples whose largest logit is that of their
// label. Of equal logits the first class wins, as in TopK.
func (o Outputs) Accuracy() (float64, error) { return o.TopK(1) }

// TopK returns the share of samples whose label is among the k classes with the
// largest logits, 1 ≤ k ≤ classes (ErrRange). Of equal logits the class with the
// smaller number ranks first, so a constant model scores the share of the first k
// classes. Cost: O(n·classes).
func (o Outputs) TopK(k int) (float64, error) {
	if err := o.Check(); err != nil {
		return 0, err
	}
	if k < 1 || k > o.Classes {
		return 0, fmt.Errorf("metrics: %w: k is %d of %d classes", ErrRange, k, o.Classes)
	}
	hits := 0
	for i, y := range o.Labels {
		if rank(o.Row(i), y) < k {
			hits++
		}
	}
	return float64(hits) / float64(o.N), nil
}

// rank returns how many classes come before y.
func rank(row []float32, y int) int {
	before := 0
	for j, v := range row {
		if v > row[y] || v == row[y] && j < y {
			before++
		}
	}
	return before
}

// Confusion returns the confusion matrix: element [t][p] counts the samples of
// class t that are predicted as class p.
func (o Outputs) Confusion() ([][]int, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	m := make([][]int, o.Classes)
	for t := range m {
		m[t] = make([]int, o.Classes)
	}
	for i, y := range o.Labels {
		m[y][argmax(o.Row(i))]++
	}
	return m, nil
}

// BalancedAccuracy returns the mean of the per-class accuracies over the classes
// that have samples.
func (o Outputs) BalancedAccuracy() (float64, error) {
	m, err := o.Confusion()
	if err != nil {
		return 0, err
	}
	var sum float64
	present := 0
	for t, row := range m {
		n := 0
		for _, k := range row {
			n += k
		}
		if n > 0 {
			sum += float64(row[t]) / float64(n)
			present++
		}
	}
	return sum / float64(present), nil
}

// CalibrationError returns the expected calibration error: samples are put into
// bins of equal width by the largest probability, and the absolute differences of
// accuracy and mean probability of the bins are averaged with their shares of
// samples. 0 is best. It grows with the number of bins where samples are few; 15
// is common. Less than one bin, or more than a million, gives ErrRange.
//
// Reference: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
// arXiv 1706.04599, equation 3.
func (o Outputs) CalibrationError(bins int) (float64, error) {
	if bins < 1 || bins > 1e6 {
		return 0, fmt.Errorf("metrics: %w: %d bins, want 1 to a million", ErrRange, bins)
	}
	confidence, err := o.Confidences()
	if err != nil {
		return 0, err
	}
	gap := make([]float64, bins) // right answers less probabilities
	for i, p := range confidence {
		b := max(int(math.Ceil(p*float64(bins)))-1, 0) // bins hold their upper end
		gap[b] -= p
		if argmax(o.Row(i)) == o.Labels[i] {
			gap[b]++
		}
	}
	var sum float64
	for _, v := range gap {
		sum += math.Abs(v)
	}
	return sum / float64(o.N), nil
}
