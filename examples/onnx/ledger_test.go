package main

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"

	signed "github.com/dlfd-go/unlearn/dlfd/receipt"
)

// move moves images that match a pattern to another folder of the same parent, with their
// class.
func move(t *testing.T, dir, from, to, pattern string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, from, "*", pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		class := filepath.Base(filepath.Dir(f))
		target := filepath.Join(dir, to, class, filepath.Base(f))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(f, target); err != nil {
			t.Fatal(err)
		}
	}
	return len(files)
}

// TestLedger carries out two requests for persons one after another: the second run
// judges the first again, a person who is back is refused, and so is each way in which
// the ledger does not fit.
func TestLedger(t *testing.T) {
	dir, m1 := trained(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	ledger, m2, m3 := at("ledger.json"), at("m2.onnx"), at("m3.onnx")
	person := []string{"-identity", `([a-z]+\d)_`, "-scenario", "person", "-ledger", ledger}
	with := func(model, out string, more ...string) []string {
		return arguments(dir, model, out, append(append(append([]string{}, person...), gentle...), more...)...)
	}
	code, stdout, stderr := do(t, with(m1, m2, "-request", "R-1")...)
	if code == exitFailed || !strings.Contains(stdout, "has 0 earlier requests") || !strings.Contains(stdout, "ledger.json has 1 request now") {
		t.Fatalf("first: exit status %d\n%s%s", code, stdout, stderr)
	}
	if err := os.Rename(at("forget"), at("first")); err != nil {
		t.Fatal(err)
	}
	if n := move(t, dir, "retain", "forget", "retain1_*"); n != 16 {
		t.Fatalf("%d images of the second person", n)
	}
	wrong := func(name, want string, args ...string) {
		t.Helper()
		if code, stdout, stderr := do(t, args...); code != exitFailed || !strings.Contains(stderr, want) || strings.Contains(stdout, "after ") {
			t.Errorf("%s: exit status %d, no %q in\n%s%s", name, code, want, stdout, stderr)
		}
	}
	wrong("the model before", "the ledger ends with request R-1, number 1", with(m1, m3, "-request", "R-2")...)
	wrong("an id of before", "request R-1 is number 1 of 1", with(m2, m3, "-request", "R-1")...)
	wrong("other images", "request R-1 had 24 samples; of 16 here 16 are others, and 24 are missing", with(m2, m3, "-request", "R-2", "-past", "R-1="+at("forget"))...)
	wrong("another first model", "the model is not the one of the ledger", with(m2, m3, "-request", "R-2", "-first", m2)...)
	wrong("a person back", "request R-1: samples 24, persons 3, of 24 samples; the first is sample 0", with(m2, m3, "-request", "R-2", "-retain", at("first"), "-force")...)
	code, stdout, stderr = do(t, with(m2, m3, "-request", "R-2", "-past", "R-1="+at("first"), "-first", m1)...)
	for _, want := range []string{"has 1 earlier request; judged again on the new model: 1", "request R-1: accuracy on its 24 images", "distance to the first model: divergence", "CKA of features", "ledger.json has 2 requests now"} {
		if code == exitFailed || !strings.Contains(stdout, want) {
			t.Errorf("second: exit status %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
	o, err := signed.OpenUnverified(read(t, signed.PathsOf(m3).Receipt))
	if err != nil {
		t.Fatal(err)
	}
	if e := o.Earlier; e == nil || e.Requests != 1 || len(e.Drift.Past) != 1 || o.Request.Persons != 1 || len(read(t, signed.PathsOf(m3).Receipt)) > 16000 {
		t.Errorf("the receipt says of earlier requests %+v", e)
	}
	for _, name := range []string{"forget0", "retain1", "forget2_"} {
		if strings.Contains(string(read(t, ledger)), name) {
			t.Errorf("the ledger has %q", name)
		}
	}
	key := ledger + ".key"
	was := read(t, key)
	write(t, key, []byte(strings.Repeat("0", 64)))
	wrong("another key", "the key is not that of the ledger", with(m3, at("m4.onnx"), "-request", "R-3")...)
	write(t, key, was)
	write(t, ledger, []byte(strings.Replace(string(read(t, ledger)), `"R-1"`, `"R-0"`, 1)))
	wrong("a changed ledger", "the ledger was changed: the line of request R-0", with(m3, at("m4.onnx"), "-request", "R-3")...)
	if code, _, stderr := do(t, arguments(dir, m1, m2, "-past", "R-1=x")...); code != exitArguments || !strings.Contains(stderr, "are for -ledger") {
		t.Errorf("-past alone: exit status %d, %s", code, stderr)
	}
	if code, _, stderr := do(t, with(m1, m2, "-past", "x")...); code != exitArguments || !strings.Contains(stderr, "is not ID=DIR") {
		t.Errorf("-past without an id: exit status %d, %s", code, stderr)
	}
}

// fitOn trains a network on folders and writes it.
func fitOn(t *testing.T, path string, classes []string, dirs ...string) {
	t.Helper()
	n, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: max(2, len(classes)), Widths: []int{4}, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	var parts []feature.Dataset
	for _, dir := range dirs {
		set, err := dataset.Folder(dir, &dataset.FolderOptions{Classes: classes})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, set)
	}
	all, err := feature.Concat(parts...)
	if err == nil {
		_, err = train.Fit(t.Context(), n, all, &train.Options{Epochs: 60, Optimizer: train.Adam{Rate: 1e-2}})
	}
	if err == nil {
		err = n.SaveONNX(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestWrongLabels forgets images under the wrong name, which are retained under the right
// one; under the wrong one they are refused.
func TestWrongLabels(t *testing.T) {
	dir := folders(t)
	at := func(name ...string) string { return filepath.Join(append([]string{dir}, name...)...) }
	if err := os.RemoveAll(at("forget")); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(at("retain", "dark", "retain1_*.png"))
	if err != nil || len(found) < 4 {
		t.Fatalf("%d images, %v", len(found), err)
	}
	for _, f := range found {
		wrong := at("forget", "light", filepath.Base(f))
		if err := os.MkdirAll(filepath.Dir(wrong), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, wrong, read(t, f))
	}
	model := at("m.onnx")
	fitOn(t, model, nil, at("retain"))
	more := append([]string{"-classes", "dark,light", "-scenario", "mislabelled"}, gentle...)
	code, stdout, stderr := do(t, arguments(dir, model, at("m2.onnx"), more...)...)
	if code == exitFailed || !strings.Contains(stdout, "forget images that are given the wrong label: 0.000") || !strings.Contains(stdout, "note: right labels are not known") {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
	more[3] = "sample"
	if code, stdout, stderr := do(t, arguments(dir, model, at("m3.onnx"), more...)...); code != exitFailed || !strings.Contains(stderr, "the sets overlap") {
		t.Errorf("as samples: exit status %d\n%s%s", code, stdout, stderr)
	}
}

// TestClass forgets a class, which retain must not have.
func TestClass(t *testing.T) {
	dir := folders(t)
	at := func(name ...string) string { return filepath.Join(append([]string{dir}, name...)...) }
	// A third class: the second and third persons' light images, with a dark upper half.
	for _, set := range []string{"retain", "forget", "holdout"} {
		files, err := filepath.Glob(at(set, "light", "*.png"))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files {
			if i%2 == 0 {
				shade(t, f, at(set, "half", filepath.Base(f)))
			}
		}
	}
	classes := []string{"dark", "half", "light"}
	if err := os.RemoveAll(at("forget")); err != nil {
		t.Fatal(err)
	}
	move(t, dir, "retain", "all", "*")
	model := at("m.onnx")
	fitOn(t, model, classes, at("all"))
	for _, class := range []string{"dark", "light"} {
		if err := os.Rename(at("all", class), at("retain", class)); err != nil {
			if err := os.RemoveAll(at("retain", class)); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(at("all", class), at("retain", class)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.RemoveAll(at("retain", "half")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(at("all"), at("forget")); err != nil {
		t.Fatal(err)
	}
	more := []string{"-classes", strings.Join(classes, ","), "-scenario", "class"}
	code, stdout, stderr := do(t, arguments(dir, model, at("m2.onnx"), append(more, gentle...)...)...)
	for _, want := range []string{"test accuracy without the class ", "unseen images of it", "class relearned from 3 images as prototypes"} {
		if code != exitNotForgotten && code != exitForgot && code != exitCannotTell || !strings.Contains(stdout, want) {
			t.Errorf("exit status %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
	o, err := signed.OpenUnverified(read(t, signed.PathsOf(at("m2.onnx")).Receipt))
	if err != nil || o.Request.Scenario != signed.Class || o.Data.Retain.PerClass[1] != 0 {
		t.Errorf("receipt %+v, %v", o, err)
	}
	if text := string(read(t, signed.PathsOf(at("m2.onnx")).Page)); !strings.Contains(text, "| accuracy on unseen samples of the class |") || !strings.Contains(text, "to forget a class: ") {
		t.Errorf("page\n%s", text)
	}
	one := firstOf(t, at("forget", "half"))
	if err := errors.Join(os.Mkdir(at("retain", "half"), 0o755), os.Rename(one, at("retain", "half", filepath.Base(one)))); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := do(t, arguments(dir, model, at("m3.onnx"), append(more, gentle...)...)...); code != exitFailed || !strings.Contains(stderr, "the request is for the whole of class 1, and sample 24 of retain is of it") {
		t.Errorf("a class that is retained: exit status %d, %s", code, stderr)
	}
}

func firstOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.png"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files[0]
}

// shade moves an image, whose upper half becomes black.
func shade(t *testing.T, from, to string) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(read(t, from)))
	if err != nil {
		t.Fatal(err)
	}
	gray := img.(*image.Gray)
	clear(gray.Pix[:len(gray.Pix)/2])
	var b bytes.Buffer
	if err := errors.Join(png.Encode(&b, gray), os.MkdirAll(filepath.Dir(to), 0o755), os.Remove(from)); err != nil {
		t.Fatal(err)
	}
	write(t, to, b.Bytes())
}
