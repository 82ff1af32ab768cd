package onnxfile

import (
	"encoding/binary"
	"math"
	"slices"
)

// Wire types of protobuf.
const (
	wireVarint  = 0
	wireBytes   = 2
	wireFixed32 = 5
)

func tag(field, wire int) []byte { return binary.AppendUvarint(nil, uint64(field<<3|wire)) }

// Number is a field with an integer.
func Number(field int, v int64) []byte {
	return binary.AppendUvarint(tag(field, wireVarint), uint64(v))
}

// Real is a field with a float32.
func Real(field int, v float32) []byte {
	return binary.LittleEndian.AppendUint32(tag(field, wireFixed32), math.Float32bits(v))
}

// Text is a field with a string.
func Text(field int, s string) []byte { return Message(field, []byte(s)) }

// Message is a field with a message, or bytes, of the given parts.
func Message(field int, parts ...[]byte) []byte {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	m := slices.Grow(binary.AppendUvarint(tag(field, wireBytes), uint64(size)), size)
	for _, p := range parts {
		m = append(m, p...)
	}
	return m
}

// Join is a message of the given fields.
func Join(fields ...[]byte) []byte { return slices.Concat(fields...) }

// Model is a file with one operator set of the default domain. graph has the
// fields of its GraphProto.
func Model(ir, opset int64, producer string, graph ...[]byte) []byte {
	return Join(Number(ModelIR, ir), Text(ModelProducer, producer), Message(ModelGraph, graph...), Opset("", opset))
}

// Opset is a field of a ModelProto: an operator set.
func Opset(domain string, version int64) []byte {
	return Message(ModelOpset, Text(OpsetDomain, domain), Number(OpsetVersion, version))
}

// Node is a field of a GraphProto. The name may be empty.
func Node(op, name string, in, out []string, attrs ...[]byte) []byte {
	return Message(GraphNode, NodeBody(op, name, in, out, attrs...))
}

// NodeBody is a NodeProto.
func NodeBody(op, name string, in, out []string, attrs ...[]byte) []byte {
	var m []byte
	for _, s := range in {
		m = append(m, Text(NodeInput, s)...)
	}
	for _, s := range out {
		m = append(m, Text(NodeOutput, s)...)
	}
	if name != "" {
		m = append(m, Text(NodeName, name)...)
	}
	m = append(m, Text(NodeOp, op)...)
	for _, a := range attrs {
		m = append(m, Message(NodeAttribute, a)...)
	}
	return m
}

// IntAttr is an AttributeProto with an integer.
func IntAttr(name string, v int64) []byte {
	return Join(Text(AttrName, name), Number(AttrInt, v), Number(AttrType, KindInt))
}

// IntsAttr is an AttributeProto with a list of integers.
func IntsAttr(name string, v ...int64) []byte {
	m := Text(AttrName, name)
	for _, x := range v {
		m = append(m, Number(AttrInts, x)...)
	}
	return Join(m, Number(AttrType, KindInts))
}

// FloatAttr is an AttributeProto with a number.
func FloatAttr(name string, v float32) []byte {
	return Join(Text(AttrName, name), Real(AttrFloat, v), Number(AttrType, KindFloat))
}

// FloatsAttr is an AttributeProto with a list of numbers.
func FloatsAttr(name string, v ...float32) []byte {
	m := Text(AttrName, name)
	for _, x := range v {
		m = append(m, Real(AttrFloats, x)...)
	}
	return Join(m, Number(AttrType, KindFloats))
}

// TextAttr is an AttributeProto with a string.
func TextAttr(name, v string) []byte {
	return Join(Text(AttrName, name), Text(AttrText, v), Number(AttrType, KindText))
}

// TextsAttr is an AttributeProto with a list of strings.
func TextsAttr(name string, v ...string) []byte {
	m := Text(AttrName, name)
	for _, s := range v {
		m = append(m, Text(AttrTexts, s)...)
	}
	return Join(m, Number(AttrType, KindTexts))
}

// TensorAttr is an AttributeProto with a TensorProto.
func TensorAttr(name string, tensor []byte) []byte {
	return Join(Text(AttrName, name), Message(AttrTensor, tensor), Number(AttrType, KindTensor))
}

// GraphAttr is an AttributeProto with a GraphProto of the given fields.
func GraphAttr(name string, graph ...[]byte) []byte {
	return Join(Text(AttrName, name), Message(AttrGraph, graph...), Number(AttrType, KindGraph))
}

// Tensor is a TensorProto; data is a field with its elements, such as Raw.
func Tensor[D int | int64](name string, typ int64, dims []D, data []byte) []byte {
	var m []byte
	for _, d := range dims {
		m = append(m, Number(TensorDims, int64(d))...)
	}
	return Join(m, Number(TensorType, typ), Text(TensorName, name), data)
}

// Raw is a field of a TensorProto: its elements, little-endian.
func Raw(data []byte) []byte { return Message(TensorRaw, data) }

// Initializer is a field of a GraphProto with a TensorProto.
func Initializer(tensor []byte) []byte { return Message(GraphInitializer, tensor) }

// Input is a field of a GraphProto: an input of the element type Float. An axis
// below 0 is symbolic, "batch".
func Input[D int | int64](name string, dims ...D) []byte {
	return Message(GraphInput, Value(name, Float, dims...))
}

// Output is a field of a GraphProto: an output of the element type Float.
func Output[D int | int64](name string, dims ...D) []byte {
	return Message(GraphOutput, Value(name, Float, dims...))
}

// Value is a ValueInfoProto; see Input.
func Value[D int | int64](name string, elem int64, dims ...D) []byte {
	var shape []byte
	for _, d := range dims {
		dim := Number(DimValue, int64(d))
		if d < 0 {
			dim = Text(DimParam, "batch")
		}
		shape = append(shape, Message(ShapeDim, dim)...)
	}
	return Join(Text(ValueName, name), Message(ValueType, Message(TypeTensor, Number(ElemType, elem), Message(ElemShape, shape))))
}

// Floats returns the raw data of numbers.
func Floats(v []float32) []byte {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return raw
}

// Ints returns the raw data of int64.
func Ints[D int | int64](v []D) []byte {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(int64(x)))
	}
	return raw
}
