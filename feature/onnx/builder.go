package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// builder turns the nodes of a file into an operator graph.
type builder struct {
	f       *file
	opt     Options
	folder  string // of the file, for external data
	skimmed bool   // large tensors have no values: see Check
	g       *graph.Graph
	logits  []string // tensors that have the logits, of one head or of several
	heads   feature.Heads
	needed  []bool // by node

	values  map[string]value
	shared  map[*tensor]*weight // by what holds it
	origin  map[graph.Value]origin
	tokens  bool            // the input has integers
	words   int             // rows of the smallest table that they are looked up in
	masks   map[string]bool // tensors that only mask others; see masksOnly
	weights []*weight       // in the order of the graph's parameters
	fixed   int             // batch size that the file insists on, or 0
	taps    []tapped
	named   map[string]bool // names of nodes among them
	notes   []string
	tables  int     // bytes of constants and tables so far
	taken   int     // elements of tables so far
	index   []int32 // memory of the last table
	work    float64 // multiplications so far, for one sample
	kept    float64 // bytes of activations so far, for one sample
}

// value is what a name of the file stands for: exactly one of the fields is
// set.
type value struct {
	k *konst
	p *param
	d *dyn
}

// weight is a parameter of the graph: an initializer, or a hidden constant.
type weight struct {
	t         *tensor // nil: hidden
	name      string
	constant  bool // of a Constant node
	data      []float32
	v         graph.Value
	made      bool
	trainable bool
	statistic bool     // of batch norm
	names     []string // under which it is read
	known     bool     // its numbers were used when the file was read
	layer     bool     // a layer multiplies by it or adds it: no mask, no table
	early     bool     // acts on the input before the first layer
	compared  bool     // comparisons read it, which have no gradient
	computed  bool     // other operators read it
}

// param is an initializer as a name sees it: reshaped, or its axes in another
// order: axis i of shape is axis perm[i] of what is stored.
type param struct {
	w     *weight
	shape []int
	perm  []int // nil: as stored
}

// moved tells whether the axes are in another order than stored.
func (p *param) moved() bool { return p.perm != nil }

// stored returns the shape before the axes were moved.
func (p *param) stored() []int {
	if p.perm == nil {
		return p.shape
	}
	shape := make([]int, len(p.shape))
	for i, a := range p.perm {
		shape[a] = p.shape[i]
	}
	return shape
}

// transposed moves the axes of p.
func (p *param) transposed(perm []int) *param {
	q := &param{w: p.w, shape: make([]int, len(perm)), perm: make([]int, len(perm))}
	same := true
	for i, a := range perm {
		q.shape[i], q.perm[i] = p.shape[a], a
		if p.perm != nil {
			q.perm[i] = p.perm[a]
		}
		same = same && q.perm[i] == i
	}
	if same {
		q.perm = nil
	}
	return q
}

// dyn is a value that the graph computes. Its ONNX shape is view, but for the
// batch axis, whose length is the batch size times the entry there. The graph
// keeps samples one after the other, each in the order of view; axis is -1 for
// what is the same for every sample.
//
// The batch axis may hold more than the batch: of the view's entry n, outer (1 if
// it is 0) counts what runs slower than the batch and n/outer what runs faster.
// Attention of the form length×batch×channels reshapes its rows like that.
type dyn struct {
	v     graph.Value
	view  []int
	axis  int
	outer int
}

// before returns how many elements lie before the batch: slower than it.
func (d dyn) before() int { return sizeOf(d.view[:d.axis]) * max(d.outer, 1) }

type tapped struct {
	name string
	v    graph.Value
	view []int
}

// dims returns the ONNX shape of a value, as terms of the batch size.
func (d dyn) dims() []term {
	out := make([]term, len(d.view))
	for i, n := range d.view {
		if i == d.axis {
			out[i] = term{b: float64(n)}
		} else {
			out[i] = term{c: float64(n)}
		}
	}
	return out
}

// apart tells whether axis 0 is the batch and nothing else.
func (d dyn) apart() bool { return d.axis == 0 && d.view[0] == 1 }

// canon is the shape that the graph gives to a sample: view, without the batch
// axis where that is the first and holds nothing else.
func canon(view []int, axis int) []int {
	if axis == 0 && view[0] == 1 {
		view = view[1:]
	}
	if len(view) == 0 {
		return []int{1}
	}
	return view
}

// wrapNode adds the node to an error that does not have one.
func wrapNode(n *node, err error) error {
	return fmt.Errorf("onnx: %s: %w", n.label(), err)
}

// nodes builds every needed node, going on after errors so that all are told
// at once.
func (b *builder) nodes() error {
	var errs []error
	for i, n := range b.f.graph.nodes {
		if !b.needed[i] || b.broken(n) {
			continue
		}
		if err := b.node(n); err != nil {
			errs = append(errs, wrapNode(n, err))
			if len(errs) == 20 {
				break
			}
		}
	}
	return errors.Join(errs...)
}

// broken tells whether an input is missing because of an earlier error.
func (b *builder) broken(n *node) bool {
	return slices.ContainsFunc(n.in, func(name string) bool {
		_, ok := b.values[name]
		return name != "" && !ok
	})
}

// node computes a node and puts its results where later nodes find them. A result
// that is an activation becomes a tap, under the tensor's name and the node's, so
// that losses may use any layer.
func (b *builder) node(n *node) error {
	out, err := b.compute(n)
	if err != nil {
		return err
	}
	for i, v := range out {
		if i >= len(n.out) || n.out[i] == "" {
			continue
		}
		b.values[n.out[i]] = v
		if v.d != nil {
			b.tap(n, n.out[i], *v.d)
		}
	}
	return nil
}

// compute folds a node on constants and builds it otherwise.
func (b *builder) compute(n *node) ([]value, error) {
	spec := operators[n.op]
	if err := spec.checkInputs(n); err != nil {
		return nil, err
	}
	if err := n.checkFlags(); err != nil {
		return nil, err
	}
	if in, ok := b.constants(n, spec.elementwise); ok {
		if fold := folds[n.op]; fold != nil && len(in) > 0 {
			out, err := fold(b, n, in)
			if errors.Is(err, errBatchShape) && spec.build != nil {
				return spec.build(b, n)
			}
			values := make([]value, len(out))
			for i := range out {
				values[i].k = &out[i]
			}
			return values, err
		}
	}
	if spec.build == nil {
		return nil, fmt.Errorf("%w: the operator is applied to activations or weights", ErrGradient)
	}
	return spec.build(b, n)
}

// checkInputs returns an error if an input is missing that must be there. Beyond
// the first spec.min, inputs may only be empty where the operator has optional
// ones.
func (spec operator) checkInputs(n *node) error {
	if len(n.in) < spec.min || len(n.out) == 0 {
		return fmt.Errorf("%w: %d inputs, %d outputs", ErrFormat, len(n.in), len(n.out))
	}
	for i, name := range n.in {
		if name == "" && (i < spec.min || !spec.optional) {
			return fmt.Errorf("%w: input %d is empty", ErrFormat, i)
		}
	}
	return nil
}

// constants returns the inputs of a node if all are constants. Single-element
// initializers count with elementwise operators.
func (b *builder) constants(n *node, elementwise bool) ([]*konst, bool) {
	in := make([]*konst, len(n.in))
	for _, name := range n.in { // before any is read, which has an effect
		v := b.values[name]
		if name != "" && v.k == nil && !b.foldable(n, v.p, elementwise) {
			return nil, false
		}
	}
	for i, name := range n.in {
		if name == "" {
			continue
		}
		k, err := b.constant(n, i)
		if err != nil {
			return nil, false
		}
		in[i] = &k
	}
	return in, true
}

// statisticKnown is the error of a weight that batch norm moves, while other
// operators need its numbers when the file is read.
func statisticKnown(w *weight) error {
	return fmt.Errorf("%w: %q is a statistic of batch norm, and other operators need its numbers when the file is read", ErrUnsupported, w.name)
}

// foldable tells whether a weight counts as a constant of node n: those of
// Constant nodes do, except where a node only brings them into shape for a layer,
// and so do single numbers of elementwise operators.
func (b *builder) foldable(n *node, p *param, elementwise bool) bool {
	if p == nil || p.w.t == nil {
		return false
	}
	return elementwise && p.w.t.size == 1 || p.w.constant && !slices.Contains(shaping, n.op)
}

// shaping are operators that leave numbers alone.
var shaping = []string{"Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Shape", "Size"}

// constant returns input i, which must be known when the file is read.
func (b *builder) constant(n *node, i int) (konst, error) {
	if !n.has(i) {
		return konst{}, fmt.Errorf("%w: input %d is missing", ErrFormat, i)
	}
	switch v := b.values[n.in[i]]; {
	case v.k != nil:
		return *v.k, nil
	case v.p != nil && v.p.w.t != nil:
		k, err := b.read(v.p.w.t)
		if err != nil {
			return k, err
		}
		if k.shape, v.p.w.known = v.p.stored(), true; v.p.w.statistic {
			return k, statisticKnown(v.p.w)
		}
		if v.p.moved() {
			return b.permuted(k, v.p.perm)
		}
		return k, nil
	}
	return konst{}, fmt.Errorf("%w: input %d (%q) is computed from activations, want a constant", ErrUnsupported, i, n.in[i])
}

// numbers returns the numbers of the constant input i.
func (b *builder) numbers(n *node, i int) ([]float64, error) {
	k, err := b.constant(n, i)
	if err != nil {
		return nil, err
	}
	return k.plain()
}

// scalar returns the constant input i, which has one element, or otherwise if
// it is absent.
func (b *builder) scalar(n *node, i int, otherwise float64) (float64, error) {
	if !n.has(i) {
		return otherwise, nil
	}
	v, err := b.numbers(n, i)
	if err == nil && len(v) != 1 {
		err = fmt.Errorf("%w: input %d has %d elements, want one", ErrFormat, i, len(v))
	}
	if err != nil {
		return 0, err
	}
	return v[0], nil
}

// tap makes a value visible, if it is the result of a node and has rows.
func (b *builder) tap(n *node, name string, d dyn) {
	if d.v == b.g.Input() || d.axis < 0 {
		return
	}
	b.taps = append(b.taps, tapped{name, d.v, tapShape(d)})
	if n.name != "" && len(n.out) > 0 && n.out[0] == name && !b.named[n.name] && !b.isTensor(n.name) {
		b.named[n.name] = true
		b.taps = append(b.taps, tapped{n.name, d.v, tapShape(d)})
	}
}

// isTensor tells whether any node's output has the name.
func (b *builder) isTensor(name string) bool {
	_, ok := b.f.producers[name]
	return ok
}

// tapShape is the shape of one sample: view without the batch axis.
func tapShape(d dyn) []int {
	if d.view[d.axis] != 1 {
		return d.view
	}
	return slices.Delete(slices.Clone(d.view), d.axis, d.axis+1)
}
