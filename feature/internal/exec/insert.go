package exec

import (
	"context"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// InsertNorms implements feature.NormInserter. The norms stand behind the layers
// that [Model.layers] finds.
func (m *Model) InsertNorms(ctx context.Context, d feature.Dataset) (feature.Normed, error) {
	layers, notes := m.layers()
	if len(layers) == 0 {
		return nil, m.wrap(fmt.Errorf("%w: %d are without one", feature.ErrNoNorms, len(notes)))
	}
	sums, err := m.statistics(ctx, layers, d)
	if err != nil {
		return nil, m.wrap(err)
	}
	c := &copier{old: m, layers: layers}
	for _, s := range sums {
		c.norms = append(c.norms, s.norm())
	}
	if err := c.copy(); err != nil {
		return nil, m.wrap(err)
	}
	return c.model(notes), nil
}

// copier copies a graph and puts norms into the copy.
type copier struct {
	old    *Model
	layers []layer
	norms  []norm

	g       *graph.Graph
	value   []graph.Value // of the copy, by value of the old graph
	param   []int         // of the copy, by parameter of the old graph
	weights [][]float32
	at      []int // the first parameter of each norm
}

// copy fills g.
func (c *copier) copy() error {
	old := c.old.g
	var err error
	if c.g, err = graph.New(old.Shape(old.Input())); err != nil {
		return err
	}
	c.value = make([]graph.Value, old.Values())
	c.param = slices.Repeat([]int{-1}, old.Params())
	c.at = make([]int, len(c.layers))
	nodes := old.Nodes()
	for i := 1; i < old.Values(); i++ { // 0 is the input
		v := graph.Value(i)
		if at := old.ParamIndex(v); at >= 0 {
			err = c.copyParam(v, at)
		} else {
			err = c.copyNode(nodes[0])
			nodes = nodes[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyParam copies a parameter, or a view of one that is already there.
func (c *copier) copyParam(v graph.Value, at int) (err error) {
	shape := c.old.g.Shape(v)
	if c.param[at] >= 0 {
		c.value[v], err = c.g.View(c.g.ParamValue(c.param[at]), shape...)
		return err
	}
	c.param[at] = c.g.Params()
	c.weights = append(c.weights, slices.Clone(c.old.weights[at]))
	c.value[v], err = c.g.Param(shape...)
	return err
}

// copyNode copies a node, and puts a norm behind it if a layer ends there.
func (c *copier) copyNode(nd graph.NodeInfo) (err error) {
	in := make([]graph.Value, len(nd.In))
	for i, v := range nd.In {
		in[i] = c.value[v]
	}
	out, err := c.g.Apply(nd.Name, nd.Op, in...)
	if err != nil {
		return err
	}
	for i, l := range c.layers {
		if l.end == nd.Out {
			if out, err = c.insert(i, out); err != nil {
				return err
			}
		}
	}
	c.value[nd.Out] = out
	return nil
}

// insert puts norm k behind x.
func (c *copier) insert(k int, x graph.Value) (graph.Value, error) {
	l, n := c.layers[k], c.norms[k]
	c.at[k] = c.g.Params()
	in := []graph.Value{x}
	for _, w := range n.params() {
		p, err := c.g.Param(len(w))
		if err != nil {
			return 0, err
		}
		in, c.weights = append(in, p), append(c.weights, slices.Clone(w))
	}
	op := graph.BatchNorm{Epsilon: n.epsilon, Momentum: normMomentum}
	if l.last {
		return c.insertLast(l, op, in)
	}
	return c.g.Apply("behind "+l.name, op, in...)
}

// normMomentum is the share by which running statistics move, as in PyTorch.
const normMomentum = .1

// insertLast puts a norm behind x, whose channels are the last axis.
func (c *copier) insertLast(l layer, op graph.BatchNorm, in []graph.Value) (graph.Value, error) {
	shape := c.g.Shape(in[0])
	channels := l.channels()
	rows := feature.Size(shape) / channels
	t, err := c.turn(in[0], []int{channels, rows}, rows, channels)
	if err != nil {
		return 0, err
	}
	in[0] = t
	if t, err = c.g.Apply("behind "+l.name, op, in...); err != nil {
		return 0, err
	}
	return c.turn(t, shape, channels, rows)
}

// turn transposes a matrix.
func (c *copier) turn(x graph.Value, shape []int, rows, columns int) (graph.Value, error) {
	index := make([]int32, 0, rows*columns)
	for j := range columns {
		for i := range rows {
			index = append(index, int32(i*columns+j))
		}
	}
	op, err := graph.NewTake(c.g.Shape(x), shape, index, 0)
	if err != nil {
		return 0, err
	}
	return c.g.Apply("transpose", op, x)
}

// model returns the model of the copy. The parameters of a norm come after those
// of its layer, as in a file or a network that has such a norm.
func (c *copier) model(notes []string) *normedModel {
	n := &normedModel{of: c.old, layers: c.layers, norms: c.norms, param: c.param, at: c.at, notes: notes}
	config := Config{Package: c.old.pkg, Graph: c.g, Spec: c.old.spec}
	config.Spec.Params = nil
	for i, p := range c.old.spec.Params {
		config.Spec.Params = append(config.Spec.Params, p)
		config.Exposed = append(config.Exposed, c.param[c.old.exposed[i]])
		for k, l := range c.layers {
			if i == max(slices.Index(c.old.exposed, l.weight), slices.Index(c.old.exposed, l.bias)) {
				c.expose(&config, k)
			}
		}
	}
	for _, v := range c.old.taps {
		config.Taps = append(config.Taps, c.value[v])
	}
	n.Model = New(config)
	SetWeights(n.Model, c.weights)
	return n
}

// expose appends the parameters of norm k.
func (c *copier) expose(config *Config, k int) {
	l := c.layers[k]
	of := c.old.spec.Params[slices.Index(c.old.exposed, l.weight)].Name
	for i, suffix := range []string{"scale", "shift", "mean", "variance"} {
		config.Spec.Params = append(config.Spec.Params, feature.Param{Name: of + ".norm." + suffix, Shape: []int{l.channels()}, Trainable: true})
		config.Exposed = append(config.Exposed, c.at[k]+i)
	}
}
