package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/receipt"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// draw draws dark and light images of several persons into three folders.
func draw(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := mathrand.New(mathrand.NewPCG(1, 2))
	for i := range 96 {
		part, class := []string{"retain", "retain", "forget", "holdout"}[i%4], []string{"dark", "light"}[i/4%2]
		img := image.NewGray(image.Rect(0, 0, 8, 8))
		for p := range img.Pix {
			img.SetGray(p%8, p/8, color.Gray{Y: uint8(100*(i/4%2) + r.IntN(150))})
		}
		path := filepath.Join(dir, part, class, fmt.Sprintf("%s%d_%d.png", part, i%3, i))
		var b bytes.Buffer
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), png.Encode(&b, img), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// issued is a request that was carried out, with all of its files.
type issued struct {
	dir, data, before, after, public string
	paths                            receipt.Paths
	id                               string
	previous                         *receipt.Hash
}

var (
	said     = map[string]string{"input": "1x8x8", "identity": "true"}
	identity = []string{"-identity", `([a-z]+\d)_`}
)

// issue trains a model, unlearns and writes the receipt, on the kernels of one path.
func issue(t *testing.T, kernels string) *issued {
	t.Helper()
	if err := feature.UseKernels(kernels); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { feature.UseKernels(feature.KernelPaths()[0]) })
	dir := draw(t)
	s := &issued{dir: dir, data: dir, before: filepath.Join(dir, "m.onnx"), after: filepath.Join(dir, "m2.onnx"), public: filepath.Join(dir, "pub.pem"), id: "R-1"}
	s.paths = receipt.PathsOf(s.after)
	d := s.load(t)
	trainModel(t, d, s.before)
	if err := s.carryOut(d); err != nil {
		t.Fatal(err)
	}
	return s
}

// follow issues a second receipt, which names the first.
func follow(t *testing.T, first *issued, prepare func(dir string) error) *issued {
	t.Helper()
	sum, err := receipt.SumFile(first.paths.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	dir := draw(t)
	s := &issued{dir: dir, data: dir, before: first.after, after: filepath.Join(dir, "m3.onnx"), public: filepath.Join(dir, "pub.pem"), id: "R-2", previous: &sum}
	s.paths = receipt.PathsOf(s.after)
	if err := prepare(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.carryOut(s.load(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

// load reads the data of a request.
func (s *issued) load(t *testing.T) *data {
	t.Helper()
	f, err := parse(append(append([]string{"verify"}, identity...), "none"))
	if err != nil {
		t.Fatal(err)
	}
	shape := &receipt.Receipt{Data: receipt.Data{Reading: said, Retain: &receipt.Set{}, Forget: &receipt.Set{}, Holdout: &receipt.Set{}}}
	d, err := load(shape, f, s.dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func trainModel(t *testing.T, d *data, path string) {
	t.Helper()
	n, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 2, Widths: []int{4}, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	all, err := feature.Concat(d.run.Retain, d.run.Forget)
	if err == nil {
		_, err = train.Fit(t.Context(), n, all, &train.Options{Epochs: 10, Optimizer: train.Adam{Rate: 1e-2}})
	}
	if err == nil {
		err = n.SaveONNX(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// carryOut unlearns and writes what goes with it.
func (s *issued) carryOut(d *data) error {
	m, err := onnx.Load(s.before, nil)
	if err != nil {
		return err
	}
	input, err := receipt.SumModel(s.before)
	if err != nil {
		return err
	}
	ctx, opt := context.Background(), &dlfd.Options{Seed: 3}
	before, err := dlfd.Audit(ctx, m, d.judge, &dlfd.AuditOptions{Seed: 3})
	if err != nil {
		return err
	}
	result, err := dlfd.Align{Epochs: 2, Always: true}.Unlearn(ctx, m, d.run, opt)
	if err != nil {
		return err
	}
	after, err := dlfd.Audit(ctx, m, d.judge, &dlfd.AuditOptions{Seed: 3})
	if err != nil {
		return err
	}
	if err := m.Save(s.after); err != nil {
		return err
	}
	audit, err := receipt.NewAudit(after, before, nil, 3)
	if err != nil {
		return err
	}
	return s.write(d, receipt.Facts{
		ID: s.id, Received: "2026-11-26", Scenario: receipt.Sample, Outcome: receipt.OutcomeOf(result, audit), Input: receipt.Input{Model: input.File, Previous: s.previous},
		Leaves: receipt.OfFiles, Classes: 2, Reading: said, Result: result, Options: opt, Audit: audit,
	})
}

func (s *issued) write(d *data, facts receipt.Facts) error {
	_, trace, err := receipt.TraceText(facts.Result)
	if err != nil {
		return err
	}
	facts.Trace = &trace
	key, err := receipt.NewKey()
	if err != nil {
		return err
	}
	of := make(map[string]receipt.Contents)
	for _, p := range d.parts {
		of[p.name] = p.contents(receipt.OfFiles)
	}
	r, secret, err := receipt.New(key, receipt.Sources{Retain: of["retain"], Forget: of["forget"], Holdout: of["holdout"]}, facts)
	if err != nil {
		return err
	}
	m, err := receipt.SumModel(s.after)
	if err != nil {
		return err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644); err != nil {
		return err
	}
	b, err := receipt.NewBundle(r, secret, m, facts.Result, private)
	if err != nil {
		return err
	}
	return b.Write(s.paths)
}

func do(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = command(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

// photo is one of the forget set.
func (s *issued) photo(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(s.dir, "forget", "light", "*.png"))
	if err != nil || len(all) == 0 {
		t.Fatalf("%d photos, %v", len(all), err)
	}
	return all[len(all)-1]
}

// whole are the arguments that check everything.
func (s *issued) whole(photo, proof string) []string {
	return append(append([]string{"verify"}, identity...), "-key", s.public, "-model", s.after, "-input", s.before, "-trace", s.paths.Trace, "-secret", s.paths.Secret,
		"-proof", proof, "-inclusion", photo, "-audit", s.data, "-replay", s.before, "-data", s.data, s.paths.Receipt)
}

// TestReplayOnEveryPath issues receipts on every set of kernels that the machine has
// and computes figures and model again on the same one, whatever is in use when the
// verifier starts: equal bits.
func TestReplayOnEveryPath(t *testing.T) {
	models := make(map[string]bool)
	for _, kernels := range feature.KernelPaths() {
		s := issue(t, kernels)
		proof := filepath.Join(s.dir, "proof.json")
		if code, _, stderr := do(t, "prove", "-secret", s.paths.Secret, "-inclusion", s.photo(t), "-proof", proof, s.paths.Receipt); code != exitRight {
			t.Fatalf("prove: %s", stderr)
		}
		if err := feature.UseKernels(feature.KernelPaths()[0]); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := do(t, s.whole(s.photo(t), proof)...)
		if code != exitRight || strings.Contains(stdout, "note:") {
			t.Errorf("%s: exit status %d\n%s%s", kernels, code, stdout, stderr)
		}
		for _, want := range []string{"signature", "new model", "model before", "trace", "proof", "data for -audit", "figures", "data for -replay", "replay"} {
			if !strings.Contains(stdout, "right: "+want+"\n") {
				t.Errorf("%s: no %q in\n%s", kernels, want, stdout)
			}
		}
		sum, err := receipt.SumFile(s.after)
		if err != nil {
			t.Fatal(err)
		}
		models[sum.String()] = true
	}
	t.Logf("%d paths, %d different models", len(feature.KernelPaths()), len(models))
}

// TestWrong changes one thing at a time.
func TestWrong(t *testing.T) {
	s := issue(t, feature.KernelPaths()[0])
	other := issue(t, feature.KernelPaths()[0])
	proof := filepath.Join(s.dir, "proof.json")
	if code, _, stderr := do(t, "prove", "-secret", s.paths.Secret, "-inclusion", s.photo(t), "-proof", proof, s.paths.Receipt); code != exitRight {
		t.Fatalf("prove: %s", stderr)
	}
	unsaid := []string{"verify", "-key", s.public}
	with := append(append([]string{"verify"}, identity...), "-key", s.public)
	run := func(args []string, more ...string) (int, string, string) {
		return do(t, append(append(append([]string{}, args...), more...), s.paths.Receipt)...)
	}
	wrong := func(name, want string, code int, stdout, stderr string) {
		t.Helper()
		if code != exitWrong || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit status %d, %q not in\n%s%s", name, code, want, stdout, stderr)
		}
	}
	check := func(name, want string, args []string, more ...string) {
		t.Helper()
		code, stdout, stderr := run(args, more...)
		wrong(name, want, code, stdout, stderr)
	}
	check("other key", "signed with another key", []string{"verify", "-key", other.public})
	check("swapped model", "not the one of the receipt", unsaid, "-model", s.before)
	check("swapped input", "the run began with", unsaid, "-input", s.after)
	check("replay from another model", "the run began with", with, "-replay", s.after, "-data", s.data)
	check("chain", "R-1 stands in it twice", unsaid, "-chain", s.paths.Receipt)
	check("other photo", "leads to another root", unsaid, "-proof", proof, "-inclusion", s.after)
	check("no identities", "-identity", unsaid, "-replay", s.before, "-data", s.data)
	check("other secret", "secret does not belong", with, "-secret", other.paths.Secret, "-audit", s.data, "-model", s.after)

	wrongOption(t, s)
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	img.SetGray(3, 3, color.Gray{Y: 200})
	var b bytes.Buffer
	if err := errors.Join(png.Encode(&b, img), os.WriteFile(s.photo(t), b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	check("secret alone, of another", "secret does not belong", with, "-secret", other.paths.Secret, "-model", s.after)
	check("changed photo", "a content, a label or the order differs", with, "-secret", s.paths.Secret, "-audit", s.data, "-model", s.after)
	check("figures of a changed photo", "the figures are not those of the receipt", with, "-audit", s.data, "-model", s.after)
	check("replay with a changed photo", "the recomputed model is not the one of the receipt", with, "-replay", s.before, "-data", s.data)
}

// wrongOption has a receipt whose maker wrote another option than the run had: nothing
// but a recomputation can tell.
func wrongOption(t *testing.T, s *issued) {
	t.Helper()
	text, err := os.ReadFile(s.paths.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	o, err := receipt.OpenUnverified(text)
	if err != nil {
		t.Fatal(err)
	}
	o.Method.Options = bytes.Replace(o.Method.Options, []byte(`"Epochs":2`), []byte(`"Epochs":3`), 1)
	if o.Method.Hash, err = receipt.Sum(bytes.NewReader(o.Method.Options)); err != nil {
		t.Fatal(err)
	}
	statement, err := o.Statement(o.Model)
	if err == nil {
		text, err = receipt.Seal(statement, nil)
	}
	path := filepath.Join(s.dir, "other.json")
	if err := errors.Join(err, receipt.WriteFile(path, text)); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := do(t, append(append([]string{"verify"}, identity...), "-model", s.after, "-replay", s.before, "-data", s.data, path)...)
	if code != exitWrong || !strings.Contains(stderr, "the recomputed model is not the one of the receipt") {
		t.Errorf("another option: exit status %d\n%s%s", code, stdout, stderr)
	}
}

// TestChain has a second request, whose data are once in order and once retain what the
// first had to forget.
func TestChain(t *testing.T) {
	first := issue(t, feature.KernelPaths()[0])
	for _, c := range []struct {
		code    int
		want    string
		prepare func(dir string) error
	}{
		{exitRight, "right: nothing forgotten earlier is back", func(string) error { return nil }},
		{exitWrong, "request R-1: samples 24, persons 3, of 24 samples", func(dir string) error {
			in := func(name string) string { return filepath.Join(dir, name) }
			return errors.Join(os.Rename(in("retain"), in("x")), os.Rename(in("forget"), in("retain")), os.Rename(in("x"), in("forget")))
		}},
	} {
		s := follow(t, first, c.prepare)
		code, stdout, stderr := do(t, append(append([]string{"verify"}, identity...), "-chain", first.paths.Receipt, "-audit", s.data, "-model", s.after, s.paths.Receipt)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) || !strings.Contains(stdout, "right: chain") {
			t.Errorf("exit status %d, no %q in\n%s%s", code, c.want, stdout, stderr)
		}
		if code, _, stderr := do(t, "verify", "-chain", s.paths.Receipt, first.paths.Receipt); code != exitWrong || !strings.Contains(stderr, "R-2, the first") {
			t.Errorf("the other order: exit status %d, %s", code, stderr)
		}
	}
	if code, _, stderr := do(t, "verify", "-chain", first.paths.Receipt, first.paths.Receipt); code != exitWrong || !strings.Contains(stderr, "twice") {
		t.Errorf("twice: exit status %d, %s", code, stderr)
	}
}

// TestStranger runs the script, which shares no code with this module, on what is
// right and on what is wrong.
func TestStranger(t *testing.T) {
	for _, tool := range []string{"bash", "openssl", "jq", "sha256sum", "base64"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there", tool)
		}
	}
	s := issue(t, feature.KernelPaths()[0])
	script := func(args ...string) (string, error) {
		out, err := exec.Command("bash", append([]string{"stranger.sh"}, args...)...).CombinedOutput()
		return string(out), err
	}
	photos, err := filepath.Glob(filepath.Join(s.dir, "forget", "*", "*.png"))
	if err != nil || len(photos) != 24 {
		t.Fatalf("%d photos, %v", len(photos), err)
	}
	proof := filepath.Join(s.dir, "proof.json")
	for i := 0; i < len(photos); i += 23 { // the first and the last of the tree
		if code, _, stderr := do(t, "prove", "-secret", s.paths.Secret, "-inclusion", photos[i], "-proof", proof, s.paths.Receipt); code != exitRight {
			t.Fatal(stderr)
		}
		out, err := script(s.public, s.paths.Receipt, s.after, proof, photos[i])
		if err != nil || !strings.Contains(out, "right: signature\nright: model\nright: the photo is in forget\nrequest R-1: ") {
			t.Errorf("photo %d: %v\n%s", i, err, out)
		}
	}
	for want, args := range map[string][]string{
		"wrong: the photo does not lead": {s.public, s.paths.Receipt, s.after, proof, photos[1]},
		"wrong: the model":               {s.public, s.paths.Receipt, s.before},
		"wrong: signature":               {issue(t, feature.KernelPaths()[0]).public, s.paths.Receipt, s.after},
	} {
		if out, err := script(args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", want, err, out)
		}
	}
}

// TestLedger verifies that a receipt is in a ledger, and what a ledger looks like that
// does not have it.
func TestLedger(t *testing.T) {
	s := issue(t, feature.KernelPaths()[0])
	key, err := receipt.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	o, err := open(s.paths.Receipt, s.public)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, "ledger")
	save := func(forget ...receipt.Contents) {
		t.Helper()
		l, err := receipt.NewLedger(key, receipt.Model{File: o.Input.Model})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range forget {
			if err := l.Add(o, f); err != nil {
				t.Fatal(err)
			}
		}
		text, err := l.Text()
		if err := errors.Join(err, receipt.WriteFile(path, text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := receipt.WriteLedgerKey(path+".key", key); err != nil {
		t.Fatal(err)
	}
	save(s.load(t).parts[1].contents(receipt.OfFiles))
	if code, stdout, stderr := do(t, "verify", "-ledger", path, s.paths.Receipt); code != exitRight || !strings.Contains(stdout, "right: ledger") {
		t.Errorf("exit status %d, %s%s", code, stdout, stderr)
	}
	save()
	if code, _, stderr := do(t, "verify", "-ledger", path, s.paths.Receipt); code != exitWrong || !strings.Contains(stderr, "none of 0 is request R-1") {
		t.Errorf("without the request: exit status %d, %s", code, stderr)
	}
}

// TestOutcomes asks for the outcome, and has a receipt that claims what its verdict does
// not say.
func TestOutcomes(t *testing.T) {
	s := issue(t, feature.KernelPaths()[0])
	o, err := open(s.paths.Receipt, s.public)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, "other.json")
	for _, c := range []struct {
		verdict string
		outcome receipt.Outcome
		plain   int // exit status without -forgotten
		code    int
		want    string
	}{
		{"within the retrain band", receipt.Forgotten, exitRight, exitRight, ""},
		{"cannot tell", receipt.CannotTell, exitRight, exitCannotTell, "cannot be told"},
		{"hidden", receipt.NotForgotten, exitRight, exitNotForgotten, "does not say that the samples are forgotten"},
		{receipt.NoVerdict, receipt.Refused, exitRight, exitNotForgotten, `outcome "refused"`},
		{"cannot tell", receipt.Forgotten, exitWrong, exitWrong, `the outcome is "forgotten" and the verdict "cannot tell"`},
		{"hidden", receipt.Forgotten, exitWrong, exitWrong, "the verdict of the audit is not that"},
	} {
		o.Audit.Verdict, o.Request.Outcome = c.verdict, c.outcome
		statement, err := o.Statement(o.Model)
		if err != nil {
			t.Fatal(err)
		}
		text, err := receipt.Seal(statement, nil)
		if err := errors.Join(err, receipt.WriteFile(path, text)); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := do(t, "verify", path); code != c.plain {
			t.Errorf("%s, %s: exit status %d, %s", c.verdict, c.outcome, code, stderr)
		}
		if code, _, stderr := do(t, "verify", "-forgotten", path); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s, %s, -forgotten: exit status %d, no %q in %s", c.verdict, c.outcome, code, c.want, stderr)
		}
	}
}

func TestPageAndArguments(t *testing.T) {
	s := issue(t, feature.KernelPaths()[0])
	if code, stdout, stderr := do(t, "page", "-key", s.public, s.paths.Receipt); code != exitRight || !strings.Contains(stdout, "# Receipt of the deletion request R-1") {
		t.Errorf("page: %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := do(t, "verify", s.paths.Receipt); code != exitRight || !strings.Contains(stdout, "not checked: signature") {
		t.Errorf("without a key: %d, %s", code, stdout)
	}
	for _, c := range []struct{ args, want string }{
		{"", "verify, prove or page?"}, {"look r", `"look" is not`}, {"verify", "one receipt is wanted"}, {"verify -proof p r", "-inclusion"},
		{"prove r", "prove wants"}, {"verify -audit d r", "-audit wants -model"}, {"verify -replay m r", "-replay wants -data"}, {"verify -identity a r", "no group"},
	} {
		if code, _, stderr := do(t, strings.Fields(c.args)...); code != exitArguments || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit status %d, %s", c.args, code, stderr)
		}
	}
	if code, stdout, _ := do(t, "-h"); code != exitRight || !strings.Contains(stdout, "-inclusion") {
		t.Errorf("-h: %d", code)
	}
}
