package onnx

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// Files hold numbers in a dozen types and three places: raw bytes, typed fields (packed
// or not), and other files. The values stay where they are until they are needed. What a
// shape promises is compared with what is there by counting, before memory is taken:
// a shape costs a few bytes and can ask for 2⁶² elements.

// Element types of TensorProto.
const (
	typeFloat    = onnxfile.Float
	typeUint8    = onnxfile.Uint8
	typeInt8     = onnxfile.Int8
	typeUint16   = onnxfile.Uint16
	typeInt16    = onnxfile.Int16
	typeInt32    = onnxfile.Int32
	typeInt64    = onnxfile.Int64
	typeBool     = onnxfile.Bool
	typeFloat16  = onnxfile.Float16
	typeDouble   = onnxfile.Double
	typeUint32   = onnxfile.Uint32
	typeUint64   = onnxfile.Uint64
	typeBfloat16 = onnxfile.Bfloat16
)

// typeNames are TensorProto's, in lower case.
var typeNames = map[int64]string{typeFloat: "float", typeUint8: "uint8", typeInt8: "int8", typeUint16: "uint16", typeInt16: "int16",
	typeInt32: "int32", typeInt64: "int64", 8: "string", typeBool: "bool", typeFloat16: "float16", typeDouble: "double", typeUint32: "uint32",
	typeUint64: "uint64", 14: "complex64", 15: "complex128", typeBfloat16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz",
	19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1"}

// typeName names an element type in errors.
func typeName(t int64) string { return cmp.Or(typeNames[t], fmt.Sprintf("of element type %d", t)) }

// isFloat tells whether an element type has fractions.
func isFloat(t int64) bool {
	return t == typeFloat || t == typeFloat16 || t == typeDouble || t == typeBfloat16
}

// width is the number of bytes of an element in raw data.
var width = map[int64]int{typeFloat: 4, typeUint8: 1, typeInt8: 1, typeUint16: 2, typeInt16: 2, typeInt32: 4, typeInt64: 8,
	typeBool: 1, typeFloat16: 2, typeDouble: 8, typeUint32: 4, typeUint64: 8, typeBfloat16: 2}

// tensor is a TensorProto. Its data stays in the file until it is asked for.
type tensor struct {
	name  string
	typ   int64
	dims  []int
	size  int // elements
	where string

	spans []span // in the file: the graph, whatever is between, and the tensor itself

	raw      *field
	typed    []field // of the field that the element type uses
	external map[string]string
	outside  []byte // contents of the external file's part, once read
	offset   int64  // of outside in its file
}

// span is where a field of the file has its tag, its contents and its end.
type span struct{ lo, at, hi int }

// spanOf returns where a field is.
func spanOf(fd field) span { return span{fd.lo, fd.at, fd.hi} }

// typedField is the field of TensorProto that holds elements of a type.
func typedField(typ int64) protowire.Number {
	switch typ {
	case typeFloat:
		return onnxfile.TensorFloats
	case typeInt64:
		return onnxfile.TensorInt64s
	case typeDouble:
		return onnxfile.TensorDoubles
	case typeUint32, typeUint64:
		return onnxfile.TensorUint64s
	}
	return onnxfile.TensorInt32s
}

// parseTensor notes where a tensor's values are. They are fields of the file's bytes:
// nothing is copied, and saving changes them where they stand.
func (f *file) parseTensor(fd field, where string) (*tensor, error) {
	t := &tensor{where: where, spans: append(slices.Clone(f.open), spanOf(fd))}
	m, err := fd.sub(where)
	if err != nil {
		return nil, err
	}
	if err := f.spend(512, where); err != nil {
		return nil, err
	}
	var dims []int64
	var all []field
	isExternal := false
	err = m.each(func(fd field) (err error) {
		switch fd.num {
		case onnxfile.TensorDims:
			dims, err = fd.numbers(where+" dims", dims, maxRank)
		case onnxfile.TensorType:
			t.typ, err = fd.number(where + " type")
		case onnxfile.TensorFloats, onnxfile.TensorInt32s, onnxfile.TensorInt64s, onnxfile.TensorDoubles, onnxfile.TensorUint64s:
			all = append(all, fd)
			err = f.spend(192, where)
		case onnxfile.TensorName:
			t.name, err = fd.text(where + " name")
		case onnxfile.TensorRaw:
			t.raw = &fd
		case onnxfile.TensorExternal:
			if err = f.spend(64, where); err == nil {
				err = t.parseExternal(fd)
			}
		case onnxfile.TensorLocation:
			var v int64
			v, err = fd.number(where + " data location")
			isExternal = v == 1
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if t.name != "" {
		t.where = fmt.Sprintf("tensor %q", t.name)
	}
	if isExternal != (t.external != nil) {
		return nil, fmt.Errorf("onnx: %w: %s: data location and external data disagree", ErrFormat, t.where)
	}
	for _, fd := range all {
		if fd.num == typedField(t.typ) {
			t.typed = append(t.typed, fd)
		}
	}
	return t, t.setShape(dims)
}

// setShape checks that the number of elements fits an int32, which positions are kept
// in. Whether the file has that many is check's question.
func (t *tensor) setShape(dims []int64) error {
	t.size = 1
	for _, d := range dims {
		if d < 0 || d > math.MaxInt32 || d > 0 && t.size > math.MaxInt32/int(d) {
			return fmt.Errorf("onnx: %w: %s has shape %v", ErrLimit, t.where, dims)
		}
		t.dims = append(t.dims, int(d))
		t.size *= int(d)
	}
	return nil
}

// parseExternal reads one key of a tensor whose values are in another file.
func (t *tensor) parseExternal(fd field) error {
	if t.external == nil {
		t.external = map[string]string{}
	}
	key, value := "", ""
	err := within(fd, t.where+" external data", 0, func(fd field) (err error) {
		switch fd.num {
		case 1:
			key, err = fd.text(t.where + " external key")
		case 2:
			value, err = fd.text(t.where + " external value")
		}
		return err
	})
	if len(t.external) < 16 {
		t.external[key] = value
	}
	return err
}

// check returns an error unless the data that is there is as long as the shape
// says. It takes no memory for the elements.
func (t *tensor) check() error {
	w, known := width[t.typ]
	if !known {
		return fmt.Errorf("onnx: %w: %s is %s", ErrUnsupported, t.where, typeName(t.typ))
	}
	if t.external != nil {
		if t.raw != nil || len(t.typed) > 0 {
			return fmt.Errorf("onnx: %w: %s has data inside and outside of the file", ErrFormat, t.where)
		}
		return nil // measured when it is read
	}
	if t.raw != nil {
		if len(t.typed) > 0 || len(t.raw.data) != t.size*w {
			return t.badLength(len(t.raw.data), "bytes of raw data")
		}
		return nil
	}
	n := 0
	for _, fd := range t.typed {
		n += countTyped(fd, t.typ)
	}
	if n != t.size {
		return t.badLength(n, "elements")
	}
	return nil
}

// badLength is the error of a shape that does not fit the values.
func (t *tensor) badLength(n int, what string) error {
	return fmt.Errorf("onnx: %w: %s of shape %v and type %s has %d %s", ErrFormat, t.where, t.dims, typeName(t.typ), n, what)
}

// countTyped returns the number of elements of a typed field.
func countTyped(fd field, typ int64) int {
	if fd.typ != protowire.BytesType {
		return 1
	}
	switch typ {
	case typeFloat:
		return len(fd.data) / 4
	case typeDouble:
		return len(fd.data) / 8
	}
	n := 0
	for _, b := range fd.data {
		if b < 0x80 { // the last byte of a varint
			n++
		}
	}
	return n
}

// each calls f with every element in order. check must have passed, and load
// for external data.
func (t *tensor) each(f func(i int, v float64)) error {
	raw := t.outside
	if t.raw != nil {
		raw = t.raw.data
	}
	if t.raw != nil || t.external != nil {
		w := width[t.typ]
		for i := range t.size {
			f(i, decodeRaw(t.typ, raw[i*w:]))
		}
		return nil
	}
	i := 0
	for _, fd := range t.typed {
		n, err := t.eachTyped(fd, func(v float64) {
			if i < t.size {
				f(i, v)
			}
			i++
		})
		if err != nil || n < 0 {
			return fmt.Errorf("onnx: %w: %s: malformed element %d", ErrFormat, t.where, i)
		}
	}
	return nil
}

// eachTyped calls f for the elements of one typed field, packed or not.
func (t *tensor) eachTyped(fd field, f func(v float64)) (n int, err error) {
	if fd.typ != protowire.BytesType {
		f(decodeTyped(t.typ, fd.v))
		return 1, nil
	}
	for rest := fd.data; len(rest) > 0; rest = rest[n:] {
		var v uint64
		switch t.typ {
		case typeFloat:
			var v32 uint32
			v32, n = protowire.ConsumeFixed32(rest)
			v = uint64(v32)
		case typeDouble:
			v, n = protowire.ConsumeFixed64(rest)
		default:
			v, n = protowire.ConsumeVarint(rest)
		}
		if n < 0 {
			return n, protowire.ParseError(n)
		}
		f(decodeTyped(t.typ, v))
	}
	return 0, nil
}

// decodeTyped turns the number of a typed field into an element.
func decodeTyped(typ int64, v uint64) float64 {
	switch typ {
	case typeFloat:
		return float64(math.Float32frombits(uint32(v)))
	case typeDouble:
		return math.Float64frombits(v)
	case typeFloat16:
		return float64(fromHalf(uint16(v)))
	case typeBfloat16:
		return float64(math.Float32frombits(uint32(v) << 16))
	case typeUint64:
		return float64(v)
	case typeInt64:
		return float64(int64(v))
	case typeBool:
		return truth(v != 0)
	}
	return float64(int32(v))
}

// decodeRaw reads an element of raw data, which is little-endian.
func decodeRaw(typ int64, b []byte) float64 {
	switch typ {
	case typeFloat:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case typeDouble:
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	case typeFloat16:
		return float64(fromHalf(binary.LittleEndian.Uint16(b)))
	case typeBfloat16:
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
	case typeUint8:
		return float64(b[0])
	case typeBool:
		return truth(b[0] != 0)
	case typeInt8:
		return float64(int8(b[0]))
	case typeUint16:
		return float64(binary.LittleEndian.Uint16(b))
	case typeInt16:
		return float64(int16(binary.LittleEndian.Uint16(b)))
	case typeInt32:
		return float64(int32(binary.LittleEndian.Uint32(b)))
	case typeUint32:
		return float64(binary.LittleEndian.Uint32(b))
	case typeUint64:
		return float64(binary.LittleEndian.Uint64(b))
	}
	return float64(int64(binary.LittleEndian.Uint64(b)))
}

// truth is 1 for true, as bool tensors are stored.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// floats returns the elements as float32.
func (t *tensor) floats() ([]float32, error) {
	x := make([]float32, t.size)
	err := t.each(func(i int, v float64) { x[i] = float32(v) })
	return x, err
}
