package onnx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// random is an initializer drawn from the normal distribution.
func random(name string, dims ...int64) []byte {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	src := rand.New(rand.NewPCG(uint64(n), uint64(len(name))))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(src.NormFloat64()) / 2
	}
	return rawFloats(name, dims, v...)
}

// everyWeight trains what acts on the input too: most tests have little else.
var everyWeight = &Options{RunOnly: true, Train: []string{"*"}}

// lawful runs the laws of package feature, gradients among them, on the model
// y = op(x …), made of a few fields of a graph.
func lawful(t *testing.T, name string, opset int64, input []int64, parts ...[]byte) {
	t.Run(name, func(t *testing.T) {
		graph := append(slices.Clone(parts), inputOf("x", append([]int64{-1}, input...)...), outputOf("y"))
		m, err := Read(bytes.NewReader(versioned(8, opset, graph...)), everyWeight)
		if err != nil {
			t.Fatal(err)
		}
		if err := featuretest.Check(m, nil); err != nil {
			t.Error(err)
		}
	})
}

// x is the name list of one input, xw that of an input and a weight.
var (
	x  = []string{"x"}
	xw = []string{"x", "w"}
)

// TestConvolutionGradients has the cases in which GoMLX's gradients are known
// to be wrong (even-sized kernels with stride) and Gorgonia's (dilation, groups,
// asymmetric padding).
func TestConvolutionGradients(t *testing.T) {
	for i, tc := range []struct {
		w     []int64
		attrs [][]byte
	}{
		{[]int64{3, 2, 2, 2}, [][]byte{intsAttr("strides", 2, 2)}},
		{[]int64{3, 2, 8, 8}, [][]byte{intsAttr("strides", 8, 8)}},
		{[]int64{4, 1, 3, 2}, [][]byte{intAttr("group", 2), intsAttr("dilations", 2, 1), intsAttr("pads", 0, 1, 2, 0)}},
		{[]int64{3, 2, 4, 3}, [][]byte{textAttr("auto_pad", "SAME_UPPER"), intsAttr("strides", 3, 2)}},
		{[]int64{3, 2, 4, 3}, [][]byte{textAttr("auto_pad", "SAME_LOWER"), intsAttr("strides", 1, 2)}},
	} {
		lawful(t, fmt.Sprint("conv ", i), 13, []int64{2, 9, 8}, random("w", tc.w...), random("b", tc.w[0]),
			opOf("Conv", "y", []string{"x", "w", "b"}, tc.attrs...))
	}
	lawful(t, "sequence", 13, []int64{2, 9}, random("w", 3, 2, 4), opOf("Conv", "y", xw, intsAttr("strides", 2), intsAttr("pads", 1, 2)))
	lawful(t, "transposed", 13, []int64{2, 4, 5}, random("w", 2, 3, 2, 4), opOf("ConvTranspose", "y", xw, intsAttr("strides", 2, 3), intsAttr("output_padding", 1, 2)))
	lawful(t, "transposed to a shape", 13, []int64{2, 4, 5}, random("w", 2, 3, 3, 3), opOf("ConvTranspose", "y", xw, intsAttr("strides", 2, 2), intsAttr("output_shape", 8, 10)))
}

// TestPoolingGradients has the last, partial windows of ceil_mode, which GoMLX
// and Gorgonia count wrongly.
func TestPoolingGradients(t *testing.T) {
	for _, op := range []string{"MaxPool", "AveragePool"} {
		for i, attrs := range [][][]byte{
			{intsAttr("kernel_shape", 2, 2), intsAttr("strides", 2, 2), intAttr("ceil_mode", 1)},
			{intsAttr("kernel_shape", 3, 2), intsAttr("strides", 2, 3), intsAttr("pads", 1, 0, 1, 1), intAttr("ceil_mode", 1)},
			{intsAttr("kernel_shape", 4, 4), intsAttr("strides", 3, 1), textAttr("auto_pad", "SAME_UPPER")},
			{intsAttr("kernel_shape", 3, 3), intsAttr("strides", 2, 2), intsAttr("pads", 1, 1, 1, 1), intAttr("count_include_pad", 1), intAttr("ceil_mode", 1)},
		} {
			lawful(t, fmt.Sprint(op, i), 13, []int64{2, 7, 8}, opOf(op, "y", x, attrs...))
		}
	}
	lawful(t, "global max", 13, []int64{2, 3, 4}, opOf("GlobalMaxPool", "y", x))
}

func TestNormalizationGradients(t *testing.T) {
	lawful(t, "layer", 17, []int64{3, 8}, random("s", 8), random("b", 8), opOf("LayerNormalization", "y", []string{"x", "s", "b"}))
	lawful(t, "layer over two axes", 17, []int64{3, 8}, random("s", 3, 8), opOf("LayerNormalization", "y", []string{"x", "s"}, intAttr("axis", 1)))
	lawful(t, "instance", 13, []int64{3, 4, 5}, random("s", 3), random("b", 3), opOf("InstanceNormalization", "y", []string{"x", "s", "b"}))
	lawful(t, "group 18", 18, []int64{4, 3, 2}, random("s", 2), random("b", 2), opOf("GroupNormalization", "y", []string{"x", "s", "b"}, intAttr("num_groups", 2)))
	lawful(t, "group 21", 21, []int64{4, 3, 2}, random("s", 4), random("b", 4), opOf("GroupNormalization", "y", []string{"x", "s", "b"}, intAttr("num_groups", 2)))
	lawful(t, "local response", 13, []int64{5, 3, 2}, opOf("LRN", "y", x, intAttr("size", 3), floatAttr("alpha", .5)))
	lawful(t, "softmax of operator set 11", 11, []int64{3, 4}, opOf("Softmax", "y", x))
	lawful(t, "softmax along the channels", 13, []int64{3, 4}, opOf("Softmax", "h", x, intAttr("axis", 1)), opOf("Neg", "y", []string{"h"}))
	lawful(t, "log-softmax", 13, []int64{3, 4}, opOf("LogSoftmax", "h", x), opOf("Neg", "y", []string{"h"}))
}

func TestShapeGradients(t *testing.T) {
	lawful(t, "slice backwards", 13, []int64{5, 6}, rawInts("s", -1, 4), rawInts("e", -6, 1), rawInts("a", 1, -1), rawInts("p", -2, -1),
		opOf("Slice", "y", []string{"x", "s", "e", "a", "p"}))
	lawful(t, "slice of operator set 9", 9, []int64{5, 6}, opOf("Slice", "y", x, intsAttr("starts", 1, 2), intsAttr("ends", 3, math.MaxInt64), intsAttr("axes", 1, 2)))
	lawful(t, "split and join", 13, []int64{5, 6}, rawInts("s", 1, 3, 1), sub(1, msg(nodeBody("Split", "a", []string{"x", "s"}, intAttr("axis", 1)), text(2, "b"), text(2, "c"))),
		opOf("Concat", "y", []string{"c", "a", "b", "a"}, intAttr("axis", 1)))
	for _, mode := range []string{"constant", "reflect", "edge"} {
		lawful(t, "pad "+mode, 13, []int64{3, 4}, rawInts("p", 0, 2, 1, 0, 1, 3), opOf("Pad", "y", []string{"x", "p"}, textAttr("mode", mode)))
	}
	lawful(t, "transpose", 13, []int64{3, 4, 2}, opOf("Transpose", "y", x, intsAttr("perm", 0, 3, 1, 2)))
	lawful(t, "batch in the middle", 13, []int64{3, 4}, opOf("Transpose", "h", x, intsAttr("perm", 1, 0, 2)), random("w", 4, 5),
		opOf("MatMul", "m", []string{"h", "w"}), opOf("Transpose", "y", []string{"m"}, intsAttr("perm", 1, 2, 0)))
	lawful(t, "gather", 13, []int64{5, 2}, rawInts("i", 4, 0, -1, 0), opOf("Gather", "y", []string{"x", "i"}, intAttr("axis", 1)))
	lawful(t, "tile", 13, []int64{2, 3}, rawInts("r", 1, 3, 2), opOf("Tile", "y", []string{"x", "r"}))
	lawful(t, "depth to space", 13, []int64{8, 2, 3}, opOf("DepthToSpace", "h", x, intAttr("blocksize", 2), textAttr("mode", "CRD")), opOf("SpaceToDepth", "y", []string{"h"}, intAttr("blocksize", 2)))
	scales := rawFloats("s", []int64{4}, 1, 1, 2, 1.5)
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		lawful(t, "resize "+mode, 13, []int64{2, 3, 4}, scales, opOf("Resize", "y", []string{"x", "", "s"}, textAttr("mode", mode)))
	}
	lawful(t, "upsample", 9, []int64{2, 3, 4}, rawFloats("s", []int64{4}, 1, 1, 2, 3), opOf("Upsample", "y", []string{"x", "s"}))
}

func TestArithmeticGradients(t *testing.T) {
	lawful(t, "same input twice", 13, []int64{4}, opOf("Mul", "y", []string{"x", "x"}))
	lawful(t, "gemm with everything", 13, []int64{4}, random("w", 4, 3), random("b", 1, 3), opOf("Gemm", "y", []string{"x", "w", "b"}, floatAttr("alpha", .5), floatAttr("beta", -2)))
	lawful(t, "gemm with a number", 13, []int64{4}, random("w", 3, 4), rawFloats("b", nil, 2), opOf("Gemm", "y", []string{"x", "w", "b"}, intAttr("transB", 1), floatAttr("beta", 3)))
	lawful(t, "transposed weight", 13, []int64{4}, random("w", 3, 4), opOf("Transpose", "v", []string{"w"}), opOf("MatMul", "y", []string{"x", "v"}))
	lawful(t, "tied weights", 13, []int64{4}, random("w", 4, 4), opOf("Identity", "v", []string{"w"}), opOf("MatMul", "h", xw), opOf("MatMul", "y", []string{"h", "v"}))
	lawful(t, "attention", 13, []int64{3, 4}, random("w", 4, 4), opOf("MatMul", "q", xw), opOf("Transpose", "k", x, intsAttr("perm", 0, 2, 1)),
		opOf("MatMul", "a", []string{"q", "k"}), opOf("Softmax", "p", []string{"a"}), opOf("MatMul", "y", []string{"p", "x"}))
	lawful(t, "weights made of weights", 13, []int64{4}, random("v", 4), random("w", 4), opOf("Mul", "s", []string{"v", "w"}), opOf("Add", "y", []string{"x", "s"}))
	lawful(t, "token put before", 13, []int64{3, 4}, random("c", 1, 1, 4), rawInts("i", 0), opOf("Shape", "s", x), opOf("Gather", "n", []string{"s", "i"}), rawInts("r", 1, 4),
		opOf("Concat", "e", []string{"n", "r"}, intAttr("axis", 0)), opOf("Expand", "t", []string{"c", "e"}), opOf("Concat", "y", []string{"t", "x"}, intAttr("axis", 1)))
	lawful(t, "choice", 13, []int64{4}, rawInts("i", 1, 0, 0, 1), opOf("Cast", "b", []string{"i"}, intAttr("to", typeBool)), random("w", 4), opOf("Where", "y", []string{"b", "x", "w"}))
	lawful(t, "length before batch", 13, []int64{3, 4}, random("w", 4, 5), rawInts("s", -1, 4), rawInts("r", 3, -1, 5), opOf("Transpose", "h", x, intsAttr("perm", 1, 0, 2)),
		opOf("Reshape", "f", []string{"h", "s"}), opOf("Tanh", "g", []string{"f"}), opOf("MatMul", "m", []string{"g", "w"}), opOf("Reshape", "u", []string{"m", "r"}),
		opOf("Transpose", "y", []string{"u"}, intsAttr("perm", 1, 0, 2)))
	lawful(t, "heads in the batch", 13, []int64{3, 4}, rawInts("s", -1, 3, 2), rawInts("r", -1, 12), opOf("Reshape", "h", []string{"x", "s"}),
		opOf("Softmax", "a", []string{"h"}), opOf("Reshape", "b", []string{"a", "r"}), opOf("Tanh", "y", []string{"b"}))
}

// TestFixedBatch reads a file whose reshaping has the batch size 2 in it, and runs
// it on three samples.
func TestFixedBatch(t *testing.T) {
	build := func(batch int64) *Model {
		m, err := Read(bytes.NewReader(modelBytes(rawInts("s", 2, 3, 2), rawInts("r", 2, 6), opOf("Reshape", "h", []string{"x", "s"}), opOf("Softmax", "a", []string{"h"}),
			opOf("Reshape", "f", []string{"a", "r"}), random("w", 6, 4), opOf("MatMul", "y", []string{"f", "w"}), inputOf("x", batch, 6), outputOf("y"))), nil)
		if err != nil {
			t.Log(err)
			return nil
		}
		return m
	}
	for _, batch := range []int64{2, -1} { // the shape has it in both
		m := build(batch)
		if m == nil || len(m.Notes()) != 1 || m.Spec().Batch != 0 {
			t.Fatal("a fixed batch is not accepted, or not told")
		}
		if err := featuretest.Check(m, nil); err != nil {
			t.Error(err)
		}
	}
	mixing, err := Read(bytes.NewReader(modelBytes(rawInts("s", 1, 12), opOf("Reshape", "h", []string{"x", "s"}), opOf("Relu", "y", []string{"h"}), inputOf("x", 2, 6), outputOf("y"))), nil)
	if err == nil {
		t.Errorf("samples are joined without an error: %v", mixing.Spec())
	}
}

// TestRowsOfSeveralSamplesStayApart reads what must not work on an axis in which
// the batch runs faster than something else.
func TestRowsOfSeveralSamplesStayApart(t *testing.T) {
	rows := [][]byte{rawInts("s", -1, 4), opOf("Transpose", "h", x, intsAttr("perm", 1, 0, 2)), opOf("Reshape", "f", []string{"h", "s"}), inputOf("x", -1, 3, 4), outputOf("y")}
	for name, parts := range map[string][][]byte{
		"wrong way back": {rawInts("r", -1, 3, 4), opOf("Reshape", "y", []string{"f", "r"})},
		"other rows":     {rawInts("r", 2, -1, 4), opOf("Reshape", "y", []string{"f", "r"})},
		"joined":         {rawInts("r", -1, 12), opOf("Reshape", "g", []string{"x", "r"}), rawInts("q", -1, 4), opOf("Reshape", "k", []string{"g", "q"}), opOf("Add", "y", []string{"f", "k"})},
		"transposed":     {opOf("Transpose", "y", []string{"f"})},
	} {
		if m, err := Read(bytes.NewReader(modelBytes(append(slices.Clone(rows), parts...)...)), nil); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

// TestTiedParametersAreOne reads a weight under two names.
func TestTiedParametersAreOne(t *testing.T) {
	m, err := Read(bytes.NewReader(modelBytes(random("w", 4, 4), opOf("Identity", "v", []string{"w"}), opOf("MatMul", "h", xw), opOf("MatMul", "y", []string{"h", "v"}),
		inputOf("x", -1, 4), outputOf("y"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := m.Spec().Params; len(p) != 1 || p[0].Name != "w" || len(m.Notes()) != 1 {
		t.Errorf("parameters %v, notes %q", p, m.Notes())
	}
}

// TestBitsDoNotDependOnGOMAXPROCS runs a step of a model with attention.
func TestBitsDoNotDependOnGOMAXPROCS(t *testing.T) {
	m, err := Read(bytes.NewReader(modelBytes(random("w", 16, 16), random("c", 8, 1, 3, 3), rawInts("s", 0, 8, 16), opOf("Conv", "h", []string{"i", "c"}, intsAttr("pads", 1, 1, 1, 1)),
		opOf("Reshape", "x", []string{"h", "s"}), opOf("MatMul", "q", xw), opOf("Transpose", "k", x, intsAttr("perm", 0, 2, 1)), opOf("MatMul", "a", []string{"q", "k"}),
		opOf("Softmax", "p", []string{"a"}), opOf("MatMul", "o", []string{"p", "x"}), opOf("ReduceMean", "y", []string{"o"}, intsAttr("axes", 1), intAttr("keepdims", 0)),
		inputOf("i", -1, 1, 4, 4), outputOf("y"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	in := tensorOf([]int{37, 1, 4, 4})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var want []float32
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		got, dp := make([]float32, len(in.Data)), feature.NewGradients(m.Spec())
		if err := m.Grad(context.Background(), in, []string{"y"}, squares, got, dp); err != nil {
			t.Fatal(err)
		}
		got = slices.Concat(append(dp, got)...)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("other bits at GOMAXPROCS %d", procs)
		}
	}
}

// TestRecurrentGradients has every direction, with and without bias and first
// states.
func TestRecurrentGradients(t *testing.T) {
	swap := opOf("Transpose", "s", x, intsAttr("perm", 1, 0, 2)) // the batch goes to axis 1
	for _, tc := range []struct {
		op, direction string
		d, gates      int64
		attrs         [][]byte
	}{
		{"LSTM", "forward", 1, 4, nil}, {"LSTM", "reverse", 1, 4, nil}, {"LSTM", "bidirectional", 2, 4, nil},
		{"GRU", "forward", 1, 3, nil}, {"GRU", "bidirectional", 2, 3, [][]byte{intAttr("linear_before_reset", 1)}}, {"GRU", "reverse", 1, 3, [][]byte{intAttr("linear_before_reset", 1)}},
	} {
		w, r, bias := random("w", tc.d, tc.gates*3, 2), random("r", tc.d, tc.gates*3, 3), random("b", tc.d, 2*tc.gates*3)
		attrs := append(slices.Clone(tc.attrs), textAttr("direction", tc.direction), intAttr("hidden_size", 3))
		back := opOf("Transpose", "y", []string{"o"}, intsAttr("perm", 2, 0, 1, 3))
		lawful(t, tc.op+" "+tc.direction, 14, []int64{4, 2}, w, r, bias, swap, opOf(tc.op, "o", []string{"s", "w", "r", "b"}, attrs...), back)
		lawful(t, tc.op+" "+tc.direction+" without bias", 14, []int64{4, 2}, w, r, swap, opOf(tc.op, "o", []string{"s", "w", "r"}, attrs...), back)
		in := []string{"s", "w", "r", "b", "", "h"}
		last := onnxfile.Node(tc.op, "", in, []string{"", "e"}, attrs...)
		lawful(t, tc.op+" "+tc.direction+" from a state", 14, []int64{4, 2}, w, r, bias, random("h", tc.d, 1, 3), swap, last,
			opOf("Transpose", "y", []string{"e"}, intsAttr("perm", 1, 0, 2)))
	}
}
