package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// Branches and functions are the two ways in which a file has nodes that are not in
// its graph. They are treated at different times. Functions are expanded before
// anything else looks at the nodes: a call says all that is needed. A branch of If is
// built when the condition is known, which takes shapes, and so is left to the
// builder. Until then a node counts as reading all that either branch reads, so that
// nothing a branch may need is left out or comes too late.
//
// Both can make much of little: functions that call one another twice each double
// with every level, and so would their names. Nodes are counted against the same
// limit as those in the file, and names against the memory of parsing.

// capture notes which names the subgraphs of a node read from around them.
func (n *node) capture() {
	for _, a := range n.attrs {
		if a.graph == nil {
			continue
		}
		own := map[string]bool{"": true}
		for _, v := range a.graph.inputs {
			own[v.name] = true
		}
		for _, t := range a.graph.tensors {
			own[t.name] = true
		}
		for _, inner := range a.graph.nodes {
			for _, name := range inner.out {
				own[name] = true
			}
		}
		free := func(name string) {
			if !own[name] {
				n.captured, own[name] = append(n.captured, name), true
			}
		}
		for _, inner := range a.graph.nodes {
			for _, name := range inner.reads() {
				free(name)
			}
		}
		for _, v := range a.graph.outputs {
			free(v.name)
		}
	}
	slices.Sort(n.captured)
}

// buildIf builds the branch that a condition selects, which must be known when the
// file is read: exporters write one for shapes that they were not sure of.
func buildIf(b *builder, n *node) ([]value, error) {
	cond, err := b.scalar(n, 0, 0)
	if err != nil {
		return nil, err
	}
	name := "else_branch"
	if cond != 0 {
		name = "then_branch"
	}
	a := n.attrs[name]
	if a == nil || a.graph == nil {
		return nil, fmt.Errorf("%w: no %s", ErrFormat, name)
	}
	if err := b.branch(a.graph); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(a.graph.outputs) != len(n.out) {
		return nil, fmt.Errorf("%w: %s has %d outputs, want %d", ErrFormat, name, len(a.graph.outputs), len(n.out))
	}
	out := make([]value, len(n.out))
	for i, v := range a.graph.outputs {
		inner, ok := b.values[v.name]
		if !ok {
			return nil, fmt.Errorf("%w: nothing computes the output %q of %s", ErrFormat, v.name, name)
		}
		out[i] = inner
	}
	return out, nil
}

// branch builds the nodes of a subgraph. Its names are unique in the whole file.
func (b *builder) branch(g *graphProto) error {
	if len(g.inputs) > 0 {
		return fmt.Errorf("%w: a branch with inputs", ErrFormat)
	}
	for _, t := range g.tensors {
		if _, twice := b.values[t.name]; twice || t.name == "" {
			return fmt.Errorf("%w: name %q is empty or used twice", ErrFormat, t.name)
		}
		v, err := b.initializer(t)
		if err != nil {
			return err
		}
		b.values[t.name] = v
	}
	for _, n := range g.nodes {
		if !b.f.supported(n) {
			return fmt.Errorf("%w: operator %s", ErrUnsupported, n.op)
		}
		for i, name := range n.reads() {
			if _, ok := b.values[name]; !ok && name != "" {
				return fmt.Errorf("%w: %s: input %d, %q, is missing", ErrFormat, n.label(), i, name)
			}
		}
		for _, name := range n.out {
			if _, twice := b.values[name]; twice {
				return fmt.Errorf("%w: %s: name %q is used twice", ErrFormat, n.label(), name)
			}
		}
		if err := b.node(n); err != nil {
			return fmt.Errorf("%s: %w", n.label(), err)
		}
	}
	return nil
}

// function is a FunctionProto: an operator made of others.
type function struct {
	domain, name string
	in, out      []string
	nodes        []*node
	defaults     map[string]*attribute
	domains      map[string]int64
}

// parseFunction reads an operator that the file defines. Exporters of PyTorch 2 write
// one for every module.
func (f *file) parseFunction(fd field) error {
	m, err := fd.sub("function")
	if err != nil {
		return err
	}
	if err := f.spend(1024, "function"); err != nil {
		return err
	}
	defer f.enter(fd)()
	fn := &function{domains: map[string]int64{}}
	defaults := &node{attrs: map[string]*attribute{}}
	err = m.each(func(fd field) (err error) {
		switch fd.num {
		case onnxfile.FunctionName:
			fn.name, err = fd.text("function name")
		case onnxfile.FunctionDomain:
			fn.domain, err = fd.text("function domain")
		case onnxfile.FunctionInput:
			fn.in, err = f.port(fd, fn.in, "function input")
		case onnxfile.FunctionOutput:
			fn.out, err = f.port(fd, fn.out, "function output")
		case onnxfile.FunctionNode:
			fn.nodes, err = f.parseNode(fn.nodes, fd)
		case onnxfile.FunctionDefault:
			err = f.parseAttribute(defaults, fd, "function")
		case onnxfile.FunctionOpset:
			err = f.parseOpset(fd, fn.domains)
		}
		return err
	})
	if f.functions == nil {
		f.functions = map[string]*function{}
	}
	key := fn.domain + ":" + fn.name
	if f.functions[key] != nil && err == nil {
		return fmt.Errorf("onnx: %w: function %q is given twice", ErrFormat, key)
	}
	fn.defaults = defaults.attrs
	f.functions[key] = fn
	return err
}

// expand replaces nodes whose operator is a function of the file by its nodes.
func (f *file) expand() error {
	if len(f.functions) == 0 {
		return nil
	}
	var err error
	f.graph.nodes, err = f.expanded(f.graph.nodes, 0)
	return err
}

// expanded returns a list of nodes without functions. Nodes are counted as they are
// made, so that a few functions which call each other many times stay bounded.
func (f *file) expanded(list []*node, depth int) ([]*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("onnx: %w: more than %d functions inside of one another", ErrLimit, maxDepth)
	}
	var out []*node
	for _, n := range list {
		fn := f.functions[n.domain+":"+n.op]
		if fn == nil {
			out = append(out, n)
			continue
		}
		if v, ok := fn.domains[""]; ok && int(v) != f.opset && f.opset != 0 {
			return nil, fmt.Errorf("onnx: %w: function %s is of operator set %d, the model of %d", ErrUnsupported, n.op, v, f.opset)
		}
		body, err := f.instance(fn, n)
		if err != nil {
			return nil, err
		}
		if body, err = f.expanded(body, depth+1); err != nil {
			return nil, err
		}
		out = append(out, body...)
	}
	return out, nil
}

// instance returns the nodes of a function for one call: with the call's inputs and
// outputs, and names of its own for what is between.
func (f *file) instance(fn *function, call *node) ([]*node, error) {
	if len(call.in) > len(fn.in) || len(call.out) > len(fn.out) {
		return nil, fmt.Errorf("onnx: %w: %s has %d inputs and %d outputs, the function %d and %d", ErrFormat, call.label(), len(call.in), len(call.out), len(fn.in), len(fn.out))
	}
	prefix := fmt.Sprintf("%s/%d/", call.op, f.count)
	names := map[string]string{"": ""}
	for i, name := range fn.in {
		names[name] = call.input(i)
	}
	var list []*node
	for i, name := range fn.out {
		if i >= len(call.out) || call.out[i] == "" {
			continue
		}
		if source, ok := names[name]; ok { // an input as it came
			list = append(list, &node{op: "Identity", in: []string{source}, out: []string{call.out[i]}, number: call.number})
		} else {
			names[name] = call.out[i]
		}
	}
	for _, inner := range fn.nodes {
		n, err := f.copied(inner, call, fn, names, prefix)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// copied returns a node of a function for one call.
func (f *file) copied(inner, call *node, fn *function, names map[string]string, prefix string) (*node, error) {
	if err := f.countNode(); err != nil {
		return nil, err
	}
	if err := f.spend(512+64*(len(inner.in)+len(inner.out)), call.label()); err != nil {
		return nil, err
	}
	rename := func(list []string) []string {
		out := make([]string, len(list))
		for i, s := range list {
			if _, ok := names[s]; !ok {
				names[s] = prefix + s
			}
			out[i] = names[s]
		}
		return out
	}
	n := &node{op: inner.op, domain: inner.domain, number: call.number, attrs: map[string]*attribute{}, in: rename(inner.in), out: rename(inner.out)}
	n.name = fmt.Sprintf("%s%d", prefix, inner.number)
	for key, a := range inner.attrs {
		if a.ref != "" {
			if from := call.attrs[a.ref]; from != nil {
				a = from
			} else {
				a = fn.defaults[a.ref]
			}
		}
		if a != nil && a.graph != nil {
			return nil, fmt.Errorf("onnx: %w: %s: a function with a subgraph (%s)", ErrUnsupported, call.label(), inner.op)
		}
		if a != nil { // or it is absent in the call too
			n.attrs[key] = a
		}
	}
	return n, nil
}
