package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// Which tensors are weights is not said in a file. An initializer can be a kernel of a
// convolution, the mean of the training images, an attention mask or a list of
// positions, and training the last three spoils a model without a word: the loss
// falls, and the input is normalized differently from then on. What a tensor does
// tells them apart better than its name, so every operator that enters the graph is
// traced: whether its inputs depend on the model's input, whether a layer with weights
// lies between, and which weights have met no activation yet.
//
// The rules err on the side of not training, and every one that applies is in the
// model's notes with the names, so that Options.Train can overrule it.

// weightFor returns the weight that a tensor of the file holds, the same each time:
// a function of the model that is called twice has its constants once.
func (b *builder) weightFor(t *tensor, name string) *weight {
	if b.shared[t] == nil {
		b.shared[t] = &weight{t: t, name: name, trainable: true}
	}
	return b.shared[t]
}

// origin says what a value of the graph is computed from.
type origin struct {
	input   bool      // the model's input
	layered bool      // by a layer with weights
	weights []*weight // those that have met no activation yet
}

// layers are operators whose weights make a network; what acts on the input before
// the first of them prepares it, as a mean and a deviation do.
func isLayer(op graph.Op) bool {
	switch op.(type) {
	case graph.Conv, graph.ConvTranspose, graph.Gemm, graph.Rows, graph.MatMul, graph.BatchNorm, graph.Standardize, graph.Lookup:
		return true
	}
	return false
}

// trace follows what values are computed from, and marks weights by what they do.
func (b *builder) trace(op graph.Op, in []graph.Value, out graph.Value) {
	var o origin
	layer := isLayer(op)
	for _, v := range in {
		from := b.origin[v]
		o.input = o.input || from.input
		o.layered = o.layered || from.layered
		o.weights = append(o.weights, from.weights...)
	}
	_, compares := op.(graph.Compare)
	for _, w := range o.weights {
		w.layer = w.layer || layer
		w.compared, w.computed = w.compared || compares, w.computed || !compares
	}
	if compares {
		o.weights = nil
	}
	switch {
	case !o.input:
		o.weights = slices.Compact(o.weights)
	case layer:
		o.layered, o.weights = true, nil
	default:
		for _, w := range o.weights {
			w.early = w.early || !o.layered
		}
		o.weights = nil
	}
	b.origin[out] = o
}

// chooseTrained decides which weights train, and notes why others do not.
func (b *builder) chooseTrained() error {
	if err := b.checkNumbers(); err != nil {
		return err
	}
	used := make([]bool, len(b.opt.Freeze)+len(b.opt.Train))
	untrained := map[string][]string{}
	var reasons []string
	for _, w := range b.weights {
		if w.t == nil || !w.trainable {
			continue
		}
		reason := b.untrained(w, used)
		if reason == "" {
			continue
		}
		w.trainable = false
		if untrained[reason] == nil {
			reasons = append(reasons, reason)
		}
		untrained[reason] = append(untrained[reason], w.name)
	}
	for _, reason := range reasons { // one note each, however many weights
		b.notes = append(b.notes, fmt.Sprintf("not trained: %s: %s", quoted(untrained[reason]), reason))
	}
	for i, p := range slices.Concat(b.opt.Freeze, b.opt.Train) {
		if !used[i] && p != "*" {
			return fmt.Errorf("onnx: %w: Options.Freeze and Options.Train: no weight that could train has a name like %q", feature.ErrParam, p)
		}
	}
	if !b.opt.RunOnly && !slices.ContainsFunc(b.weights, func(w *weight) bool { return w.t != nil && w.trainable }) {
		return fmt.Errorf("onnx: %w: the model has no weights that can be trained; Options.RunOnly reads it all the same", ErrUnsupported)
	}
	return nil
}

// untrained returns why a weight is not trained, or "". used is set for the
// patterns of Options that fit its name.
func (b *builder) untrained(w *weight, used []bool) string {
	fits := func(patterns []string, used []bool) bool {
		any := false
		for i, p := range patterns {
			if matches(p, w.name) {
				any, used[i] = true, true
			}
		}
		return any
	}
	n := len(b.opt.Freeze)
	frozen, kept := fits(b.opt.Freeze, used[:n]), fits(b.opt.Train, used[n:])
	switch {
	case w.known: // no choice: training would change one copy of two
		return "some operators need its numbers when the file is read"
	case w.compared && !w.computed:
		return "only comparisons read it"
	case frozen:
		return "Options.Freeze"
	case kept:
		return ""
	case w.early:
		return "it acts on the input before the first layer"
	case w.layer:
		return ""
	}
	return special(w.data)
}

// matches tells whether a name fits a pattern, in which * stands for anything,
// slashes and dots too.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, p)
		if at < 0 {
			return false
		}
		rest = rest[at+len(p):]
	}
	return ok && strings.HasSuffix(rest, last)
}

// special tells what numbers that were never trained are: a mask has zero and one
// other number, that of a factor or of an attention that is left out; a table
// of positions counts up.
func special(v []float32) string {
	other := float32(0)
	zeros, equal, counts := 0, true, len(v) > 2
	for i, x := range v {
		if x == 0 {
			zeros++
		} else {
			equal = equal && (other == 0 || other == x)
			other = x
		}
		counts = counts && (i == 0 || x == v[i-1]+1) && x == float32(math.Trunc(float64(x)))
	}
	switch {
	case zeros > 0 && zeros < len(v) && equal && (other == 1 || other <= -50):
		return fmt.Sprintf("it is a mask of 0 and %v", other)
	case counts:
		return fmt.Sprintf("it counts from %v to %v", v[0], v[len(v)-1])
	}
	return ""
}

// checkNumbers returns an error if a weight is not a number. Minus infinity is one
// in a mask of attention, which is added.
func (b *builder) checkNumbers() error {
	for _, w := range b.weights {
		at := finite.First(w.data)
		for at >= 0 && !w.layer && math.IsInf(float64(w.data[at]), -1) {
			w.trainable = false
			next := finite.First(w.data[at+1:])
			if next < 0 {
				at = next
				break
			}
			at += 1 + next
		}
		if at >= 0 {
			name := "a constant"
			if w.t != nil {
				name = fmt.Sprintf("%q", w.name)
			}
			return fmt.Errorf("onnx: %w: %w: element %d of %s is %v", ErrFormat, feature.ErrNotFinite, at, name, w.data[at])
		}
	}
	return nil
}
