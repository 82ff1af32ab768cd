package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// alike reads two files with the same weights and wants the same logits and
// gradients of them, but for rounding in another order of sums. The laws hold for
// the first.
func alike(t *testing.T, name string, input []int64, got, want [][]byte) {
	tail := [][]byte{inputOf("x", append([]int64{-1}, input...)...), outputOf("y")}
	lawful(t, name, 17, input, got...)
	t.Run(name+", alike", func(t *testing.T) {
		var all [2]map[string][]float32
		for i, parts := range [][][]byte{got, want} {
			m, err := Read(bytes.NewReader(modelBytes(append(slices.Clone(parts), tail...)...)), everyWeight)
			if err != nil {
				t.Fatal(err)
			}
			all[i] = gradientsOf(t, m)
		}
		if len(all[0]) != len(all[1]) {
			t.Errorf("%d results, want %d", len(all[0]), len(all[1]))
		}
		for key, w := range all[1] {
			if g := all[0][key]; len(g) != len(w) || !(relative(g, w) <= 1e-5) {
				t.Errorf("%s is %v, want %v", key, g, w)
			}
		}
	})
}

// gradientsOf returns logits and gradients by name.
func gradientsOf(t *testing.T, m *Model) map[string][]float32 {
	t.Helper()
	x := tensorOf(append([]int{3}, m.Spec().Input...))
	dx, dp := make([]float32, len(x.Data)), feature.NewGradients(m.Spec())
	if err := m.Grad(t.Context(), x, []string{m.Spec().Logits}, squares, dx, dp); err != nil {
		t.Fatal(err)
	}
	all := map[string][]float32{"logits": logits(t, m, x).Data, "input": dx}
	for i, p := range m.Spec().Params {
		if dp[i] != nil {
			all[p.Name] = dp[i]
		}
	}
	return all
}

func TestIfTakesTheBranchOfItsCondition(t *testing.T) {
	branch := func(op, out string) [][]byte {
		return [][]byte{onnxfile.Node(op, "", []string{"h"}, []string{out}), onnxfile.Output[int](out)}
	}
	for want, cond := range map[string]int64{"Tanh": 1, "Elu": 0} {
		choice := opOf("If", "y", []string{"c"}, onnxfile.GraphAttr("then_branch", branch("Tanh", "t")...), onnxfile.GraphAttr("else_branch", branch("Elu", "e")...))
		layer := [][]byte{random("w", 4, 4), nodeOf("MatMul", "h", "x", "w")}
		got := append(slices.Clone(layer), rawInts("i", cond), rawInts("one", 1), nodeOf("Equal", "c", "i", "one"), choice)
		alike(t, "If "+want, []int64{4}, got, append(slices.Clone(layer), nodeOf(want, "z", "h"), nodeOf("Identity", "y", "z")))
	}
	open := modelBytes(random("w", 4, 1), nodeOf("MatMul", "h", "x", "w"), nodeOf("If", "y", "h"), inputOf("x", -1, 4), outputOf("y"))
	if _, err := Read(bytes.NewReader(open), nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a condition that depends on the input: %v", err)
	}
}

// swish is a function x·σ(alpha·x), whose factor is an attribute with a default.
func swish() []byte {
	ref := msg(text(onnxfile.AttrName, "value_float"), text(onnxfile.AttrRef, "alpha"), num(onnxfile.AttrType, onnxfile.KindFloat))
	var m []byte
	for _, n := range [][]byte{onnxfile.NodeBody("Constant", "", nil, []string{"k"}, ref), onnxfile.NodeBody("Mul", "", []string{"a", "k"}, []string{"s"}),
		onnxfile.NodeBody("Sigmoid", "", []string{"s"}, []string{"g"}), onnxfile.NodeBody("Mul", "", []string{"a", "g"}, []string{"b"})} {
		m = append(m, sub(onnxfile.FunctionNode, n)...)
	}
	return sub(onnxfile.ModelFunction, msg(text(onnxfile.FunctionName, "Swish"), text(onnxfile.FunctionInput, "a"), text(onnxfile.FunctionOutput, "b"), m,
		sub(onnxfile.FunctionDefault, floatAttr("alpha", 1)), text(onnxfile.FunctionDomain, "own")))
}

// TestFunctionsAreExpanded calls a function twice.
func TestFunctionsAreExpanded(t *testing.T) {
	call := func(out, in string, attrs ...[]byte) []byte {
		return sub(onnxfile.GraphNode, msg(nodeBody("Swish", out, []string{in}, attrs...), text(onnxfile.NodeDomain, "own")))
	}
	layer := [][]byte{random("w", 4, 4), nodeOf("MatMul", "h", "x", "w"), inputOf("x", -1, 4), outputOf("y")}
	with := msg(modelBytes(append(slices.Clone(layer), call("u", "h"), call("y", "u", floatAttr("alpha", 2)))...), swish())
	plain := modelBytes(append(slices.Clone(layer), nodeOf("Sigmoid", "s", "h"), nodeOf("Mul", "u", "h", "s"), rawFloats("two", nil, 2),
		nodeOf("Mul", "v", "u", "two"), nodeOf("Sigmoid", "r", "v"), nodeOf("Mul", "y", "u", "r"))...)
	var all [2]map[string][]float32
	for i, data := range [][]byte{with, plain} {
		m, err := Read(bytes.NewReader(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = gradientsOf(t, m)
	}
	for key, w := range all[1] {
		if g := all[0][key]; len(g) != len(w) || !(relative(g, w) <= 1e-6) {
			t.Errorf("%s is %v, want %v", key, g, w)
		}
	}
}

// TestFunctionsStayBounded reads functions that call themselves, or each other many
// times.
func TestFunctionsStayBounded(t *testing.T) {
	fn := func(name, calls string, times int) []byte {
		var m []byte
		for i := range times {
			n := msg(onnxfile.NodeBody(calls, "", []string{fmt.Sprintf("a%d", i)}, []string{fmt.Sprintf("a%d", i+1)}), text(onnxfile.NodeDomain, "own"))
			m = append(m, sub(onnxfile.FunctionNode, n)...)
		}
		return sub(onnxfile.ModelFunction, msg(text(onnxfile.FunctionName, name), text(onnxfile.FunctionDomain, "own"),
			text(onnxfile.FunctionInput, "a0"), text(onnxfile.FunctionOutput, fmt.Sprintf("a%d", times)), m))
	}
	call := sub(onnxfile.GraphNode, msg(nodeBody("F0", "y", []string{"x"}), text(onnxfile.NodeDomain, "own")))
	many := modelBytes(call, inputOf("x", -1, 4), outputOf("y"))
	for i := range 12 {
		many = append(many, fn(fmt.Sprintf("F%d", i), fmt.Sprintf("F%d", i+1), 40)...)
	}
	for name, data := range map[string][]byte{"itself": msg(modelBytes(call, inputOf("x", -1, 4), outputOf("y")), fn("F0", "F0", 1)), "many": many} {
		err := measured(t, name, func() error {
			_, err := Read(bytes.NewReader(data), nil)
			return err
		})
		if !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEinsum(t *testing.T) {
	ein := func(equation string) []byte {
		return opOf("Einsum", "y", xw, textAttr("equation", equation))
	}
	own := func(equation string) []byte {
		return opOf("Einsum", "y", []string{"x", "x"}, textAttr("equation", equation))
	}
	alike(t, "linear", []int64{4}, [][]byte{random("w", 4, 3), ein("bi,io->bo")}, [][]byte{random("w", 4, 3), nodeOf("MatMul", "y", "x", "w")})
	alike(t, "linear, transposed", []int64{2, 4}, [][]byte{random("w", 3, 4), ein("bti,oi->bto")},
		[][]byte{random("w", 3, 4), opOf("Transpose", "v", []string{"w"}, intsAttr("perm", 1, 0)), nodeOf("MatMul", "y", "x", "v")})
	alike(t, "scores", []int64{2, 3, 4}, [][]byte{own("bhid,bhjd->bhij")},
		[][]byte{opOf("Transpose", "v", x, intsAttr("perm", 0, 1, 3, 2)), nodeOf("MatMul", "y", "x", "v")})
	alike(t, "along other axes", []int64{3, 4}, [][]byte{random("w", 3, 5), ein("bnc,nm->bmc")},
		[][]byte{random("w", 3, 5), opOf("Transpose", "v", []string{"w"}, intsAttr("perm", 1, 0)), nodeOf("MatMul", "y", "v", "x")})
	alike(t, "heads", []int64{3, 4}, [][]byte{random("w", 2, 4, 5), ein("bnc,hcd->bhnd")},
		[][]byte{random("w", 2, 4, 5), rawInts("a", 1), nodeOf("Unsqueeze", "u", "x", "a"), nodeOf("MatMul", "y", "u", "w")})
	alike(t, "implicit, with an axis alone", []int64{3, 4}, [][]byte{random("w", 4, 5), opOf("Einsum", "y", xw, textAttr("equation", "bnc, cd -> bd"))},
		[][]byte{random("w", 4, 5), nodeOf("MatMul", "h", "x", "w"), rawInts("a", 1), opOf("ReduceSum", "y", []string{"h", "a"}, intAttr("keepdims", 0))})
	for _, equation := range []string{"", "bi", "bi,io->bz", "bb,io->bo", "bi,io->", "b...i,io->bo", "bi,bo->io"} {
		data := modelBytes(random("w", 4, 3), ein(equation), inputOf("x", -1, 4), outputOf("y"))
		if _, err := Read(bytes.NewReader(data), nil); !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", equation, err)
		}
	}
}

// TestComputedWeights convolves with weights made of weights.
func TestComputedWeights(t *testing.T) {
	conv := func(w string, attrs ...[]byte) []byte { return opOf("Conv", "y", []string{"x", w}, attrs...) }
	w := random("w", 3, 3, 2, 4) // height, width, in, out
	moved := opOf("Transpose", "v", []string{"w"}, intsAttr("perm", 3, 2, 0, 1))
	m, err := Read(bytes.NewReader(modelBytes(w, moved, conv("v", intsAttr("pads", 1, 1, 1, 1)), inputOf("x", -1, 2, 5, 4), outputOf("y"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	k := &konst{typ: typeFloat, shape: []int{3, 3, 2, 4}}
	for _, v := range m.weights[0].data {
		k.v = append(k.v, term{c: float64(v)})
	}
	b := newBuilder(&file{}, Options{MaxTables: 1 << 20}, "")
	turned, err := b.permuted(*k, []int{3, 2, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, len(turned.v))
	for i, x := range turned.v {
		v[i] = float32(x.c)
	}
	plain, err := Read(bytes.NewReader(modelBytes(rawFloats("v", []int64{4, 2, 3, 3}, v...), conv("v", intsAttr("pads", 1, 1, 1, 1)), inputOf("x", -1, 2, 5, 4), outputOf("y"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := gradientsOf(t, m), gradientsOf(t, plain); !(relative(got["logits"], want["logits"]) <= 1e-5) || !(relative(got["input"], want["input"]) <= 1e-5) {
		t.Errorf("%v, want %v", got["logits"], want["logits"])
	}
	lawful(t, "transposed", 17, []int64{2, 5, 4}, w, moved, conv("v", intsAttr("pads", 1, 1, 1, 1)))
	lawful(t, "groups, strides and dilations", 17, []int64{4, 6, 7}, random("w", 6, 2, 2, 3), random("g", 6, 1, 1, 1), random("b", 6), nodeOf("Mul", "v", "w", "g"),
		opOf("Conv", "y", []string{"x", "v", "b"}, intAttr("group", 2), intsAttr("strides", 2, 1), intsAttr("dilations", 1, 2), intsAttr("pads", 0, 1, 1, 2)))
	lawful(t, "sequence", 17, []int64{2, 6}, random("w", 3, 2, 3), nodeOf("Tanh", "v", "w"), conv("v"))
}

// TestMasks wants the gradient of what a mask lets through, and none through the
// mask.
func TestMasks(t *testing.T) {
	half := rawFloats("half", nil, .15)
	layer := [][]byte{random("w", 4, 4), nodeOf("MatMul", "h", "x", "w"), half}
	with := func(parts ...[]byte) [][]byte { return append(slices.Clone(layer), parts...) }
	leaky := opOf("LeakyRelu", "y", []string{"h"}, floatAttr("alpha", .15))
	zeros, less := rawFloats("zero", nil, 0), nodeOf("Mul", "k", "h", "half")
	alike(t, "where", []int64{4}, with(zeros, less, nodeOf("Greater", "c", "h", "zero"), nodeOf("Where", "y", "c", "h", "k")), with(leaky))
	alike(t, "where not", []int64{4}, with(zeros, less, nodeOf("Less", "c", "h", "zero"), nodeOf("Not", "d", "c"), nodeOf("Where", "y", "d", "h", "k")), with(leaky))
	alike(t, "factor", []int64{4}, with(zeros, nodeOf("GreaterOrEqual", "c", "h", "zero"), opOf("Cast", "f", []string{"c"}, intAttr("to", typeFloat)), nodeOf("Mul", "y", "h", "f")), with(nodeOf("Relu", "y", "h")))
	for name, parts := range map[string][][]byte{
		"to the logits": with(zeros, nodeOf("Greater", "c", "h", "zero"), opOf("Cast", "f", []string{"c"}, intAttr("to", typeFloat)), nodeOf("Tanh", "y", "f")),
		"to a layer":    with(zeros, nodeOf("Greater", "c", "h", "zero"), opOf("Cast", "f", []string{"c"}, intAttr("to", typeFloat)), nodeOf("MatMul", "y", "f", "w")),
	} {
		_, err := Read(bytes.NewReader(modelBytes(append(parts, inputOf("x", -1, 4), outputOf("y"))...)), nil)
		if !errors.Is(err, ErrGradient) || !strings.Contains(err.Error(), "the c") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestScatterND assigns to slices of a constant.
func TestScatterND(t *testing.T) {
	index := initializer("i", typeInt64, []int64{2, 1}, onnxfile.Raw(onnxfile.Ints([]int{0, -1})))
	scatter := opOf("ScatterND", "s", []string{"data", "i", "u"})
	constant := func(name string, dims []int64, v ...float32) []byte {
		return opOf("Constant", name, nil, onnxfile.TensorAttr("value", onnxfile.Tensor("", typeFloat, dims, onnxfile.Raw(onnxfile.Floats(v)))))
	}
	got := [][]byte{constant("data", []int64{3, 2}, 1, 2, 3, 4, 5, 6), index, constant("u", []int64{2, 2}, 7, 8, 9, 10), scatter, nodeOf("Mul", "y", "x", "s")}
	want := [][]byte{constant("s", []int64{3, 2}, 7, 8, 3, 4, 9, 10), nodeOf("Abs", "t", "s"), nodeOf("Mul", "y", "x", "t")}
	alike(t, "assignment", []int64{3, 2}, got, want)
}

// TestVersions reads the newest formats and nodes in any order.
func TestVersions(t *testing.T) {
	parts := mlp()
	slices.Reverse(parts)
	for ir, opset := range map[int64]int64{3: 7, 10: 22, 11: 23, 12: 24, 13: 25} {
		if _, err := Read(bytes.NewReader(versioned(ir, opset, parts...)), nil); err != nil {
			t.Errorf("IR %d, operator set %d: %v", ir, opset, err)
		}
	}
}

// TestConstantsAreWeights trains a network whose weights are in Constant nodes, as
// Paddle writes them, and reads it back.
func TestConstantsAreWeights(t *testing.T) {
	constant := func(name string, dims []int64, v ...float32) []byte {
		return opOf("Constant", name, nil, onnxfile.TensorAttr("value", onnxfile.Tensor("", typeFloat, dims, onnxfile.Raw(onnxfile.Floats(v)))))
	}
	shape := opOf("Constant", "s", nil, onnxfile.IntsAttr("value_ints", 1, 3))
	m, err := Read(bytes.NewReader(modelBytes(constant("w", []int64{2, 3}, 1, 2, 3, 4, 5, 6), constant("b", []int64{3}, .5, 0, 2), shape, nodeOf("Reshape", "c", "b", "s"),
		nodeOf("MatMul", "h", "x", "w"), nodeOf("Add", "y", "h", "c"), inputOf("x", -1, 2), outputOf("y"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := trained(m); !slices.Equal(got, []string{"w", "b"}) {
		t.Fatalf("%q train", got)
	}
	step(t, m, .5)
	back, err := Read(bytes.NewReader(written(t, m)), nil)
	if err != nil {
		t.Fatal(err)
	}
	x := tensorOf([]int{2, 2})
	if a, b := logits(t, m, x), logits(t, back, x); !slices.Equal(a.Data, b.Data) {
		t.Errorf("%v, %v after saving", a.Data, b.Data)
	}
}

// TestWordsAreLookedUp compares an embedding of numbers with a product of one-hot
// rows.
func TestWordsAreLookedUp(t *testing.T) {
	words := onnxfile.Message(onnxfile.GraphInput, onnxfile.Value[int64]("x", typeInt64, -1, 4))
	layer := [][]byte{random("e", 5, 3), random("w", 3, 2), opOf("ReduceMean", "m", []string{"g"}, intsAttr("axes", 1), intAttr("keepdims", 0)), nodeOf("MatMul", "y", "m", "w"), outputOf("y")}
	m, err := Read(bytes.NewReader(modelBytes(append(slices.Clone(layer), nodeOf("Gather", "g", "e", "x"), words)...)), nil)
	if err != nil {
		t.Fatal(err)
	}
	hot, err := Read(bytes.NewReader(modelBytes(append(slices.Clone(layer), nodeOf("MatMul", "g", "x", "e"), inputOf("x", -1, 4, 5))...)), nil)
	if err != nil {
		t.Fatal(err)
	}
	x, h := feature.NewTensor(20, 4), feature.NewTensor(20, 4, 5)
	for i := range x.Data {
		k := i * 7 % 5
		x.Data[i], h.Data[5*i+k] = float32(k), 1
	}
	got, want := [2][][]float32{}, [2][]float32{}
	for i, c := range []struct {
		m *Model
		x feature.Tensor
	}{{m, x}, {hot, h}} {
		want[i] = logits(t, c.m, c.x).Data
		got[i] = feature.NewGradients(c.m.Spec())
		if err := c.m.Grad(t.Context(), c.x, []string{"y"}, squares, nil, got[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !(relative(want[0], want[1]) <= 1e-6) {
		t.Errorf("logits %v, want %v", want[0], want[1])
	}
	for i, p := range hot.Spec().Params {
		if !p.Trainable || !(relative(got[0][i], got[1][i]) <= 1e-5) {
			t.Errorf("gradient of %s is %v, want %v", p.Name, got[0][i], got[1][i])
		}
	}
	for _, bad := range []float32{-1, 5, .5} {
		x.Data[3] = bad
		if err := m.Forward(t.Context(), x, nil, nil); !errors.Is(err, feature.ErrShape) || !strings.Contains(err.Error(), "element 3") {
			t.Errorf("word %v: %v", bad, err)
		}
	}
	masked := modelBytes(append(slices.Clone(layer[:2]), nodeOf("Gather", "v", "e", "x"), rawInts("zero", 0), nodeOf("Equal", "c", "x", "zero"), nodeOf("Not", "k", "c"),
		opOf("Cast", "f", []string{"k"}, intAttr("to", typeFloat)), rawInts("two", 2), nodeOf("Unsqueeze", "u", "f", "two"), nodeOf("Mul", "g", "v", "u"),
		layer[2], layer[3], words, outputOf("y"))...)
	if m, err = Read(bytes.NewReader(masked), nil); err != nil {
		t.Fatal(err)
	}
	if y := logits(t, m, feature.NewTensor(1, 4)); y.Data[0] != 0 || y.Data[1] != 0 { // all words are 0, which is left out
		t.Errorf("logits of no words are %v", y.Data)
	}
	_, err = Read(bytes.NewReader(modelBytes(random("w", 4, 2), nodeOf("MatMul", "y", "x", "w"), words, outputOf("y"))), nil)
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "integer input") {
		t.Errorf("a product of integers: %v", err)
	}
}
