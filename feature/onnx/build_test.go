package onnx

import (
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// Short names for what tests write most.

func msg(parts ...[]byte) []byte { return onnxfile.Join(parts...) }

func sub(field int, body []byte) []byte { return onnxfile.Message(field, body) }

func text(field int, s string) []byte { return onnxfile.Text(field, s) }

func num(field int, v int64) []byte { return onnxfile.Number(field, v) }

// modelBytes is a model with operator set 17 whose graph has the given fields.
func modelBytes(graph ...[]byte) []byte { return versioned(8, 17, graph...) }

func versioned(ir, opset int64, graph ...[]byte) []byte {
	return onnxfile.Model(ir, opset, "test", graph...)
}

// inputOf is a float graph input; a dim of -1 is symbolic.
func inputOf(name string, dims ...int64) []byte { return onnxfile.Input(name, dims...) }

func outputOf(name string) []byte { return onnxfile.Output[int](name) }

// nodeOf is a node with one output; names of inputs follow the output's.
func nodeOf(op, out string, in ...string) []byte { return opOf(op, out, in) }

// opOf is a node with one output and attributes.
func opOf(op, out string, in []string, attrs ...[]byte) []byte {
	return onnxfile.Node(op, "the "+out, in, []string{out}, attrs...)
}

func nodeBody(op, out string, in []string, attrs ...[]byte) []byte {
	return onnxfile.NodeBody(op, "the "+out, in, []string{out}, attrs...)
}

func intAttr(name string, v int64) []byte { return onnxfile.IntAttr(name, v) }

func intsAttr(name string, v ...int64) []byte { return onnxfile.IntsAttr(name, v...) }

func floatAttr(name string, v float32) []byte { return onnxfile.FloatAttr(name, v) }

func textAttr(name, v string) []byte { return onnxfile.TextAttr(name, v) }

// rawFloats is an initializer with raw data.
func rawFloats(name string, dims []int64, v ...float32) []byte {
	return initializer(name, typeFloat, dims, onnxfile.Raw(onnxfile.Floats(v)))
}

func rawInts(name string, v ...int64) []byte {
	return initializer(name, typeInt64, []int64{int64(len(v))}, onnxfile.Raw(onnxfile.Ints(v)))
}

func initializer(name string, typ int64, dims []int64, data []byte) []byte {
	return onnxfile.Initializer(onnxfile.Tensor(name, typ, dims, data))
}

func tensorOf(shape []int) feature.Tensor {
	x := feature.NewTensor(shape...)
	for i := range x.Data {
		x.Data[i] = float32(i%7)/7 - .5
	}
	return x
}

func sumOf(v []float32) (s float64) {
	for _, x := range v {
		s += float64(x)
	}
	return s
}

// softmax turns logits into probabilities.
func softmax(v []float32) {
	total := 0.0
	for i, x := range v {
		e := math.Exp(float64(x))
		v[i] = float32(e)
		total += e
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / total)
	}
}
