package onnx

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// Models of text take the numbers of words, int64, and look up rows of an embedding.
// They come as float32 like every input of package feature, which holds whole numbers
// up to 2²⁴. Such an input has no gradient; all parameters have theirs.

// asNumbers are operators that may read an integer input: they leave the numbers
// alone, look them up, or compare them.
var asNumbers = []string{"Identity", "Unsqueeze", "Squeeze", "Reshape", "Flatten", "Slice", "Transpose", "Shape"}

// checkTokens returns an error unless an integer input only numbers rows or is
// compared.
func (b *builder) checkTokens(name string) error {
	for _, i := range b.f.readers[name] {
		n := b.f.graph.nodes[i]
		_, compares := comparisons[n.op]
		switch {
		case !b.needed[i] || n.op == "Gather" && n.input(1) == name || compares || n.op == "Cast" && isFloat(n.int("to", 0)) || n.op == "Cast" && n.int("to", 0) == typeBool:
		case slices.Contains(asNumbers, n.op) && n.input(0) == name && len(n.out) > 0:
			if err := b.checkTokens(n.out[0]); err != nil {
				return err
			}
		default:
			return fmt.Errorf("onnx: %w: %s reads the integer input %q: only Gather, which looks up words of a text, and comparisons may", ErrUnsupported, n.label(), name)
		}
	}
	return nil
}

// lookup gathers rows of a weight by numbers that a run brings.
func (b *builder) lookup(n *node) ([]value, error) {
	ids, err := b.dyn(n, 1)
	if err != nil {
		return nil, err
	}
	p, err := b.weightInput(n, 0)
	if err != nil {
		return nil, err
	}
	if !b.tokens || len(p.shape) != 2 || p.moved() || n.int("axis", 0) != 0 {
		return nil, fmt.Errorf("%w: rows of a table of shape %v are looked up by activations", ErrGradient, p.shape)
	}
	table, err := b.weightOf(p)
	if err != nil {
		return nil, err
	}
	if b.words == 0 || p.shape[0] < b.words {
		b.words = p.shape[0]
	}
	return result(b.apply(n, graph.Lookup{}, append(slices.Clone(ids.view), p.shape[1]), ids.axis, ids.v, table))
}

// checkWords returns an error unless all inputs of a model of text are numbers of
// words.
func (m *Model) checkWords(x feature.Tensor) error {
	if m.words == 0 {
		return nil
	}
	for i, v := range x.Data {
		if v < 0 || v >= float32(m.words) || float64(v) != math.Trunc(float64(v)) || v != v {
			return fmt.Errorf("onnx: %w: element %d of the input is %v, want the number of a word, 0 to %d", feature.ErrShape, i, v, m.words-1)
		}
	}
	return nil
}

// Forward implements feature.Model.
func (m *Model) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := m.checkWords(x); err != nil {
		return err
	}
	return m.executor.Forward(ctx, x, taps, out)
}

// Grad implements feature.Differentiable.
func (m *Model) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return m.GradMode(ctx, feature.Mode{}, x, taps, loss, dx, dp)
}

// GradMode implements feature.ModeGrader.
func (m *Model) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	if err := m.checkWords(x); err != nil {
		return err
	}
	return m.executor.GradMode(ctx, mode, x, taps, loss, dx, dp)
}
