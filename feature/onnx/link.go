package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// Nothing of a file's order or names is relied upon before this file has checked it. What
// comes later may take for granted that every name is made once, that makers come
// before readers, and that there is no cycle.

// link indexes the graph, checks that names are unique, and puts the nodes into
// an order of computation.
func (f *file) link() error {
	if err := f.expand(); err != nil {
		return err
	}
	g := &f.graph
	f.producers, f.readers = map[string]int{}, map[string][]int{}
	known := map[string]string{}
	f.initial = map[string]*tensor{}
	for i, t := range g.tensors {
		if t.name == "" || known[t.name] != "" {
			return fmt.Errorf("onnx: %w: initializer %d: name %q is empty or used twice", ErrFormat, i, t.name)
		}
		known[t.name], f.initial[t.name] = "initializer", t
	}
	for i, v := range g.inputs {
		if v.name == "" || known[v.name] == "input" {
			return fmt.Errorf("onnx: %w: graph input %d: name %q is empty or used twice", ErrFormat, i, v.name)
		}
		if known[v.name] == "" { // an initializer may be listed as an input too
			known[v.name] = "input"
		}
	}
	for i, n := range g.nodes {
		for _, name := range n.out {
			if name != "" && known[name] != "" {
				return fmt.Errorf("onnx: %w: %s: output %q is already %s", ErrFormat, n.label(), name, known[name])
			}
			if name != "" {
				known[name], f.producers[name] = "the output of "+n.label(), i
			}
		}
	}
	if err := f.checkNames(); err != nil {
		return err
	}
	return f.order()
}

// checkNames returns an error if a node reads what nothing computes.
func (f *file) checkNames() error {
	inputs := map[string]bool{}
	for _, v := range f.graph.inputs {
		inputs[v.name] = true
	}
	for _, n := range f.graph.nodes {
		for i, name := range n.in {
			_, made := f.producers[name]
			if name != "" && !made && !inputs[name] && f.initial[name] == nil {
				return fmt.Errorf("onnx: %w: %s: input %d, %q, is missing: no node, input or initializer has this name", ErrFormat, n.label(), i, name)
			}
		}
	}
	return nil
}

// order sorts the nodes so that each comes after those whose results it reads,
// and otherwise as they stand in the file: the standard wants them sorted, but
// some tools that edit graphs append, and other runtimes read such files. Then it
// indexes who reads what.
func (f *file) order() error {
	old := f.graph.nodes
	sorted, state := make([]*node, 0, len(old)), make([]visit, len(old))
	for i := range old {
		var err error
		if sorted, err = f.visit(sorted, state, i); err != nil {
			return err
		}
	}
	f.graph.nodes = sorted
	for i, n := range sorted {
		for _, name := range n.out {
			f.producers[name] = i
		}
		for _, name := range n.reads() {
			f.readers[name] = append(f.readers[name], i)
		}
	}
	delete(f.producers, "") // outputs that are left out
	return nil
}

// visit says how far order has come with a node.
type visit uint8

const (
	unseen visit = iota
	open         // what it reads is being visited
	done
)

// visit appends node i after all that it depends on. The depth of the recursion is
// that of the graph, at most maxNodes.
func (f *file) visit(sorted []*node, state []visit, i int) ([]*node, error) {
	if state[i] == done {
		return sorted, nil
	}
	n := f.graph.nodes[i]
	state[i] = open
	for _, name := range n.reads() {
		at, made := f.producers[name]
		if !made || state[at] == done {
			continue
		}
		if state[at] == open {
			return nil, fmt.Errorf("onnx: %w: a cycle: %s reads %q, the output of %s, which depends on it", ErrFormat, n.label(), name, f.graph.nodes[at].label())
		}
		var err error
		if sorted, err = f.visit(sorted, state, at); err != nil {
			return nil, err
		}
	}
	state[i] = done
	return append(sorted, n), nil
}

// input returns the model's input.
func (f *file) input() (valueInfo, error) {
	var found []valueInfo
	var names []string
	for _, v := range f.graph.inputs {
		if f.initial[v.name] == nil {
			found, names = append(found, v), append(names, v.name)
		}
	}
	if len(found) != 1 {
		return valueInfo{}, fmt.Errorf("onnx: %w: a model with %d inputs %q, want one", ErrUnsupported, len(found), names)
	}
	return found[0], nil
}

// ancestors marks the nodes that tensors depend on.
func (f *file) ancestors(names ...string) []bool {
	needed := make([]bool, len(f.graph.nodes))
	for _, name := range names {
		if at, ok := f.producers[name]; ok {
			needed[at] = true
		}
	}
	for i := len(needed) - 1; i >= 0; i-- {
		if !needed[i] {
			continue
		}
		for _, in := range f.graph.nodes[i].reads() {
			if at, ok := f.producers[in]; ok {
				needed[at] = true
			}
		}
	}
	return needed
}

// UnsupportedError lists operators that this package does not know. It wraps
// ErrUnsupported.
type UnsupportedError struct {
	Operators []UnsupportedOperator // in the order of their first node
}

// UnsupportedOperator is an operator with the nodes that use it.
type UnsupportedOperator struct {
	Domain string // empty: ONNX's own
	Name   string
	Nodes  []string // names; "#7" for the eighth node where it has none
}

// Unwrap returns ErrUnsupported.
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

// Error lists every operator with up to three nodes.
func (e *UnsupportedError) Error() string {
	var parts []string
	for _, op := range e.Operators {
		name := op.Name
		if op.Domain != "" {
			name = op.Domain + "." + name
		}
		more := ""
		if len(op.Nodes) > 3 {
			more = fmt.Sprintf(" and %d more", len(op.Nodes)-3)
		}
		parts = append(parts, fmt.Sprintf("%s (%s%s)", name, strings.Join(op.Nodes[:min(3, len(op.Nodes))], ", "), more))
	}
	return fmt.Sprintf("onnx: operators not supported: %s%s", strings.Join(parts, "; "), e.advice())
}

// advice says what else to do about the operators.
func (e *UnsupportedError) advice() string {
	has := func(f func(o UnsupportedOperator) bool) bool { return slices.ContainsFunc(e.Operators, f) }
	switch {
	case has(func(o UnsupportedOperator) bool {
		return strings.Contains(o.Name, "QuantizeLinear") || strings.HasPrefix(o.Name, "QLinear") || strings.HasSuffix(o.Name, "Integer")
	}):
		return "; a quantized model: use the float model"
	case has(func(o UnsupportedOperator) bool { return o.Domain == "com.microsoft" }):
		return "; a model that onnxruntime has optimized: use the one it was made from"
	case has(func(o UnsupportedOperator) bool { return o.Name == "RNN" || o.Name == "Loop" || o.Name == "Scan" }):
		return "; of recurrent networks, LSTM and GRU are supported"
	}
	return ""
}

// checkOperators returns an UnsupportedError if a needed node cannot be built.
func (f *file) checkOperators(needed []bool) error {
	e := &UnsupportedError{}
	for i, n := range f.graph.nodes {
		if !needed[i] || f.supported(n) {
			continue
		}
		at := slices.IndexFunc(e.Operators, func(o UnsupportedOperator) bool { return o.Name == n.op && o.Domain == n.domain })
		if at < 0 && len(e.Operators) == 1000 {
			break // enough to see that this is not a model
		}
		if at < 0 {
			at = len(e.Operators)
			e.Operators = append(e.Operators, UnsupportedOperator{Domain: n.domain, Name: n.op})
		}
		name := n.name
		if name == "" {
			name = fmt.Sprintf("#%d", i)
		}
		e.Operators[at].Nodes = append(e.Operators[at].Nodes, name)
	}
	if len(e.Operators) > 0 {
		return e
	}
	return nil
}
