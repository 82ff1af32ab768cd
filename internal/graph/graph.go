package graph

import (
	"fmt"
	"slices"
	"sync"
)

// Value is a handle of the input, a parameter or the result of a node.
type Value int

type valueKind uint8

const (
	inputValue valueKind = iota
	paramValue
	nodeValue
)

type value struct {
	kind  valueKind
	index int // of the parameter or the node
	shape []int
	size  int
}

type node struct {
	name string
	op   Op
	in   []Value
	out  Value

	prepared any // by a Preparer, once a plan needs it
}

// Graph is a list of operators in order of computation. Once built it does not
// change, and plans may be made of it on several goroutines.
type Graph struct {
	values []value
	nodes  []node
	params []Value
	mu     sync.Mutex // over nodes[].prepared
}

// maxSize bounds the number of elements of one value, for one sample, so that
// products of sizes do not overflow.
const maxSize = 1 << 30

// New returns a graph whose input has the given shape of one sample.
func New(input []int) (*Graph, error) {
	g := &Graph{}
	_, err := g.add(inputValue, 0, input)
	return g, err
}

// Input returns the input of the graph.
func (g *Graph) Input() Value { return 0 }

// Param adds a parameter. Parameters are numbered in the order of their adding.
func (g *Graph) Param(shape ...int) (Value, error) {
	v, err := g.add(paramValue, len(g.params), shape)
	if err == nil {
		g.params = append(g.params, v)
	}
	return v, err
}

// Apply adds a node. name is used in errors only.
func (g *Graph) Apply(name string, op Op, in ...Value) (Value, error) {
	args := make([]Arg, len(in))
	for i, v := range in {
		args[i] = g.arg(v)
	}
	shape, err := op.Infer(args)
	if err != nil {
		return 0, fmt.Errorf("graph: node %q (%T): %w", name, op, err)
	}
	v, err := g.add(nodeValue, len(g.nodes), shape)
	if err != nil {
		return 0, fmt.Errorf("graph: node %q (%T): %w", name, op, err)
	}
	g.nodes = append(g.nodes, node{name: name, op: op, in: slices.Clone(in), out: v})
	return v, nil
}

// Shape returns the shape of one sample of v, or of a parameter.
func (g *Graph) Shape(v Value) []int { return g.values[v].shape }

// Size returns the number of elements of one sample of v, or of a parameter.
func (g *Graph) Size(v Value) int { return g.values[v].size }

// Params returns the number of parameters.
func (g *Graph) Params() int { return len(g.params) }

// prepare lets the operators compute what depends on shapes only, once.
func (g *Graph) prepare() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.nodes {
		nd := &g.nodes[i]
		if op, ok := nd.op.(Preparer); ok && nd.prepared == nil {
			nd.prepared = op.Prepare(g.args(*nd))
		}
	}
}

func (g *Graph) args(nd node) []Arg {
	args := make([]Arg, len(nd.in))
	for i, v := range nd.in {
		args[i] = g.arg(v)
	}
	return args
}

func (g *Graph) arg(v Value) Arg {
	return Arg{Shape: g.values[v].shape, Param: g.values[v].kind == paramValue}
}

func (g *Graph) add(kind valueKind, index int, shape []int) (Value, error) {
	size := 1
	for _, d := range shape {
		if d < 1 || d > maxSize/size {
			return 0, fmt.Errorf("graph: shape %v is empty or above %d elements", shape, maxSize)
		}
		size *= d
	}
	g.values = append(g.values, value{kind: kind, index: index, shape: slices.Clone(shape), size: size})
	return Value(len(g.values) - 1), nil
}
