package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/feature"
)

// The functions of this file write protobuf messages for tests, by the field
// numbers of onnx.proto.

func msg(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func sub(num protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), body)
}

func text(num protowire.Number, s string) []byte { return sub(num, []byte(s)) }

func num(n protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), uint64(v))
}

// modelBytes is a model with operator set 17 whose graph has the given fields.
func modelBytes(graph ...[]byte) []byte { return versioned(8, 17, graph...) }

func versioned(ir, opset int64, graph ...[]byte) []byte {
	return msg(num(1, ir), text(2, "test"), sub(7, msg(graph...)), sub(8, msg(text(1, ""), num(2, opset))))
}

// inputOf is a float graph input; a dim of -1 is symbolic.
func inputOf(name string, dims ...int64) []byte { return sub(11, info(name, dims...)) }

func outputOf(name string) []byte { return sub(12, info(name)) }

func info(name string, dims ...int64) []byte {
	var shape []byte
	for _, d := range dims {
		if d < 0 {
			shape = append(shape, sub(1, text(2, "batch"))...)
		} else {
			shape = append(shape, sub(1, num(1, d))...)
		}
	}
	return msg(text(1, name), sub(2, sub(1, msg(num(1, typeFloat), sub(2, shape)))))
}

// nodeOf is a node with one output; names of inputs follow the output's.
func nodeOf(op, out string, in ...string) []byte { return sub(1, nodeBody(op, out, in)) }

func nodeBody(op, out string, in []string, attrs ...[]byte) []byte {
	var b []byte
	for _, s := range in {
		b = append(b, text(1, s)...)
	}
	b = msg(b, text(2, out), text(3, "the "+out), text(4, op))
	for _, a := range attrs {
		b = append(b, sub(5, a)...)
	}
	return b
}

func intAttr(name string, v int64) []byte { return msg(text(1, name), num(3, v), num(20, 2)) }

// rawFloats is an initializer with raw data.
func rawFloats(name string, dims []int64, v ...float32) []byte {
	raw := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(x))
	}
	return initializer(name, typeFloat, dims, sub(9, raw))
}

func rawInts(name string, v ...int64) []byte {
	raw := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(raw[8*i:], uint64(x))
	}
	return initializer(name, typeInt64, []int64{int64(len(v))}, sub(9, raw))
}

func initializer(name string, typ int64, dims []int64, data []byte) []byte {
	var b []byte
	for _, d := range dims {
		b = append(b, num(1, d)...)
	}
	return sub(5, msg(b, num(2, typ), text(8, name), data))
}

func tensorOf(shape []int) feature.Tensor {
	x := feature.NewTensor(shape...)
	for i := range x.Data {
		x.Data[i] = float32(i%7)/7 - .5
	}
	return x
}
