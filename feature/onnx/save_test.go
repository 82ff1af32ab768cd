package onnx

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// TestUntouchedFileIsIdentical also covers a clone and a weight that was
// changed and changed back.
func TestUntouchedFileIsIdentical(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(folder(t), "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		if info, err := os.Stat(path); err == nil && testing.Short() && info.Size() > 1<<20 {
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := load(t, path)
		before, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		step(t, m, .1)
		if bytes.Equal(want, written(t, m)) {
			t.Errorf("%s: a step changes nothing", path)
		}
		if err := before.Restore(m); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out.onnx")
		if err := m.Save(out); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: other bytes (%v)", path, err)
		}
	}
}

// step subtracts rate times the weights from all parameters.
func step(t testing.TB, m *Model, rate float32) {
	t.Helper()
	for i := range m.Spec().Params {
		err := m.UpdateParam(i, func(w []float32) {
			for j := range w {
				w[j] -= rate * w[j]
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func written(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSavedModelComputesTheSame reads changed models back.
func TestSavedModelComputesTheSame(t *testing.T) {
	dir := folder(t)
	for _, name := range []string{"cnn_tr.dyn", "cnn.train", "vit_tr.dyn"} {
		m := load(t, filepath.Join(dir, name+".onnx"))
		step(t, m, .05)
		back, err := Read(bytes.NewReader(written(t, m)), nil)
		if err != nil {
			t.Fatal(err)
		}
		x := feature.NewTensor(append([]int{3}, m.Spec().Input...)...)
		for i := range x.Data {
			x.Data[i] = float32(i%17) / 17
		}
		if a, b := logits(t, m, x), logits(t, back, x); !slices.Equal(a.Data, b.Data) {
			t.Errorf("%s: %v before, %v after", name, a.Data, b.Data)
		}
	}
}

// encodings are the ways in which a file may hold three weights, a multiple of
// 2⁻⁶ so that every type has them.
func encodings(v []float32) map[string][]byte {
	var raw32, raw64, raw16, rawBrain, packed32, packed64, packed16, packedBrain, loose32, loose16 []byte
	for _, x := range v {
		raw32 = binary.LittleEndian.AppendUint32(raw32, math.Float32bits(x))
		raw64 = binary.LittleEndian.AppendUint64(raw64, math.Float64bits(float64(x)))
		raw16 = binary.LittleEndian.AppendUint16(raw16, toHalf(x))
		rawBrain = binary.LittleEndian.AppendUint16(rawBrain, toBrain(x))
		packed16 = protowire.AppendVarint(packed16, uint64(toHalf(x)))
		packedBrain = protowire.AppendVarint(packedBrain, uint64(toBrain(x)))
		loose32 = protowire.AppendFixed32(protowire.AppendTag(loose32, 4, protowire.Fixed32Type), math.Float32bits(x))
		loose16 = msg(loose16, num(5, int64(toHalf(x))))
	}
	packed32, packed64 = raw32, raw64
	d := []int64{3, 1}
	return map[string][]byte{
		"raw float": initializer("w", typeFloat, d, sub(9, raw32)), "raw double": initializer("w", typeDouble, d, sub(9, raw64)),
		"raw half": initializer("w", typeFloat16, d, sub(9, raw16)), "raw bfloat": initializer("w", typeBfloat16, d, sub(9, rawBrain)),
		"float": initializer("w", typeFloat, d, sub(4, packed32)), "double": initializer("w", typeDouble, d, sub(10, packed64)),
		"half": initializer("w", typeFloat16, d, sub(5, packed16)), "bfloat": initializer("w", typeBfloat16, d, sub(5, packedBrain)),
		"loose float": initializer("w", typeFloat, d, loose32), "loose half": initializer("w", typeFloat16, d, loose16),
	}
}

// TestEveryEncodingIsPatched changes weights to such whose varints have another
// length, and compares with a file that was written with them.
func TestEveryEncodingIsPatched(t *testing.T) {
	old, now := []float32{1, 0, -.5}, []float32{1, 3.75, 0}
	after := encodings(now)
	for name, w := range encodings(old) {
		everyEncoding(t, name, w, after[name], now, func(w []byte) []byte {
			return modelBytes(nodeOf("MatMul", "y", "x", "w"), w, rawFloats("unused", []int64{1}, 7), inputOf("x", -1, 3), outputOf("y"))
		})
		everyEncoding(t, name+", Constant", w, after[name], now, func(w []byte) []byte { // the field of a tensor has the same number there
			value := msg(text(onnxfile.AttrName, "value"), w, num(onnxfile.AttrType, onnxfile.KindTensor))
			return modelBytes(opOf("Constant", "c", nil, value), nodeOf("MatMul", "y", "x", "c"), inputOf("x", -1, 3), outputOf("y"))
		})
	}
}

func everyEncoding(t *testing.T, name string, w, after []byte, now []float32, build func(w []byte) []byte) {
	t.Helper()
	m, err := Read(bytes.NewReader(build(w)), nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	x := feature.Tensor{Shape: []int{1, 3}, Data: []float32{1, 2, 4}}
	if y := logits(t, m, x); y.Data[0] != -1 {
		t.Errorf("%s: %v, want -1", name, y.Data)
	}
	if !bytes.Equal(written(t, m), build(w)) {
		t.Errorf("%s: an untouched model is written in other bytes", name)
	}
	if err := m.SetParam(0, now); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written(t, m), build(after)) {
		t.Errorf("%s: a changed model is not what it should be", name)
	}
}

func TestHalfPrecisionOverflowIsAnError(t *testing.T) {
	w := encodings([]float32{1, 2, 3})["raw half"]
	m, err := Read(bytes.NewReader(modelBytes(nodeOf("MatMul", "y", "x", "w"), w, inputOf("x", -1, 3), outputOf("y"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetParam(0, []float32{1, 1e6, 3}); err != nil {
		t.Fatal(err)
	}
	if err := m.Write(&bytes.Buffer{}); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "element 1") {
		t.Errorf("got %v", err)
	}
}

// TestHalves goes through all bit patterns: widening and rounding are inverse,
// and rounding is to nearest.
func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		v := fromHalf(uint16(h))
		if v != v {
			if b := toHalf(v); b&0x7c00 != 0x7c00 || b&0x3ff == 0 {
				t.Fatalf("%#x is not a number, %#x is", h, b)
			}
			continue
		}
		if got := toHalf(v); got != uint16(h) {
			t.Fatalf("%#x is %v is %#x", h, v, got)
		}
		brain := math.Float32frombits(uint32(h) << 16)
		if got := toBrain(brain); brain == brain && got != uint16(h) {
			t.Fatalf("bfloat16 %#x is %v is %#x", h, brain, got)
		}
	}
	for h := uint16(0); h < 0x7bff; h += 7 { // between two neighbors
		a, b := fromHalf(h), fromHalf(h+1)
		mid := (a + b) / 2
		if got := toHalf(mid); got != h+h&1 {
			t.Fatalf("halfway between %#x and the next goes to %#x", h, got)
		}
		if toHalf(math.Nextafter32(mid, 0)) != h || toHalf(math.Nextafter32(mid, b)) != h+1 {
			t.Fatalf("near the middle of %#x and the next, rounding is not to nearest", h)
		}
	}
}

// external writes a model whose weight is at an offset of a file beside.
func external(t *testing.T, dir, location string, more ...[]byte) string {
	t.Helper()
	entry := func(k, v string) []byte { return sub(13, msg(text(1, k), text(2, v))) }
	w := initializer("w", typeFloat, []int64{3, 1}, msg(entry("location", location), entry("offset", "8"), msg(more...), num(14, 1)))
	path := filepath.Join(dir, "model.onnx")
	data := modelBytes(nodeOf("MatMul", "y", "x", "w"), w, inputOf("x", -1, 3), outputOf("y"))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	path := external(t, dir, "w.bin")
	data := make([]byte, 24) // 8 bytes before, 4 after
	binary.LittleEndian.PutUint32(data[8:], math.Float32bits(2))
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	m := load(t, path)
	if y := logits(t, m, feature.Tensor{Shape: []int{1, 3}, Data: []float32{3, 1, 1}}); y.Data[0] != 6 {
		t.Fatalf("logits are %v", y.Data)
	}
	if err := m.SetParam(0, []float32{2, 5, 0}); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(filepath.Join(dir, "other.onnx")); !errors.Is(err, ErrExternal) {
		t.Errorf("saving beside the original: %v", err)
	}
	if err := m.Write(&bytes.Buffer{}); !errors.Is(err, ErrExternal) {
		t.Errorf("writing to a stream: %v", err)
	}
	out := t.TempDir()
	if err := m.Save(filepath.Join(out, "model.onnx")); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(data[12:], math.Float32bits(5))
	if got, err := os.ReadFile(filepath.Join(out, "w.bin")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("external data is %v (%v), want %v", got, err, data)
	}
	if y := logits(t, load(t, filepath.Join(out, "model.onnx")), feature.Tensor{Shape: []int{1, 3}, Data: []float32{3, 1, 1}}); y.Data[0] != 11 {
		t.Errorf("logits of the saved model are %v", y.Data)
	}
	if _, err := m.Clone(); err != nil {
		t.Error(err)
	}
}

// TestSavedGradient checks that training a saved model goes on as before.
func TestSavedGradient(t *testing.T) {
	m := load(t, filepath.Join(folder(t), "cnn_tr.dyn.onnx"))
	step(t, m, -.1)
	back, err := Read(bytes.NewReader(written(t, m)), nil)
	if err != nil {
		t.Fatal(err)
	}
	x := feature.NewTensor(2, 3, 32, 32)
	for i := range x.Data {
		x.Data[i] = float32(i%13) - 6
	}
	var dx [2][]float32
	for i, m := range []*Model{m, back} {
		dx[i] = make([]float32, len(x.Data))
		if err := m.Grad(context.Background(), x, []string{m.Spec().Logits}, squares, dx[i], nil); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(dx[0], dx[1]) {
		t.Error("other gradients after saving")
	}
}
