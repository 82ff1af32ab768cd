package feature

import "fmt"

// CrossEntropy is the function [CrossEntropy] for a model with heads: scale times the
// mean over rows and over heads of −log of the probability of the label. A label is
// the combination of the labels of all heads; see [MultiLabeled]. The mean, not the
// sum, so that a learning rate means as much for one head as for twenty. Of sigmoid
// heads it is the mean binary cross-entropy. With nil Heads, and with one softmax, it is
// the function to the bit. Cost: O(n·logits).
func (h Heads) CrossEntropy(logits, cot Tensor, labels []int, scale float64) (float64, error) {
	if len(h) == 0 {
		return CrossEntropy(logits, cot, labels, scale)
	}
	if err := h.check(logits, cot, labels); err != nil {
		return 0, err
	}
	var sum float64
	targets := h.targets()
	per := scale / float64(len(h)) / float64(len(labels))
	for i, label := range labels {
		var g []float32
		if cot.Data != nil {
			g = cot.Row(i)
		}
		sum += h.rowCrossEntropy(logits.Row(i), g, SplitLabel(targets, label), per)
	}
	return scale * sum / float64(len(labels)), nil
}

// CrossEntropies is the function [CrossEntropies] for a model with heads: it writes
// the mean over heads of −log of the probability of the label of each row into dst.
func (h Heads) CrossEntropies(dst []float64, logits Tensor, labels []int) error {
	if len(h) == 0 {
		return CrossEntropies(dst, logits, labels)
	}
	if err := h.check(logits, Tensor{}, labels); err != nil {
		return err
	}
	if len(dst) != len(labels) {
		return fmt.Errorf("feature: %w: %d losses for %d labels", ErrShape, len(dst), len(labels))
	}
	targets := h.targets()
	for i, label := range labels {
		dst[i] = h.rowCrossEntropy(logits.Row(i), nil, SplitLabel(targets, label), 0)
	}
	return nil
}

// rowCrossEntropy returns the mean over heads of the cross-entropy of a row, and adds
// per times the derivative of their sum into g, unless that is nil.
func (h Heads) rowCrossEntropy(row, g []float32, labels []int, per float64) float64 {
	var sum float64
	at := 0
	for k, head := range h {
		part, grad := row[at:at+head.Width], g
		if g != nil {
			grad = g[at : at+head.Width]
		}
		at += head.Width
		if head.Kind == SoftmaxHead {
			sum += rowCrossEntropy(part, grad, labels[k], per)
			continue
		}
		var two [2]float32
		sum += rowCrossEntropy([]float32{0, part[0]}, two[:], labels[k], per)
		if grad != nil {
			grad[0] += two[1]
		}
	}
	return sum / float64(len(h))
}

// KLDivergence is the function [KLDivergence] for a model with heads: the mean over
// heads of the divergence of their probabilities. With nil Heads it is the function.
func (h Heads) KLDivergence(logits, cot, target Tensor, temperature, scale float64) (float64, error) {
	if len(h) == 0 {
		return KLDivergence(logits, cot, target, temperature, scale)
	}
	if err := checkLogits(logits, cot, target.Rows()); err != nil {
		return 0, err
	}
	if err := h.Check(logits.RowLen()); err != nil {
		return 0, err
	}
	if target.RowLen() != logits.RowLen() || len(target.Data) != Size(target.Shape) {
		return 0, fmt.Errorf("feature: %w: logits are %v, target is %v", ErrShape, logits.Shape, target.Shape)
	}
	var sum float64
	for k := range h {
		z := h.Part(k, logits)
		var g Tensor
		if cot.Data != nil {
			g = NewTensor(z.Shape...)
		}
		v, err := KLDivergence(z, g, h.Part(k, target), temperature, scale/float64(len(h)))
		if err != nil {
			return 0, err
		}
		sum += v
		if cot.Data != nil {
			h.AddPart(k, cot, g)
		}
	}
	return sum, nil
}

// Part returns the logits of head k, n×classes: a copy of its columns, or (0, z) for a
// sigmoid of z. With nil Heads it returns the logits themselves. The logits must have
// the width of the heads.
func (h Heads) Part(k int, logits Tensor) Tensor {
	if len(h) == 0 {
		return logits
	}
	at, head := h.start(k), h[k]
	out := NewTensor(logits.Rows(), head.Classes())
	for i := range logits.Rows() {
		row := out.Row(i)
		copy(row[len(row)-head.Width:], logits.Row(i)[at:at+head.Width])
	}
	return out
}

// AddPart adds a derivative in the logits of head k, as Part returns them, to that in
// all logits. With nil Heads, where both are the same tensor, there is nothing to add.
func (h Heads) AddPart(k int, cot, part Tensor) {
	if len(h) == 0 {
		return
	}
	at, head := h.start(k), h[k]
	for i := range cot.Rows() {
		to, from := cot.Row(i)[at:at+head.Width], part.Row(i)
		for j, v := range from[len(from)-head.Width:] {
			to[j] += v
		}
	}
}

// PartLabels returns the labels of head k: labels themselves with nil Heads.
func (h Heads) PartLabels(k int, labels []int) []int {
	if len(h) == 0 {
		return labels
	}
	targets := h.targets()
	out := make([]int, len(labels))
	for i, label := range labels {
		out[i] = SplitLabel(targets, label)[k]
	}
	return out
}

// Count returns the number of heads, 1 for nil Heads.
func (h Heads) Count() int { return max(len(h), 1) }

// start returns the first logit of head k.
func (h Heads) start(k int) int {
	at := 0
	for _, head := range h[:k] {
		at += head.Width
	}
	return at
}

// check returns an error unless the arguments of a loss fit the heads.
func (h Heads) check(logits, cot Tensor, labels []int) error {
	if err := checkLogits(logits, cot, len(labels)); err != nil {
		return err
	}
	if err := h.Check(logits.RowLen()); err != nil {
		return err
	}
	n, err := Combinations(h.targets())
	if err != nil {
		return err
	}
	for i, label := range labels {
		if label < 0 || label >= n {
			return fmt.Errorf("feature: %w: row %d has label %d of %d combinations of classes", ErrLabel, i, label, n)
		}
	}
	return nil
}
