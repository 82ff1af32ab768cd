package baseline

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// headChecked is the number of samples on which the last layer is compared with the
// logits, and headError how far they may differ in units of |b| + Σ|w·f|: float32
// sums of some thousand terms err by less.
const (
	headChecked = 256
	headError   = 1e-4
)

// head is the last layer of a model: logits = W·f + b, f being the features.
type head struct {
	weight, bias int    // positions of the parameters; bias is −1 where there is none
	rows         bool   // whether the weight has one row a class, and not one column
	tap          string // of f; empty where f is the input
	classes, dim int
}

// findHead finds the last weight of two axes, which a Bias may follow.
func findHead(spec feature.Spec) (head, error) {
	h := head{weight: -1, bias: -1, classes: spec.Classes(), dim: feature.Size(spec.Input)}
	for i, p := range spec.Params {
		switch {
		case p.Kind == feature.Weight && len(p.Shape) == 2:
			h.weight, h.bias = i, -1
		case p.Kind == feature.Bias && i == h.weight+1 && feature.Size(p.Shape) == h.classes:
			h.bias = i
		}
	}
	if h.weight < 0 {
		return h, fmt.Errorf("%w: the model has no weight of two axes, which its last layer could have", feature.ErrParam)
	}
	w := spec.Params[h.weight]
	if err := h.findFeatures(spec, feature.Size(w.Shape)); err != nil {
		return h, err
	}
	if n := feature.Size(w.Shape); n != h.classes*h.dim || !slices.Contains(w.Shape, h.classes) {
		return h, fmt.Errorf("%w: the last weight, %q, has shape %v, and %d features at %q make %d logits", feature.ErrShape, w.Name, w.Shape, h.dim, h.tap, h.classes)
	}
	for _, i := range []int{h.weight, max(h.bias, h.weight)} {
		if p := spec.Params[i]; !p.Trainable {
			return h, fmt.Errorf("%w: %q, of the last layer, is frozen", feature.ErrParam, p.Name)
		}
	}
	h.rows = w.Shape[0] == h.classes
	return h, nil
}

// findFeatures finds what a weight of the given size acts on: the features that the
// model names, or the input where these are the logits, as in a model of one layer.
func (h *head) findFeatures(spec feature.Spec, size int) error {
	t, err := spec.Tap(spec.Features)
	if err != nil {
		return err
	}
	fits := size == h.classes*feature.Size(t.Shape)
	if spec.Features == spec.Logits || !fits && size == h.classes*h.dim {
		return nil
	}
	h.tap, h.dim = t.Name, feature.Size(t.Shape)
	return nil
}

// width is the number of weights of a class, the bias included.
func (h head) width() int {
	if h.bias < 0 {
		return h.dim
	}
	return h.dim + 1
}

// read returns the features of d, n×width with a last column of ones for the bias,
// the logits and the labels.
func (h head) read(ctx context.Context, m feature.Model, d feature.Dataset, batch int) (x []float64, logits []float32, labels []int, err error) {
	taps := []string{m.Spec().Logits}
	if h.tap != "" {
		taps = append(taps, h.tap)
	}
	x = make([]float64, 0, d.Len()*h.width())
	for b, err := range feature.Batches(d, batch, nil) {
		if err != nil {
			return nil, nil, nil, err
		}
		n := len(b.Labels)
		out := []feature.Tensor{feature.NewTensor(n, h.classes), feature.NewTensor(n, h.dim)}[:len(taps)]
		if err := m.Forward(ctx, b.X, taps, shaped(m.Spec(), taps, out)); err != nil {
			return nil, nil, nil, err
		}
		f := b.X.Data
		if h.tap != "" {
			f = out[1].Data
		}
		for i := range n {
			x = h.appendRow(x, f[i*h.dim:(i+1)*h.dim])
		}
		logits, labels = append(logits, out[0].Data...), append(labels, b.Labels...)
	}
	return x, logits, labels, nil
}

// shaped gives the tensors, which are flat, the shapes of the taps.
func shaped(spec feature.Spec, taps []string, out []feature.Tensor) []feature.Tensor {
	for i, name := range taps {
		if t, err := spec.Tap(name); err == nil { // else Forward says so
			out[i].Shape = append([]int{out[i].Rows()}, t.Shape...)
		}
	}
	return out
}

func (h head) appendRow(x []float64, f []float32) []float64 {
	for _, v := range f {
		x = append(x, float64(v))
	}
	if h.bias >= 0 {
		x = append(x, 1)
	}
	return x
}

// get returns the parameters, classes×width.
func (h head) get(m feature.Trainable) ([]float64, error) {
	weight, bias := make([]float32, h.classes*h.dim), make([]float32, h.classes)
	if err := m.GetParam(h.weight, weight); err != nil {
		return nil, err
	}
	if h.bias >= 0 {
		if err := m.GetParam(h.bias, bias); err != nil {
			return nil, err
		}
	}
	w := make([]float64, 0, h.classes*h.width())
	for c := range h.classes {
		for j := range h.dim {
			w = append(w, float64(weight[h.at(c, j)]))
		}
		if h.bias >= 0 {
			w = append(w, float64(bias[c]))
		}
	}
	return w, nil
}

// at is the position in the weight of feature j of class c.
func (h head) at(c, j int) int {
	if h.rows {
		return c*h.dim + j
	}
	return j*h.classes + c
}

// set writes the parameters, rounded to float32.
func (h head) set(m feature.Trainable, w []float64) error {
	weight, bias := make([]float32, h.classes*h.dim), make([]float32, h.classes)
	for c := range h.classes {
		row := w[c*h.width() : (c+1)*h.width()]
		for j := range h.dim {
			weight[h.at(c, j)] = float32(row[j])
		}
		bias[c] = float32(row[h.width()-1])
	}
	if err := m.SetParam(h.weight, weight); err != nil {
		return err
	}
	if h.bias < 0 {
		return nil
	}
	return m.SetParam(h.bias, bias)
}

// check returns an error unless the logits are what the last layer makes of the
// features. A square weight is tried in both directions.
func (h *head) check(m feature.Trainable, x []float64, logits []float32) error {
	w, err := h.get(m)
	if err != nil {
		return err
	}
	worst := h.misfit(w, x, logits)
	if worst > headError && h.classes == h.dim {
		h.rows = !h.rows
		if w, err = h.get(m); err != nil {
			return err
		}
		worst = min(worst, h.misfit(w, x, logits))
	}
	if worst > headError {
		return fmt.Errorf("%w: the logits are not W·f + b with the last weight, %q, and the features at %q: they differ by %.2g of |b| + Σ|w·f|, more than %.0g",
			feature.ErrParam, m.Spec().Params[h.weight].Name, h.tap, worst, headError)
	}
	return nil
}

// misfit is the largest difference, relative to the sum of absolute values.
func (h *head) misfit(w, x []float64, logits []float32) (worst float64) {
	k := h.width()
	for i := range min(len(logits)/h.classes, headChecked) {
		for c := range h.classes {
			var sum, size float64
			for j, v := range w[c*k : (c+1)*k] {
				term := float64(v * x[i*k+j])
				sum += term
				size += math.Abs(term)
			}
			if diff := math.Abs(sum - float64(logits[i*h.classes+c])); diff > 0 {
				worst = max(worst, diff/max(size, math.SmallestNonzeroFloat32))
			}
		}
	}
	return worst
}

// newHead reads what is to be solved for the last layer of the session's model.
func newHead(ctx context.Context, s *dlfd.Session, l2 float64) (*head, *softmaxFit, error) {
	h, err := findHead(s.Model.Spec())
	if err != nil {
		return nil, nil, err
	}
	x, logits, labels, err := h.read(ctx, s.Model, s.Data.Retain, s.BatchSize)
	if err != nil {
		return nil, nil, err
	}
	if err := h.check(s.Model, x, logits); err != nil {
		return nil, nil, err
	}
	return &h, newSoftmaxFit(x, labels, h.classes, l2), nil
}
