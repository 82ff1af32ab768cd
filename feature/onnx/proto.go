package onnx

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// file is a parsed ModelProto.
type file struct {
	ir        int64
	producer  string
	opset     int // of the default domain
	domains   map[string]int64
	graph     graphProto
	spent     int                  // bytes of memory that parsing took, about
	open      []span               // fields that are being parsed
	count     int                  // nodes in all graphs and functions
	deep      int                  // graphs inside of one another
	functions map[string]*function // by domain and name; see expand

	// Set by link:
	initial   map[string]*tensor
	producers map[string]int   // node by output
	readers   map[string][]int // nodes by input
	varying   map[string]bool  // tensors that depend on the input; see varies
}

type graphProto struct {
	name    string
	nodes   []*node
	tensors []*tensor // initializers
	inputs  []valueInfo
	outputs []valueInfo
	values  []valueInfo // value_info: shapes of activations, where the exporter wrote them
}

// node is a NodeProto.
type node struct {
	name, op, domain string
	in, out          []string
	attrs            map[string]*attribute
	captured         []string // names that subgraphs read from around them
	number           int      // in the file's graph
}

// reads returns every name that a node reads.
func (n *node) reads() []string {
	if len(n.captured) == 0 {
		return n.in
	}
	return slices.Concat(n.in, n.captured)
}

// label names a node in errors.
func (n *node) label() string {
	if n.name != "" {
		return fmt.Sprintf("node %q (%s)", n.name, n.op)
	}
	if len(n.out) > 0 {
		return fmt.Sprintf("node %d (%s) of output %q", n.number, n.op, n.out[0])
	}
	return fmt.Sprintf("node %d (%s)", n.number, n.op)
}

// attribute is an AttributeProto.
type attribute struct {
	kind   int64 // AttributeProto.AttributeType, where the file says so
	f      float32
	i      int64
	s      string
	t      *tensor
	floats []float32
	ints   []int64
	texts  []string
	graph  *graphProto
	ref    string // the attribute of the function around that it stands for
}

// parse reads a ModelProto of a version that is supported.
func parse(data []byte) (*file, error) {
	f, err := parseModel(data)
	if err != nil {
		return nil, err
	}
	return f, f.checkVersions()
}

// parseModel reads the fields that matter. Others, such as metadata and documentation,
// stay in the file's bytes and are written again with them.
func parseModel(data []byte) (*file, error) {
	f := &file{domains: map[string]int64{}}
	graphs := 0
	err := message{data: data, name: "model"}.each(func(fd field) error {
		var err error
		switch fd.num {
		case onnxfile.ModelIR:
			f.ir, err = fd.number("IR version")
		case onnxfile.ModelProducer:
			f.producer, err = fd.text("producer name")
		case onnxfile.ModelGraph:
			if graphs++; graphs > 1 {
				return fmt.Errorf("onnx: %w: a second graph at byte %d", ErrFormat, fd.lo)
			}
			err = f.parseGraph(&f.graph, fd)
		case onnxfile.ModelFunction:
			err = f.parseFunction(fd)
		case onnxfile.ModelOpset:
			err = f.parseOpset(fd, f.domains)
		}
		return err
	})
	if err == nil && graphs == 0 {
		err = fmt.Errorf("onnx: %w: no graph in %d bytes", ErrFormat, len(data))
	}
	return f, err
}

// spend counts memory that does not shrink to the bytes it came from.
func (f *file) spend(bytes int, where string) error {
	if f.spent += bytes; f.spent > maxParsed {
		return fmt.Errorf("onnx: %w: %s: the parsed graph takes more than %d bytes", ErrLimit, where, maxParsed)
	}
	return nil
}

// checkVersions refuses versions that this package has not been compared with: an
// operator may have come to mean something else.
func (f *file) checkVersions() error {
	if f.ir < minIR || f.ir > maxIR {
		return fmt.Errorf("onnx: %w: IR version %d, want %d to %d", ErrUnsupported, f.ir, minIR, maxIR)
	}
	v, ok := f.domains[""]
	if !ok {
		v, ok = f.domains["ai.onnx"]
	}
	if !ok || v < minOpset || v > maxOpset {
		return fmt.Errorf("onnx: %w: operator set %d, want %d to %d", ErrUnsupported, v, minOpset, maxOpset)
	}
	f.opset = int(v)
	return nil
}

// parseOpset reads one import of a domain. Two of the same domain would leave open
// which operators are meant.
func (f *file) parseOpset(fd field, domains map[string]int64) error {
	m, err := fd.sub("operator set")
	if err != nil {
		return err
	}
	domain, version := "", int64(0)
	err = m.each(func(fd field) (err error) {
		switch fd.num {
		case onnxfile.OpsetDomain:
			domain, err = fd.text("domain of operator set")
		case onnxfile.OpsetVersion:
			version, err = fd.number("version of operator set")
		}
		return err
	})
	if _, twice := domains[domain]; twice && err == nil {
		return fmt.Errorf("onnx: %w: operator set %q is given twice", ErrFormat, domain)
	}
	domains[domain] = version
	return err
}

// maxDepth bounds graphs inside of graphs, and functions inside of functions.
const maxDepth = 16

// parseGraph reads a graph, the model's or a branch's. Initializers are only noted:
// their values stay in the file until something reads them.
func (f *file) parseGraph(g *graphProto, fd field) error {
	m, err := fd.sub("graph")
	if err != nil {
		return err
	}
	if f.deep++; f.deep > maxDepth {
		return fmt.Errorf("onnx: %w: more than %d graphs inside of one another", ErrLimit, maxDepth)
	}
	defer func() { f.deep-- }()
	defer f.enter(fd)()
	return m.each(func(fd field) (err error) {
		switch fd.num {
		case onnxfile.GraphNode:
			g.nodes, err = f.parseNode(g.nodes, fd)
		case onnxfile.GraphName:
			g.name, err = fd.text("graph name")
		case onnxfile.GraphInitializer:
			if len(g.tensors) == maxTensors {
				return fmt.Errorf("onnx: %w: more than %d initializers", ErrLimit, maxTensors)
			}
			var t *tensor
			t, err = f.parseTensor(fd, fmt.Sprintf("initializer %d", len(g.tensors)))
			g.tensors = append(g.tensors, t)
		case onnxfile.GraphInput:
			g.inputs, err = parseValue(fd, g.inputs, "graph input")
		case onnxfile.GraphOutput:
			g.outputs, err = parseValue(fd, g.outputs, "graph output")
		case onnxfile.GraphValue:
			if err = f.spend(256, "value info"); err == nil {
				g.values, err = parseValue(fd, g.values, "value info")
			}
		case onnxfile.GraphSparse:
			err = fmt.Errorf("onnx: %w: sparse initializer at byte %d", ErrUnsupported, fd.lo)
		}
		return err
	})
}

// parseNode appends a node to list.
func (f *file) parseNode(list []*node, fd field) ([]*node, error) {
	n := &node{number: len(list), attrs: map[string]*attribute{}}
	where := fmt.Sprintf("node %d", n.number)
	m, err := fd.sub(where)
	if err != nil {
		return nil, err
	}
	if err := f.countNode(); err != nil {
		return nil, err
	}
	defer f.enter(fd)()
	if err := f.spend(512, where); err != nil {
		return nil, err
	}
	err = m.each(func(fd field) (err error) {
		switch fd.num {
		case onnxfile.NodeInput:
			n.in, err = f.port(fd, n.in, where+" input")
		case onnxfile.NodeOutput:
			n.out, err = f.port(fd, n.out, where+" output")
		case onnxfile.NodeName:
			n.name, err = fd.text(where + " name")
		case onnxfile.NodeOp:
			n.op, err = fd.text(where + " operator")
		case onnxfile.NodeAttribute:
			err = f.parseAttribute(n, fd, where)
		case onnxfile.NodeDomain:
			n.domain, err = fd.text(where + " domain")
		}
		return err
	})
	n.capture()
	return append(list, n), err
}

// countNode counts nodes, also those that come of functions.
func (f *file) countNode() error {
	if f.count++; f.count > maxNodes {
		return fmt.Errorf("onnx: %w: more than %d nodes", ErrLimit, maxNodes)
	}
	return nil
}

// enter notes that a field is being parsed, until the returned function is called.
func (f *file) enter(fd field) func() {
	f.open = append(f.open, spanOf(fd))
	return func() { f.open = f.open[:len(f.open)-1] }
}

// port appends the name of an input or output, and counts the memory that it takes.
func (f *file) port(fd field, list []string, where string) ([]string, error) {
	if err := f.spend(32, where); err != nil {
		return nil, err
	}
	s, err := fd.text(where)
	return append(list, s), err
}

// parseAttribute reads an attribute of a node or a default of a function. Given twice,
// it is an error: runtimes differ in which they take.
func (f *file) parseAttribute(n *node, fd field, where string) error {
	m, err := fd.sub(where + " attribute")
	if err != nil {
		return err
	}
	if err := f.spend(512, where); err != nil {
		return err
	}
	defer f.enter(fd)()
	a, name := &attribute{}, ""
	err = m.each(func(fd field) (err error) {
		if fd.num == onnxfile.AttrName {
			name, err = fd.text(where + " attribute name")
			return err
		}
		return f.parseAttributeField(a, fd, where+" attribute")
	})
	if _, twice := n.attrs[name]; twice && err == nil {
		return fmt.Errorf("onnx: %w: %s has attribute %q twice", ErrFormat, where, name)
	}
	n.attrs[name] = a
	return err
}

// parseAttributeField reads the field that has the value. The declared type is not
// relied upon: old exporters leave it out.
func (f *file) parseAttributeField(a *attribute, fd field, where string) (err error) {
	switch fd.num {
	case onnxfile.AttrFloat:
		a.f = math.Float32frombits(uint32(fd.v))
	case onnxfile.AttrInt:
		a.i, err = fd.number(where)
	case onnxfile.AttrText:
		a.s, err = fd.text(where)
	case onnxfile.AttrTensor:
		a.t, err = f.parseTensor(fd, where)
	case onnxfile.AttrGraph:
		a.graph = &graphProto{}
		err = f.parseGraph(a.graph, fd)
	case onnxfile.AttrRef:
		a.ref, err = fd.text(where)
	case onnxfile.AttrFloats:
		err = a.parseFloats(fd, where)
	case onnxfile.AttrInts:
		if a.ints, err = fd.numbers(where, a.ints, maxInts); err == nil {
			err = f.spend(8*len(fd.data)+8, where)
		}
	case onnxfile.AttrTexts:
		var s string
		if s, err = fd.text(where); err == nil {
			err = f.spend(32, where)
		}
		a.texts = append(a.texts, s)
	case onnxfile.AttrType:
		a.kind, err = fd.number(where + " type")
	}
	return err
}

// parseFloats reads numbers, packed or one by one: writers do both.
func (a *attribute) parseFloats(fd field, where string) error {
	switch fd.typ {
	case protowire.Fixed32Type:
		a.floats = append(a.floats, math.Float32frombits(uint32(fd.v)))
	case protowire.BytesType:
		for rest := fd.data; len(rest) >= 4 && len(a.floats) <= maxInts; rest = rest[4:] {
			v, _ := protowire.ConsumeFixed32(rest)
			a.floats = append(a.floats, math.Float32frombits(v))
		}
	}
	if len(a.floats) > maxInts {
		return fmt.Errorf("onnx: %w: %s: more than %d numbers", ErrLimit, where, maxInts)
	}
	return nil
}
