package onnx

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// Check tells whether Load with the same options would accept a file, without
// reading its weights: large tensors are left out, and so are the values of external
// data. opt may be nil. An *UnsupportedError lists all operators that are not
// supported; other errors are those of Load. What a large tensor alone can tell,
// such as a weight that is not a number, only Load sees.
func Check(path string, opt *Options) error {
	o, err := resolved(opt)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	data, err := skim(f, info.Size())
	if err == nil {
		err = check(data, o)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// check is Check on a file that skim has reduced. It goes the way of Load, so that
// the two cannot come to disagree about an operator or a shape.
func check(data []byte, opt Options) error {
	f, err := parse(data)
	if err != nil {
		return err
	}
	if err := f.link(); err != nil {
		return err
	}
	if _, _, err = build(f, opt, "", true); errors.Is(err, errLeftOut) {
		return nil
	}
	return err
}

// errLeftOut means that a tensor's values are needed which Check has not read.
var errLeftOut = errors.New("its values have not been read")

// skimmer walks through a file and leaves weights out.
type skimmer struct {
	src  io.ReadSeeker
	buf  *bufio.Reader
	at   int64 // position in the file
	size int64
	elem uint64 // element type of the tensor that is being read
	kept int64  // bytes of tensors' values so far
}

// Limits in bytes of what skim copies.
const (
	maxKept   = 1 << 24 // a field, other than graphs and values
	maxFloats = 1 << 16 // values of a tensor of floating point: weights, or constants if few
	maxInts64 = 1 << 22 // values of another tensor: shapes, positions, masks
	maxValues = 1 << 26 // values of all tensors
)

// skim returns the model without the data of its initializers.
func skim(src io.ReadSeeker, size int64) ([]byte, error) {
	s := &skimmer{src: src, buf: bufio.NewReader(src), size: size}
	return s.message(size, func(num protowire.Number) part {
		switch num {
		case onnxfile.ModelGraph:
			return part{inside: inGraph}
		case onnxfile.ModelFunction:
			return part{inside: inFunction}
		}
		return part{keep: num <= onnxfile.ModelOpset}
	})
}

// part says what becomes of a field: it is dropped, kept, or searched.
type part struct {
	keep   bool
	values bool // of a tensor: kept if they are few
	elem   bool // says the tensor's type
	inside func(num protowire.Number) part
}

// The functions in… say what of a message is kept. Value infos, which exporters write
// for every activation, are dropped: shapes are computed here.
func inGraph(num protowire.Number) part {
	switch num {
	case onnxfile.GraphInitializer:
		return part{inside: inTensor}
	case onnxfile.GraphNode:
		return part{inside: inNode}
	case onnxfile.GraphName, onnxfile.GraphInput, onnxfile.GraphOutput, onnxfile.GraphSparse:
		return part{keep: true}
	}
	return part{}
}

// inTensor keeps what a tensor is, and its values where they are few: lists that
// shapes are computed from, limits and numbers of elements are among them.
func inTensor(num protowire.Number) part {
	switch num {
	case onnxfile.TensorType:
		return part{keep: true, elem: true}
	case onnxfile.TensorDims, onnxfile.TensorName, onnxfile.TensorExternal, onnxfile.TensorLocation:
		return part{keep: true}
	case onnxfile.TensorRaw, onnxfile.TensorFloats, onnxfile.TensorInt32s, onnxfile.TensorInt64s, onnxfile.TensorDoubles, onnxfile.TensorUint64s:
		return part{values: true}
	}
	return part{}
}

// inNode goes into attributes, since weights may be in Constant nodes.
func inNode(num protowire.Number) part {
	if num == onnxfile.NodeAttribute {
		return part{inside: inAttribute}
	}
	return part{keep: true}
}

// inAttribute goes into tensors and into the branches of If.
func inAttribute(num protowire.Number) part {
	switch num {
	case onnxfile.AttrTensor:
		return part{inside: inTensor}
	case onnxfile.AttrGraph:
		return part{inside: inGraph}
	}
	return part{keep: true}
}

// inFunction goes into the nodes of a function, which are written as those of a graph.
func inFunction(num protowire.Number) part {
	if num == onnxfile.FunctionNode {
		return part{inside: inNode}
	}
	return part{keep: true}
}

// wanted decides on values of n bytes.
func (s *skimmer) wanted(n int64) bool {
	limit := int64(maxInts64)
	if isFloat(int64(s.elem)) || s.elem == 0 {
		limit = maxFloats
	}
	if n > limit || n > maxValues-s.kept {
		return false
	}
	s.kept += n
	return true
}

// message copies the wanted fields up to an end.
func (s *skimmer) message(end int64, want func(num protowire.Number) part) ([]byte, error) {
	var out []byte
	for s.at < end {
		tag, err := s.varint()
		if err != nil {
			return nil, err
		}
		num, typ := protowire.DecodeTag(tag)
		p := want(num)
		if typ != protowire.BytesType {
			if out, err = s.number(out, tag, typ, p.elem); err != nil {
				return nil, err
			}
			continue
		}
		n, err := s.varint()
		if err != nil || n > uint64(end-s.at) {
			return nil, s.bad("length")
		}
		var data []byte
		switch {
		case p.inside != nil:
			s.elem = 0
			data, err = s.message(s.at+int64(n), p.inside)
		case p.keep || p.values && s.wanted(int64(n)):
			p.keep = true
			data, err = s.bytes(int64(n))
		default:
			err = s.skip(int64(n))
		}
		if err != nil {
			return nil, err
		}
		if p.keep || p.inside != nil {
			out = protowire.AppendBytes(protowire.AppendVarint(out, tag), data)
		}
	}
	if s.at != end {
		return nil, s.bad("message")
	}
	return out, nil
}

// number copies a field that is a number.
func (s *skimmer) number(out []byte, tag uint64, typ protowire.Type, elem bool) ([]byte, error) {
	out = protowire.AppendVarint(out, tag)
	switch typ {
	case protowire.VarintType:
		v, err := s.varint()
		if elem {
			s.elem = v
		}
		return protowire.AppendVarint(out, v), err
	case protowire.Fixed32Type, protowire.Fixed64Type:
		n := int64(4)
		if typ == protowire.Fixed64Type {
			n = 8
		}
		data, err := s.bytes(n)
		return append(out, data...), err
	}
	return nil, s.bad(fmt.Sprintf("field of wire type %d", typ))
}

// bad is the error of a message that ends too early or says what cannot be.
func (s *skimmer) bad(what string) error {
	return fmt.Errorf("onnx: %w: malformed or cut off %s before byte %d", ErrFormat, what, s.at)
}

// varint reads a number of protobuf: seven bits a byte, lowest first. Package
// protowire wants them in memory.
func (s *skimmer) varint() (uint64, error) {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := s.buf.ReadByte()
		if err != nil {
			return 0, s.bad("number")
		}
		s.at++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, s.bad("number")
}

// bytes reads a field that is kept. Its length is compared with the file's before
// memory is taken.
func (s *skimmer) bytes(n int64) ([]byte, error) {
	if n > maxKept || n > s.size-s.at {
		return nil, fmt.Errorf("onnx: %w: %d bytes at byte %d", ErrLimit, n, s.at)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(s.buf, data); err != nil {
		return nil, s.bad("bytes")
	}
	s.at += n
	return data, nil
}

// skip moves on without reading.
func (s *skimmer) skip(n int64) error {
	s.at += n
	if n <= int64(s.buf.Buffered()) {
		_, err := s.buf.Discard(int(n))
		return err
	}
	if _, err := s.src.Seek(s.at, io.SeekStart); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	s.buf.Reset(s.src)
	return nil
}
