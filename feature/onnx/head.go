package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
)

// The names of outputs say little about what they hold, and a wrong choice does not
// show: a cross-entropy of probabilities still falls when it is trained, only slower and
// to other weights. So the end of the graph is recognized by its operators. What is
// recognized is undone; what is clearly made of probabilities but cannot be undone is
// refused, since taking it for logits would be the silent mistake; and everything else
// is taken as it is.

// head says where the logits of a classifier are. Exporters end a graph in
// probabilities or labels as often as in logits; losses want the logits, so what
// comes after them is found and left out.
type head struct {
	logits string // tensor
	kind   headKind
	undone *node // what makes probabilities of the logits, or nil
	output string
	notes  []string
	parts  feature.Heads // where it is one of several
}

type headKind int

const (
	plainHead   headKind = iota
	softmaxHead          // a softmax over all classes comes after the logits
	sigmoidHead          // each number goes through a sigmoid by itself
	pairHead             // (1 − p, p) with p the sigmoid of one number
	flippedHead          // (p, 1 − p)
)

// passing are operators that keep what their first input says about classes: the
// order of the numbers, and their order by size.
var passing = []string{"Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Clip", "Log", "Dropout", "ZipMap"}

// labeling are operators whose outputs are labels, or are sorted by size.
var labeling = []string{"ArgMax", "ArgMin", "TopK", "Hardmax", "OneHot", "ArrayFeatureExtractor", "LabelEncoder", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Round"}

// findHead finds the logits that a name, of a tensor or a node, means. If it is
// empty, the graph's outputs are tried in order.
func (f *file) findHead(name string) (head, error) {
	if name != "" {
		t, err := f.tensorOf(name)
		if err != nil {
			return head{}, err
		}
		return f.undo(f.beforeLabels(t))
	}
	if len(f.graph.outputs) == 0 {
		return head{}, fmt.Errorf("onnx: %w: the graph has no outputs", ErrFormat)
	}
	var names []string
	for _, v := range f.graph.outputs {
		names = append(names, v.name)
	}
	at := slices.IndexFunc(f.graph.outputs, func(v valueInfo) bool { return !f.isLabel(v) })
	if at < 0 {
		return f.headOfLabels(names)
	}
	t, err := f.tensorOf(names[at])
	if err != nil {
		return head{}, err
	}
	h, err := f.undo(t)
	if err == nil && len(names) > 1 {
		h.notes = append(h.notes, fmt.Sprintf("output %q was taken; the file has %d more: %s", names[at], len(names)-1, quoted(slices.Concat(names[:at], names[at+1:]))))
	}
	return h, err
}

// quoted lists up to ten names.
func quoted(names []string) string {
	var parts []string
	for _, s := range names[:min(len(names), 10)] {
		parts = append(parts, fmt.Sprintf("%q", s))
	}
	if len(names) > 10 {
		parts = append(parts, "...")
	}
	return strings.Join(parts, ", ")
}

// headOfLabels finds logits where all outputs are labels: before the ArgMax or
// TopK of one of them.
func (f *file) headOfLabels(names []string) (head, error) {
	for _, name := range names {
		t, err := f.tensorOf(name)
		if err != nil {
			return head{}, err
		}
		before := f.beforeLabels(t)
		if before == t {
			continue
		}
		h, err := f.undo(before)
		h.notes = append(h.notes, fmt.Sprintf("output %q has labels; the logits are what they are made from", name))
		return h, err
	}
	return head{}, fmt.Errorf("onnx: %w: no output has a number for each class: %s are labels or integers; name the logits by Options.Logits, for instance %s",
		ErrUnsupported, quoted(names), quoted(f.alternatives()))
}

// alternatives returns the results of the last layers with weights, which logits
// may be among.
func (f *file) alternatives() []string {
	var names []string
	for i := len(f.graph.nodes) - 1; i >= 0 && len(names) < 3; i-- {
		if n := f.graph.nodes[i]; len(n.out) > 0 && slices.Contains([]string{"Gemm", "MatMul", "Add", "Softmax"}, n.op) {
			names = append(names, n.out[0])
		}
	}
	return names
}

// tensorOf returns the tensor that a name means, which may be a node's.
func (f *file) tensorOf(name string) (string, error) {
	if _, ok := f.producers[name]; ok {
		return name, nil
	}
	for _, n := range f.graph.nodes {
		if n.name == name && name != "" && len(n.out) > 0 {
			return n.out[0], nil
		}
	}
	return "", fmt.Errorf("onnx: %w: no node computes the output %q", ErrFormat, name)
}

// maker returns the node that computes a tensor, or nil.
func (f *file) maker(name string) *node {
	if at, ok := f.producers[name]; ok && name != "" {
		return f.graph.nodes[at]
	}
	return nil
}

// isLabel tells whether a graph output has labels, by its type or its maker.
func (f *file) isLabel(v valueInfo) bool {
	if v.elem != 0 && !isFloat(v.elem) {
		return true
	}
	n := f.maker(v.name)
	for n != nil && slices.Contains(passing, n.op) {
		n = f.maker(n.input(0))
	}
	return n != nil && slices.Contains(labeling, n.op)
}

// beforeLabels returns the numbers by which an ArgMax or TopK on the way to t
// chooses, or t.
func (f *file) beforeLabels(t string) string {
	for at := t; ; {
		n := f.maker(at)
		switch {
		case n == nil:
			return t
		case n.op == "ArgMax" || n.op == "TopK" || n.op == "Hardmax":
			if f.maker(n.input(0)) == nil {
				return t
			}
			return n.input(0)
		case n.op == "ArrayFeatureExtractor" || n.op == "Gather": // classes, by number
			at = n.input(1)
		case slices.Contains(passing, n.op) || slices.Contains(labeling, n.op):
			at = n.input(0)
		default:
			return t
		}
	}
}

// input returns the name of input i, or "".
func (n *node) input(i int) string {
	if i >= len(n.in) {
		return ""
	}
	return n.in[i]
}

// undo goes back from a tensor over operators that keep the classes' order to a
// softmax or a sigmoid, and returns what they are computed from. Where there is
// none, the tensor has the logits, unless it has probabilities that were made in
// another way.
func (f *file) undo(t string) (head, error) {
	var passed []string
	for at := t; ; {
		n := f.maker(at)
		if n == nil {
			break
		}
		if z, kind := f.probabilities(n); kind != plainHead && f.maker(z) != nil {
			h := head{logits: z, kind: kind, undone: n, output: t}
			h.notes = []string{fmt.Sprintf("the logits are %q, from which %s makes probabilities%s", z, n.label(), behind(passed))}
			return h, nil
		}
		if !slices.Contains(passing, n.op) {
			break
		}
		passed = append(passed, n.op)
		at = n.input(0)
	}
	budget := 1000
	if n := f.mixes(t, &budget); n != nil {
		return head{}, fmt.Errorf("onnx: %w: %q has probabilities that were changed after %s and cannot be turned back into logits; name the logits by Options.Logits, for instance %q",
			ErrUnsupported, t, n.label(), n.input(0))
	}
	return head{logits: t, output: t}, nil
}

// behind lists operators in the order of computation, for a note.
func behind(passed []string) string {
	if len(passed) == 0 {
		return ""
	}
	slices.Reverse(passed)
	return ", before " + strings.Join(passed, ", ")
}

// probabilities returns the tensor from which a node makes probabilities, or log
// probabilities, and how.
func (f *file) probabilities(n *node) (string, headKind) {
	switch n.op {
	case "Softmax", "LogSoftmax":
		return n.input(0), softmaxHead
	case "Sigmoid":
		return n.input(0), sigmoidHead
	case "Div", "Mul", "Sub":
		if z := f.spelledOut(n); z != "" {
			return z, softmaxHead
		}
	case "Concat":
		return f.pair(n)
	}
	return "", plainHead
}

// spelledOut returns z where a node is the end of exp(z)/Σ exp(z) or of
// z − log Σ exp(z); what is subtracted from z for stability is left in place,
// since a softmax does not see it.
func (f *file) spelledOut(n *node) string {
	e, s := f.maker(n.input(0)), f.maker(n.input(1))
	if e == nil || s == nil {
		return ""
	}
	switch {
	case n.op == "Sub" && s.op == "ReduceLogSumExp" && s.input(0) == n.input(0):
		return n.input(0)
	case n.op == "Sub" && s.op == "Log":
		if e = f.sumOfExp(f.maker(s.input(0))); e != nil && e.input(0) == n.input(0) {
			return n.input(0)
		}
	case n.op == "Mul" && s.op == "Reciprocal":
		s = f.maker(s.input(0))
		fallthrough
	case n.op == "Div":
		if sum := f.sumOfExp(s); sum != nil && sum == e {
			return e.input(0)
		}
	}
	return ""
}

// sumOfExp returns the Exp whose sum over classes n is, or nil.
func (f *file) sumOfExp(n *node) *node {
	if n == nil || n.op != "ReduceSum" && n.op != "ReduceL1" {
		return nil
	}
	if e := f.maker(n.input(0)); e != nil && e.op == "Exp" {
		return e
	}
	return nil
}

// pair recognizes the two columns 1 − p and p that binary classifiers are
// exported with, p being a sigmoid.
func (f *file) pair(n *node) (string, headKind) {
	if len(n.in) != 2 {
		return "", plainHead
	}
	for i, kind := range []headKind{pairHead, flippedHead} {
		rest, p := f.maker(n.in[i]), f.maker(n.in[1-i])
		if rest != nil && p != nil && rest.op == "Sub" && rest.input(1) == n.in[1-i] && p.op == "Sigmoid" {
			return p.input(0), kind
		}
	}
	return "", plainHead
}

// mixes returns a softmax whose result reaches t with nothing between but
// arithmetic with constants and with other such results: then t has probabilities,
// averaged or reordered, say. The budget bounds the nodes that are looked at.
func (f *file) mixes(t string, budget *int) *node {
	n := f.maker(t)
	if *budget--; n == nil || *budget < 0 {
		return nil
	}
	if n.op == "Softmax" || n.op == "LogSoftmax" {
		if f.maker(n.input(0)) == nil {
			return nil // of the input itself: there are no logits
		}
		return n
	}
	if !slices.Contains(passing, n.op) && !slices.Contains([]string{"Add", "Sub", "Mul", "Div", "Sum", "Mean", "Max", "Min", "Concat", "Slice", "Gather", "Transpose"}, n.op) {
		return nil
	}
	var found *node
	for _, name := range n.in {
		if !f.varies(name) {
			continue
		}
		s := f.mixes(name, budget)
		if s == nil {
			return nil
		}
		found = s
	}
	return found
}

// varies tells whether a tensor depends on the model's input, going by the nodes
// that make it.
func (f *file) varies(name string) bool {
	if f.varying == nil {
		f.varying = map[string]bool{}
		for _, v := range f.graph.inputs {
			f.varying[v.name] = f.initial[v.name] == nil
		}
		for _, n := range f.graph.nodes { // in order of computation
			v := n.op != "Shape" && n.op != "Size" && slices.ContainsFunc(n.reads(), func(s string) bool { return f.varying[s] })
			for _, out := range n.out {
				f.varying[out] = v && out != ""
			}
		}
	}
	return f.varying[name]
}
