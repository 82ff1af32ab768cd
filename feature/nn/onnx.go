package nn

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
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
// as in evaluation. A network with heads has an output for each instead, with its name, or
// "head 0" and so on: probabilities of the classes for a softmax, and of class 1 for a
// sigmoid. Package feature/onnx reads it back as a model that can be trained, with the
// names of these outputs as its Options.Heads.
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
		raw := onnxfile.Raw(onnxfile.Floats(n.weights()[i]))
		e.graph = append(e.graph, onnxfile.Initializer(onnxfile.Tensor(p.Name, onnxfile.Float, p.Shape, raw))...)
	}
	e.graph = append(e.graph, onnxfile.Input("input", append([]int{-1}, n.Spec().Input...)...)...)
	e.outputs()
	if len(e.graph) > math.MaxInt32-1024 {
		return fmt.Errorf("nn: %w: a model of %d bytes", feature.ErrShape, len(e.graph))
	}
	_, err := w.Write(onnxfile.Model(exportIR, exportOpset, "unlearn", e.graph))
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

	written []string // outputs of heads
}

// nameValues names tapped values after their first taps, logits after theirs.
func (e *exporter) nameValues() {
	e.graph = onnxfile.Text(onnxfile.GraphName, "network")
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

// outputs writes the logits as the output, or what the heads make of them.
func (e *exporter) outputs() {
	spec := e.net.Spec()
	if len(spec.Heads) == 0 {
		e.graph = append(e.graph, onnxfile.Output(spec.Logits, -1, spec.Outputs())...)
		return
	}
	at := 0
	axes := e.integers(1)
	for k, h := range spec.Heads {
		name := h.Name
		for name == "" || e.taken(name) {
			name = fmt.Sprintf("head %d", k)
			k += len(spec.Heads)
		}
		z := e.inner("Slice", []string{spec.Logits, e.integers(at), e.integers(at + h.Width), axes})
		if at += h.Width; h.Kind == feature.SigmoidHead {
			e.node("Sigmoid", name, []string{z})
		} else {
			e.node("Softmax", name, []string{z}, onnxfile.IntAttr("axis", 1))
		}
		e.graph = append(e.graph, onnxfile.Output(name, -1, h.Width)...)
		e.written = append(e.written, name)
	}
}

// taken reports whether something has a name already.
func (e *exporter) taken(name string) bool {
	for _, n := range e.names {
		if n == name {
			return true
		}
	}
	return e.isParam(name) || slices.Contains(e.written, name)
}

// integers writes a list of one integer as a constant and returns its name.
func (e *exporter) integers(v int) string {
	return e.constant(onnxfile.Tensor("", onnxfile.Int64, []int{1}, onnxfile.Raw(onnxfile.Ints([]int{v}))))
}

func (e *exporter) isParam(name string) bool {
	return slices.ContainsFunc(e.net.Spec().Params, func(p feature.Param) bool { return p.Name == name })
}

// fresh returns a name that nothing else has: neither parameters nor taps.
func (e *exporter) fresh() string {
	for {
		e.count++
		name := fmt.Sprintf("value.%d", e.count)
		spec := e.net.Spec()
		taken := slices.ContainsFunc(spec.Taps, func(t feature.Tap) bool { return t.Name == name }) ||
			slices.ContainsFunc(spec.Heads, func(h feature.Head) bool { return h.Name == name })
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
		e.node("Reshape", y, append(in, e.constant(onnxfile.Tensor("", onnxfile.Int64, []int{len(shape)}, onnxfile.Raw(onnxfile.Ints(shape))))))
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
	pads, kernel := repeated(l.Pad, 4), repeated(l.Kernel, 2)
	window := [][]byte{onnxfile.IntsAttr("kernel_shape", kernel...), onnxfile.IntsAttr("strides", repeated(max(l.Stride, 1), 2)...), onnxfile.IntsAttr("pads", pads...)}
	switch l.Op {
	case "conv":
		return "Conv", append(window, onnxfile.IntsAttr("dilations", repeated(max(l.Dilation, 1), 2)...), onnxfile.IntAttr("group", int64(max(l.Group, 1))))
	case "linear":
		return "Gemm", [][]byte{onnxfile.IntAttr("transB", 1)}
	case "batchnorm":
		return "BatchNormalization", [][]byte{onnxfile.FloatAttr("epsilon", bnEpsilon), onnxfile.FloatAttr("momentum", 1-bnMomentum)}
	case "concat":
		return "Concat", [][]byte{onnxfile.IntAttr("axis", int64(l.Axis+1))}
	case "maxpool":
		return "MaxPool", window
	case "avgpool":
		return "AveragePool", window
	case "flatten":
		return "Flatten", [][]byte{onnxfile.IntAttr("axis", 1)}
	}
	return map[string]string{"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "add": "Add", "mul": "Mul", "globalavgpool": "GlobalAveragePool"}[l.Op], nil
}

// repeated is v for each of n axes.
func repeated(v, n int) []int64 { return slices.Repeat([]int64{int64(v)}, n) }

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
	e.graph = append(e.graph, onnxfile.Node(op, op+"/"+out, in, []string{out}, attrs...)...)
}

// number writes a constant number and returns its name.
func (e *exporter) number(v float64) string {
	return e.constant(onnxfile.Tensor("", onnxfile.Float, []int(nil), onnxfile.Raw(onnxfile.Floats([]float32{float32(v)}))))
}

// constant writes a Constant node and returns its name.
func (e *exporter) constant(tensor []byte) string {
	name := e.fresh()
	e.node("Constant", name, nil, onnxfile.TensorAttr("value", tensor))
	return name
}
