package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Describe returns a text that is the same for equal settings and another for
// others: types, fields and values, to the bit, whatever they are reached by. A
// function is described by its name, which is all that can be known of it.
func Describe(v any) string {
	var b strings.Builder
	describe(&b, reflect.ValueOf(v), 0)
	return b.String()
}

// deepest is how far pointers and structs are followed.
const deepest = 12

func describe(b *strings.Builder, v reflect.Value, depth int) {
	switch {
	case !v.IsValid():
		b.WriteString("nil")
	case depth > deepest:
		b.WriteString(v.Type().String())
	case v.CanInt(), v.CanUint(), v.CanFloat(), v.CanComplex(), v.Kind() == reflect.Bool:
		fmt.Fprint(b, v)
	case v.Kind() == reflect.String:
		fmt.Fprintf(b, "%q", v.String())
	case v.Kind() == reflect.Struct:
		b.WriteString(v.Type().String() + "{")
		for i := range v.NumField() {
			separate(b, i)
			b.WriteString(v.Type().Field(i).Name + ":")
			describe(b, v.Field(i), depth+1)
		}
		b.WriteString("}")
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Array:
		b.WriteString("[")
		for i := range v.Len() {
			separate(b, i)
			describe(b, v.Index(i), depth+1)
		}
		b.WriteString("]")
	case v.IsNil():
		b.WriteString("nil")
	case v.Kind() == reflect.Map:
		describeMap(b, v, depth)
	case v.Kind() == reflect.Func:
		b.WriteString(runtime.FuncForPC(v.Pointer()).Name())
	case v.Kind() == reflect.Interface, v.Kind() == reflect.Pointer:
		describe(b, v.Elem(), depth+1)
	default:
		b.WriteString(v.Type().String())
	}
}

func describeMap(b *strings.Builder, v reflect.Value, depth int) {
	var entries []string
	for it := v.MapRange(); it.Next(); {
		var e strings.Builder
		describe(&e, it.Key(), depth+1)
		e.WriteString(":")
		describe(&e, it.Value(), depth+1)
		entries = append(entries, e.String())
	}
	slices.Sort(entries)
	b.WriteString("map[" + strings.Join(entries, " ") + "]")
}

func separate(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteByte(' ')
	}
}

// DigestWeights returns a SHA-256 of numbers and of how they are divided.
func DigestWeights(w [][]float32) string {
	sum := sha256.New()
	var buf []byte
	for _, p := range w {
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(p)))
		for _, x := range p {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
		}
		sum.Write(buf)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Model returns what a run depends on in its model, in this program and on this machine.
func Model(spec any, weights [][]float32, kernels string) []Part {
	return []Part{{"model", Describe(spec)}, {"starting weights", DigestWeights(weights)}, {"kernels", kernels}, {"build", Build()}}
}

// Build names the compiler and the version of this module, either of which may change
// bits.
func Build() string {
	const module = "github.com/dlfd-go/unlearn"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return runtime.Version()
	}
	version := info.Main.Version
	for _, d := range info.Deps {
		if d.Path == module {
			version = d.Version
		}
	}
	return runtime.Version() + " " + version
}
