package nn

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/atomicfile"
)

// exportOpset is the ONNX operator set of exported files, exportIR their format
// version: what onnxruntime 1.12 and PyTorch 1.13 know, and everything since.
const (
	exportOpset = 17
	exportIR    = 8
)

// SaveONNX writes the network as an ONNX model of operator set 17, which other
// runtimes load: one input, "input", with a symbolic batch axis, one output,
// "logits", and parameters under their names. Batch norm and dropout are written
// as in evaluation. Package feature/onnx reads it back as a model that can be trained.
// The file appears under its name only once it is complete and on disk.
func (n *Network) SaveONNX(path string) error {
	if err := atomicfile.Write(path, n.WriteONNX); err != nil {
		return fmt.Errorf("nn: save: %w", err)
	}
	return nil
}

// WriteONNX is SaveONNX to a stream. The errors are those of w, and
// feature.ErrShape for more than 2³¹ bytes, which the format cannot hold.
func (n *Network) WriteONNX(w io.Writer) error {
	e := &exporter{net: n, names: map[Value]string{0: "input"}}
	e.nameValues()
	for i, l := range n.arch.Layers {
		e.layer(l, Value(i+1))
	}
	for i, p := range n.Spec().Params {
		e.initializer(p.Name, 1, p.Shape, floatBytes(n.weights()[i]))
	}
	e.graph = append(e.graph, sub(11, e.valueInfo("input", n.Spec().Input))...)
	e.graph = append(e.graph, sub(12, e.valueInfo(n.Spec().Logits, []int{n.Spec().Classes()}))...)
	if len(e.graph) > math.MaxInt32-1024 {
		return fmt.Errorf("nn: %w: a model of %d bytes", feature.ErrShape, len(e.graph))
	}
	opset := join(text(1, ""), number(2, exportOpset))
	_, err := w.Write(join(number(1, exportIR), text(2, "unlearn"), sub(7, e.graph), sub(8, opset)))
	if err != nil {
		return fmt.Errorf("nn: %w", err)
	}
	return nil
}

// exporter writes a GraphProto by the field numbers of onnx.proto.
type exporter struct {
	net   *Network
	graph []byte
	names map[Value]string
	count int // of names made up
}

// nameValues names tapped values after their first taps, logits after theirs.
func (e *exporter) nameValues() {
	e.graph = text(2, "network")
	e.names[e.net.arch.Logits] = logitsTap
	for _, t := range e.net.arch.Taps {
		if e.names[t.Value] == "" && !e.isParam(t.Name) && t.Name != "input" {
			e.names[t.Value] = t.Name
		}
	}
	for i := range e.net.arch.Layers {
		if e.names[Value(i+1)] == "" {
			e.names[Value(i+1)] = e.fresh()
		}
	}
}

func (e *exporter) isParam(name string) bool {
	return slices.ContainsFunc(e.net.Spec().Params, func(p feature.Param) bool { return p.Name == name })
}

// fresh returns a name that nothing else has: neither parameters nor taps.
func (e *exporter) fresh() string {
	for {
		e.count++
		name := fmt.Sprintf("value.%d", e.count)
		taken := slices.ContainsFunc(e.net.Spec().Taps, func(t feature.Tap) bool { return t.Name == name })
		if !taken && !e.isParam(name) {
			return name
		}
	}
}

// layer writes the nodes of a layer.
func (e *exporter) layer(l layer, out Value) {
	var in []string
	for _, v := range l.In {
		in = append(in, e.names[v])
	}
	y := e.names[out]
	switch l.Op {
	case "silu":
		e.node("Mul", y, []string{in[0], e.inner("Sigmoid", in)})
	case "gelu":
		e.gelu(in[0], y)
	case "reshape":
		shape := append([]int{0}, l.Shape...) // 0 keeps the batch axis
		e.node("Reshape", y, append(in, e.constant(7, []int{len(shape)}, intBytes(shape))))
	case "dropout":
		e.node("Dropout", y, append(in, e.number(l.Rate)))
	default:
		op, attrs := exported(l)
		e.node(op, y, append(in, e.params(l)...), attrs...)
	}
}

// params returns the names of a layer's parameters, in ONNX's order, which is
// that of this package.
func (e *exporter) params(l layer) []string {
	var suffixes []string
	switch l.Op {
	case "conv", "linear":
		if suffixes = []string{"weight"}; l.Bias {
			suffixes = append(suffixes, "bias")
		}
	case "batchnorm":
		suffixes = []string{"weight", "bias", "running_mean", "running_var"}
	}
	var names []string
	for _, s := range suffixes {
		names = append(names, l.Name+"."+s)
	}
	return names
}

// exported returns the operator of a layer that is one node, and its
// attributes.
func exported(l layer) (op string, attrs [][]byte) {
	stride, dilation := max(l.Stride, 1), max(l.Dilation, 1)
	window := [][]byte{intsAttr("kernel_shape", l.Kernel, l.Kernel), intsAttr("strides", stride, stride), intsAttr("pads", l.Pad, l.Pad, l.Pad, l.Pad)}
	switch l.Op {
	case "conv":
		return "Conv", append(window, intsAttr("dilations", dilation, dilation), intAttr("group", max(l.Group, 1)))
	case "linear":
		return "Gemm", [][]byte{intAttr("transB", 1)}
	case "batchnorm":
		return "BatchNormalization", [][]byte{floatAttr("epsilon", bnEpsilon), floatAttr("momentum", 1-bnMomentum)}
	case "concat":
		return "Concat", [][]byte{intAttr("axis", l.Axis+1)}
	case "maxpool":
		return "MaxPool", window
	case "avgpool":
		return "AveragePool", window
	case "flatten":
		return "Flatten", [][]byte{intAttr("axis", 1)}
	}
	return map[string]string{"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "add": "Add", "mul": "Mul", "globalavgpool": "GlobalAveragePool"}[l.Op], nil
}

// gelu writes x/2·(1 + erf(x/√2)): operator set 17 has no Gelu.
func (e *exporter) gelu(x, y string) {
	erf := e.inner("Erf", []string{e.inner("Div", []string{x, e.number(math.Sqrt2)})})
	sum := e.inner("Add", []string{erf, e.number(1)})
	e.node("Mul", y, []string{e.inner("Mul", []string{x, sum}), e.number(.5)})
}

// inner writes a node and returns its output's made-up name.
func (e *exporter) inner(op string, in []string) string {
	name := e.fresh()
	e.node(op, name, in)
	return name
}

func (e *exporter) node(op, out string, in []string, attrs ...[]byte) {
	var m []byte
	for _, name := range in {
		m = append(m, text(1, name)...)
	}
	m = join(m, text(2, out), text(3, op+"/"+out), text(4, op))
	for _, a := range attrs {
		m = append(m, sub(5, a)...)
	}
	e.graph = append(e.graph, sub(1, m)...)
}

// number writes a constant number and returns its name.
func (e *exporter) number(v float64) string {
	return e.constant(1, nil, floatBytes([]float32{float32(v)}))
}

// constant writes a Constant node and returns its name.
func (e *exporter) constant(typ int, shape []int, raw []byte) string {
	name := e.fresh()
	e.node("Constant", name, nil, join(text(1, "value"), sub(5, tensor("", typ, shape, raw)), number(20, 4)))
	return name
}

func (e *exporter) initializer(name string, typ int, shape []int, raw []byte) {
	e.graph = append(e.graph, sub(5, tensor(name, typ, shape, raw))...)
}

func tensor(name string, typ int, shape []int, raw []byte) []byte {
	var m []byte
	for _, d := range shape {
		m = append(m, number(1, d)...)
	}
	return join(m, number(2, typ), text(8, name), sub(9, raw))
}

func (e *exporter) valueInfo(name string, sample []int) []byte {
	shape := sub(1, text(2, "batch"))
	for _, d := range sample {
		shape = append(shape, sub(1, number(1, d))...)
	}
	return join(text(1, name), sub(2, sub(1, join(number(1, 1), sub(2, shape)))))
}

func intAttr(name string, v int) []byte { return join(text(1, name), number(3, v), number(20, 2)) }

func intsAttr(name string, v ...int) []byte {
	m := text(1, name)
	for _, x := range v {
		m = append(m, number(8, x)...)
	}
	return join(m, number(20, 7))
}

func floatAttr(name string, v float64) []byte {
	m := append(text(1, name), 2<<3|5)
	return join(binary.LittleEndian.AppendUint32(m, math.Float32bits(float32(v))), number(20, 1))
}

// The wire format of protobuf, as far as it is needed: numbers and
// length-delimited fields.

func number(field, v int) []byte {
	return binary.AppendUvarint(tag(field, 0), uint64(int64(v)))
}

func text(field int, s string) []byte { return sub(field, []byte(s)) }

func sub(field int, m []byte) []byte {
	return append(binary.AppendUvarint(tag(field, 2), uint64(len(m))), m...)
}

func tag(field, wire int) []byte { return binary.AppendUvarint(nil, uint64(field<<3|wire)) }

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func floatBytes(v []float32) []byte {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return raw
}

func intBytes(v []int) []byte {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(int64(x)))
	}
	return raw
}
