package exec

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// normedModel is a model with norms behind some layers of another.
type normedModel struct {
	*Model
	of     *Model
	layers []layer
	norms  []norm // as they were inserted
	param  []int  // of this graph, by parameter of the other
	at     []int  // of this graph: the first parameter of each norm
	notes  []string
}

var _ feature.Normed = (*normedModel)(nil)

// Notes implements feature.Normed.
func (n *normedModel) Notes() []string { return slices.Clone(n.notes) }

// Clone implements feature.Cloner. The copy has nothing to be folded into.
func (n *normedModel) Clone() (feature.Trainable, error) { return Copy(n.Model), nil }

// Fold implements feature.Normed.
func (n *normedModel) Fold() error {
	folded := make([][]float32, len(n.param))
	for i, at := range n.param {
		folded[i] = n.weights[at]
	}
	for k, l := range n.layers {
		if n.changed(k) {
			folded[l.weight], folded[l.bias] = n.folded(k, folded[l.weight], folded[l.bias])
		}
	}
	for i, w := range folded {
		if at := finite.First(w); at >= 0 {
			return n.wrap(fmt.Errorf("%w: element %d of parameter %d of the graph is %v once folded", feature.ErrNotFinite, at, i, w[at]))
		}
	}
	for i, w := range folded {
		copy(n.of.weights[i], w)
	}
	n.of.version++
	return nil
}

// normParams returns scale, shift, mean and variance of norm k.
func (n *normedModel) normParams(k int) [][]float32 { return n.weights[n.at[k] : n.at[k]+4] }

// changed tells whether norm k is another one than was inserted, which did
// nothing.
func (n *normedModel) changed(k int) bool {
	now := n.normParams(k)
	for i, w := range n.norms[k].params() {
		if !slices.Equal(w, now[i]) {
			return true
		}
	}
	return false
}

// folded returns the weight and the bias of layer k with its norm in them:
//
//	s = scale/√(variance + epsilon)    w·s    shift − (mean − b)·s
//
// in the roundings of package graph, which does the same for a pass in evaluation
// where a norm follows a convolution, so that there the bits are the same.
func (n *normedModel) folded(k int, w, b []float32) (fw, fb []float32) {
	l, p := n.layers[k], n.normParams(k)
	fw, fb = make([]float32, len(w)), make([]float32, len(b))
	scale := make([]float32, len(b))
	for ch := range scale {
		s := float64(p[0][ch]) * (1 / math.Sqrt(float64(p[3][ch])+n.norms[k].epsilon))
		mean := float64(p[2][ch]) - float64(l.factor*float64(b[ch]))
		fb[ch] = float32((float64(p[1][ch]) - float64(mean*s)) / l.factor)
		scale[ch] = float32(s)
	}
	inner := feature.Size(l.shape[l.axis+1:])
	for i, v := range w {
		fw[i] = v * scale[i/inner%len(scale)]
	}
	return fw, fb
}
