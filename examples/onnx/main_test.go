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
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
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

func TestUnlearn(t *testing.T) {
	dir := folders(t)
	model, out := network(t, dir), filepath.Join(dir, "m2.onnx")
	args := []string{"-model", model, "-retain", filepath.Join(dir, "retain"), "-forget", filepath.Join(dir, "forget"),
		"-holdout", filepath.Join(dir, "holdout"), "-out", out, "-identity", `([a-z]+\d)_`, "-fit", "2", "-method", "align", "-epochs", "2", "-force"}
	code, stdout, stderr := do(t, args...)
	if code != 0 || !strings.Contains(stdout, "no person and no image") || !strings.Contains(stdout, "after ") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	text, err := os.ReadFile(out + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var r receipt
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.ModelHash == r.OutHash || len(r.OutHash) != 64 || len(r.ForgetHash) != 64 || r.ForgetFiles != 24 || r.Result.Ledger.Steps == 0 || r.Before == nil || r.After == nil {
		t.Errorf("receipt %s", text)
	}
	if _, err := onnx.Load(out, nil); err != nil {
		t.Error(err)
	}
	args[5] = args[3] // forget what is retained
	if code, stdout, _ := do(t, args...); code != 1 || !strings.Contains(stdout, "overlap of retain and forget: 3 persons") {
		t.Errorf("overlap: exit code %d\n%s", code, stdout)
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

func TestArguments(t *testing.T) {
	for _, args := range [][]string{{}, {"-model", "m"}, {"-verify", "m"}, {"-seed", "x"}, {"-epochs", "-1"}, {"-mean", "a"}, {"more"}} {
		if code, _, stderr := do(t, args...); code != 2 || stderr == "" {
			t.Errorf("%q: exit code %d, %q", args, code, stderr)
		}
	}
	if code, stdout, _ := do(t, "-h"); code != 0 || !strings.Contains(stdout, "-forget") {
		t.Errorf("-h: exit code %d", code)
	}
}
