package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// folders draws dark and light images of several persons into three folders.
func folders(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 96 {
		part, class := []string{"retain", "retain", "forget", "holdout"}[i%4], []string{"dark", "light"}[i/4%2]
		img := image.NewGray(image.Rect(0, 0, 8, 8))
		for p := range img.Pix {
			img.SetGray(p%8, p/8, color.Gray{Y: uint8(100*(i/4%2) + r.IntN(150))})
		}
		path := filepath.Join(dir, part, class, fmt.Sprintf("%s%d_%d.png", part, i%3, i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// network exports a small network and returns its file.
func network(t *testing.T, dir string) string {
	t.Helper()
	n, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 2, Widths: []int{4}, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "m.onnx")
	if err := n.SaveONNX(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func do(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = command(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// trained returns drawn folders and a model that knows retain and forget.
func trained(t *testing.T) (dir, model string) {
	t.Helper()
	dir = folders(t)
	n, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 2, Widths: []int{4}, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	var parts []feature.Dataset
	for _, name := range []string{"retain", "forget"} {
		set, err := dataset.Folder(filepath.Join(dir, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, set)
	}
	all, err := feature.Concat(parts...)
	if err == nil {
		_, err = train.Fit(t.Context(), n, all, &train.Options{Epochs: 60, Optimizer: train.Adam{Rate: 1e-2}})
	}
	model = filepath.Join(dir, "m.onnx")
	if err == nil {
		err = n.SaveONNX(model)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, model
}

// arguments are those of a run on the folders of dir; more of them go before.
func arguments(dir, model, out string, more ...string) []string {
	args := []string{"-model", model, "-out", out}
	for _, set := range []string{"retain", "forget", "holdout"} {
		args = append(args, "-"+set, filepath.Join(dir, set))
	}
	return append(args, more...)
}

// gentle is a method that leaves a small model whole.
var gentle = []string{"-method", "finetune", "-epochs", "1", "-rate", "1e-4"}

func readReceipt(t *testing.T, path string) (r receipt) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestUnlearn(t *testing.T) {
	dir, model := trained(t)
	out := filepath.Join(dir, "m2.onnx")
	args := arguments(dir, model, out, append(gentle, "-identity", `([a-z]+\d)_`, "-reference", model)...)
	code, stdout, stderr := do(t, args...)
	if code != exitForgot && code != exitNotForgotten && code != exitCannotTell {
		t.Fatalf("exit status %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"0      dark    ", "1      light   ", "no person and no image", "test on 8 of 24 holdout images; attacks on these and 8 of 24 forget images", "before ", "after ", "retrained 1 ", "FineTune ended after 2 steps: all steps were taken", "m2.onnx.json are written"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	r := readReceipt(t, out+".json")
	old, err := hashFile(model)
	if err != nil {
		t.Fatal(err)
	}
	if r.ModelHash != old || r.ModelHash == r.OutHash || r.WeightsHash == r.OutWeights || len(r.OutWeights) != 64 || len(r.OutHash) != 64 || len(r.ForgetHash) != 64 || r.ForgetFiles != 24 || r.Files["retain"] != 48 ||
		r.Result.Ledger.Steps == 0 || r.Before == nil || r.After == nil || r.References[0].Hash != old || r.Verdict == "" {
		t.Errorf("receipt %+v", r)
	}
	if _, err := onnx.Load(out, nil); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.t[mr][py]*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// TestDefaultMethod runs what a user meets first. The model must come out whole,
// or not at all.
func TestDefaultMethod(t *testing.T) {
	dir, model := trained(t)
	out := filepath.Join(dir, "m2.onnx")
	code, stdout, stderr := do(t, arguments(dir, model, out)...)
	if code != exitForgot && code != exitNotForgotten && code != exitCannotTell {
		t.Fatalf("exit status %d\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(out); err != nil {
		if !strings.Contains(stderr, "was not written") && !strings.Contains(stderr, "nothing was written") {
			t.Errorf("no file and no word of it: %s", stderr)
		}
		return
	}
	if r := readReceipt(t, out+".json"); r.After.RetainAccuracy < floor(2) {
		t.Errorf("a broken model was written, retain %v", r.After.RetainAccuracy)
	}
}

func TestInspect(t *testing.T) {
	code, stdout, stderr := do(t, "-inspect", network(t, t.TempDir()))
	for _, want := range []string{"input     [1 8 8]", `logits    "logits", 2 classes`, "BatchNormalization", "not trainable"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
}

// TestVerify writes a model's own logits and asks whether they are right.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	path := network(t, dir)
	m, err := onnx.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, y := feature.NewTensor(2, 1, 8, 8), feature.NewTensor(2, 2)
	for i := range x.Data {
		x.Data[i] = float32(i%5) / 5
	}
	if err := m.Forward(t.Context(), x, []string{"logits"}, []feature.Tensor{y}); err != nil {
		t.Fatal(err)
	}
	xs, ys := npy(t, dir, "x", "2, 1, 8, 8", x), npy(t, dir, "y", "2, 2", y)
	if code, stdout, stderr := do(t, "-verify", path, xs, ys); code != 0 || !strings.Contains(stdout, "largest error 0 absolute") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, _ := do(t, "-verify", path, xs, xs); code != 1 {
		t.Errorf("arrays of other sizes: exit code %d", code)
	}
}

func npy(t *testing.T, dir, name, shape string, x feature.Tensor) string {
	t.Helper()
	var b bytes.Buffer
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }\n", shape)
	fmt.Fprintf(&b, "\x93NUMPY\x01\x00%c%c%s", len(header)%256, len(header)/256, header)
	if err := binary.Write(&b, binary.LittleEndian, x.Data); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name+".npy")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
