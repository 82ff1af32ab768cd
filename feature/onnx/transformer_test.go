package onnx

import (
	"bytes"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// layerNormNodes spells layer normalization of x, 5×8 a sample, as opset 13 exports do:
// by a power and a root, or by a product and a reciprocal.
func layerNormNodes(x, y string, byProduct bool) [][]byte {
	at := func(s string) string { return y + s }
	mean := func(out, in string) []byte { return opOf("ReduceMean", out, []string{in}, intsAttr("axes", -1)) }
	square, root := nodeOf("Pow", at("sq"), at("c"), "two"), nodeOf("Div", at("n"), at("c"), at("sd"))
	if byProduct {
		square = nodeOf("Mul", at("sq"), at("c"), at("c"))
		root = msg(nodeOf("Reciprocal", at("r"), at("sd")), nodeOf("Mul", at("n"), at("c"), at("r")))
	}
	return [][]byte{mean(at("m"), x), nodeOf("Sub", at("c"), x, at("m")), square, mean(at("v"), at("sq")), nodeOf("Add", at("ve"), at("v"), "eps"),
		nodeOf("Sqrt", at("sd"), at("ve")), root, nodeOf("Mul", at("ns"), at("n"), at("scale")), nodeOf("Add", y, at("ns"), at("shift")),
		random(at("scale"), 8), random(at("shift"), 8)}
}

// transformerNodes is a block of attention with two heads and of a GELU layer, and a
// linear head, on x of 5×8 a sample.
func transformerNodes(byProduct, scaleFirst bool) [][]byte {
	split := func(name string) [][]byte {
		return [][]byte{nodeOf("MatMul", name+"w", "n1", "w"+name), nodeOf("Add", name+"b", "b"+name, name+"w"),
			nodeOf("Reshape", name+"r", name+"b", "heads"), random("w"+name, 8, 8), random("b"+name, 8)}
	}
	list := layerNormNodes("x", "n1", byProduct)
	for _, name := range []string{"q", "k", "v"} {
		list = append(list, split(name)...)
	}
	q, scores := "qt", nodeOf("Div", "s", "qk", "root")
	if scaleFirst {
		list = append(list, nodeOf("Mul", "qs", "qt", "half"))
		q, scores = "qs", nodeOf("Identity", "s", "qk")
	}
	list = append(list, opOf("Transpose", "qt", []string{"qr"}, intsAttr("perm", 0, 2, 1, 3)), opOf("Transpose", "kt", []string{"kr"}, intsAttr("perm", 0, 2, 3, 1)),
		opOf("Transpose", "vt", []string{"vr"}, intsAttr("perm", 0, 2, 1, 3)), nodeOf("MatMul", "qk", q, "kt"), scores,
		opOf("Softmax", "p", []string{"s"}, intAttr("axis", -1)), nodeOf("MatMul", "pv", "p", "vt"),
		opOf("Transpose", "ot", []string{"pv"}, intsAttr("perm", 0, 2, 1, 3)), nodeOf("Reshape", "o", "ot", "flat"), nodeOf("Add", "h", "o", "x"))
	list = append(list, layerNormNodes("h", "n2", byProduct)...)
	list = append(list, nodeOf("MatMul", "up", "n2", "wu"), nodeOf("Add", "u", "up", "bu"), nodeOf("Div", "e1", "u", "sqrt2"), nodeOf("Erf", "e2", "e1"),
		nodeOf("Add", "e3", "e2", "one"), nodeOf("Mul", "e4", "u", "e3"), nodeOf("Mul", "g", "e4", "half"), nodeOf("MatMul", "down", "g", "wd"),
		nodeOf("Add", "z", "down", "h"), opOf("ReduceMean", "pool", []string{"z"}, intsAttr("axes", 1), intAttr("keepdims", 0)), nodeOf("MatMul", "y", "pool", "wy"))
	constant := func(name string, v float32) []byte { return rawFloats(name, nil, v) }
	return append(list, random("wu", 8, 12), random("bu", 12), random("wd", 12, 8), random("wy", 8, 3), constant("two", 2), constant("eps", 1e-5),
		constant("root", 2), constant("half", .5), constant("one", 1), constant("sqrt2", math.Sqrt2), rawInts("heads", 0, 5, 2, 4), rawInts("flat", 0, 5, 8))
}

// transformerFile is a file of these nodes.
func transformerFile(byProduct, scaleFirst bool) []byte {
	return versioned(8, 13, append(transformerNodes(byProduct, scaleFirst), inputOf("x", -1, 5, 8), outputOf("y"))...)
}

// Decomposed layer norm, attention and GELU keep the laws of models; a run in which
// every tensor is tapped, so that their nodes are computed too, agrees; and what is
// saved has the nodes as they were.
func TestTransformerBlock(t *testing.T) {
	for _, byProduct := range []bool{false, true} {
		for _, scaleFirst := range []bool{false, true} {
			file := transformerFile(byProduct, scaleFirst)
			m, err := Read(bytes.NewReader(file), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := featuretest.Check(m, nil); err != nil {
				t.Error(err)
			}
			compareWithTaps(t, m)
			step(t, m, .1)
			saved := written(t, m)
			if len(saved) != len(file) || bytes.Equal(saved, file) {
				t.Fatalf("%d bytes, read %d", len(saved), len(file))
			}
			for _, part := range transformerNodes(byProduct, scaleFirst) {
				if part[0] == 1<<3|2 && !bytes.Contains(saved, part) { // field 1 of a graph: nodes
					t.Errorf("a node of %d bytes is not in the file that was saved", len(part))
				}
			}
		}
	}
}

// compareWithTaps compares the logits and the input's gradient of a run with those of
// one that keeps every tap.
func compareWithTaps(t *testing.T, m *Model) {
	t.Helper()
	var all []string
	for _, tap := range m.Spec().Taps {
		all = append(all, tap.Name)
	}
	at := slices.Index(all, m.Spec().Logits)
	x := tensorOf([]int{3, 5, 8})
	run := func(taps []string, at int) (y, dx []float32) {
		dx = make([]float32, len(x.Data))
		err := m.Grad(context.Background(), x, taps, func(val, cot []feature.Tensor) error {
			y = slices.Clone(val[at].Data)
			for i := range y {
				cot[at].Data[i] += y[i]
			}
			return nil
		}, dx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return y, dx
	}
	y, dx := run([]string{m.Spec().Logits}, 0)
	yAll, dxAll := run(all, at)
	for i, v := range append(y, dx...) {
		if w := append(yAll, dxAll...)[i]; math.Abs(float64(v-w)) > 1e-5*(1+math.Abs(float64(w))) {
			t.Fatalf("number %d is %v, with all taps %v", i, v, w)
		}
	}
}
