package onnx

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// headed is a linear model whose logits "l" go through the given nodes, with the
// given outputs.
func headed(classes int64, outputs []string, head ...[]byte) []byte {
	parts := [][]byte{random("w", 6, classes), random("b", classes), nodeOf("MatMul", "m", "x", "w"), nodeOf("Add", "l", "m", "b")}
	parts = append(append(parts, head...), inputOf("x", -1, 6))
	for _, name := range outputs {
		parts = append(parts, outputOf(name))
	}
	return modelBytes(parts...)
}

func axisOne(op, out, in string) []byte { return opOf(op, out, []string{in}, intAttr("axis", 1)) }

// TestHeads wants the logits from files that end in something else.
func TestHeads(t *testing.T) {
	softmax := axisOne("Softmax", "p", "l")
	one, exp := rawFloats("one", nil, 1), nodeOf("Exp", "e", "l")
	sum := opOf("ReduceSum", "s", []string{"e", "axes"}, intAttr("keepdims", 1))
	axes := rawInts("axes", 1)
	for name, tc := range map[string]struct {
		outputs []string
		named   string
		note    string
		head    [][]byte
	}{
		"plain":            {[]string{"l"}, "", "", nil},
		"softmax":          {[]string{"p"}, "", "Softmax", [][]byte{softmax}},
		"log-softmax":      {[]string{"p"}, "", "LogSoftmax", [][]byte{axisOne("LogSoftmax", "p", "l")}},
		"identity":         {[]string{"y"}, "", "before Identity", [][]byte{softmax, nodeOf("Identity", "y", "p")}},
		"cast":             {[]string{"y"}, "", "before Cast", [][]byte{softmax, opOf("Cast", "y", []string{"p"}, intAttr("to", typeFloat16))}},
		"reshape":          {[]string{"y"}, "", "before Reshape", [][]byte{softmax, rawInts("r", 0, -1, 1), nodeOf("Reshape", "y", "p", "r")}},
		"flatten":          {[]string{"y"}, "", "before Flatten", [][]byte{softmax, nodeOf("Flatten", "y", "p")}},
		"squeeze":          {[]string{"y"}, "", "before Unsqueeze, Squeeze", [][]byte{softmax, axes, nodeOf("Unsqueeze", "u", "p", "axes"), nodeOf("Squeeze", "y", "u", "axes")}},
		"log of clip":      {[]string{"y"}, "", "before Clip, Log", [][]byte{softmax, rawFloats("lo", nil, 1e-7), nodeOf("Clip", "c", "p", "lo"), nodeOf("Log", "y", "c")}},
		"spelled out":      {[]string{"y"}, "", "Div", [][]byte{axes, exp, sum, nodeOf("Div", "y", "e", "s")}},
		"reciprocal":       {[]string{"y"}, "", "Mul", [][]byte{axes, exp, sum, nodeOf("Reciprocal", "q", "s"), nodeOf("Mul", "y", "e", "q")}},
		"log spelled out":  {[]string{"y"}, "", "Sub", [][]byte{axes, exp, sum, nodeOf("Log", "g", "s"), nodeOf("Sub", "y", "l", "g")}},
		"named":            {[]string{"l"}, "p", "Softmax", [][]byte{softmax}},
		"named by node":    {[]string{"l"}, "the p", "Softmax", [][]byte{softmax}},
		"argmax first":     {[]string{"a", "p"}, "", `output "p" was taken; the file has 1 more: "a"`, [][]byte{softmax, axisOne("ArgMax", "a", "p")}},
		"argmax alone":     {[]string{"a"}, "", `output "a" has labels`, [][]byte{softmax, axisOne("ArgMax", "a", "p")}},
		"argmax of logits": {[]string{"a"}, "", `output "a" has labels`, [][]byte{axisOne("ArgMax", "a", "l")}},
		"argmax named":     {[]string{"p"}, "a", "Softmax", [][]byte{softmax, axisOne("ArgMax", "a", "p")}},
		"largest":          {[]string{"k"}, "", "labels", [][]byte{softmax, rawInts("n", 2), onnxfile.Node("TopK", "top", []string{"p", "n"}, []string{"k", "i"})}},
		"several outputs":  {[]string{"p", "m"}, "", `1 more: "m"`, [][]byte{softmax, one}},
	} {
		m, err := Read(bytes.NewReader(headed(3, tc.outputs, tc.head...)), &Options{Logits: tc.named})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := m.Spec(); s.Logits != "l" || s.Classes() != 3 || !strings.Contains(strings.Join(m.Notes(), "\n"), tc.note) {
			t.Errorf("%s: logits %q, notes %q", name, s.Logits, m.Notes())
		}
	}
}

// TestRefusedHeads wants an error that tells why, and names the way out.
func TestRefusedHeads(t *testing.T) {
	softmax := axisOne("Softmax", "p", "l")
	for name, tc := range map[string]struct {
		output string
		says   []string
		head   [][]byte
	}{
		"average":          {"y", []string{"cannot be turned back", `"m"`}, [][]byte{softmax, axisOne("Softmax", "q", "m"), nodeOf("Mean", "y", "p", "q")}},
		"temperature":      {"y", []string{"cannot be turned back"}, [][]byte{softmax, rawFloats("h", nil, 2), nodeOf("Mul", "y", "p", "h")}},
		"part":             {"y", []string{"cannot be turned back"}, [][]byte{softmax, rawInts("i", 1, 2), opOf("Gather", "y", []string{"p", "i"}, intAttr("axis", 1))}},
		"softmax of parts": {"y", []string{"no classifier", "2 of 4"}, [][]byte{rawInts("r", 0, 2, 2), nodeOf("Reshape", "u", "l", "r"), opOf("Softmax", "y", []string{"u"}, intAttr("axis", 2))}},
	} {
		_, err := Read(bytes.NewReader(headed(4, []string{tc.output}, tc.head...)), nil)
		if !errors.Is(err, ErrUnsupported) || slices.ContainsFunc(tc.says, func(s string) bool { return !strings.Contains(err.Error(), s) }) {
			t.Errorf("%s: %v; want %q", name, err, tc.says)
		}
	}
}

// TestOneColumn wants two logits of a sigmoid of one number, whose softmax is what
// the file computes.
func TestOneColumn(t *testing.T) {
	sigmoid, one := nodeOf("Sigmoid", "p", "l"), rawFloats("one", nil, 1)
	rest := nodeOf("Sub", "q", "one", "p")
	x := tensorOf([]int{3, 6})
	plain, err := Read(bytes.NewReader(headed(1, []string{"l"})), nil)
	if err != nil {
		t.Fatal(err)
	}
	z := logits(t, plain, x)
	for name, tc := range map[string]struct {
		output string
		sign   float32 // of z in the second logit
		head   [][]byte
	}{
		"one":     {"p", 1, [][]byte{sigmoid}},
		"pair":    {"y", 1, [][]byte{sigmoid, one, rest, opOf("Concat", "y", []string{"q", "p"}, intAttr("axis", 1))}},
		"flipped": {"y", -1, [][]byte{sigmoid, one, rest, opOf("Concat", "y", []string{"p", "q"}, intAttr("axis", 1))}},
	} {
		m, err := Read(bytes.NewReader(headed(1, []string{tc.output}, tc.head...)), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := logits(t, m, x)
		for i, v := range z.Data {
			if d := got.Data[2*i+1] - got.Data[2*i]; m.Spec().Classes() != 2 || d != tc.sign*v {
				t.Errorf("%s: logits %v for %v", name, got.Row(i), v)
			}
		}
	}
}

// trained returns the names of the parameters that train.
func trained(m *Model) []string {
	var names []string
	for _, p := range m.Spec().Params {
		if p.Trainable {
			names = append(names, p.Name)
		}
	}
	return names
}

// preparing is a model with every kind of number that is no weight.
func preparing() []byte {
	mask := rawFloats("mask", []int64{4}, 0, -100, 0, 0)
	return modelBytes(random("mean", 6), random("std", 6), nodeOf("Sub", "c", "x", "mean"), nodeOf("Div", "n", "c", "std"),
		random("w", 6, 4), nodeOf("MatMul", "a", "n", "w"), random("b", 4), nodeOf("Add", "h", "a", "b"),
		mask, nodeOf("Add", "k", "h", "mask"), rawFloats("count", []int64{4}, 0, 1, 2, 3), nodeOf("Mul", "y", "k", "count"), inputOf("x", -1, 6), outputOf("y"))
}

func TestWhatTrains(t *testing.T) {
	for name, tc := range map[string]struct {
		opt  Options
		want []string
	}{
		"by themselves": {Options{}, []string{"w", "b"}},
		"frozen":        {Options{Freeze: []string{"b*"}}, []string{"w"}},
		"asked for":     {Options{Train: []string{"m*", "std"}}, []string{"mean", "std", "w", "b", "mask"}},
		"both":          {Options{Freeze: []string{"w"}, Train: []string{"*"}}, []string{"mean", "std", "b", "mask", "count"}},
		"nothing":       {Options{Freeze: []string{"*"}, RunOnly: true}, nil},
	} {
		m, err := Read(bytes.NewReader(preparing()), &tc.opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := trained(m); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q train, want %q (notes %q)", name, got, tc.want, m.Notes())
		}
		if all := len(m.Spec().Params); all != 6 {
			t.Errorf("%s: %d parameters: those that do not train are saved and restored too", name, all)
		}
	}
	if _, err := Read(bytes.NewReader(preparing()), &Options{Freeze: []string{"*"}}); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "RunOnly") {
		t.Errorf("nothing to train: %v", err)
	}
	if _, err := Read(bytes.NewReader(preparing()), &Options{Freeze: []string{"layer1.*"}}); !errors.Is(err, feature.ErrParam) {
		t.Errorf("a pattern without a weight: %v", err)
	}
}

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*", "", true}, {"*.weight", "l/1.weight", true}, {"a*b*c", "a/b.c", true},
		{"a*b*c", "acb", false}, {"ab*ab", "ab", false}, {"*b", "a", false}, {"a*a", "a", false},
	} {
		if got := matches(tc.pattern, tc.name); got != tc.want {
			t.Errorf("%q, %q: %t", tc.pattern, tc.name, got)
		}
	}
}

// TestFrozenNorm wants the statistics of a frozen batch norm to stay.
func TestFrozenNorm(t *testing.T) {
	data := modelBytes(random("s", 3), random("o", 3), rawFloats("mean", []int64{3}, 0, 0, 0), rawFloats("var", []int64{3}, 1, 1, 1),
		random("w", 6, 3), nodeOf("MatMul", "h", "x", "w"), nodeOf("BatchNormalization", "y", "h", "s", "o", "mean", "var"), inputOf("x", -1, 6), outputOf("y"))
	for _, freeze := range [][]string{nil, {"s", "o"}} {
		m, err := Read(bytes.NewReader(data), &Options{Freeze: freeze})
		if err != nil {
			t.Fatal(err)
		}
		before := written(t, m)
		x := tensorOf([]int{4, 6})
		if err := m.GradMode(t.Context(), feature.Mode{Train: true, Track: true}, x, []string{"y"}, squares, nil, nil); err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(before, written(t, m)); same != (freeze != nil) {
			t.Errorf("frozen %q: the statistics stay: %t", freeze, same)
		}
	}
}

// TestNumbersThatAreNone wants an error that names the tensor.
func TestNumbersThatAreNone(t *testing.T) {
	nan, inf := float32(0)/zero, -1/zero
	for name, tc := range map[string]struct {
		w    []float32
		says string
	}{
		"NaN": {[]float32{1, 2, nan, 0}, `element 2 of "w" is NaN`}, "infinity": {[]float32{1, inf, 2, 0}, `element 1 of "w" is -Inf`},
	} {
		data := modelBytes(rawFloats("w", []int64{2, 2}, tc.w...), nodeOf("MatMul", "y", "x", "w"), inputOf("x", -1, 2), outputOf("y"))
		if _, err := Read(bytes.NewReader(data), nil); !errors.Is(err, feature.ErrNotFinite) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mask := modelBytes(random("w", 2, 2), nodeOf("MatMul", "h", "x", "w"), rawFloats("k", []int64{2}, 0, inf), nodeOf("Add", "y", "h", "k"), inputOf("x", -1, 2), outputOf("y"))
	if m, err := Read(bytes.NewReader(mask), nil); err != nil || !slices.Equal(trained(m), []string{"w"}) {
		t.Errorf("minus infinity in a mask: %v", err)
	}
}

var zero float32
