package onnx

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// Check tells whether the operators of a file are supported, without reading its
// weights: an *UnsupportedError lists all that are not. Other errors are those of
// Load. A file that passes may still be refused by Load, for attributes or
// shapes.
func Check(path string) error {
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
		err = check(data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func check(data []byte) error {
	f, err := parse(data)
	if err != nil {
		return err
	}
	if err := f.link(); err != nil {
		return err
	}
	name, err := f.logits("")
	if err != nil {
		return err
	}
	return f.checkOperators(f.ancestors(name))
}

// skimmer walks through a file and leaves weights out.
type skimmer struct {
	src  io.ReadSeeker
	buf  *bufio.Reader
	at   int64 // position in the file
	size int64
}

// maxKept bounds the fields that skim copies, other than graphs.
const maxKept = 1 << 24

// skim returns the model without the data of its initializers.
func skim(src io.ReadSeeker, size int64) ([]byte, error) {
	s := &skimmer{src: src, buf: bufio.NewReader(src), size: size}
	return s.message(size, func(num protowire.Number) part {
		if num == onnxfile.ModelGraph {
			return part{inside: inGraph}
		}
		return part{keep: num <= onnxfile.ModelOpset}
	})
}

// part says what becomes of a field: it is dropped, kept, or searched.
type part struct {
	keep   bool
	inside func(num protowire.Number) part
}

func inGraph(num protowire.Number) part {
	switch num {
	case onnxfile.GraphInitializer:
		return part{inside: inTensor}
	case onnxfile.GraphNode, onnxfile.GraphName, onnxfile.GraphInput, onnxfile.GraphOutput, onnxfile.GraphSparse:
		return part{keep: true}
	}
	return part{}
}

func inTensor(num protowire.Number) part {
	switch num {
	case onnxfile.TensorDims, onnxfile.TensorType, onnxfile.TensorName, onnxfile.TensorExternal, onnxfile.TensorLocation:
		return part{keep: true}
	}
	return part{}
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
			if out, err = s.number(out, tag, typ); err != nil {
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
			data, err = s.message(s.at+int64(n), p.inside)
		case p.keep:
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
func (s *skimmer) number(out []byte, tag uint64, typ protowire.Type) ([]byte, error) {
	out = protowire.AppendVarint(out, tag)
	switch typ {
	case protowire.VarintType:
		v, err := s.varint()
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

func (s *skimmer) bad(what string) error {
	return fmt.Errorf("onnx: %w: malformed or cut off %s before byte %d", ErrFormat, what, s.at)
}

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
