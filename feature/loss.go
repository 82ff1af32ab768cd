package feature

import (
	"fmt"
	"math"
)

// CrossEntropy returns scale times the mean over rows of −log softmax(logits)
// at the label, and adds its derivative in the logits into cot unless cot has
// no data. logits is n×classes. Cost: O(n·classes).
func CrossEntropy(logits, cot Tensor, labels []int, scale float64) (float64, error) {
	if err := checkLogits(logits, cot, len(labels)); err != nil {
		return 0, err
	}
	var sum float64
	per := scale / float64(len(labels))
	for i, label := range labels {
		row := logits.Row(i)
		if label < 0 || label >= len(row) {
			return 0, fmt.Errorf("feature: %w: row %d has label %d of %d classes", ErrLabel, i, label, len(row))
		}
		var g []float32
		if cot.Data != nil {
			g = cot.Row(i)
		}
		sum += rowCrossEntropy(row, g, label, per)
	}
	return scale * sum / float64(len(labels)), nil
}

// rowCrossEntropy returns −log softmax(row) at the label and adds per times its
// derivative into g, unless that is nil.
func rowCrossEntropy(row, g []float32, label int, per float64) float64 {
	lse := logSumExp(row, 1)
	if g != nil {
		for j, v := range row {
			g[j] += float32(per * math.Exp(float64(v)-lse))
		}
		g[label] -= float32(per)
	}
	return lse - float64(row[label])
}

// CrossEntropies writes −log softmax(logits) at the label of each row into dst.
func CrossEntropies(dst []float64, logits Tensor, labels []int) error {
	if err := checkLogits(logits, Tensor{}, len(labels)); err != nil {
		return err
	}
	if len(dst) != len(labels) {
		return fmt.Errorf("feature: %w: %d losses for %d labels", ErrShape, len(dst), len(labels))
	}
	for i, label := range labels {
		row := logits.Row(i)
		if label < 0 || label >= len(row) {
			return fmt.Errorf("feature: %w: row %d has label %d of %d classes", ErrLabel, i, label, len(row))
		}
		dst[i] = logSumExp(row, 1) - float64(row[label])
	}
	return nil
}

// KLDivergence returns scale·T² times the mean over rows of
// KL(softmax(target/T) ‖ softmax(logits/T)) and adds its derivative in logits
// into cot unless cot has no data. The factor T² keeps the gradient's size
// independent of the temperature T (Hinton, Vinyals, Dean, arXiv 1503.02531,
// section 2). logits and target are n×classes; T > 0.
func KLDivergence(logits, cot, target Tensor, temperature, scale float64) (float64, error) {
	if err := checkLogits(logits, cot, target.Rows()); err != nil {
		return 0, err
	}
	if target.RowLen() != logits.RowLen() || len(target.Data) != Size(target.Shape) {
		return 0, fmt.Errorf("feature: %w: logits are %v, target is %v", ErrShape, logits.Shape, target.Shape)
	}
	if !(temperature > 0) || math.IsInf(temperature, 0) {
		return 0, fmt.Errorf("feature: temperature %v is not positive and finite", temperature)
	}
	n := float64(logits.Rows())
	var sum float64
	for i := range logits.Rows() {
		q, p := logits.Row(i), target.Row(i)
		lseQ, lseP := logSumExp(q, temperature), logSumExp(p, temperature)
		for j := range q {
			logQ, logP := float64(q[j])/temperature-lseQ, float64(p[j])/temperature-lseP
			pj := math.Exp(logP)
			if pj > 0 {
				sum += pj * (logP - logQ)
			}
			if cot.Data != nil {
				cot.Row(i)[j] += float32(scale * temperature / n * (math.Exp(logQ) - pj))
			}
		}
	}
	return scale * temperature * temperature * sum / n, nil
}

// Softmax writes the softmax of each row of logits into dst, which has as many
// elements and may be the same slice.
func Softmax(dst []float32, logits Tensor) error {
	if len(dst) != len(logits.Data) || len(dst) != Size(logits.Shape) {
		return fmt.Errorf("feature: %w: %d probabilities for logits of shape %v", ErrShape, len(dst), logits.Shape)
	}
	n := logits.RowLen()
	for i := range logits.Rows() {
		row := logits.Row(i)
		lse := logSumExp(row, 1)
		for j, v := range row {
			dst[i*n+j] = float32(math.Exp(float64(v) - lse))
		}
	}
	return nil
}

func checkLogits(logits, cot Tensor, rows int) error {
	if len(logits.Shape) == 0 || rows < 1 || logits.Rows() != rows || len(logits.Data) != Size(logits.Shape) {
		return fmt.Errorf("feature: %w: logits are %v with %d elements, want %d rows", ErrShape, logits.Shape, len(logits.Data), rows)
	}
	if cot.Data != nil && (len(cot.Data) != len(logits.Data) || cot.Rows() != rows || cot.RowLen() != logits.RowLen()) {
		return fmt.Errorf("feature: %w: logits are %v, cotangent is %v", ErrShape, logits.Shape, cot.Shape)
	}
	return nil
}

// logSumExp returns log Σ exp(row/t).
func logSumExp(row []float32, t float64) float64 {
	top := math.Inf(-1)
	for _, v := range row {
		top = max(top, float64(v)/t)
	}
	var sum float64
	for _, v := range row {
		sum += math.Exp(float64(v)/t - top)
	}
	return top + math.Log(sum)
}
