package onnx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
	"github.com/dlfd-go/unlearn/internal/finite"
)

var (
	graphCount = flag.Int("graphs", 20000, "number of random graphs of TestRandomGraphs")
	graphSeed  = flag.Uint64("graphseed", 1, "seed of the first of them; the next ones follow")
	graphDump  = flag.String("graphdump", "", "folder for those that load, with inputs and outputs, for other runtimes")
)

// TestRandomGraphs reads files of random operators, inputs, attributes, shapes and
// types. What loads must run: forward, backward, a training step, saved and
// read again with the same logits. Mutated bytes, as FuzzLoad has them, nearly
// never get past the parser; these do in every third case.
//
// By hand: go test -run TestRandomGraphs ./feature/onnx -graphs 10000000
func TestRandomGraphs(t *testing.T) {
	loaded := 0
	if testing.Short() {
		*graphCount = min(*graphCount, 5000)
	}
	for i := range *graphCount {
		seed := *graphSeed + uint64(i)
		data, input := randomGraph(seed)
		m, err := survives(data, input)
		if err != nil {
			path := filepath.Join(os.TempDir(), fmt.Sprintf("graph-%d.onnx", seed))
			_ = os.WriteFile(path, data, 0o600)
			t.Errorf("seed %d: %v (the file is %s)", seed, err, path)
		}
		if m != nil {
			loaded++
			dump(t, data, input, seed)
		}
	}
	t.Logf("%d of %d graphs load", loaded, *graphCount)
	if loaded*10 < *graphCount {
		t.Errorf("only %d of %d graphs load: the others say little", loaded, *graphCount)
	}
}

// survives loads and uses a file, and turns panics into errors. The model is nil if
// the file is refused.
func survives(data []byte, input []int) (m *Model, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	m, err = Read(bytes.NewReader(data), &Options{MaxActivation: 1 << 12, MaxWork: 1 << 20, MaxKernel: 64, MaxKept: 1 << 18, MaxTables: 1 << 18, RunOnly: true, Train: []string{"*"}})
	if err != nil {
		for _, kind := range []error{ErrFormat, ErrLimit, ErrUnsupported, ErrGradient, feature.ErrNoTap, feature.ErrShape, feature.ErrNotFinite} {
			if errors.Is(err, kind) {
				return nil, nil
			}
		}
		return nil, fmt.Errorf("an error of no kind: %w", err)
	}
	return m, exercise(m, data)
}

// exercise runs forward, backward, a training step, and saves.
func exercise(m *Model, data []byte) error {
	ctx := context.Background()
	s := m.Spec()
	x := tensorOf(append([]int{3}, s.Input...))
	if m.words > 0 {
		for i := range x.Data {
			x.Data[i] = float32(i % m.words)
		}
	}
	y := feature.NewTensor(3, s.Outputs())
	taps := []string{s.Logits}
	if err := m.Forward(ctx, x, taps, []feature.Tensor{y}); err != nil {
		return fmt.Errorf("forward: %w", err)
	}
	if err := sameAlone(m, x, y); err != nil {
		return err
	}
	var out bytes.Buffer
	if err := m.Write(&out); err != nil || !bytes.Equal(out.Bytes(), data) {
		return fmt.Errorf("an untouched model is written in other bytes (%w)", err)
	}
	dx, dp := make([]float32, len(x.Data)), feature.NewGradients(s)
	if err := m.Grad(ctx, x, taps, squares, dx, dp); err != nil {
		return fmt.Errorf("gradient: %w", err)
	}
	err := m.GradMode(ctx, feature.Mode{Train: true, Track: true}, x, taps, squares, nil, dp)
	if err != nil && !errors.Is(err, feature.ErrShape) {
		return fmt.Errorf("training: %w", err)
	}
	if !stepAlong(m, dp) {
		return nil
	}
	return savedAlike(m, x, y)
}

// sameAlone compares the last row of the logits with those of the last sample
// alone.
func sameAlone(m *Model, x, y feature.Tensor) error {
	last := feature.Tensor{Shape: append([]int{1}, x.Shape[1:]...), Data: x.Row(2)}
	alone := feature.NewTensor(1, m.Spec().Outputs())
	if err := m.Forward(context.Background(), last, []string{m.Spec().Logits}, []feature.Tensor{alone}); err != nil {
		return fmt.Errorf("forward of one sample: %w", err)
	}
	for i, v := range y.Row(2) {
		d := math.Abs(float64(v) - float64(alone.Data[i]))
		if finite.Is(float64(v)) && !(d <= 1e-3*(1+math.Abs(float64(v)))) {
			return fmt.Errorf("logit %d is %v in a batch, %v alone", i, v, alone.Data[i])
		}
	}
	return nil
}

// stepAlong moves the parameters against their gradients, and tells whether all
// stay finite.
func stepAlong(m *Model, dp [][]float32) bool {
	ok := true
	for i, g := range dp {
		if err := m.UpdateParam(i, func(w []float32) {
			for k := range g {
				w[k] -= .01 * g[k]
			}
			ok = ok && finite.All(w)
		}); err != nil {
			return false
		}
	}
	return ok
}

// savedAlike reads what the model writes, and compares the logits' bits.
func savedAlike(m *Model, x, y feature.Tensor) error {
	if err := m.Forward(context.Background(), x, []string{m.Spec().Logits}, []feature.Tensor{y}); err != nil {
		return fmt.Errorf("forward after a step: %w", err)
	}
	var out bytes.Buffer
	if err := m.Write(&out); err != nil {
		if errors.Is(err, ErrLimit) {
			return nil // half precision cannot hold the weights
		}
		return fmt.Errorf("save: %w", err)
	}
	half := bytes.Contains(out.Bytes(), []byte("half"))
	back, err := Read(&out, everyWeight)
	if err != nil {
		return fmt.Errorf("reading what was saved: %w", err)
	}
	z := feature.NewTensor(y.Shape...)
	if err := back.Forward(context.Background(), x, []string{back.Spec().Logits}, []feature.Tensor{z}); err != nil {
		return err
	}
	for i, v := range y.Data {
		if v != z.Data[i] && (v == v || z.Data[i] == z.Data[i]) && !half {
			return fmt.Errorf("logit %d is %v, %v after saving", i, v, z.Data[i])
		}
	}
	return nil
}

// dump writes a model that loads, with an input and its logits, if -graphdump is
// given.
func dump(t *testing.T, data []byte, input []int, seed uint64) {
	if *graphDump == "" {
		return
	}
	m, err := Read(bytes.NewReader(data), everyWeight) // as the file says, without a step
	if err != nil {
		t.Fatal(err)
	}
	x := tensorOf(append([]int{2}, input...))
	y := feature.NewTensor(2, m.Spec().Outputs())
	if err := m.Forward(t.Context(), x, []string{m.Spec().Logits}, []feature.Tensor{y}); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(*graphDump, fmt.Sprint(seed))
	text := fmt.Sprintf(`{"shape": %s, "x": %s, "name": %q, "y": %q}`, jsonOf(x.Shape), jsonOf(x.Data), m.Spec().Logits, fmt.Sprint(y.Data))
	for name, b := range map[string][]byte{base + ".onnx": data, base + ".json": []byte(text)} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func jsonOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// gen draws a graph.
type gen struct {
	*rand.Rand
	opset  int64
	shape  []int64 // of a sample
	parts  [][]byte
	floats []string // names of each kind of value
	ints   []string
	made   []string
	last   string // output of the last node
	count  int
}

// randomGraph returns a file and its input's shape, which are the same for the same
// seed.
func randomGraph(seed uint64) ([]byte, []int) {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, 7))}
	g.opset = []int64{7, 9, 10, 11, 12, 13, 17, 18, 20, 21}[g.IntN(10)]
	for range g.IntN(4) + 1 {
		g.shape = append(g.shape, g.dim())
	}
	g.made = []string{"x"}
	g.initializers()
	for range g.IntN(6) + 1 {
		g.node()
	}
	if g.last == "" {
		g.last = "x"
	}
	batch := []int64{-1, -1, -1, 1, 2}[g.IntN(5)]
	elem := int64(typeFloat)
	if g.IntN(12) == 0 {
		elem = typeInt64
	}
	in := onnxfile.Message(onnxfile.GraphInput, onnxfile.Value("x", elem, append([]int64{batch}, g.shape...)...))
	g.parts = append(g.parts, in, outputOf(g.last))
	var shape []int
	for _, d := range g.shape {
		shape = append(shape, int(d))
	}
	data := versioned(8, g.opset, g.parts...)
	if g.IntN(10) == 0 {
		data = append(data, g.function()...)
	}
	return data, shape
}

func (g *gen) dim() int64 { return []int64{1, 1, 2, 2, 3, 4, 4, 6, 8}[g.IntN(9)] }

// someShape is one that may fit: related to the input's, or any.
func (g *gen) someShape() []int64 {
	full := append([]int64{1}, g.shape...)
	last := full[len(full)-1]
	switch g.IntN(10) {
	case 0:
		return nil
	case 1:
		return []int64{last}
	case 2:
		return []int64{last, g.dim()}
	case 3:
		return []int64{g.dim(), last}
	case 4:
		return []int64{g.shape[0]}
	case 5:
		return full
	case 6:
		return g.shape
	case 7: // of a convolution
		shape := []int64{g.dim(), g.shape[0]}
		for range len(g.shape) - 1 {
			shape = append(shape, g.dim()%4)
		}
		return shape
	}
	var shape []int64
	for range g.IntN(5) {
		shape = append(shape, g.dim()-int64(g.IntN(20)/19))
	}
	return shape
}

// initializers draws weights of all types and lists of integers.
func (g *gen) initializers() {
	for range g.IntN(4) + 1 {
		shape, n := g.someShape(), 1
		for _, d := range shape {
			n *= int(d)
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(g.IntN(17)-8) / 4
		}
		name := fmt.Sprintf("w%d", len(g.floats))
		if g.IntN(8) == 0 {
			name = "half" + name
			var raw []byte
			for _, x := range v {
				raw = append(raw, byte(toHalf(x)), byte(toHalf(x)>>8))
			}
			g.parts = append(g.parts, initializer(name, typeFloat16, shape, sub(9, raw)))
		} else {
			g.parts = append(g.parts, rawFloats(name, shape, v...))
		}
		g.floats = append(g.floats, name)
	}
	for range g.IntN(4) {
		name := fmt.Sprintf("i%d", len(g.ints))
		list := make([]int64, g.IntN(5))
		for i := range list {
			list[i] = g.number()
		}
		if g.IntN(4) == 0 { // a shape that fits
			list = append([]int64{[]int64{-1, 0, 1, 2}[g.IntN(4)]}, g.shape...)
			g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		part := rawInts(name, list...)
		if len(list) == 1 && g.IntN(2) == 0 {
			part = initializer(name, typeInt64, nil, sub(7, msg([]byte{byte(list[0] & 0x7f)})))
		}
		g.parts = append(g.parts, part)
		g.ints = append(g.ints, name)
	}
}

// number is mostly small, sometimes at a limit.
func (g *gen) number() int64 {
	if g.IntN(12) == 0 {
		return []int64{1 << 20, -1 << 20, 1 << 31, -1 << 31, math.MaxInt64, math.MinInt64, 1 << 40, 100}[g.IntN(8)]
	}
	return int64(g.IntN(7)) - 2
}

// pick returns the name of an input.
func (g *gen) pick() string {
	switch k := g.IntN(20); {
	case k == 0 && g.IntN(3) == 0:
		return ""
	case k < 5 && len(g.floats) > 0:
		return g.floats[g.IntN(len(g.floats))]
	case k < 8 && len(g.ints) > 0:
		return g.ints[g.IntN(len(g.ints))]
	case k < 14:
		return g.made[len(g.made)-1]
	}
	return g.made[g.IntN(len(g.made))]
}

// operatorNames are all that are known, in a fixed order.
var operatorNames = sync.OnceValue(func() []string {
	var names []string
	for name := range operators {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
})

// operator draws one that the operator set has, in most cases.
func (g *gen) operator() string {
	f := &file{opset: int(g.opset)}
	for {
		op := operatorNames()[g.IntN(len(operatorNames()))]
		if f.supported(&node{op: op}) || g.IntN(20) == 0 {
			return op
		}
	}
}

// inputs draws the names that an operator reads: in most cases as many as it
// wants, the first of them the last result, or a list where it only folds.
func (g *gen) inputs(op string) []string {
	spec := operators[op]
	n := max(spec.min, 1)
	if _, ok := pairs[op]; ok || g.IntN(4) == 0 {
		n = max(n, 2)
	}
	if g.IntN(3) == 0 {
		n += g.IntN(3)
	}
	in := make([]string, n)
	for i := range in {
		in[i] = g.pick()
		all := slices.Concat(g.floats, g.ints)
		switch {
		case i == 0 && spec.build == nil:
			all = g.ints
		case i == 0:
			all = g.made[len(g.made)-1:]
		}
		if len(all) > 0 && g.IntN(6) > 0 {
			in[i] = all[g.IntN(len(all))]
		}
	}
	return in
}

// node adds a random operator.
func (g *gen) node() {
	op := g.operator()
	in := g.inputs(op)
	if op == "Constant" {
		in = nil
	}
	if op == "Gather" && g.IntN(4) == 0 && len(g.floats) > 0 {
		in = []string{g.floats[0], g.pick()}
	}
	name := fmt.Sprintf("n%d", g.count)
	g.count++
	body := nodeBody(op, name, in, g.attributes(op)...)
	if operators[op].build == nil || op == "Constant" || op == "Shape" || op == "Size" {
		g.ints = append(g.ints, name) // most likely
		g.parts = append(g.parts, sub(1, body))
		return
	}
	g.made = append(g.made, name)
	for k := range g.IntN(3) {
		if op == "Split" || g.IntN(8) == 0 {
			second := fmt.Sprintf("%s.%d", name, k)
			body = append(body, text(2, second)...)
			g.made = append(g.made, second)
		}
	}
	g.parts = append(g.parts, sub(1, body))
	g.last = name
	if g.IntN(10) == 0 {
		g.last = g.made[g.IntN(len(g.made))]
	}
}

// attributeNames are those of every operator: most graphs have few that the
// operator reads, so that defaults are tried too.
var attributeNames = map[string][]string{
	"Conv": {"kernel_shape", "strides", "pads", "dilations", "group", "auto_pad"}, "ConvTranspose": {"strides", "pads", "dilations", "group", "output_padding", "output_shape", "auto_pad"},
	"MaxPool": {"kernel_shape", "strides", "pads", "ceil_mode", "dilations"}, "AveragePool": {"kernel_shape", "strides", "pads", "ceil_mode", "count_include_pad"},
	"Gemm": {"transA", "transB", "alpha", "beta"}, "Transpose": {"perm"}, "Concat": {"axis"}, "Split": {"axis", "split", "num_outputs"}, "Gather": {"axis"},
	"Squeeze": {"axes"}, "Unsqueeze": {"axes"}, "Flatten": {"axis"}, "Softmax": {"axis"}, "LogSoftmax": {"axis"}, "Pad": {"pads", "mode", "value"},
	"Slice": {"starts", "ends", "axes"}, "Cast": {"to"}, "Resize": {"mode", "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside"},
	"Upsample": {"scales", "mode"}, "Einsum": {"equation"}, "If": {"then_branch", "else_branch"}, "LRN": {"size", "alpha", "beta", "bias"}, "DepthToSpace": {"blocksize", "mode"}, "SpaceToDepth": {"blocksize"},
	"GroupNormalization": {"num_groups", "epsilon"}, "LayerNormalization": {"axis", "epsilon"}, "BatchNormalization": {"epsilon", "momentum", "spatial"},
	"Constant": {"value_int", "value_ints", "value_float", "value_floats", "value"}, "ConstantOfShape": {"value"}, "Clip": {"min", "max"}, "Dropout": {"ratio"},
	"Shape": {"start", "end"}, "Mod": {"fmod"}, "Reshape": {"allowzero"}, "Elu": {"alpha"}, "LeakyRelu": {"alpha"}, "Gelu": {"approximate"},
}

func (g *gen) attributes(op string) [][]byte {
	names := attributeNames[op]
	if len(op) > 6 && op[:6] == "Reduce" {
		names = []string{"axes", "keepdims", "noop_with_empty_axes"}
	}
	var out [][]byte
	for _, name := range names {
		if g.IntN(3) > 0 {
			out = append(out, g.attribute(name))
		}
		if op == "Constant" && len(out) == 1 && g.IntN(20) > 0 {
			break
		}
	}
	return out
}

func (g *gen) attribute(name string) []byte {
	if g.IntN(40) == 0 { // of another kind
		return textAttr(name, "SAME_UPPER")
	}
	switch name {
	case "alpha", "beta", "epsilon", "momentum", "bias", "cubic_coeff_a", "min", "max", "ratio", "value_float":
		return floatAttr(name, []float32{0, 1, -1, .5, .1, float32(math.Inf(1)), float32(math.NaN())}[g.IntN(7)])
	case "mode", "auto_pad", "coordinate_transformation_mode", "nearest_mode", "approximate":
		all := []string{"nearest", "linear", "cubic", "edge", "reflect", "wrap", "constant", "SAME_UPPER", "SAME_LOWER", "VALID", "DCR", "CRD", "asymmetric", "align_corners", "half_pixel", "floor", "ceil", "tanh", "pytorch_half_pixel"}
		return textAttr(name, all[g.IntN(len(all))])
	case "value_floats", "scales":
		m := text(1, name)
		for range g.IntN(5) {
			m = append(m, onnxfile.Real(onnxfile.AttrFloats, []float32{1, 2, .5, 0, -1, 1e9}[g.IntN(6)])...)
		}
		return m
	case "equation":
		all := []string{"bi,io->bo", "bi,oi->bo", "bij,bjk->bik", "bij,bkj->bik", "bc,cd->bd", "bhid,bhjd->bhij", "bijk,kl->bijl", "bij,jk", "ab,bc->ac", "bij,bij->b", "bcij,cd->bdij"}
		return textAttr(name, all[g.IntN(len(all))])
	case "then_branch", "else_branch":
		return g.branch(name)
	case "value":
		t := sub(5, initializer("", []int64{typeInt64, typeFloat, typeBool}[g.IntN(3)], nil, sub(9, make([]byte, 1+g.IntN(9))))[2:])
		return msg(text(1, name), t)
	case "kernel_shape", "strides", "pads", "dilations", "output_padding", "output_shape", "axes", "split", "perm", "starts", "ends", "value_ints":
		return g.intsAttribute(name)
	}
	if slices.Contains(flags, name) && g.IntN(20) > 0 {
		return intAttr(name, int64(g.IntN(2)))
	}
	if name == "to" {
		return intAttr(name, []int64{typeFloat, typeFloat, typeFloat16, typeDouble, typeInt64, typeBool, 99}[g.IntN(7)])
	}
	return intAttr(name, g.number())
}

// function takes the place of an operator of the standard, in its domain, and may
// call itself.
func (g *gen) function() []byte {
	name := operatorNames()[g.IntN(len(operatorNames()))]
	var m []byte
	for i := range g.IntN(3) + 1 {
		op := []string{"Relu", "Tanh", "Add", name}[g.IntN(4)]
		in := []string{[]string{"a", "b", "f0"}[g.IntN(3)], "a"}[:1+g.IntN(2)]
		m = append(m, onnxfile.Message(onnxfile.FunctionNode, onnxfile.NodeBody(op, "", in, []string{fmt.Sprintf("f%d", i)}))...)
	}
	return onnxfile.Message(onnxfile.ModelFunction, text(onnxfile.FunctionName, name), text(onnxfile.FunctionDomain, ""), text(onnxfile.FunctionInput, "a"),
		text(onnxfile.FunctionInput, "b"), text(onnxfile.FunctionOutput, []string{"f0", "a", "z"}[g.IntN(3)]), m)
}

// branch is a graph of one node, that reads what is around it.
func (g *gen) branch(name string) []byte {
	op := []string{"Identity", "Relu", "Squeeze", "Neg", "Shape", "Add", "MatMul"}[g.IntN(7)]
	out := fmt.Sprintf("n%d.%s", g.count, name)
	in := []string{g.pick()}
	if op == "Add" || op == "MatMul" {
		in = append(in, g.pick())
	}
	return onnxfile.GraphAttr(name, onnxfile.Node(op, "", in, []string{out}), onnxfile.Output[int](out))
}

// intsAttribute is a list that has the right length in most cases.
func (g *gen) intsAttribute(name string) []byte {
	n := max(len(g.shape)-1, 1)
	switch name {
	case "pads":
		n *= 2
	case "perm":
		n = len(g.shape) + 1
	case "axes", "split", "starts", "ends", "value_ints":
		n = 1 + g.IntN(2)
	}
	if g.IntN(12) == 0 {
		n = g.IntN(6)
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = max(g.number(), int64(g.IntN(2)))
		if name == "perm" {
			list[i] = int64(i)
		}
	}
	if name == "perm" {
		g.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return intsAttr(name, list...)
}

// TestFoundByRandomGraphs keeps what TestRandomGraphs has found.
func TestFoundByRandomGraphs(t *testing.T) {
	for name, tc := range map[string]struct {
		input []int64
		parts [][]byte
		kind  error
		place string
	}{
		"convolution of a vector": {[]int64{1}, [][]byte{random("w", 3), nodeOf("Reshape", "r", "x", "s"), rawInts("s", -1), nodeOf("Conv", "y", "r", "w")}, ErrUnsupported, "weight of shape"},
		"integers as a weight":    {[]int64{4}, [][]byte{random("w", 4), rawInts("i", 1, 2, 3, 4), nodeOf("BatchNormalization", "y", "x", "w", "w", "i", "i")}, ErrUnsupported, "int64"},
		"statistic and constant": {[]int64{1, 2}, [][]byte{random("w", 1), nodeOf("BatchNormalization", "b", "x", "w", "w", "w", "w"), nodeOf("Add", "y", "b", "w")},
			ErrUnsupported, `"w" is a statistic`},
	} {
		_, err := Read(bytes.NewReader(hostileFile(17, tc.input, tc.parts)), nil)
		if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.place) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Strides of which one step leads out of the image.
	lawful(t, "strides beyond the image", 17, []int64{1, 4, 4}, random("w", 1, 1, 3, 3), opOf("Conv", "y", xw, intsAttr("strides", 1<<20, 1<<20)))
	lawful(t, "strides of one element", 17, []int64{1, 1, 1}, random("w", 1, 1, 3, 3), opOf("ConvTranspose", "y", xw, intsAttr("strides", 1<<20, 1<<20)))
	// The first position of the gradient's image lies behind its end.
	lawful(t, "padding beyond the output", 20, []int64{1, 4, 3}, random("w", 1, 1, 4, 3),
		opOf("ConvTranspose", "y", xw, intsAttr("dilations", 3, 1), intsAttr("output_shape", 3, 3), intsAttr("pads", 4, 3, 0, 0)))
}

// TestWeightsKnownEarlyStay reads a number that is a factor, which is a constant, and
// a matrix.
func TestWeightsKnownEarlyStay(t *testing.T) {
	m, err := Read(bytes.NewReader(hostileFile(17, []int64{1}, [][]byte{random("w", 1, 1), nodeOf("Mul", "h", "x", "w"), nodeOf("MatMul", "y", "h", "w")})), everyWeight)
	if err != nil {
		t.Fatal(err)
	}
	if p := m.Spec().Params; len(p) != 1 || p[0].Trainable || !strings.Contains(strings.Join(m.Notes(), " "), `not trained: "w"`) {
		t.Errorf("%v, %q", p, m.Notes())
	}
}
