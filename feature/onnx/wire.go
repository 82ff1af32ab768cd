package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a protobuf message.
type field struct {
	num  protowire.Number
	typ  protowire.Type
	v    uint64 // varint and fixed
	data []byte // length-delimited; a view into the message
	lo   int    // where the field's tag starts, in the file
	at   int    // where data starts, in the file
	hi   int    // where the field ends, in the file
}

// message is a protobuf message at an offset of a file.
type message struct {
	data []byte
	at   int
	name string // for errors
}

// each calls f for every field. Groups are refused: ONNX has none.
func (m message) each(f func(fd field) error) error {
	for pos := 0; pos < len(m.data); {
		fd, n, err := m.next(pos)
		if err != nil {
			return err
		}
		if err := f(fd); err != nil {
			return err
		}
		pos += n
	}
	return nil
}

// next returns the field at a position and its length. Positions count from the start
// of the file, for errors and for saving.
func (m message) next(pos int) (field, int, error) {
	num, typ, n := protowire.ConsumeTag(m.data[pos:])
	if n < 0 {
		return field{}, 0, m.bad(pos, "tag")
	}
	fd := field{num: num, typ: typ, lo: m.at + pos}
	rest := m.data[pos+n:]
	size := -1
	switch typ {
	case protowire.VarintType:
		fd.v, size = protowire.ConsumeVarint(rest)
	case protowire.Fixed64Type:
		fd.v, size = protowire.ConsumeFixed64(rest)
	case protowire.Fixed32Type:
		var v uint32
		v, size = protowire.ConsumeFixed32(rest)
		fd.v = uint64(v)
	case protowire.BytesType:
		fd.data, size = protowire.ConsumeBytes(rest)
	}
	if size < 0 {
		return field{}, 0, m.bad(pos, fmt.Sprintf("field %d of wire type %d", num, typ))
	}
	fd.hi = m.at + pos + n + size
	fd.at = fd.hi - len(fd.data)
	return fd, n + size, nil
}

// bad is the error of a message that ends within a field.
func (m message) bad(pos int, what string) error {
	return fmt.Errorf("onnx: %w: %s: malformed or cut off %s at byte %d", ErrFormat, m.name, what, m.at+pos)
}

// sub returns the message in a field.
func (fd field) sub(name string) (message, error) {
	if fd.typ != protowire.BytesType {
		return message{}, fmt.Errorf("onnx: %w: %s: wire type %d at byte %d, want a message", ErrFormat, name, fd.typ, fd.lo)
	}
	return message{data: fd.data, at: fd.at, name: name}, nil
}

// text returns a string field, at most maxName bytes long.
func (fd field) text(name string) (string, error) {
	if fd.typ != protowire.BytesType || len(fd.data) > maxName {
		return "", fmt.Errorf("onnx: %w: %s: no string of at most %d bytes at byte %d", ErrFormat, name, maxName, fd.lo)
	}
	return string(fd.data), nil
}

// number returns a varint field.
func (fd field) number(name string) (int64, error) {
	if fd.typ != protowire.VarintType {
		return 0, fmt.Errorf("onnx: %w: %s: wire type %d at byte %d, want a number", ErrFormat, name, fd.typ, fd.lo)
	}
	return int64(fd.v), nil
}

// numbers appends a repeated varint field, packed or not, to dst.
func (fd field) numbers(name string, dst []int64, limit int) ([]int64, error) {
	switch fd.typ {
	case protowire.VarintType:
		dst = append(dst, int64(fd.v))
	case protowire.BytesType:
		for rest := fd.data; len(rest) > 0; {
			v, n := protowire.ConsumeVarint(rest)
			if n < 0 {
				return nil, fmt.Errorf("onnx: %w: %s: malformed number before byte %d", ErrFormat, name, fd.hi)
			}
			dst, rest = append(dst, int64(v)), rest[n:]
			if len(dst) > limit {
				break
			}
		}
	default:
		return nil, fmt.Errorf("onnx: %w: %s: wire type %d at byte %d", ErrFormat, name, fd.typ, fd.lo)
	}
	if len(dst) > limit {
		return nil, fmt.Errorf("onnx: %w: %s: more than %d numbers", ErrLimit, name, limit)
	}
	return dst, nil
}
