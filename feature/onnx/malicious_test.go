package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// mlp is a small valid graph: y = relu(x·w).
func mlp() [][]byte {
	return [][]byte{nodeOf("MatMul", "h", "x", "w"), nodeOf("Relu", "y", "h"), rawFloats("w", []int64{2, 2}, 1, 2, 3, 4), inputOf("x", -1, 2), outputOf("y")}
}

// huge is a tensor that says that it has 2⁶⁰ elements.
func huge(t *testing.T) []byte {
	data := modelBytes(initializer("w", typeFloat, []int64{1 << 30, 1 << 30}, sub(9, []byte{0, 0, 0, 0})), nodeOf("MatMul", "y", "x", "w"), inputOf("x", -1, 2), outputOf("y"))
	if len(data) > 160 {
		t.Fatalf("the small file has %d bytes", len(data))
	}
	return data
}

// TestBadFiles wants an error of a kind that names the place.
func TestBadFiles(t *testing.T) {
	tail := [][]byte{inputOf("x", -1, 2), outputOf("y")}
	with := func(parts ...[]byte) []byte { return modelBytes(append(parts, tail...)...) }
	for name, tc := range map[string]struct {
		data  []byte
		kind  error
		place string
	}{
		"empty":           {nil, ErrFormat, "no graph"},
		"huge dimensions": {huge(t), ErrLimit, `"w"`},
		"cycle":           {with(nodeOf("Add", "a", "x", "b"), nodeOf("Relu", "b", "a"), nodeOf("Relu", "y", "b")), ErrFormat, "a cycle"},
		"reads itself":    {with(nodeOf("Add", "y", "x", "y")), ErrFormat, "the y"},
		"missing input":   {with(nodeOf("Add", "y", "x", "nothing")), ErrFormat, `"nothing"`},
		"name twice":      {with(nodeOf("Relu", "y", "x"), nodeOf("Tanh", "y", "x")), ErrFormat, `"y"`},
		"weight twice":    {with(rawFloats("w", []int64{1}, 1), rawFloats("w", []int64{1}, 1), nodeOf("Relu", "y", "x")), ErrFormat, `"w"`},
		"output is input": {with(nodeOf("Relu", "x", "x")), ErrFormat, `"x"`},
		"no such output":  {modelBytes(inputOf("x", -1, 2), outputOf("y")), ErrFormat, `"y"`},
		"short raw data":  {with(initializer("w", typeFloat, []int64{2, 2}, sub(9, []byte{1, 2, 3})), nodeOf("MatMul", "y", "x", "w")), ErrFormat, `"w"`},
		"strings":         {with(initializer("w", 8, []int64{1}, sub(6, []byte("a"))), nodeOf("MatMul", "y", "x", "w")), ErrUnsupported, `"w"`},
		"two graphs":      {msg(modelBytes(mlp()...), sub(7, nil)), ErrFormat, "second graph"},
		"old":             {versioned(2, 13, mlp()...), ErrUnsupported, "IR version 2"},
		"new":             {versioned(8, 26, mlp()...), ErrUnsupported, "26"},
		"unknown operator": {with(nodeOf("Mystery", "a", "x"), sub(1, msg(nodeBody("Own", "b", []string{"a"}), text(7, "my.domain"))), nodeOf("Relu", "y", "b")),
			ErrUnsupported, "Mystery (the a); my.domain.Own (the b)"},
		"no gradient": {with(nodeOf("Round", "a", "x"), nodeOf("Relu", "y", "a")), ErrGradient, "the a"},
		"integers": {with(sub(1, nodeBody("Cast", "a", []string{"x"}, intAttr("to", typeInt64))), sub(1, nodeBody("Cast", "y", []string{"a"}, intAttr("to", typeFloat)))),
			ErrGradient, "the a"},
		"sums samples":    {with(sub(1, nodeBody("Softmax", "a", []string{"x"}, intAttr("axis", 0))), nodeOf("Relu", "y", "a")), ErrUnsupported, "mix samples"},
		"fixed in shape":  {with(rawInts("s", 2, 1, 2), nodeOf("Reshape", "y", "x", "s")), ErrUnsupported, "fixes the batch"},
		"mixing shape":    {with(rawInts("s", 2, -1), nodeOf("Reshape", "a", "x", "s"), nodeOf("Relu", "y", "a")), ErrUnsupported, "the a"},
		"huge activation": {with(rawInts("s", 1, 1<<40), nodeOf("Tile", "y", "x", "s")), ErrUnsupported, "the y"},
		"large tile":      {with(rawInts("s", 1, 1<<23), nodeOf("Tile", "a", "x", "s"), nodeOf("Tile", "y", "a", "s")), ErrLimit, "the a"},
		"huge constant":   {with(rawInts("s", 1<<30, 1<<30), nodeOf("ConstantOfShape", "a", "s"), nodeOf("Add", "y", "x", "a")), ErrLimit, "the a"},
		"escape":          {with(externalTo("../w.bin"), nodeOf("MatMul", "y", "x", "w")), ErrExternal, `"../w.bin"`},
		"absolute":        {with(externalTo("/etc/passwd"), nodeOf("MatMul", "y", "x", "w")), ErrExternal, `"/etc/passwd"`},
		"stream":          {with(externalTo("w.bin"), nodeOf("MatMul", "y", "x", "w")), ErrExternal, "stream"},
	} {
		m, err := Read(bytes.NewReader(tc.data), nil)
		if m != nil || !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.place) {
			t.Errorf("%s: %v; want one that wraps %q and says %q", name, err, tc.kind, tc.place)
		}
	}
}

func externalTo(location string) []byte {
	return initializer("w", typeFloat, []int64{2, 2}, msg(sub(13, msg(text(1, "location"), text(2, location))), num(14, 1)))
}

// TestCutFiles reads every beginning of a valid file: there may be an error, no
// panic.
func TestCutFiles(t *testing.T) {
	data := modelBytes(mlp()...)
	if _, err := Read(bytes.NewReader(data), nil); err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, err := Read(bytes.NewReader(data[:n]), nil); err == nil && n < len(data)-8 {
			t.Errorf("%d of %d bytes are accepted", n, len(data))
		}
	}
}

// TestLinksDoNotLeadOutside puts a symbolic link to another folder beside the
// model.
func TestLinksDoNotLeadOutside(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), make([]byte, 64), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "w.bin")); err != nil {
		t.Skip(err)
	}
	if _, err := Load(external(t, dir, "w.bin"), nil); !errors.Is(err, ErrExternal) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "w.bin")); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(external(t, dir, "w.bin"), nil); !errors.Is(err, ErrExternal) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 19), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(external(t, dir, "w.bin"), nil); !errors.Is(err, ErrExternal) || !strings.Contains(err.Error(), "19 bytes") {
		t.Errorf("short file: %v", err)
	}
}

// TestMemoryStaysSmall measures what files of a few bytes can make Read
// allocate in all.
func TestMemoryStaysSmall(t *testing.T) {
	node := nodeOf("Relu", "y", "x")
	many := bytes.Repeat(sub(1, nil), 1<<18)
	unpacked := initializer("w", typeFloat, []int64{1 << 19}, bytes.Repeat(num(5, 1), 1<<19))
	for name, data := range map[string][]byte{
		"huge": huge(t), "nodes": modelBytes(many, node), "elements": modelBytes(unpacked, node), "initializers": modelBytes(bytes.Repeat(sub(5, nil), 1<<18)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(bytes.NewReader(data), nil)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 256<<20+8*uint64(len(data)) {
			t.Errorf("%s: %d bytes of file take %d (%v)", name, len(data), used, err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	data := modelBytes(mlp()...)
	for _, opt := range []*Options{{MaxActivation: -1}, {MaxBytes: -1}, {MaxBytes: 10}, {MaxActivation: 1}, {Logits: "nothing"}, {Features: "nothing"}, {Input: []int{3}}, {Input: []int{2, 1}}} {
		if _, err := Read(bytes.NewReader(data), opt); err == nil {
			t.Errorf("%+v is accepted", *opt)
		}
	}
	o, err := resolved(nil)
	if err != nil || o.MaxActivation != 1<<24 || o.MaxBytes != 1<<31 {
		t.Errorf("defaults are %+v, %v", o, err)
	}
	m, err := Read(bytes.NewReader(data), &Options{Logits: "the h", Features: "h"})
	if err != nil {
		t.Fatal(err)
	}
	if s := m.Spec(); s.Logits != "h" || s.Features != "h" {
		t.Errorf("logits %q, features %q", s.Logits, s.Features)
	}
}

// TestCheckReadsNoWeights gives Check a file whose weights are cut off behind
// its nodes.
func TestCheckReadsNoWeights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	weights := rawFloats("w", []int64{1 << 16, 2}, make([]float32, 1<<17)...)
	data := modelBytes(nodeOf("MatMul", "h", "x", "w"), nodeOf("Mystery", "a", "h"), nodeOf("Riddle", "y", "a"), inputOf("x", -1, 1<<16), outputOf("y"), weights)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var unsupported *UnsupportedError
	if err := Check(path, nil); !errors.As(err, &unsupported) || len(unsupported.Operators) != 2 || !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if reduced, err := skim(f, int64(len(data))); err != nil || len(reduced) > 500 {
		t.Errorf("%d bytes are kept (%v)", len(reduced), err)
	}
	if err := Check(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// FuzzLoad wants no panic, and from what is accepted a forward pass and a
// gradient.
func FuzzLoad(f *testing.F) {
	f.Add(modelBytes(mlp()...))
	f.Add(modelBytes(nodeOf("Conv", "c", "x", "w"), nodeOf("GlobalAveragePool", "p", "c"), nodeOf("Flatten", "y", "p"), rawFloats("w", []int64{2, 1, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8), inputOf("x", -1, 1, 3, 3), outputOf("y")))
	f.Add(modelBytes(nodeOf("Shape", "s", "x"), nodeOf("Reshape", "r", "x", "s"), sub(1, nodeBody("Transpose", "t", []string{"r"})), nodeOf("MatMul", "y", "r", "t"), inputOf("x", 2, 3, 4), outputOf("y")))
	f.Add(modelBytes(rawInts("s", 1), rawInts("e", math.MaxInt64), nodeOf("Slice", "a", "x", "s", "e", "s"), nodeOf("Softmax", "y", "a"), inputOf("x", -1, 3), outputOf("y")))
	f.Add(modelBytes(rawInts("p", 0, 1, 0, 2), nodeOf("Pad", "a", "x", "p"), nodeOf("ReduceMean", "m", "a"), nodeOf("Sub", "b", "a", "m"), nodeOf("Erf", "y", "b"), inputOf("x", -1, 3), outputOf("y")))
	if root := os.Getenv("UNLEARN_TESTDATA"); root != "" {
		for _, name := range []string{"mlp.dyn", "cnn.train", "vit_tr.dyn"} {
			data, err := os.ReadFile(filepath.Join(root, "onnx", name+".onnx"))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, tc := range exhausting() {
		f.Add(hostileFile(tc.opset, tc.input, tc.parts))
	}
	for seed := range uint64(50) {
		data, _ := randomGraph(seed)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Read(bytes.NewReader(data), &Options{MaxActivation: 1 << 16, RunOnly: true})
		if err != nil {
			return
		}
		if b := written(t, m); !bytes.Equal(b, data) {
			t.Error("an untouched model is written in other bytes")
		}
		runOnce(t, m)
	})
}

func runOnce(t *testing.T, m *Model) {
	x := make([]int, 0, 8)
	x = append(append(x, 2), m.Spec().Input...)
	in := tensorOf(x)
	if len(m.Spec().Input) > 0 && len(in.Data) < 1<<16 {
		dx := make([]float32, len(in.Data))
		if err := m.Grad(t.Context(), in, []string{m.Spec().Logits}, squares, dx, nil); err != nil {
			t.Error(fmt.Errorf("gradient: %w", err))
		}
	}
}
