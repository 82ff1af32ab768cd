package onnx

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// caseFile is a small model that another tool made, with what is right for it.
type caseFile struct {
	opt   *Options
	kind  error  // nil: it loads
	text  string // in the error, or in a note
	train int    // parameters that train; -1: any
}

// caseFiles are the models of the folder cases/onnx beside the test data; its README
// says how they were made.
var caseFiles = map[string]caseFile{
	"weights_as_constant":    {train: 6},
	"softmax_identity":       {text: "Softmax", train: 4},
	"argmax_first":           {text: `"probs"`, train: -1},
	"sigmoid_binary":         {text: "0 and z", train: -1},
	"multilabel_sigmoid":     {text: "multi-label", train: -1},
	"external_data":          {train: -1},
	"dynamic_hw":             {opt: &Options{Input: []int{3, 16, 16}}, train: -1},
	"sk_mlp_noscaler":        {text: `"probabilities" was taken`, train: 4},
	"preproc_mean_init":      {text: `"mean"`, train: 6},
	"nan_weight":             {kind: ErrFormat, text: `"W1"`},
	"opset22_ir10":           {train: 4},
	"einsum_linear":          {train: 2},
	"swin_small":             {train: -1},
	"torch_squeeze_if":       {train: 4},
	"local_function":         {train: 4},
	"bool_mask_where":        {train: 4},
	"conv_w_transposed_hwio": {train: 1},
	"baked_batch_reshape":    {text: "fixes the batch size", train: 3},
	"not_topological":        {train: 4},
	"qdq_float_weights":      {kind: ErrUnsupported, text: "a quantized model: use the float model"},
	"text_gather_mean":       {train: 3},
	"lstm_float":             {train: 5},
}

// TestCases loads every file, compares logits and input gradients with those of
// other runtimes, and wants Check to agree with Load.
func TestCases(t *testing.T) {
	dir := cases(t, "onnx")
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		t.Run(name, func(t *testing.T) {
			c, ok := caseFiles[name]
			if !ok {
				t.Fatal("nothing is known of this file")
			}
			m, err := Load(path, c.opt)
			if checked := Check(path, c.opt); (checked == nil) != (err == nil) {
				t.Errorf("Check says %v, Load %v", checked, err)
			}
			if !errors.Is(err, c.kind) || err != nil && (c.kind == nil || !strings.Contains(err.Error(), c.text)) {
				t.Fatalf("%v; want an error of kind %v with %q", err, c.kind, c.text)
			}
			if m != nil {
				c.compare(t, m, strings.TrimSuffix(path, ".onnx"))
			}
		})
	}
}

// compare checks a model that loads.
func (c caseFile) compare(t *testing.T, m *Model, base string) {
	if notes := strings.Join(m.Notes(), "\n"); !strings.Contains(notes, c.text) {
		t.Errorf("notes are %q, want %q among them", notes, c.text)
	}
	if n := trainable(m); c.train >= 0 && n != c.train {
		t.Errorf("%d parameters train, want %d: %v", n, c.train, m.Spec().Params)
	}
	x := readNPY(t, base+".x.npy")
	if _, err := os.Stat(base + ".y.npy"); err == nil {
		c.compareLogits(t, m, x, readNPY(t, base+".y.npy"))
	}
	if _, err := os.Stat(base + ".gx.npy"); err == nil {
		gx, dx := readNPY(t, base+".gx.npy"), make([]float32, len(x.Data))
		if err := m.Grad(context.Background(), x, []string{m.Spec().Logits}, squares, dx, nil); err != nil {
			t.Fatal(err)
		}
		if err := relative(dx, gx.Data); !(err <= 1e-4) { // float32 in both
			t.Errorf("input gradient differs by %.2g", err)
		}
	}
	saved := filepath.Join(t.TempDir(), "m.onnx")
	before, err := os.ReadFile(base + ".onnx")
	if err != nil {
		t.Fatal(err)
	}
	step(t, m, .01)
	if err := m.Save(saved); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(saved); err != nil || slices.Equal(before, after) && filepath.Base(base) != "external_data" {
		t.Errorf("a step changes nothing in the file (%v)", err)
	}
	back, err := Load(saved, c.opt)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := logits(t, m, x), logits(t, back, x); !slices.Equal(a.Data, b.Data) {
		t.Errorf("%v after a step, %v after loading what was saved", a.Data, b.Data)
	}
}

func trainable(m *Model) int {
	n := 0
	for _, p := range m.Spec().Params {
		n += truthInt(p.Trainable)
	}
	return n
}

// compareLogits takes two logits (0, z) for one, and probabilities for what a
// softmax makes of the logits: the references of files whose output these are.
func (c caseFile) compareLogits(t *testing.T, m *Model, x, want feature.Tensor) {
	got := logits(t, m, x)
	if n := want.RowLen(); got.RowLen() == 2 && n == 1 {
		var z []float32
		for i := range got.Rows() {
			z = append(z, got.Row(i)[1]-got.Row(i)[0])
		}
		got.Data = z
	}
	if sum := sumOf(want.Row(0)); sum > .9999 && sum < 1.0001 {
		for i := range got.Rows() {
			softmax(got.Row(i))
		}
	}
	if err := relative(got.Data, want.Data); !(err <= 1e-5) {
		t.Errorf("logits differ by %.2g: %v, want %v", err, got.Data, want.Data)
	}
}
