package metrics

import "fmt"

// Accuracy returns the share of samples whose largest logit is that of their
// label. Of equal logits the first class wins, as in TopK.
func Accuracy(o Outputs) (float64, error) { return TopK(o, 1) }

// TopK returns the share of samples whose label is among the k classes with the
// largest logits, 1 ≤ k ≤ classes (ErrRange). Of equal logits the class with the
// smaller number ranks first, so a constant model scores the share of the first k
// classes. Cost: O(n·classes).
func TopK(o Outputs, k int) (float64, error) {
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
func Confusion(o Outputs) ([][]int, error) {
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

// ClassAccuracy counts the samples of one class and those predicted as it.
type ClassAccuracy struct{ N, Correct int }

// Accuracy returns Correct/N; ok is false where the class has no samples.
func (c ClassAccuracy) Accuracy() (accuracy float64, ok bool) {
	if c.N == 0 {
		return 0, false
	}
	return float64(c.Correct) / float64(c.N), true
}

// PerClass returns the accuracy of each class.
func PerClass(o Outputs) ([]ClassAccuracy, error) {
	m, err := Confusion(o)
	if err != nil {
		return nil, err
	}
	per := make([]ClassAccuracy, o.Classes)
	for t, row := range m {
		per[t].Correct = row[t]
		for _, n := range row {
			per[t].N += n
		}
	}
	return per, nil
}

// BalancedAccuracy returns the mean of the per-class accuracies over the classes
// that have samples.
func BalancedAccuracy(o Outputs) (float64, error) {
	per, err := PerClass(o)
	if err != nil {
		return 0, err
	}
	var sum float64
	present := 0
	for _, c := range per {
		if a, ok := c.Accuracy(); ok {
			sum += a
			present++
		}
	}
	return sum / float64(present), nil
}
