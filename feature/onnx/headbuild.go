package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// findHeads finds the logits that the options mean.
func (b *builder) findHeads() ([]head, error) {
	names := b.opt.Heads
	if len(names) == 0 {
		names = []string{b.opt.Logits}
	}
	var heads []head
	for _, name := range names {
		h, err := b.f.findHead(name)
		if err != nil {
			return nil, err
		}
		if at := slices.Index(b.logits, h.logits); at >= 0 {
			return nil, fmt.Errorf("onnx: %w: Options.Heads: %q and %q have the same logits, %q", ErrUnsupported, names[at], name, h.logits)
		}
		heads, b.logits, b.notes = append(heads, h), append(b.logits, h.logits), append(b.notes, h.notes...)
	}
	b.opt.Logits = heads[0].logits
	return heads, nil
}

// finishHeads checks the heads, and where there are several, puts their logits one
// after the other.
func (b *builder) finishHeads(heads []head) error {
	if len(heads) == 1 {
		return b.finishHead(heads[0])
	}
	var parts []graph.Value
	for i, h := range heads {
		b.heads = nil
		b.opt.Logits = h.logits
		if err := b.finishHead(h); err != nil {
			return fmt.Errorf("head %q: %w", b.opt.Heads[i], err)
		}
		v, err := b.flatLogits(h)
		if err != nil {
			return fmt.Errorf("onnx: head %q: %w", b.opt.Heads[i], err)
		}
		parts = append(parts, v)
		heads[i].parts = nameHeads(b.heads, b.opt.Heads[i], b.g.Size(v))
	}
	b.heads = nil
	for _, h := range heads {
		b.heads = append(b.heads, h.parts...)
	}
	all, err := b.add("heads", graph.Concat{Axis: 0}, parts...)
	if err != nil {
		return fmt.Errorf("onnx: heads: %w", err)
	}
	b.tapLogits("logits of "+strings.Join(b.opt.Heads, ", "), all)
	b.notes = append(b.notes, fmt.Sprintf("the model has %d heads: %s", len(b.heads), describeHeads(b.heads)))
	return nil
}

// flatLogits returns the logits of a head that is finished, with one axis a sample.
func (b *builder) flatLogits(h head) (graph.Value, error) {
	if b.opt.Logits != h.logits { // twoLogits made them
		return b.taps[len(b.taps)-1].v, nil
	}
	d := b.values[h.logits].d
	return b.as(d.v, []int{sizeOf(d.view)})
}

// nameHeads returns the heads that one output makes, found being nil for a softmax over
// all its numbers, of which one is a sigmoid's.
func nameHeads(found feature.Heads, name string, size int) feature.Heads {
	if found == nil && size > 1 {
		return feature.Heads{{Name: name, Width: size}}
	}
	if size == 1 {
		return feature.Sigmoids(1, name)
	}
	var names []string
	for i := range size {
		names = append(names, fmt.Sprintf("%s %d", name, i))
	}
	return feature.Sigmoids(size, names...)
}

// describeHeads tells the kind and the size of each, for a note.
func describeHeads(heads feature.Heads) string {
	var parts []string
	for _, h := range heads {
		parts = append(parts, fmt.Sprintf("%q, a %v of %d", h.Name, h.Kind, h.Width))
	}
	return strings.Join(parts, "; ")
}

// tapLogits makes a value that no tensor of the file has the logits, under a name that
// none has.
func (b *builder) tapLogits(name string, v graph.Value) {
	for b.isTensor(name) {
		name += "'"
	}
	b.taps = append(b.taps, tapped{name, v, slices.Clone(b.g.Shape(v))})
	b.opt.Logits = name
}

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
	sigmoid, single := h.kind == sigmoidHead || h.kind == plainHead && b.opt.MultiLabel, len(b.logits) == 1
	switch {
	case h.kind == softmaxHead:
		if n := b.normalized(h.undone, d.view); n != size {
			return fmt.Errorf("onnx: %w: %s at the end works on %d of %d numbers a sample: a model of many decisions, no classifier", ErrUnsupported, h.undone.label(), n, size)
		}
		if b.opt.MultiLabel {
			return fmt.Errorf("onnx: %w: Options.MultiLabel, but %q is a softmax", ErrUnsupported, h.output)
		}
	case h.kind == plainHead && !sigmoid:
	case size == 1 && h.kind != plainHead && (single || !sigmoid):
		return b.twoLogits(h, *d)
	case sigmoid && !single:
		b.heads = feature.Sigmoids(size)
	case sigmoid:
		b.heads = feature.Sigmoids(size)
		b.notes = append(b.notes, fmt.Sprintf("%q has %d numbers with a sigmoid each: the model has a head for each (multi-label)", h.output, size))
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
	b.tapLogits(h.logits+", as two classes", two.v)
	b.notes = append(b.notes, fmt.Sprintf("%q is a sigmoid of one number z: the logits of its two classes are %s", h.output, map[bool]string{false: "0 and z", true: "z and 0"}[h.kind == flippedHead]))
	return nil
}
