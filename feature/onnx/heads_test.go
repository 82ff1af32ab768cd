package onnx

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// severalHeads is a trunk with three linear layers behind it: a, of three numbers, b and
// c, of one each; and d of two.
func severalHeads(outputs []string, head ...[]byte) []byte {
	parts := [][]byte{random("w", 6, 5), nodeOf("MatMul", "m", "x", "w"), nodeOf("Relu", "h", "m")}
	for i, name := range []string{"a", "b", "c", "d"} {
		parts = append(parts, random("w"+name, 5, []int64{3, 1, 1, 2}[i]), nodeOf("MatMul", name, "h", "w"+name))
	}
	parts = append(append(parts, head...), inputOf("x", -1, 6))
	for _, name := range outputs {
		parts = append(parts, outputOf(name))
	}
	return modelBytes(parts...)
}

// TestSeveralHeads wants the logits of all heads, and heads that say what is done with
// them.
func TestSeveralHeads(t *testing.T) {
	softmax := axisOne("Softmax", "pa", "a")
	sigmoid := [][]byte{nodeOf("Sigmoid", "pb", "b"), nodeOf("Sigmoid", "pc", "c"), nodeOf("Sigmoid", "pd", "d")}
	one := rawFloats("one", nil, 1)
	pair := opOf("Concat", "both", []string{"rest", "pb"}, intAttr("axis", 1))
	x := tensorOf([]int{3, 6})
	for name, tc := range map[string]struct {
		opt   Options
		nodes [][]byte
		want  feature.Heads
		from  []string // tensors whose numbers are the logits
	}{
		"softmax and sigmoids": {Options{Heads: []string{"pa", "pb", "pc"}}, append(sigmoid, softmax),
			feature.Heads{{Name: "pa", Width: 3}, {Name: "pb", Kind: feature.SigmoidHead, Width: 1}, {Name: "pc", Kind: feature.SigmoidHead, Width: 1}}, []string{"a", "b", "c"}},
		"another order": {Options{Heads: []string{"pb", "a"}}, sigmoid, feature.Heads{{Name: "pb", Kind: feature.SigmoidHead, Width: 1}, {Name: "a", Width: 3}}, []string{"b", "a"}},
		"logits":        {Options{Heads: []string{"a", "b", "d"}}, nil, feature.Heads{{Name: "a", Width: 3}, {Name: "b", Kind: feature.SigmoidHead, Width: 1}, {Name: "d", Width: 2}}, []string{"a", "b", "d"}},
		"two sigmoids":  {Options{Heads: []string{"pd", "a"}}, sigmoid, append(feature.Sigmoids(2, "pd 0", "pd 1"), feature.Head{Name: "a", Width: 3}), []string{"d", "a"}},
		"multi-label":   {Options{Logits: "pd"}, sigmoid, feature.Sigmoids(2), []string{"d"}},
		"asked for":     {Options{Logits: "a", MultiLabel: true}, nil, feature.Sigmoids(3), []string{"a"}},
		"asked for one": {Options{Logits: "b", MultiLabel: true}, nil, feature.Sigmoids(1), []string{"b"}},
		"pair":          {Options{Heads: []string{"both", "a"}}, append(sigmoid, one, nodeOf("Sub", "rest", "one", "pb"), pair), feature.Heads{{Name: "both", Width: 2}, {Name: "a", Width: 3}}, []string{"0", "b", "a"}},
	} {
		outputs := tc.opt.Heads
		if outputs == nil {
			outputs = []string{tc.opt.Logits}
		}
		data := severalHeads(outputs, tc.nodes...)
		m, err := Read(bytes.NewReader(data), &tc.opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := m.Spec(); !slices.Equal(s.Heads, tc.want) || s.Features != "h" {
			t.Errorf("%s: heads %+v on %q, want %+v", name, s.Heads, s.Features, tc.want)
		}
		got := logits(t, m, x)
		var want feature.Tensor
		at := 0
		for _, from := range tc.from {
			width := map[string]int{"0": 1, "a": 3, "b": 1, "c": 1, "d": 2}[from]
			if want = feature.NewTensor(3, width); from != "0" {
				if err := m.Forward(t.Context(), x, []string{from}, []feature.Tensor{want}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 3 {
				if !slices.Equal(got.Row(i)[at:at+width], want.Row(i)) {
					t.Errorf("%s: row %d of %q is %v, want %v", name, i, from, got.Row(i)[at:at+width], want.Row(i))
				}
			}
			at += width
		}
		featuretest.Run(t, m, nil)
		if !bytes.Equal(written(t, m), data) {
			t.Errorf("%s: an untouched model is written with other bytes", name)
		}
	}
}

func TestRefusedSeveralHeads(t *testing.T) {
	softmax := axisOne("Softmax", "p", "a")
	many := modelBytes(random("w", 6, 70), nodeOf("MatMul", "z", "x", "w"), nodeOf("Sigmoid", "y", "z"), inputOf("x", -1, 6), outputOf("y"))
	for want, tc := range map[string]struct {
		opt  Options
		data []byte
	}{
		"same logits":          {Options{Heads: []string{"p", "a"}}, severalHeads([]string{"p"}, softmax)},
		"MultiLabel, but":      {Options{Logits: "p", MultiLabel: true}, severalHeads([]string{"p"}, softmax)},
		"70 targets have more": {Options{}, many},
		`head "k"`:             {Options{Heads: []string{"a", "k"}}, severalHeads([]string{"a", "k"}, nodeOf("Relu", "k", "wa"))},
	} {
		if _, err := Read(bytes.NewReader(tc.data), &tc.opt); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := Read(bytes.NewReader(many), &Options{Logits: "y", Heads: []string{"y", "z"}}); err == nil || !strings.Contains(err.Error(), "want one of them") {
		t.Error(err)
	}
}
