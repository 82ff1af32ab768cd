package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
)

func TestArguments(t *testing.T) {
	all := "-model m -retain r -forget f -holdout h -out o "
	for _, c := range []struct{ args, want string }{
		{"", "-model, -retain, -forget, -out, -holdout (which -method recommended reads) not given"},
		{"-model m -retain r -forget f -out o -method align", "-holdout (which -method align reads) not given"},
		{"-verify m", "-verify wants M.onnx X.npy Y.npy [GX.npy]"},
		{"more", `unexpected argument "more"`},
		{all + "-seed x", `"x" for flag -seed`},
		{all + "-epochs -1 -method dlfd", "-epochs -1 and -fit 0 must not be negative"},
		{all + "-epochs 1", "-epochs and -rate are for a method by name"},
		{all + "-method dfld", `no method is called "dfld"`},
		{all + "-shrink .5 -method finetune", "-shrink and -always are for -method align"},
		{all + "-shrink 2 -method align", "-shrink 2 is not in (0, 1]"},
		{all + "-rate NaN -method align", "-rate NaN"},
		{all + "-mean a", `"a" is not a number`},
		{all + "-mean 1,2 -std 1", "-mean has 2 numbers and -std 1"},
		{all + "-std 0", "must be above 0"},
		{all + "-identity (a", "missing closing )"},
		{all + "-identity a", "no group in parentheses"},
		{all + "-input 3xa", "such as 3x224x224"},
		{all + "-classes a,,b", `"" is empty or given twice`},
		{all + "-time -1s", "-time -1s must not be negative"},
	} {
		if code, _, stderr := do(t, strings.Fields(c.args)...); code != exitArguments || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit status %d, %q lacks %q", c.args, code, stderr, c.want)
		}
	}
	if code, stdout, _ := do(t, "-h"); code != 0 || !strings.Contains(stdout, "-forget") || !strings.Contains(stdout, "Exit status") {
		t.Errorf("-h: exit status %d", code)
	}
}

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRefusals has what a run stops at before it works, with nothing written.
func TestRefusals(t *testing.T) {
	dir, model := trained(t)
	out := filepath.Join(dir, "m2.onnx")
	link, hard := filepath.Join(dir, "link.onnx"), filepath.Join(dir, "hard.onnx")
	other := write(t, filepath.Join(dir, "other.onnx"), []byte("x"))
	for _, err := range []error{os.Symlink(model, link), os.Link(other, hard)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	picture := new(bytes.Buffer)
	if err := png.Encode(picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "strange", "middle", "a.png"), picture.Bytes())
	write(t, filepath.Join(dir, "broken", "dark", "a.png"), []byte("no image"))
	if err := os.MkdirAll(filepath.Join(dir, "empty", "dark"), 0o755); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		name string
		more []string
		want string
	}{
		{"model", []string{"-model", in("none.onnx")}, "none.onnx: "},
		{"model is a folder", []string{"-model", dir}, "is a folder"},
		{"no folder", []string{"-retain", in("none")}, "-retain " + in("none")},
		{"a file for a folder", []string{"-retain", model}, "is a file, not a folder"},
		{"empty folder", []string{"-forget", in("empty")}, "no samples"},
		{"folder to write to", []string{"-out", in("none/x.onnx")}, "cannot write"},
		{"out is a folder", []string{"-out", in("retain")}, "not a regular file"},
		{"out is the model", []string{"-out", model}, "-overwrite replaces it"},
		{"out links to the model", []string{"-out", link}, "-overwrite replaces it"},
		{"out has hard links", []string{"-out", hard}, "hard links"},
		{"out is a reference", []string{"-reference", other, "-out", other}, "is the file of -reference"},
		{"reference", []string{"-reference", in("none.onnx")}, "-reference " + in("none.onnx")},
		{"logits", []string{"-logits", "nope"}, "nope"},
		{"input", []string{"-input", "8x8"}, "shape"},
		{"channels", []string{"-mean", ".1,.2", "-std", ".1,.2"}, "-mean and -std have one number a channel"},
		{"unknown class", []string{"-forget", in("strange")}, `"middle" is not one of the classes`},
		{"unreadable", []string{"-forget", in("broken")}, "-skip-unreadable leaves out"},
		{"too few classes", []string{"-classes", "dark,light,none"}, "3 classes dark,light,none for the 2 logits"},
		{"classes in another order", []string{"-classes", "light,dark"}, "light → dark → light"},
		{"normalization", []string{"-mean", "40", "-std", ".1"}, "-mean, -std"},
		{"persons", []string{"-identity", "(nobody)"}, "-identity must match the path of every image"},
		{"forget what is kept", []string{"-forget", in("retain")}, "the sets overlap"},
		{"test with what steers", []string{"-test", in("holdout")}, "the sets overlap"},
	} {
		code, stdout, stderr := do(t, arguments(dir, model, out, c.more...)...)
		if code != exitFailed || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "Options.") {
			t.Errorf("%s: exit status %d, want %q in\n%s%s", c.name, code, c.want, stdout, stderr)
		}
		if strings.Contains(stdout, "after ") {
			t.Errorf("%s: refused after the work\n%s", c.name, stdout)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
}

// TestFewImages has sets that are too few for one judgment or the other: a
// sentence says so, and the run goes on.
func TestFewImages(t *testing.T) {
	dir, model := trained(t)
	few := func(set string, n int) string {
		to := filepath.Join(dir, set+string(rune('0'+n)))
		images, err := filepath.Glob(filepath.Join(dir, set, "*", "*.png"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			path := images[i*(len(images)-1)/max(n-1, 1)]
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(to, filepath.Base(filepath.Dir(path)), filepath.Base(path)), content)
		}
		return to
	}
	out := filepath.Join(dir, "m2.onnx")
	for _, c := range []struct {
		more []string
		want string
	}{
		{[]string{"-forget", few("forget", 1)}, "cannot be judged: loss attack"},
		{[]string{"-forget", few("forget", 2)}, "cannot be judged: loss attack"},
		{[]string{"-holdout", few("holdout", 1)}, "there is no unseen image to judge by"},
		{[]string{"-holdout", few("holdout", 2), "-forget", few("forget", 1)}, "cannot be judged: "},
		{[]string{"-holdout", few("holdout", 2), "-test", few("holdout", 1), "-allow-overlap"}, "cannot be judged: "},
		{[]string{"-holdout", ""}, "there is no unseen image to judge by"},
	} {
		code, stdout, stderr := do(t, arguments(dir, model, out, append(append(gentle, "-overwrite"), c.more...)...)...)
		if code != exitCannotTell || !strings.Contains(stdout, c.want) || !strings.Contains(stdout, "are written") || !strings.Contains(stdout, "outcome in the receipt: cannot tell") {
			t.Errorf("%v: exit status %d, want 4 and %q in\n%s%s", c.more, code, c.want, stdout, stderr)
		}
	}
}

func TestUnreadable(t *testing.T) {
	dir, model := trained(t)
	write(t, filepath.Join(dir, "forget", "dark", "broken.png"), []byte("no image"))
	write(t, filepath.Join(dir, "forget", "notes.txt"), []byte("text"))
	out := filepath.Join(dir, "m2.onnx")
	code, stdout, stderr := do(t, arguments(dir, model, out, append(gentle, "-skip-unreadable")...)...)
	if code == exitFailed || !strings.Contains(stdout, "forget: 24 images read, 2 files left out") || !strings.Contains(stdout, "broken.png: ") {
		t.Fatalf("exit status %d\n%s%s", code, stdout, stderr)
	}
	if r := readReceipt(t, out+".json"); len(r.Skipped) != 2 || r.ForgetFiles != 24 {
		t.Errorf("the receipt speaks of %d files and leaves out %q", r.ForgetFiles, r.Skipped)
	}
}

// TestReplaceTheModel writes over the model that was read. The receipt keeps the
// hash of what was there.
func TestReplaceTheModel(t *testing.T) {
	dir, model := trained(t)
	before, err := hashFile(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(model, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, model+".json", nil)
	if err := os.Chmod(model+".json", 0o640); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := do(t, arguments(dir, model, model, append(gentle, "-overwrite")...)...)
	if code == exitFailed {
		t.Fatalf("exit status %d\n%s%s", code, stdout, stderr)
	}
	after, err := hashFile(model)
	if left, err := filepath.Glob(model + ".*tmp*"); err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
	if r := readReceipt(t, model+".json"); err != nil || r.ModelHash != before || r.OutHash != after || before == after {
		t.Errorf("hashes %s and %s, the receipt has %s and %s (%v)", before, after, r.ModelHash, r.OutHash, err)
	}
	for path, want := range map[string]os.FileMode{model: 0o600, model + ".json": 0o640} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, want)
		}
	}
}

// TestNothingChanged has a run that ends before its first step: there is nothing
// to write and nothing to sign.
func TestNothingChanged(t *testing.T) {
	dir, model := trained(t)
	out := filepath.Join(dir, "m2.onnx")
	code, stdout, stderr := do(t, arguments(dir, model, out, append(gentle, "-time", "1ns")...)...)
	if code != exitNotForgotten || !strings.Contains(stdout, "the time limit was reached") || !strings.Contains(stderr, "nothing was changed") {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
	for _, path := range []string{out, out + ".json"} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was written", path)
		}
	}
}

func TestInterrupt(t *testing.T) {
	dir, model := trained(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr bytes.Buffer
	out := filepath.Join(dir, "m2.onnx")
	if code := command(ctx, arguments(dir, model, out), &stdout, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "interrupted; nothing was written") {
		t.Errorf("exit status %d, %s", code, stderr.String())
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
}

// TestBrokenModel looks at what becomes of a model that a method broke: the method says so
// itself, or the accuracy on retain does.
func TestBrokenModel(t *testing.T) {
	dir, model := trained(t)
	out := filepath.Join(dir, "m2.onnx")
	wild := []string{"-method", "finetune", "-epochs", "10", "-rate", "30"}
	code, stdout, stderr := do(t, arguments(dir, model, out, wild...)...)
	if _, err := os.Stat(out); err == nil || code != exitFailed || !strings.Contains(stderr, "the task is lost") {
		t.Errorf("exit status %d, file %v\n%s%s", code, err, stdout, stderr)
	}
	r := &receipt{Before: &dlfd.Audited{RetainAccuracy: .9}, After: &dlfd.Audited{RetainAccuracy: .7}}
	if err := broken(r, 2); !errors.Is(err, errNotForgotten) || !strings.Contains(err.Error(), "fell from 0.900 to 0.700") {
		t.Errorf("error %v", err)
	}
}

func TestStopsInWords(t *testing.T) {
	for stop, want := range map[dlfd.Stop]bool{
		dlfd.Completed: true, dlfd.BudgetSpent: false, dlfd.CapNotMet: false, dlfd.NothingDone: false,
		dlfd.NotForgotten: false, dlfd.NothingToForget: false, dlfd.TaskHarmed: false, dlfd.ScoreMet: true, "of another kind": false,
	} {
		if text, forgot := inWords(stop); forgot != want || text == "" || text == string(stop) && stop != "of another kind" {
			t.Errorf("%s: %q, %v", stop, text, forgot)
		}
	}
}

func TestExchanged(t *testing.T) {
	for _, c := range []struct {
		confusion [][]int
		want      int
	}{
		{[][]int{{9, 1, 0}, {0, 9, 1}, {1, 0, 9}}, 0},
		{[][]int{{1, 9, 0}, {9, 1, 0}, {1, 0, 9}}, 2},
		{[][]int{{0, 9, 1}, {1, 0, 9}, {9, 1, 0}}, 3},
		{[][]int{{9, 1, 0}, {9, 1, 0}, {9, 0, 1}}, 0}, // rare classes that were not learned
		{[][]int{{0, 0, 0}, {0, 9, 0}, {0, 9, 1}}, 0},
		{[][]int{{9, 0, 0}, {0, 1, 9}, {0, 9, 1}}, 2},
	} {
		if got := exchanged(c.confusion); len(got) != c.want {
			t.Errorf("%v: %v, want %d classes", c.confusion, got, c.want)
		}
	}
}

// TestExplain checks that settings of the library are called by flags.
func TestExplain(t *testing.T) {
	got := explain(errors.New("onnx: m.onnx: onnx: not supported: axis 2 is open; set Options.Input"))
	if want := "m.onnx: not supported: axis 2 is open; give its size with -input CxHxW"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
