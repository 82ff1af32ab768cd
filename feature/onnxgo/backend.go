// Package onnxgo runs models that github.com/owulveryck/onnx-go decodes on this
// module's engine, for programs that use that library already. A [Backend] takes
// the place of, say, gorgonnx: decode into it, set the input, run. Beyond that,
// [Backend.Model] is a feature.Trainable of what was decoded, which can
// be unlearned.
//
// New programs read files with feature/onnx: onnx-go does not tell a backend the
// operator set, nor which axes are symbolic, and rejects half precision and
// external data. [Unmarshal] is the safe way to a Backend: it looks at the bytes
// first, because onnx-go allocates whatever a file declares, and knows
// operator set and input from them.
//
// Nothing else of this module imports this package or onnx-go.
package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"gorgonia.org/tensor"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/gotensor"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// ErrDecode is wrapped by errors about graphs that cannot be taken over.
var ErrDecode = errors.New("cannot take over the decoded graph")

// Options says what onnx-go keeps to itself. The nil Options means all defaults.
type Options struct {
	// Opset is the file's operator set. If it is zero, 13 is used.
	Opset int
	// Input is the shape of one sample. If it is nil, the shape of the first
	// input is used as onnx-go shows it: without symbolic axes, so that a symbolic
	// batch is gone and what is left is one sample.
	Input []int
}

// Backend implements onnx-go's Backend. It is not safe for concurrent use.
type Backend struct {
	*simple.WeightedDirectedGraph // topology, for those who ask; without repeated edges

	opt     Options
	nodes   []*node
	pending []graph.WeightedEdge // since the last operation
	ops     []operation
	model   *onnx.Model
}

var _ onnxgo.Backend = (*Backend)(nil)

// NewBackend returns an empty backend. opt may be nil.
func NewBackend(opt *Options) *Backend {
	b := &Backend{WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, 0)}
	if opt != nil {
		b.opt = Options{Opset: opt.Opset, Input: slices.Clone(opt.Input)}
	}
	if b.opt.Opset == 0 {
		b.opt.Opset = 13
	}
	return b
}

// scanLimit bounds what a file may declare: 2²⁶ elements, 256 MB.
const scanLimit = 1 << 26

// Unmarshal decodes a file with onnx-go into a new backend, after it has made
// sure that the file declares no more than it holds. Errors are those of
// onnx.Scan and onnx-go, whose panics become errors too.
func Unmarshal(data []byte) (b *Backend, m *onnxgo.Model, err error) {
	layout, err := onnx.Scan(data, scanLimit)
	if err != nil {
		return nil, nil, fmt.Errorf("onnxgo: %w", err)
	}
	b = NewBackend(&Options{Opset: layout.Opset, Input: layout.Input})
	m = onnxgo.NewModel(b)
	defer func() {
		if p := recover(); p != nil {
			b, m, err = nil, nil, fmt.Errorf("onnxgo: %w: onnx-go panics: %v", ErrDecode, p)
		}
	}()
	if err := m.UnmarshalBinary(data); err != nil {
		return nil, nil, fmt.Errorf("onnxgo: %w: %w", ErrDecode, err)
	}
	return b, m, nil
}

// node is a value of the graph: onnx-go's Namer and DataCarrier.
type node struct {
	id   int64
	name string
	data tensor.Tensor
	sets int   // how often data was set while decoding
	decl []int // shape of the first of these
	own  *Backend
}

func (n *node) ID() int64                { return n.id }
func (n *node) SetName(name string)      { n.name = name }
func (n *node) GetName() string          { return n.name }
func (n *node) GetTensor() tensor.Tensor { return n.data }

// SetTensor is called once for inputs, outputs and inner values whose shape the
// file has, once for initializers that are no inputs, and by users.
func (n *node) SetTensor(t tensor.Tensor) error {
	n.data = t
	if len(n.own.ops) == 0 {
		if n.sets++; n.sets == 1 && t != nil {
			n.decl = slices.Clone([]int(t.Shape()))
		}
	}
	return nil
}

// operation is a call of ApplyOperation with the edges before it.
type operation struct {
	op      onnxgo.Operation
	in, out []*node
}

// NewNode implements onnx-go's Backend.
func (b *Backend) NewNode() graph.Node { return &node{id: int64(len(b.nodes)), own: b} }

// AddNode implements onnx-go's Backend.
func (b *Backend) AddNode(n graph.Node) {
	b.WeightedDirectedGraph.AddNode(n)
	if own, ok := n.(*node); ok {
		b.nodes = append(b.nodes, own)
	}
}

// SetWeightedEdge implements onnx-go's Backend. It is called once for every input of
// an operation, in order, for every output; graphs that store edges would lose an
// input that is read twice.
func (b *Backend) SetWeightedEdge(e graph.WeightedEdge) {
	b.pending = append(b.pending, e)
	if e.From().ID() != e.To().ID() {
		b.WeightedDirectedGraph.SetWeightedEdge(e)
	}
}

// ApplyOperation implements onnx-go's Backend.
func (b *Backend) ApplyOperation(op onnxgo.Operation, outputs ...graph.Node) error {
	o := operation{op: op}
	for _, n := range outputs {
		out, ok := n.(*node)
		if !ok {
			return fmt.Errorf("onnxgo: %w: node of type %T", ErrDecode, n)
		}
		out.name = nameOf(out)
		o.out = append(o.out, out)
	}
	if len(o.out) == 0 || len(b.pending)%len(o.out) != 0 {
		return fmt.Errorf("onnxgo: %w: operator %s with %d outputs and %d edges", ErrDecode, op.Name, len(o.out), len(b.pending))
	}
	for _, e := range b.pending[:len(b.pending)/len(o.out)] {
		in, ok := e.To().(*node)
		if !ok || e.From().ID() != o.out[0].id {
			return fmt.Errorf("onnxgo: %w: operator %s: unexpected edge to %v", ErrDecode, op.Name, e.To())
		}
		o.in = append(o.in, in)
	}
	if op.Name == "Constant" { // onnx-go invents an input
		o.in = nil
	}
	b.pending, b.model = nil, nil
	b.ops = append(b.ops, o)
	return nil
}

func nameOf(n *node) string {
	if n.name == "" {
		return fmt.Sprintf("value %d", n.id)
	}
	return n.name
}

// Model returns the decoded graph as a model. It is built once; its weights are
// copies of the decoded ones. Errors wrap ErrDecode or are those of onnx.Read.
func (b *Backend) Model() (*onnx.Model, error) {
	if b.model != nil {
		return b.model, nil
	}
	data, err := b.encode()
	if err != nil {
		return nil, err
	}
	m, err := onnx.Read(data, &onnx.Options{RunOnly: true})
	if err != nil {
		return nil, fmt.Errorf("onnxgo: %w: %w", ErrDecode, err)
	}
	b.model = m
	return m, nil
}

// Run computes the output from the tensor that was set on the input: one sample
// or a batch. The result is read with onnx-go's GetOutputTensors; it is the
// graph's first output, or the input of the Softmax behind which it stands.
func (b *Backend) Run() error {
	m, err := b.Model()
	if err != nil {
		return err
	}
	in, err := b.input()
	if err != nil {
		return err
	}
	dense, ok := in.data.(*tensor.Dense)
	if !ok {
		return fmt.Errorf("onnxgo: %w: no tensor is set on the input %q", ErrDecode, in.name)
	}
	x, _, err := gotensor.From(dense)
	if err != nil {
		return fmt.Errorf("onnxgo: input %q: %w", in.name, err)
	}
	if slices.Equal(x.Shape, m.Spec().Input) {
		x.Shape = append([]int{1}, x.Shape...)
	}
	tap, err := m.Spec().Tap(b.outputName(m))
	if err != nil {
		return fmt.Errorf("onnxgo: %w", err)
	}
	y := feature.NewTensor(append([]int{x.Rows()}, tap.Shape...)...)
	if err := m.Forward(context.Background(), x, []string{tap.Name}, []feature.Tensor{y}); err != nil {
		return fmt.Errorf("onnxgo: %w", err)
	}
	out, err := gotensor.To(y)
	if err != nil {
		return err
	}
	b.output().data = out
	return nil
}

// outputName is the tap that Run reads: the output itself, where the model has
// it.
func (b *Backend) outputName(m *onnx.Model) string {
	if name := b.output().name; slices.ContainsFunc(m.Spec().Taps, func(t feature.Tap) bool { return t.Name == name }) {
		return name
	}
	return m.Spec().Logits
}
