package gomlx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature"
)

// rngPath is the variable with the state of GoMLX's random numbers.
const rngPath = model.RootScopePath + model.RNGStateVariableName

// tap is a tapped activation in a graph of GoMLX.
type tap struct {
	name  string
	shape []int // of one sample
	node  *graph.Node
}

// reading is a variable that a graph reads. Where the graph changes it, after is
// the new value, and otherwise before itself.
type reading struct {
	v             *model.Variable
	before, after *graph.Node
}

// trace is what a Graph has built.
type trace struct {
	taps []tap
	vars []reading // in the order in which they are read first
}

// trace calls the Graph. In training, random numbers come from state. No variable
// is left to GoMLX to change: the caller outputs what the new values are wanted
// for. It panics with an error, as is usual where a graph is built.
func (m *Model) trace(scope *model.Scope, x, state *graph.Node) *trace {
	g, store := x.Graph(), scope.Store()
	store.SetTraining(g, state != nil)
	rng := store.GetVariable(rngPath)
	if state != nil {
		rng.SetNodeValue(state)
	}
	for _, p := range m.vars {
		p.v.NodeValue(g) // the Go backend cannot run a graph that reads a variable behind its last output
	}
	t := &trace{}
	logits := m.build(scope, x, func(name string, v *graph.Node) { t.tap(x, name, v) })
	t.tap(x, "logits", logits)
	if logits.Rank() != 2 {
		panic(fmt.Errorf("%w: logits of shape %v, want rows×classes", ErrGraph, logits.Shape()))
	}
	t.read(g, store)
	if state == nil && rng.ChangedInGraph(g) {
		panic(fmt.Errorf("%w: it draws random numbers in evaluation mode", ErrGraph))
	}
	if rng.InUseByGraph(g) {
		rng.SetNodeValue(g.GetParameterByName(rngPath))
	}
	return t
}

// tap adds a tap.
func (t *trace) tap(x *graph.Node, name string, v *graph.Node) {
	switch {
	case v == nil || name == "":
		panic(fmt.Errorf("%w: tap %q without a value or a name", ErrGraph, name))
	case slices.ContainsFunc(t.taps, func(o tap) bool { return o.name == name }):
		panic(fmt.Errorf("%w: two taps are called %q", ErrGraph, name))
	case v.DType() != dtypes.Float32:
		panic(fmt.Errorf("%w: tap %q is %v, and taps are float32", ErrGraph, name, v.DType()))
	case v.Rank() < 1 || v.Shape().Dim(0) != x.Shape().Dim(0):
		panic(fmt.Errorf("%w: tap %q has the shape %v for %d rows", ErrGraph, name, v.Shape(), x.Shape().Dim(0)))
	}
	t.taps = append(t.taps, tap{name, slices.Clone(v.Shape().Dimensions[1:]), v})
}

// read lists the variables that g reads and makes g change none of them.
func (t *trace) read(g *graph.Graph, store *model.Store) {
	for i := range g.NumParameters() {
		before := g.GetParameterByHandle(graph.ParameterHandle(i))
		path := before.GetParameterName()
		if !strings.HasPrefix(path, model.ScopeSeparator) || path == rngPath {
			continue // an input
		}
		v := store.GetVariable(path)
		if v == nil {
			panic(fmt.Errorf("%w: it reads %q, which the store does not have", ErrGraph, path))
		}
		t.vars = append(t.vars, reading{v, before, v.NodeValue(g)})
		v.SetNodeValue(before)
	}
}

// find returns the reading of a variable, or nil if there is none.
func (t *trace) find(v *model.Variable) *reading {
	i := slices.IndexFunc(t.vars, func(r reading) bool { return r.v.Path() == v.Path() })
	if i < 0 {
		return nil
	}
	return &t.vars[i]
}

// describe builds the graph in both modes, without compiling it, and makes the
// Spec of what it finds.
func (m *Model) describe() error {
	train, err := m.sketch(true)
	if err != nil {
		return err
	}
	eval, err := m.sketch(false)
	if err != nil {
		return err
	}
	for _, r := range eval.vars {
		if r.after != r.before {
			return fmt.Errorf("gomlx: %w: it changes the variable %q in evaluation mode", ErrGraph, r.v.Path())
		}
	}
	if err := m.describeTaps(train, eval); err != nil {
		return err
	}
	return m.describeParams(train, eval)
}

// sketch builds the graph for two rows.
func (m *Model) sketch(train bool) (t *trace, err error) {
	err = try(func() error {
		if m.store.GetVariable(rngPath) == nil {
			if err := m.store.SetRNGStateFromSeed(0); err != nil {
				return err
			}
		}
		g := graph.NewGraph(m.backend, "sketch")
		defer g.Finalize()
		model.SetStore(g, m.store)
		x := graph.Parameter(g, "input", shapes.Make(dtypes.Float32, append([]int{2}, m.opt.Input...)...))
		var state *graph.Node
		if train {
			state = graph.Parameter(g, "random state", graph.RNGStateShape)
		}
		t = m.trace(m.store.RootScope(), x, state)
		return m.store.InitializeVariables(m.backend, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	return t, nil
}

// describeTaps fills in what the Spec says of activations.
func (m *Model) describeTaps(train, eval *trace) error {
	if !slices.EqualFunc(train.taps, eval.taps, func(a, b tap) bool { return a.name == b.name && slices.Equal(a.shape, b.shape) }) {
		return fmt.Errorf("gomlx: %w: its taps differ between training and evaluation", ErrGraph)
	}
	m.spec = feature.Spec{Input: m.opt.Input, Logits: "logits", Features: "logits"}
	for _, t := range eval.taps {
		m.spec.Taps = append(m.spec.Taps, feature.Tap{Name: t.name, Shape: t.shape})
		if t.name == "features" {
			m.spec.Features = t.name
		}
	}
	return nil
}

// describeParams fills in what the Spec says of variables.
func (m *Model) describeParams(train, eval *trace) error {
	read := train.vars
	for _, r := range eval.vars {
		if train.find(r.v) == nil {
			read = append(read, r)
		}
	}
	for _, r := range read {
		v, p, err := newVariable(r.v, r.after != r.before, m.opt)
		if err != nil {
			return err
		}
		m.vars, m.spec.Params = append(m.vars, v), append(m.spec.Params, p)
	}
	for i := range m.vars {
		m.vars[i].moves = m.vars[i].moves && !m.frozen(m.vars[i].v.Scope())
	}
	return nil
}

// frozen reports whether a scope has weights or biases, none of which trains.
func (m *Model) frozen(scope string) bool {
	weights := false
	for i, p := range m.spec.Params {
		if m.vars[i].v.Scope() != scope || p.Kind == feature.Statistic {
			continue
		}
		if p.Trainable {
			return false
		}
		weights = true
	}
	return weights
}
