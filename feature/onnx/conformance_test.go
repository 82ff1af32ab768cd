package onnx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// TestConformanceCases runs the node-level cases of the ONNX project, which
// python3-onnx generates into a folder of one's own (backend-test-tools
// generate-data -o DIR), under $UNLEARN_ONNX_CONFORMANCE/node. A case whose first
// float input has a batch axis runs as a model; one whose operator works along
// axis 0 runs as a single sample. Wrong numbers fail; refusals are listed.
func TestConformanceCases(t *testing.T) {
	root := os.Getenv("UNLEARN_ONNX_CONFORMANCE")
	if root == "" {
		t.Skip("UNLEARN_ONNX_CONFORMANCE is not set")
	}
	dirs, err := filepath.Glob(filepath.Join(root, "node", "test_*"))
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	tally := map[string]*[3]int{} // passed, failed, refused
	for _, dir := range dirs {
		c, err := readCase(dir)
		if err != nil {
			t.Logf("%s: %v", filepath.Base(dir), err)
			continue
		}
		if !slices.ContainsFunc(c.f.graph.nodes, func(n *node) bool { return operators[n.op].build != nil || folds[n.op] != nil }) {
			continue
		}
		op := c.f.graph.nodes[0].op
		if reason := known(filepath.Base(dir)); reason != "" {
			t.Logf("left out: %s: %s", filepath.Base(dir), reason)
			continue
		}
		if tally[op] == nil {
			tally[op] = &[3]int{}
		}
		switch err := c.run(); {
		case err == nil:
			tally[op][0]++
		case errors.Is(err, ErrUnsupported) || errors.Is(err, ErrGradient):
			tally[op][2]++
			t.Logf("refused: %s: %v", filepath.Base(dir), err)
		default:
			tally[op][1]++
			t.Errorf("FAILED: %s: %v", filepath.Base(dir), err)
		}
	}
	report(t, tally)
}

func report(t *testing.T, tally map[string]*[3]int) {
	var lines []string
	var sum [3]int
	for op, n := range tally {
		lines = append(lines, fmt.Sprintf("%-24s %3d passed %3d failed %3d refused", op, n[0], n[1], n[2]))
		for i := range n {
			sum[i] += n[i]
		}
	}
	sort.Strings(lines)
	t.Logf("%d passed, %d failed, %d refused\n%s", sum[0], sum[1], sum[2], strings.Join(lines, "\n"))
}

// conformance is one case.
type conformance struct {
	data    []byte
	f       *file
	inputs  []*tensor
	outputs []*tensor
}

// parseCase reads a model. Operators that have not changed since an operator
// set below 7 have cases of that set.
func parseCase(data []byte) (*file, error) {
	f, err := parseModel(data)
	if err == nil {
		f.opset = max(int(f.domains[""]), 7)
	}
	return f, err
}

// known are cases that cannot pass, with the reason.
func known(name string) string {
	switch {
	case strings.Contains(name, "training"):
		return "training mode is an argument of Grad here"
	case strings.HasPrefix(name, "test_resize_downsample_scales_") && strings.HasSuffix(name, "_align_corners"):
		return "the case takes the resized length before it is rounded down, against the standard's text; onnxruntime excludes it too"
	case strings.Contains(name, "BFLOAT16"):
		return "the case stores bfloat16 as uint16"
	}
	return ""
}

func readCase(dir string) (*conformance, error) {
	data, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return nil, err
	}
	c := &conformance{data: data}
	if c.f, err = parseCase(data); err != nil {
		return nil, err
	}
	for name, list := range map[string]*[]*tensor{"input": &c.inputs, "output": &c.outputs} {
		for i := 0; ; i++ {
			data, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", fmt.Sprintf("%s_%d.pb", name, i)))
			if err != nil {
				break
			}
			t, err := c.f.parseTensor(field{typ: protowire.BytesType, data: data}, name)
			if err == nil {
				err = t.check()
			}
			if err != nil {
				return nil, err
			}
			*list = append(*list, t)
		}
	}
	return c, nil
}

// run tries the case as a batch and then as one sample.
func (c *conformance) run() error {
	err := c.try(0)
	for _, axis := range []int{-1, 1} { // recurrent layers have the batch on axis 1
		if errors.Is(err, ErrUnsupported) && len(c.inputs) > 0 {
			if second := c.try(axis); !errors.Is(second, ErrUnsupported) {
				return second
			}
		}
	}
	return err
}

func (c *conformance) try(axis int) error {
	f, err := parseCase(c.data)
	if err != nil {
		return err
	}
	first := -1
	for i, v := range c.inputs {
		if first < 0 && isFloat(v.typ) && len(v.dims) > 0 && v.size > 0 {
			first = i
			continue
		}
		v.name = f.graph.inputs[i].name
		f.graph.tensors = append(f.graph.tensors, v)
	}
	if err := f.link(); err != nil {
		return err
	}
	opt, err := resolved(nil)
	if err != nil {
		return err
	}
	b := newBuilder(f, opt, "")
	b.needed = slices.Repeat([]bool{true}, len(f.graph.nodes))
	x, err := c.bind(b, first, axis)
	if err != nil {
		return err
	}
	if err := f.checkOperators(b.needed); err != nil {
		return err
	}
	if err := b.nodes(); err != nil {
		return err
	}
	for i, want := range c.outputs {
		v, ok := b.values[f.graph.outputs[i].name]
		if !ok {
			if i == 0 {
				return fmt.Errorf("no output")
			}
			break // masks and statistics
		}
		if err := compare(b, v, x, want); err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
	}
	return nil
}

// bind gives the builder its input and weights.
func (c *conformance) bind(b *builder, first, axis int) (x []float32, err error) {
	view := []int{1}
	if first >= 0 {
		view = slices.Clone(c.inputs[first].dims)
		if x, err = c.inputs[first].floats(); err != nil {
			return nil, err
		}
	}
	if axis >= len(view) {
		return nil, fmt.Errorf("%w: no axis %d", ErrUnsupported, axis)
	}
	if axis >= 0 {
		b.fixed, view[axis] = view[axis], 1
		x = samplesFirst(x, sizeOf(view[:axis]), b.fixed)
	}
	if b.g, err = graph.New(canon(view, axis)); err != nil {
		return nil, err
	}
	if first >= 0 {
		b.values[b.f.graph.inputs[first].name] = value{d: &dyn{v: b.g.Input(), view: view, axis: axis}}
	}
	for _, t := range b.f.graph.tensors {
		v := value{p: &param{w: b.weightFor(t, t.name), shape: t.dims}}
		if !isFloat(t.typ) {
			k, err := b.read(t)
			if err != nil {
				return nil, err
			}
			v = value{k: &k}
		}
		b.values[t.name] = v
	}
	return x, nil
}

// samplesFirst moves the batch from behind outer positions to the front.
func samplesFirst(x []float32, outer, rows int) []float32 {
	inner := len(x) / max(outer*rows, 1)
	out := make([]float32, 0, len(x))
	for s := range rows {
		for o := range outer {
			out = append(out, x[(o*rows+s)*inner:][:inner]...)
		}
	}
	return out
}

// compare runs the graph up to a value and compares with the case's output.
func compare(b *builder, v value, x []float32, want *tensor) error {
	expected, err := want.floats()
	if err != nil {
		return err
	}
	var got []float32
	var shape []int
	switch {
	case v.d != nil:
		got, shape, err = evaluate(b, *v.d, x)
	case v.p != nil:
		got, err = v.p.w.t.floats()
		shape = v.p.shape
		if v.p.moved() {
			return fmt.Errorf("%w: a transposed weight as output", ErrUnsupported)
		}
	default:
		var plain []float64
		plain, err = v.k.plain()
		for _, v := range plain {
			got = append(got, float32(v))
		}
		shape = v.k.shape
	}
	if err != nil {
		return err
	}
	if !slices.Equal(shape, want.dims) {
		return fmt.Errorf("shape %v, want %v", shape, want.dims)
	}
	for i, e := range expected {
		d := math.Abs(float64(got[i]) - float64(e))
		same := got[i] == e || e != e && got[i] != got[i]
		if !same && !(d <= 1e-5+1e-3*math.Abs(float64(e))) {
			return fmt.Errorf("element %d is %v, want %v", i, got[i], e)
		}
	}
	return nil
}

func evaluate(b *builder, d dyn, x []float32) ([]float32, []int, error) {
	rows, shape := 1, slices.Clone(d.view)
	if d.axis >= 0 {
		rows = b.fixed
		shape[d.axis] *= b.fixed
	}
	v, err := b.g.Apply("out", graph.Reshape{Shape: b.g.Shape(d.v)}, d.v)
	if err != nil {
		return nil, nil, err
	}
	var params [][]float32
	for _, w := range b.weights {
		params = append(params, w.data)
	}
	n := b.g.Size(v)
	if len(x) == 0 { // nothing of the case is an activation
		x = make([]float32, 1)
	}
	batch := len(x) / b.g.Size(b.g.Input())
	r, err := graph.NewCache(b.g).Get(graph.Request{Batch: batch, Taps: []graph.Value{v}})
	if err != nil {
		return nil, nil, err
	}
	y := make([]float32, batch*n)
	if err := r.Forward(context.Background(), graph.Inputs{X: x, Params: params, Out: [][]float32{y}}); err != nil {
		return nil, nil, err
	}
	return inOrder(y[:rows*n], d, rows), shape, nil
}

// inOrder moves the batch from the outside to its axis.
func inOrder(y []float32, d dyn, rows int) []float32 {
	if d.axis <= 0 {
		return y
	}
	outer := sizeOf(d.view[:d.axis])
	inner := sizeOf(d.view[d.axis:])
	out := make([]float32, 0, len(y))
	for o := range outer {
		for s := range rows {
			out = append(out, y[(s*outer+o)*inner:][:inner]...)
		}
	}
	return out
}
