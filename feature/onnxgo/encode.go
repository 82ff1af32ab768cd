package onnxgo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/tensor"
)

// encode writes what was decoded as an ONNX file again, by the field numbers of
// onnx.proto.
func (b *Backend) encode() (io.Reader, error) {
	in, err := b.input()
	if err != nil {
		return nil, err
	}
	var g []byte
	for _, o := range b.ops {
		n, err := o.encode()
		if err != nil {
			return nil, err
		}
		g = appendMessage(g, 1, n)
	}
	for _, n := range b.nodes {
		if !b.isInitializer(n) {
			continue
		}
		t, err := encodeTensor(nameOf(n), n.data)
		if err != nil {
			return nil, err
		}
		g = appendMessage(g, 5, t)
	}
	shape := appendMessage(nil, 1, appendText(nil, 2, "batch"))
	for _, d := range b.sample(in) {
		shape = appendMessage(shape, 1, appendNumber(nil, 1, int64(d)))
	}
	g = appendMessage(g, 11, valueInfo(in.name, shape))
	g = appendMessage(g, 12, appendText(nil, 1, b.output().name))
	opset := appendNumber(appendText(nil, 1, ""), 2, int64(b.opt.Opset))
	return bytes.NewReader(appendMessage(appendMessage(appendNumber(nil, 1, 8), 7, g), 8, opset)), nil
}

func valueInfo(name string, shape []byte) []byte {
	typ := appendMessage(appendNumber(nil, 1, 1), 2, shape)
	return appendMessage(appendText(nil, 1, name), 2, appendMessage(nil, 1, typ))
}

func appendMessage(dst []byte, num protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), m)
}

func appendText(dst []byte, num protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(dst, num, protowire.BytesType), s)
}

func appendNumber(dst []byte, num protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.VarintType), uint64(v))
}

// isProduced tells whether an operation computes n.
func (b *Backend) isProduced(n *node) bool {
	return slices.ContainsFunc(b.ops, func(o operation) bool { return slices.Contains(o.out, n) })
}

func (b *Backend) isRead(n *node) bool {
	return slices.ContainsFunc(b.ops, func(o operation) bool { return slices.Contains(o.in, n) })
}

// input returns the graph's input. onnx-go sets a tensor once on what the file
// lists as inputs, before the outputs, and after those on initializers, where
// an input that is one too gets its second tensor.
func (b *Backend) input() (*node, error) {
	for _, n := range b.nodes {
		if b.isProduced(n) {
			break
		}
		if n.sets == 1 {
			return n, nil
		}
	}
	return nil, fmt.Errorf("onnxgo: %w: %d operations without an input", ErrDecode, len(b.ops))
}

func (b *Backend) isInitializer(n *node) bool {
	in, err := b.input()
	return err == nil && n != in && n.sets > 0 && n.data != nil && !b.isProduced(n)
}

// output returns the first value with a declared shape that is computed and not
// read, or the last operation's.
func (b *Backend) output() *node {
	for _, n := range b.nodes {
		if n.sets > 0 && b.isProduced(n) && !b.isRead(n) {
			return n
		}
	}
	return b.ops[len(b.ops)-1].out[0]
}

// sample returns the shape of one sample.
func (b *Backend) sample(in *node) []int {
	if b.opt.Input != nil {
		return b.opt.Input
	}
	return in.decl
}

func (o operation) encode() ([]byte, error) {
	var out []byte
	for _, n := range o.in {
		out = appendText(out, 1, n.name)
	}
	for _, n := range o.out {
		out = appendText(out, 2, n.name)
	}
	out = appendText(out, 4, o.op.Name)
	var names []string
	for name := range o.op.Attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a, err := encodeAttribute(name, o.op.Attributes[name])
		if err != nil {
			return nil, fmt.Errorf("onnxgo: %w: operator %s: %w", ErrDecode, o.op.Name, err)
		}
		out = appendMessage(out, 5, a)
	}
	return out, nil
}

func encodeAttribute(name string, v any) ([]byte, error) {
	out := appendText(nil, 1, name)
	switch v := v.(type) {
	case float32:
		out = protowire.AppendFixed32(protowire.AppendTag(out, 2, protowire.Fixed32Type), math.Float32bits(v))
	case int64:
		out = appendNumber(out, 3, v)
	case string:
		out = appendText(out, 4, v)
	case tensor.Tensor:
		t, err := encodeTensor("", v)
		if err != nil {
			return nil, err
		}
		out = appendMessage(out, 5, t)
	case []float32:
		for _, x := range v {
			out = protowire.AppendFixed32(protowire.AppendTag(out, 7, protowire.Fixed32Type), math.Float32bits(x))
		}
	case []int64:
		for _, x := range v {
			out = appendNumber(out, 8, x)
		}
	case []string:
		for _, x := range v {
			out = appendText(out, 9, x)
		}
	default:
		return nil, fmt.Errorf("attribute %q of type %T", name, v)
	}
	return out, nil
}

// encodeTensor writes a tensor with raw data.
func encodeTensor(name string, t tensor.Tensor) ([]byte, error) {
	var out []byte
	n := 1
	for _, d := range t.Shape() {
		out = appendNumber(out, 1, int64(d))
		n *= d
	}
	typ, raw, err := rawData(t.Data())
	if err != nil {
		return nil, fmt.Errorf("onnxgo: %w: tensor %q: %w", ErrDecode, name, err)
	}
	out = appendText(appendNumber(out, 2, typ), 8, name)
	return appendMessage(out, 9, raw), nil
}

// rawData returns the element type of TensorProto and little-endian bytes.
func rawData(data any) (typ int64, raw []byte, err error) {
	switch data.(type) {
	case float32, []float32:
		typ = 1
	case uint8, []uint8:
		typ = 2
	case int8, []int8:
		typ = 3
	case int32, []int32:
		typ = 6
	case int64, []int64:
		typ = 7
	case bool, []bool:
		typ = 9
	case float64, []float64:
		typ = 11
	default:
		return 0, nil, fmt.Errorf("elements of type %T", data)
	}
	var b bytes.Buffer
	err = binary.Write(&b, binary.LittleEndian, data)
	return typ, b.Bytes(), err
}
