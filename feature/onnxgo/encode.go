package onnxgo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"gorgonia.org/tensor"

	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// encode writes what was decoded as an ONNX file again.
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
		g = append(g, n...)
	}
	for _, n := range b.nodes {
		if !b.isInitializer(n) {
			continue
		}
		t, err := encodeTensor(nameOf(n), n.data)
		if err != nil {
			return nil, err
		}
		g = append(g, onnxfile.Initializer(t)...)
	}
	g = append(g, onnxfile.Input(in.name, append([]int{-1}, b.sample(in)...)...)...)
	g = append(g, onnxfile.Output[int](b.output().name)...)
	return bytes.NewReader(onnxfile.Model(8, int64(b.opt.Opset), "onnx-go", g)), nil
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
	var in, out []string
	for _, n := range o.in {
		in = append(in, n.name)
	}
	for _, n := range o.out {
		out = append(out, n.name)
	}
	var attrs [][]byte
	for _, name := range slices.Sorted(maps.Keys(o.op.Attributes)) {
		a, err := encodeAttribute(name, o.op.Attributes[name])
		if err != nil {
			return nil, fmt.Errorf("onnxgo: %w: operator %s: %w", ErrDecode, o.op.Name, err)
		}
		attrs = append(attrs, a)
	}
	return onnxfile.Node(o.op.Name, "", in, out, attrs...), nil
}

func encodeAttribute(name string, v any) ([]byte, error) {
	switch v := v.(type) {
	case float32:
		return onnxfile.FloatAttr(name, v), nil
	case int64:
		return onnxfile.IntAttr(name, v), nil
	case string:
		return onnxfile.TextAttr(name, v), nil
	case tensor.Tensor:
		t, err := encodeTensor("", v)
		return onnxfile.TensorAttr(name, t), err
	case []float32:
		return onnxfile.FloatsAttr(name, v...), nil
	case []int64:
		return onnxfile.IntsAttr(name, v...), nil
	case []string:
		return onnxfile.TextsAttr(name, v...), nil
	}
	return nil, fmt.Errorf("attribute %q of type %T", name, v)
}

// encodeTensor writes a tensor with raw data.
func encodeTensor(name string, t tensor.Tensor) ([]byte, error) {
	typ, raw, err := rawData(t.Data())
	if err != nil {
		return nil, fmt.Errorf("onnxgo: %w: tensor %q: %w", ErrDecode, name, err)
	}
	return onnxfile.Tensor(name, typ, []int(t.Shape()), onnxfile.Raw(raw)), nil
}

// rawData returns the element type of TensorProto and little-endian bytes.
func rawData(data any) (typ int64, raw []byte, err error) {
	switch data.(type) {
	case float32, []float32:
		typ = onnxfile.Float
	case uint8, []uint8:
		typ = onnxfile.Uint8
	case int8, []int8:
		typ = onnxfile.Int8
	case int32, []int32:
		typ = onnxfile.Int32
	case int64, []int64:
		typ = onnxfile.Int64
	case bool, []bool:
		typ = onnxfile.Bool
	case float64, []float64:
		typ = onnxfile.Double
	default:
		return 0, nil, fmt.Errorf("elements of type %T", data)
	}
	var b bytes.Buffer
	err = binary.Write(&b, binary.LittleEndian, data)
	return typ, b.Bytes(), err
}
