package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/examples/drawnfaces"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// mini is a crowd that is quick to draw.
func mini() drawnfaces.Crowd {
	return drawnfaces.Crowd{Seed: 1, Retain: 4, Forget: 2, Test: 2, Unseen: 2, Images: 3}
}

// tiny is an experiment of a second or two.
func tiny() settings {
	s := defaults()
	c := mini()
	s.Widths, s.Drawn, s.Batch = []int{4, 8}, &c, 16
	return s
}

func runTiny(t *testing.T, f flags) (out string) {
	t.Helper()
	var text bytes.Buffer
	if done, err := run(context.Background(), f, tiny(), &text, io.Discard); err != nil || done != f.seeds {
		t.Fatalf("%d seeds are written, %v", done, err)
	}
	return text.String()
}

// fingerprints hashes the files of a folder that must not depend on time or
// on the number of processors.
func fingerprints(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sums := make(map[string][32]byte)
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != "timing.json" {
			sums[f.Name()] = sha256.Sum256(content)
		}
	}
	return sums
}

func TestSameBytesAtAnyGOMAXPROCS(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	var first map[string][32]byte
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		dir := t.TempDir()
		runTiny(t, flags{seeds: 1, seed: 3, epochs: 1, out: dir})
		sums := fingerprints(t, dir)
		if first == nil {
			first = sums
		}
		if len(sums) != len(first) || len(sums) != 2+methodRows+len(methods(false)) {
			t.Errorf("GOMAXPROCS %d: %d files, want %d", procs, len(sums), 2+methodRows+len(methods(false)))
		}
		for name, sum := range sums {
			if sum != first[name] {
				t.Errorf("GOMAXPROCS %d: %s differs from that at 1", procs, name)
			}
		}
	}
}

func TestSeedsTableAndFiles(t *testing.T) {
	dir := t.TempDir()
	text := runTiny(t, flags{seeds: 2, seed: 7, epochs: 1, out: dir})
	for _, want := range []string{"seed 7\n", "seed 8\n", "mean ± standard deviation over 2 seeds", "Retrained", "NegGrad+", "Retrained 2", "\nband ."} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	var res result
	content, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err == nil {
		err = json.Unmarshal(content, &res)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Runs) != 2 || res.Runs[1].Seed != 8 || len(res.Runs[0].Models) != methodRows+len(methods(false)) {
		t.Fatalf("result.json has %d runs: %+v", len(res.Runs), res.Runs)
	}
	p, err := load(flags{}, tiny())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range res.Runs[0].Models {
		if o.Ledger.Wall != 0 {
			t.Errorf("%s: result.json has a time", o.Method)
		}
		checkModel(t, dir, p, o)
	}
	if gap := res.Runs[0].Models[1].Gap; gap.Mean != 0 || gap.TugOfWar != 1 {
		t.Errorf("the retrained model is %+v away from itself", gap)
	}
	sheet, err := os.Open(filepath.Join(dir, "faces.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer sheet.Close()
	if img, err := png.Decode(sheet); err != nil || img.Bounds().Dx() < 12*3*side {
		t.Errorf("contact sheet: %v, %v", img, err)
	}
}

// checkModel loads a saved model and finds the accuracy that result.json tells.
func checkModel(t *testing.T, dir string, p *pack, o outcome) {
	t.Helper()
	m, err := nn.Load(filepath.Join(dir, modelFile(o.Method, 7)))
	if err != nil {
		t.Fatal(err)
	}
	logits, labels, err := feature.Predict(context.Background(), m, p.test, []string{m.Spec().Logits}, 32)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, label := range labels {
		best := 0
		for c, v := range logits[0].Row(i) {
			if v > logits[0].Row(i)[best] {
				best = c
			}
		}
		if best == label {
			right++
		}
	}
	if got := float64(right) / float64(len(labels)); math.Abs(got-o.Audit.TestAccuracy) > 1e-12 {
		t.Errorf("%s: the saved model has test accuracy %v, result.json says %v", o.Method, got, o.Audit.TestAccuracy)
	}
}

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"-h", 0, "majority"},
		{"-foo", 2, "-foo"},
		{"extra", 2, `"extra"`},
		{"-seeds 0", 2, "-seeds 0"},
		{"-seeds x", 2, "seeds"},
		{"-epochs -1", 2, "-epochs -1"},
		{"-out=", 2, "-out is empty"},
		{"-label pose", 2, "needs -data"},
		{"-data /nowhere", 2, "needs -label"},
		{"-data /nowhere -label pose -out " + t.TempDir(), 1, "/nowhere/metadata.csv"},
		{"-out /dev/null/x", 1, "-out: "},
	} {
		var out, errs bytes.Buffer
		code := command(context.Background(), strings.Fields(c.args), &out, &errs)
		if text := out.String() + errs.String(); code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("faces %s: code %d, want %d with %q:\n%s", c.args, code, c.code, c.want, text)
		}
	}
}

func TestInterruptLeavesTheFolderAlone(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done, err := run(ctx, flags{seeds: 1, epochs: 1, out: dir}, tiny(), io.Discard, io.Discard)
	if done != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("files were written: %v, %v", files, err)
	}
}

// stopper cancels when the first seed's table is written.
type stopper struct {
	bytes.Buffer
	cancel func()
}

func (s *stopper) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("band")) {
		s.cancel()
	}
	return s.Buffer.Write(b)
}

func TestInterruptKeepsFinishedSeeds(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done, err := run(ctx, flags{seeds: 3, seed: 1, epochs: 1, out: dir}, tiny(), &stopper{cancel: cancel}, io.Discard)
	if done != 1 || !errors.Is(err, context.Canceled) {
		t.Fatalf("%d seeds are written, %v; want 1 and an interrupt", done, err)
	}
	if text := kept(dir, done); text != "the first seed is in "+dir {
		t.Error(text)
	}
	var res result
	content, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err == nil {
		err = json.Unmarshal(content, &res)
	}
	if err != nil || len(res.Runs) != 1 {
		t.Fatalf("%d runs, %v", len(res.Runs), err)
	}
	for _, o := range res.Runs[0].Models {
		if _, err := nn.Load(filepath.Join(dir, modelFile(o.Method, 1))); err != nil {
			t.Error(err)
		}
	}
}

// TestTablesAreNarrow fills the tables with the longest entries.
func TestTablesAreNarrow(t *testing.T) {
	o := outcome{Method: "DLFD released", Audit: &dlfd.Audited{PublishedMajority: .5}, Stop: string(dlfd.NothingToForget), seconds: 100.1}
	o.Ledger.Forward = 999_900
	r := seedRun{Models: []outcome{o, o, o, o}}
	var b bytes.Buffer
	if err := errors.Join(printSeed(&b, r), printMeans(&b, []seedRun{r, r})); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(b.String(), "\n") {
		if n := len([]rune(line)); n > 120 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}

// diverging is a method that fails as one whose loss became infinite.
type diverging struct{}

func (diverging) Unlearn(context.Context, feature.Trainable, dlfd.Data, *dlfd.Options) (*dlfd.Result, error) {
	return nil, fmt.Errorf("step 3: %w", train.ErrDiverged)
}

func TestDivergenceIsAResult(t *testing.T) {
	p, err := load(flags{}, tiny())
	if err != nil {
		t.Fatal(err)
	}
	one := trial{pack: p, settings: tiny(), seed: 1, bar: &bar{}}
	net, err := one.network(1)
	if err != nil {
		t.Fatal(err)
	}
	o, err := one.apply(context.Background(), "Bad", diverging{}, net, p.request, 1)
	if err != nil || o.Stop != divergedStop || o.Audit == nil {
		t.Errorf("%+v, %v", o, err)
	}
	if n := diverged([]seedRun{{Models: []outcome{o}}, {Models: []outcome{{Stop: "completed"}}}}, 0); n != 1 {
		t.Errorf("%d of 2 runs diverged, want 1", n)
	}
}

func TestMoments(t *testing.T) {
	runs := []seedRun{{Models: []outcome{{seconds: 1}}}, {Models: []outcome{{seconds: 4}}}}
	mean, sd := moments(runs, 0, func(o outcome) float64 { return o.seconds })
	if mean != 2.5 || math.Abs(sd-3/math.Sqrt2) > 1e-15 {
		t.Errorf("mean %v, standard deviation %v, want 2.5 and %v", mean, sd, 3/math.Sqrt2)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: ".000", .25: ".250", 1: "1.000", .9996: "1.000", 10.25: "10.250"} {
		if got := short(v); got != want {
			t.Errorf("short(%v) is %s, want %s", v, got, want)
		}
	}
}

// TestPack runs on a folder made on the spot, with a column of labels that has
// nothing to do with drawn faces.
func TestPack(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	table := "path,identity,tone,split,holdout\n"
	p, err := drawnfaces.Draw(mini())
	if err != nil {
		t.Fatal(err)
	}
	for split, d := range map[string]*dataset.Set{"retain": p.Retain, "forget": p.Forget, "test": p.Test, "unseen": p.Unseen} {
		for k := range d.Len() {
			name := split + string(rune('a'+k/26)) + string(rune('a'+k%26)) + ".png"
			var img bytes.Buffer
			one, err := feature.Subset(d, []int{k})
			if err == nil {
				err = contactSheet(&img, 1, 1, one)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), img.Bytes(), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			table += strings.Join([]string{name, d.Identity(k), []string{"dark", "bright"}[k%2], split, "0"}, ",") + "\n"
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "metadata.csv"), []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	text := runTiny(t, flags{data: dir, label: "tone", seeds: 1, seed: 1, epochs: 1, out: out})
	if !strings.Contains(text, "classes: bright, dark") || !strings.Contains(text, "forget 24 (2 persons)") {
		t.Errorf("output:\n%s", text)
	}
	var errs bytes.Buffer
	if code := command(context.Background(), []string{"-data", dir, "-label", "mood", "-out", out}, io.Discard, &errs); code != 1 || !strings.Contains(errs.String(), `"mood"`) {
		t.Errorf("unknown column: code %d, %s", code, errs.String())
	}
}

// Three labels have a table each, with one for the means, and the saved model has their
// heads.
func TestSeveralLabels(t *testing.T) {
	dir := t.TempDir()
	text := runTiny(t, flags{seeds: 1, seed: 7, epochs: 1, out: dir, label: "expression,glasses,tilt"})
	for _, want := range []string{"glasses (no, yes); tilt (left, none, right)", "seed 7, label expression\n", "seed 7, label tilt\n", "seed 7, mean over the labels\n", "Align"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "released") {
		t.Error("the released code works on one label")
	}
	m, err := nn.Load(filepath.Join(dir, modelFile("Align", 7)))
	if err != nil {
		t.Fatal(err)
	}
	want := feature.Heads{{Name: "expression", Width: 4}, {Name: "glasses", Kind: feature.SigmoidHead, Width: 1}, {Name: "tilt", Width: 3}}
	if got := m.Spec().Heads; !slices.Equal(got, want) {
		t.Errorf("heads %+v, want %+v", got, want)
	}
	if _, err := run(context.Background(), flags{seeds: 1, out: dir, label: "glasses,beard"}, tiny(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), `"beard"`) {
		t.Error(err)
	}
}
