package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// maxSteps bounds the steps of a recurrent layer, which become operators of their
// own.
const maxSteps = 1024

// recurrent is an LSTM or a GRU while its steps are put into the graph one after the
// other. The weights of both directions are read as one matrix each: a product
// computes the gates of both, of which a direction takes its own.
type recurrent struct {
	b          *builder
	n          *node
	steps      int
	directions int
	hidden     int
	gates      int         // of one direction, times hidden
	input      dyn         // the input's part of the gates: steps × batch × directions·gates
	weights    graph.Value // of the state's part: directions·gates × hidden
	bias       *dyn        // of the state's part: directions × gates; nil: none, or in input
}

// state is what a step hands on; nil is zero.
type state struct{ h, c *dyn }

// buildRecurrent unrolls an LSTM (Hochreiter and Schmidhuber, Neural Computation
// 9(8), 1997, with the forget gate of Gers and others, 2000) or a GRU (Cho and others,
// arXiv 1406.1078), in ONNX's form. Gradients follow from those of the parts.
func buildRecurrent(b *builder, n *node) ([]value, error) {
	r, err := b.newRecurrent(n)
	if err != nil {
		return nil, err
	}
	outputs := make([][]dyn, r.steps) // by step, then by direction
	var last []state
	for dir := range r.directions {
		s, err := r.initial(dir)
		if err != nil {
			return nil, err
		}
		for i := range r.steps {
			t := i
			if dir == 1 || n.text("direction", "forward") == "reverse" {
				t = r.steps - 1 - i
			}
			if s, err = r.step(t, dir, s); err != nil {
				return nil, err
			}
			outputs[t] = append(outputs[t], *s.h)
		}
		last = append(last, s)
	}
	return r.results(outputs, last)
}

// newRecurrent checks the attributes and computes the input's part of all gates.
func (b *builder) newRecurrent(n *node) (*recurrent, error) {
	x, err := b.dyn(n, 0)
	if err != nil {
		return nil, err
	}
	w, err := b.weightInput(n, 1)
	if err != nil {
		return nil, err
	}
	p, err := b.weightInput(n, 2)
	if err != nil {
		return nil, err
	}
	if len(x.view) != 3 || x.axis != 1 || x.view[1] != 1 || len(w.shape) != 3 || len(p.shape) != 3 || w.moved() || p.moved() {
		return nil, fmt.Errorf("%w: input of shape %v with the batch on axis %d, weights of shapes %v and %v; want length × batch × features", ErrUnsupported, x.view, x.axis, w.shape, p.shape)
	}
	r := &recurrent{b: b, n: n, steps: x.view[0], directions: w.shape[0], hidden: p.shape[2], gates: w.shape[1]}
	count := map[string]int{"LSTM": 4, "GRU": 3}[n.op]
	if !slices.Equal(w.shape, []int{r.directions, count * r.hidden, x.view[2]}) || !slices.Equal(p.shape, []int{r.directions, count * r.hidden, r.hidden}) {
		return nil, fmt.Errorf("%w: weights of shapes %v and %v for input of shape %v", ErrFormat, w.shape, p.shape, x.view)
	}
	if err := r.checkAttributes(); err != nil {
		return nil, err
	}
	all := r.directions * r.gates
	m, err := b.weightAs(w.w, []int{all, x.view[2]})
	if err != nil {
		return nil, err
	}
	if r.weights, err = b.weightAs(p.w, []int{all, r.hidden}); err != nil {
		return nil, err
	}
	r.input, err = b.rows(n, x, graph.Gemm{TransB: true, Alpha: 1}, &param{shape: []int{x.view[2], all}}, m)
	if err != nil {
		return nil, err
	}
	return r, r.addBias()
}

// checkAttributes refuses variants that exporters do not write by default.
func (r *recurrent) checkAttributes() error {
	n := r.n
	want := map[string]int{"forward": 1, "reverse": 1, "bidirectional": 2}[n.text("direction", "forward")]
	switch {
	case want != r.directions:
		return fmt.Errorf("%w: direction %q with weights of %d", ErrFormat, n.text("direction", "forward"), r.directions)
	case n.attrs["activations"] != nil || n.attrs["clip"] != nil || n.int("input_forget", 0) != 0 || n.int("layout", 0) != 0:
		return fmt.Errorf("%w: activations, clip, input_forget or layout of its own", ErrUnsupported)
	case n.has(4) || n.has(7):
		return fmt.Errorf("%w: lengths of sequences, or peepholes", ErrUnsupported)
	case r.steps > maxSteps:
		return fmt.Errorf("%w: a recurrent layer over %d steps, at most %d", ErrLimit, r.steps, maxSteps)
	}
	return nil
}

// addBias adds the bias of the input's part, and keeps that of the state's part.
func (r *recurrent) addBias() error {
	b, n := r.b, r.n
	if !n.has(3) {
		return nil
	}
	p, err := b.weightInput(n, 3)
	if err != nil {
		return err
	}
	if !slices.Equal(p.shape, []int{r.directions, 2 * r.gates}) || p.moved() {
		return fmt.Errorf("%w: bias of shape %v", ErrFormat, p.shape)
	}
	v, err := b.weightAs(p.w, p.shape)
	if err != nil {
		return err
	}
	half := func(at int) (dyn, error) {
		offs := [][]int32{steps(r.directions, 2*r.gates), steps(r.gates, 1)}
		for i := range offs[1] {
			offs[1][i] += int32(at)
		}
		return b.table(n, v, offs, []int{r.directions, r.gates}, -1, 0)
	}
	first, err := half(0)
	if err == nil {
		first, err = b.relabel(first, []int{1, 1, r.directions * r.gates}, -1)
	}
	if err == nil {
		r.input, err = b.combine(n, graph.Add{}, r.input, value{d: &first})
	}
	if err != nil {
		return err
	}
	second, err := half(r.gates)
	r.bias = &second
	return err
}

// initial returns the state before the first step of a direction.
func (r *recurrent) initial(dir int) (state, error) {
	var s state
	var err error
	if s.h, err = r.given(5, dir); err == nil && r.n.op == "LSTM" {
		s.c, err = r.given(6, dir)
	}
	return s, err
}

// given returns a direction's part of an initial state, or nil for zeros, which
// exporters write for every model.
func (r *recurrent) given(i, dir int) (*dyn, error) {
	if !r.n.has(i) {
		return nil, nil
	}
	v := r.b.values[r.n.in[i]]
	if v.k != nil && !slices.ContainsFunc(v.k.v, func(t term) bool { return t != (term{}) }) {
		return nil, nil
	}
	d, err := r.b.dyn(r.n, i)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(d.view, []int{r.directions, 1, r.hidden}) || d.axis >= 0 && d.axis != 1 {
		return nil, fmt.Errorf("%w: initial state of shape %v, batch axis %d", ErrUnsupported, d.view, d.axis)
	}
	h, err := r.part(d.v, dir*r.hidden, r.hidden)
	return &h, err
}

// part returns n numbers of each sample of v, from at on.
func (r *recurrent) part(v graph.Value, at, n int) (dyn, error) {
	list := steps(n, 1)
	for i := range list {
		list[i] += int32(at)
	}
	return r.b.table(r.n, v, [][]int32{{0}, list}, []int{1, n}, 0, 0)
}

// gate returns number k of the gates.
func (r *recurrent) gate(d dyn, k int) (dyn, error) { return r.part(d.v, k*r.hidden, r.hidden) }

// fromState returns the state's part of the gates: h·Rᵀ and its bias, or nil where
// both are zero.
func (r *recurrent) fromState(h *dyn, dir int) (*dyn, error) {
	b := r.b
	var bias *dyn
	if r.bias != nil {
		d, err := r.part(r.bias.v, dir*r.gates, r.gates)
		if err != nil {
			return nil, err
		}
		bias = &d
	}
	if h == nil {
		return bias, nil
	}
	all, err := b.rows(r.n, *h, graph.Gemm{TransB: true, Alpha: 1}, &param{shape: []int{r.hidden, r.directions * r.gates}}, r.weights)
	if err != nil {
		return nil, err
	}
	own := all
	if r.directions > 1 {
		if own, err = r.part(all.v, dir*r.gates, r.gates); err != nil {
			return nil, err
		}
	}
	if bias != nil {
		own, err = b.combine(r.n, graph.Add{}, own, value{d: bias})
	}
	return &own, err
}

// step computes one step of a direction.
func (r *recurrent) step(t, dir int, s state) (state, error) {
	x, err := r.part(r.input.v, t*r.directions*r.gates+dir*r.gates, r.gates)
	if err != nil {
		return s, err
	}
	h, err := r.fromState(s.h, dir)
	if err != nil {
		return s, err
	}
	m := &calculation{b: r.b, n: r.n}
	if r.n.op == "LSTM" {
		s = r.lstm(m, x, h, s)
	} else {
		s = r.gru(m, x, h, s, dir)
	}
	return s, m.err
}

// calculation applies operators until one fails, so that formulas read as such. nil
// stands for zero.
type calculation struct {
	b   *builder
	n   *node
	err error
}

func (m *calculation) binary(op graph.Op, x, y *dyn) *dyn {
	if m.err != nil {
		return nil
	}
	d, err := m.b.combine(m.n, op, *x, value{d: y})
	m.err = err
	return &d
}

func (m *calculation) add(x, y *dyn) *dyn {
	switch {
	case x == nil:
		return y
	case y == nil:
		return x
	}
	return m.binary(graph.Add{}, x, y)
}

func (m *calculation) mul(x, y *dyn) *dyn {
	if x == nil || y == nil {
		return nil
	}
	return m.binary(graph.Mul{}, x, y)
}

func (m *calculation) apply(op graph.Op, x *dyn) *dyn {
	if m.err != nil || x == nil {
		return nil
	}
	d, err := m.b.alike(m.n, op, *x)
	m.err = err
	return &d
}

func (m *calculation) gate(r *recurrent, x *dyn, k int) *dyn {
	if m.err != nil || x == nil {
		return nil
	}
	d, err := r.gate(*x, k)
	m.err = err
	return &d
}

// lstm has the gates input, output, forget and cell:
// c' = σ(f)·c + σ(i)·tanh(g), h' = σ(o)·tanh(c').
func (r *recurrent) lstm(m *calculation, x dyn, h *dyn, s state) state {
	all := m.add(&x, h)
	i, o, f := m.apply(graph.Sigmoid{}, m.gate(r, all, 0)), m.apply(graph.Sigmoid{}, m.gate(r, all, 1)), m.apply(graph.Sigmoid{}, m.gate(r, all, 2))
	c := m.add(m.mul(i, m.apply(graph.Tanh{}, m.gate(r, all, 3))), m.mul(f, s.c))
	return state{m.mul(o, m.apply(graph.Tanh{}, c)), c}
}

// gru has the gates update, reset and hidden: h' = (1 − σ(z))·g + σ(z)·h with
// g = tanh(x + σ(r)·(h·Rᵀ + b)) as PyTorch computes it (linear_before_reset), or
// g = tanh(x + (σ(r)·h)·Rᵀ + b) as in the paper.
func (r *recurrent) gru(m *calculation, x dyn, h *dyn, s state, dir int) state {
	z := m.apply(graph.Sigmoid{}, m.add(m.gate(r, &x, 0), m.gate(r, h, 0)))
	reset := m.apply(graph.Sigmoid{}, m.add(m.gate(r, &x, 1), m.gate(r, h, 1)))
	inner := m.mul(reset, m.gate(r, h, 2))
	if r.n.int("linear_before_reset", 0) == 0 && m.err == nil {
		h, m.err = r.fromState(m.mul(reset, s.h), dir)
		inner = m.gate(r, h, 2)
	}
	g := m.apply(graph.Tanh{}, m.add(m.gate(r, &x, 2), inner))
	rest := m.apply(graph.Scale(-1, 1), z)
	return state{h: m.add(m.mul(rest, g), m.mul(z, s.h))}
}

// results joins the outputs of all steps, and the last states.
func (r *recurrent) results(outputs [][]dyn, last []state) ([]value, error) {
	var steps []graph.Value
	for _, out := range outputs {
		v, err := r.joined(out, []int{1, r.directions, 1, r.hidden}, 2)
		if err != nil {
			return nil, err
		}
		steps = append(steps, v.v)
	}
	y, err := r.b.apply(r.n, graph.Concat{Axis: 0}, []int{r.steps, r.directions, 1, r.hidden}, 2, steps...)
	if err != nil {
		return nil, err
	}
	all := []value{{d: &y}}
	for _, of := range []func(s state) *dyn{func(s state) *dyn { return s.h }, func(s state) *dyn { return s.c }} {
		var parts []dyn
		for _, s := range last {
			if d := of(s); d != nil {
				parts = append(parts, *d)
			}
		}
		if len(parts) == 0 {
			continue // a GRU has one state
		}
		v, err := r.joined(parts, []int{r.directions, 1, r.hidden}, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, value{d: &v})
	}
	return all, nil
}

// joined puts what the directions have beside one another.
func (r *recurrent) joined(parts []dyn, view []int, axis int) (dyn, error) {
	at := axis - 1 // of the directions
	one := slices.Clone(view)
	one[at] = 1
	var in []graph.Value
	for _, d := range parts {
		d, err := r.b.relabel(d, one, axis)
		if err != nil {
			return d, err
		}
		in = append(in, d.v)
	}
	if len(in) == 1 {
		return dyn{v: in[0], view: view, axis: axis}, nil
	}
	return r.b.apply(r.n, graph.Concat{Axis: at}, view, axis, in...)
}
