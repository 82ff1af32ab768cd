package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	signed "github.com/dlfd-go/unlearn/dlfd/receipt"
)

// TestAttestation writes a signed receipt and one that follows on it, unsigned, and
// verifies both with the key and the files.
func TestAttestation(t *testing.T) {
	dir, model := trained(t)
	out, next, pem := filepath.Join(dir, "m2.onnx"), filepath.Join(dir, "m3.onnx"), filepath.Join(dir, "key.pem")
	key := newKey(t, pem)
	person := []string{"-identity", `([a-z]+\d)_`}
	code, stdout, stderr := do(t, arguments(dir, model, out, append(append(person, gentle...), "-key", pem, "-request", "R-1", "-received", "2026-11-20", "-scenario", "person")...)...)
	if code == exitFailed || !strings.Contains(stdout, "signed with key ") {
		t.Fatalf("exit status %d\n%s%s", code, stdout, stderr)
	}
	p := signed.PathsOf(out)
	first, err := signed.Open(read(t, p.Receipt), &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{first.CheckModel(out), first.CheckInput(model), first.CheckTrace(read(t, p.Trace))} {
		if err != nil {
			t.Error(err)
		}
	}
	if s, err := signed.ReadSecret(read(t, p.Secret), first.Receipt); err != nil || len(s.Persons) != 3 || len(s.Samples) != 24 {
		t.Errorf("secret %v, %v", s, err)
	}
	if r := first.Receipt; r.Request.ID != "R-1" || r.Request.Scenario != signed.Person || r.Data.Holdout.Count != 24 || r.Data.Reading["input"] != "1x8x8" || r.Method.Name != "FineTune" || len(r.Audit.Figures) < 4 {
		t.Errorf("receipt %+v", r)
	}
	code, stdout, stderr = do(t, arguments(dir, out, next, append(gentle, "-previous", p.Receipt, "-request", "R-2")...)...)
	if code == exitFailed || !strings.Contains(stdout, "unsigned: -key signs it") {
		t.Fatalf("exit status %d\n%s%s", code, stdout, stderr)
	}
	second, err := signed.OpenUnverified(read(t, signed.PathsOf(next).Receipt))
	if err == nil {
		err = signed.CheckChain([]*signed.Opened{first, second})
	}
	if err != nil {
		t.Error(err)
	}
	was := read(t, signed.PathsOf(next).Secret)
	if code, _, stderr := do(t, arguments(dir, out, next, gentle...)...); code != exitFailed || !strings.Contains(stderr, "of an earlier run") || string(was) != string(read(t, signed.PathsOf(next).Secret)) {
		t.Errorf("over an earlier receipt: exit status %d, %s", code, stderr)
	}
	back := arguments(dir, out, next, append(gentle, "-previous", p.Receipt, "-overwrite", "-force", "-allow-overlap", "-retain", filepath.Join(dir, "forget"))...)
	if code, _, stderr := do(t, back...); code != exitFailed || !strings.Contains(stderr, "request R-1: samples 24") {
		t.Errorf("retaining what was forgotten: exit status %d, %s", code, stderr)
	}
	noNames(t, dir, string(first.Page())+string(read(t, p.Receipt))+string(read(t, p.Trace)))
}

// noNames fails if a file, a folder, a class or a person is named.
func noNames(t *testing.T, dir, text string) {
	t.Helper()
	names := []string{dir, filepath.Base(dir), "m.onnx", "dark", "light", `([a-z]+\d)_`}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.png"))
	if err != nil || len(files) != 96 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		names = append(names, filepath.Base(f), regexp.MustCompile(`[a-z]+\d`).FindString(filepath.Base(f))+"_")
	}
	for _, name := range names {
		if strings.Contains(text, name) {
			t.Errorf("the receipt has %q", name)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// newKey writes a private key.
func newKey(t *testing.T, path string) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return k
}

// TestRefusedAttestation stops before any work.
func TestRefusedAttestation(t *testing.T) {
	dir, model := trained(t)
	out := filepath.Join(dir, "m2.onnx")
	for want, more := range map[string][]string{
		"no PEM block":         {"-key", model},
		"-previous":            {"-previous", filepath.Join(dir, "none")},
		"not a receipt":        {"-previous", model},
		`request id "a b"`:     {"-request", "a b"},
		`received "yesterday"`: {"-received", "yesterday"},
		`scenario "all"`:       {"-scenario", "all"},
	} {
		code, stdout, stderr := do(t, arguments(dir, model, out, append(gentle, more...)...)...)
		if code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit status %d, no %q in\n%s%s", more, code, want, stdout, stderr)
		}
		if strings.Contains(stdout, "after ") {
			t.Errorf("%v: refused after the work", more)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
}
