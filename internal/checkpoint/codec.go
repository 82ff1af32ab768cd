package checkpoint

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// Encode writes values one after the other: booleans, numbers, strings, slices,
// arrays, pointers and structs of exported fields, and encoding.BinaryMarshalers. Bits of numbers are kept, and nil
// slices and pointers stay nil. The types are written too.
func Encode(values ...any) ([]byte, error) {
	var e encoder
	for _, v := range values {
		e.top(reflect.ValueOf(v))
	}
	return e.buf, e.err
}

// encodePointers is Encode of what pointers lead to.
func encodePointers(pointers []any) ([]byte, error) {
	var e encoder
	for _, p := range pointers {
		e.top(reflect.ValueOf(p).Elem())
	}
	return e.buf, e.err
}

// Decode reads what Encode wrote into what the pointers lead to, which are as many
// and of the same types. After an error they hold anything.
func Decode(data []byte, pointers ...any) error {
	d := decoder{buf: data}
	for _, p := range pointers {
		v := reflect.ValueOf(p).Elem()
		if kind := string(d.bytes()); d.err == nil && kind != v.Type().String() {
			return fmt.Errorf("a %s, not a %s", kind, v.Type())
		}
		d.value(v)
	}
	if d.err == nil && len(d.buf) > 0 {
		d.err = fmt.Errorf("%d bytes too many", len(d.buf))
	}
	return d.err
}

var errShort = errors.New("the bytes end early")

type encoder struct {
	buf []byte
	err error
}

func (e *encoder) u64(v uint64) { e.buf = binary.LittleEndian.AppendUint64(e.buf, v) }

func (e *encoder) bytes(b []byte) {
	e.u64(uint64(len(b)))
	e.buf = append(e.buf, b...)
}

func (e *encoder) flag(b bool) {
	e.buf = append(e.buf, 0)
	if b {
		e.buf[len(e.buf)-1] = 1
	}
}

func (e *encoder) top(v reflect.Value) {
	e.bytes([]byte(v.Type().String()))
	e.value(v)
}

// marshals reports whether values of the type, or pointers to them, write
// themselves.
func marshals(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.BinaryMarshaler]())
}

func (e *encoder) value(v reflect.Value) {
	switch t := v.Type(); {
	case marshals(t):
		e.marshal(v)
	case v.CanInt():
		e.u64(uint64(v.Int()))
	case v.CanUint():
		e.u64(v.Uint())
	case t.Kind() == reflect.Float64:
		e.u64(math.Float64bits(v.Float()))
	case t.Kind() == reflect.Float32:
		e.buf = binary.LittleEndian.AppendUint32(e.buf, math.Float32bits(float32(v.Float())))
	case t.Kind() == reflect.Bool:
		e.flag(v.Bool())
	case t.Kind() == reflect.String:
		e.bytes([]byte(v.String()))
	case t.Kind() == reflect.Slice:
		if e.flag(!v.IsNil()); !v.IsNil() {
			e.u64(uint64(v.Len()))
			e.elements(v)
		}
	case t.Kind() == reflect.Array:
		e.elements(v)
	case t.Kind() == reflect.Pointer:
		if e.flag(!v.IsNil()); !v.IsNil() {
			e.value(v.Elem())
		}
	case t.Kind() == reflect.Struct && allExported(t):
		for i := range v.NumField() {
			e.value(v.Field(i))
		}
	default:
		e.err = errors.Join(e.err, fmt.Errorf("a %s cannot be kept", t))
	}
}

func (e *encoder) marshal(v reflect.Value) {
	p := reflect.New(v.Type())
	if v.CanAddr() {
		p = v.Addr()
	} else {
		p.Elem().Set(v)
	}
	b, err := p.Interface().(encoding.BinaryMarshaler).MarshalBinary()
	e.err = errors.Join(e.err, err)
	e.bytes(b)
}

func (e *encoder) elements(v reflect.Value) {
	if w, ok := v.Interface().([]float32); ok { // weights, of which there are many
		e.buf = slices.Grow(e.buf, 4*len(w))
		for _, x := range w {
			e.buf = binary.LittleEndian.AppendUint32(e.buf, math.Float32bits(x))
		}
		return
	}
	if b, ok := v.Interface().([]byte); ok {
		e.buf = append(e.buf, b...)
		return
	}
	for i := range v.Len() {
		e.value(v.Index(i))
	}
}

func allExported(t reflect.Type) bool {
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return false
		}
	}
	return true
}

type decoder struct {
	buf []byte
	err error
}

// next returns the next n bytes, or zeros after an error.
func (d *decoder) next(n int) []byte {
	if d.err == nil && n > len(d.buf) {
		d.err = errShort
	}
	if d.err != nil {
		return make([]byte, min(n, 8))
	}
	b := d.buf[:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) u64() uint64 { return binary.LittleEndian.Uint64(d.next(8)) }
func (d *decoder) flag() bool  { return d.next(1)[0] != 0 }

// count returns a number of elements of at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.u64()
	if n > uint64(len(d.buf)/size) {
		d.err = errors.Join(d.err, errShort)
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte { return d.next(d.count(1)) }

func (d *decoder) value(v reflect.Value) {
	switch t := v.Type(); {
	case marshals(t):
		d.unmarshal(v)
	case v.CanInt():
		v.SetInt(int64(d.u64()))
	case v.CanUint():
		v.SetUint(d.u64())
	case t.Kind() == reflect.Float64:
		v.SetFloat(math.Float64frombits(d.u64()))
	case t.Kind() == reflect.Float32:
		v.SetFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(d.next(4)))))
	case t.Kind() == reflect.Bool:
		v.SetBool(d.flag())
	case t.Kind() == reflect.String:
		v.SetString(string(d.bytes()))
	case t.Kind() == reflect.Slice:
		if v.SetZero(); d.flag() {
			n := d.count(least(t.Elem()))
			v.Set(reflect.MakeSlice(t, n, n))
			d.elements(v)
		}
	case t.Kind() == reflect.Array:
		d.elements(v)
	case t.Kind() == reflect.Pointer:
		if v.SetZero(); d.flag() {
			v.Set(reflect.New(t.Elem()))
			d.value(v.Elem())
		}
	case t.Kind() == reflect.Struct && allExported(t):
		for i := range v.NumField() {
			d.value(v.Field(i))
		}
	default:
		d.err = errors.Join(d.err, fmt.Errorf("a %s cannot be kept", t))
	}
}

// least is a lower bound of the bytes of an element, so that no length in a file
// asks for more memory than the file is long.
func least(t reflect.Type) int {
	if t.Kind() == reflect.Float32 {
		return 4
	}
	return 1
}

func (d *decoder) unmarshal(v reflect.Value) {
	b := d.bytes()
	if d.err != nil {
		return
	}
	u, ok := v.Addr().Interface().(encoding.BinaryUnmarshaler)
	if !ok {
		d.err = fmt.Errorf("a %s cannot be restored", v.Type())
		return
	}
	d.err = u.UnmarshalBinary(b)
}

func (d *decoder) elements(v reflect.Value) {
	if v.Kind() == reflect.Slice {
		if w, ok := v.Interface().([]float32); ok {
			b := d.next(4 * len(w))
			for i := range w {
				if d.err == nil {
					w[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
				}
			}
			return
		}
		if b, ok := v.Interface().([]byte); ok {
			copy(b, d.next(len(b)))
			return
		}
	}
	for i := range v.Len() {
		if d.err != nil {
			return
		}
		d.value(v.Index(i))
	}
}
