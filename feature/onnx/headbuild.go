package onnx

import "fmt"

// finishHead checks that the logits are those of a classifier, and makes two of
// one where the other is always zero.
func (b *builder) finishHead(h head) error {
	d := b.values[h.logits].d
	if d == nil || d.axis < 0 {
		return fmt.Errorf("onnx: %w: logits %q do not depend on the input", ErrUnsupported, h.logits)
	}
	if !d.apart() {
		return fmt.Errorf("onnx: %w: logits %q have their batch on axis %d", ErrUnsupported, h.logits, d.axis)
	}
	size := sizeOf(d.view)
	switch {
	case h.kind == softmaxHead:
		if n := b.normalized(h.undone, d.view); n != size {
			return fmt.Errorf("onnx: %w: %s at the end works on %d of %d numbers a sample: a model of many decisions, no classifier", ErrUnsupported, h.undone.label(), n, size)
		}
	case h.kind == plainHead:
	case size == 1:
		return b.twoLogits(h, *d)
	case h.kind == sigmoidHead:
		return fmt.Errorf("onnx: %w: output %q is a sigmoid of %d numbers: each is a label by itself (multi-label), and no softmax over classes fits that; name %q by Options.Logits to take them as logits all the same",
			ErrUnsupported, h.output, size, h.logits)
	default:
		return fmt.Errorf("onnx: %w: output %q has a pair for each of %d numbers", ErrUnsupported, h.output, size)
	}
	return nil
}

// normalized returns the number of elements that a softmax at the end makes sum
// up to one.
func (b *builder) normalized(n *node, view []int) int {
	size := sizeOf(view)
	if n.op != "Softmax" && n.op != "LogSoftmax" {
		return size
	}
	first := int64(1)
	if b.f.opset >= 13 {
		first = -1
	}
	axis, err := n.axis("axis", first, len(view))
	switch {
	case err != nil:
		return 0
	case b.f.opset < 13:
		return sizeOf(view[axis:])
	}
	return view[axis]
}

// twoLogits makes (0, z) of a single number z: their softmax is the sigmoid of z
// and its complement.
func (b *builder) twoLogits(h head, d dyn) error {
	offs := [][]int32{{0}, {-1, 0}}
	if h.kind == flippedHead {
		offs[1] = []int32{0, -1}
	}
	two, err := b.table(h.undone, d.v, offs, []int{1, 2}, 0, 0)
	if err != nil {
		return wrapNode(h.undone, err)
	}
	name := h.logits + ", as two classes"
	for b.isTensor(name) {
		name += "'"
	}
	b.taps = append(b.taps, tapped{name, two.v, []int{2}})
	b.opt.Logits = name
	b.notes = append(b.notes, fmt.Sprintf("%q is a sigmoid of one number z: the logits of its two classes are %s", h.output, map[bool]string{false: "0 and z", true: "z and 0"}[h.kind == flippedHead]))
	return nil
}
