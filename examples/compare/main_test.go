package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMain lets the test binary stand in for the program, so that a test can kill it.
func TestMain(m *testing.M) {
	if args := os.Getenv("COMPARE_TEST_ARGS"); args != "" {
		os.Exit(command(context.Background(), strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// writeIDX writes four files like those of MNIST, of 8×8 images: class c is bright in
// column c.
func writeIDX(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for part, n := range map[string]int{"train": 100, "t10k": 80} {
		images := binary.BigEndian.AppendUint32(nil, 0x803)
		for _, v := range []int{n, 8, 8} {
			images = binary.BigEndian.AppendUint32(images, uint32(v))
		}
		labels := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), uint32(n))
		for i := range n {
			label := i % 4
			for p := range 64 {
				v := 90 + 60*r.NormFloat64()
				if p%8/2 == label {
					v += 40
				}
				images = append(images, byte(math.Max(0, math.Min(255, v))))
			}
			labels = append(labels, byte(label))
		}
		for name, content := range map[string][]byte{"images-idx3": images, "labels-idx1": labels} {
			if err := os.WriteFile(filepath.Join(dir, part+"-"+name+"-ubyte"), content, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// arguments are those of a comparison that takes a second.
func arguments(idx, out string, more ...string) []string {
	return append([]string{"-idx", idx, "-share", ".2", "-epochs", "1", "-seeds", "1", "-retrains", "2", "-deep", "-1", "-methods", "finetune,neggrad+:beta=1", "-workers", "1", "-out", out}, more...)
}

// compareWith runs the program in this process and returns what it prints.
func compareWith(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := command(t.Context(), args, &out, &errs); code != 0 {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	return out.String()
}

func digestIn(t *testing.T, text string) string {
	t.Helper()
	m := regexp.MustCompile(`digest ([0-9a-f]{64})`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no digest in\n%s", text)
	}
	return m[1]
}

// killAfter starts the program in a process of its own and kills it, as kill -9 does,
// when it has told of so many finished jobs.
func killAfter(t *testing.T, jobs int, args []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "COMPARE_TEST_ARGS="+strings.Join(args, "\n"))
	errs, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(errs)
	for done := 0; done < jobs && lines.Scan(); {
		if regexp.MustCompile(`^\d+ of \d+: `).MatchString(lines.Text()) {
			done++
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("the process ended before it was killed: %v", err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the process was not killed: %v", err)
	}
}

// TestKilledTwice kills the program in the middle, twice, and lets it end then.
func TestKilledTwice(t *testing.T) {
	idx, dir := writeIDX(t), t.TempDir()
	alone := digestIn(t, compareWith(t, arguments(idx, filepath.Join(dir, "alone"))...))
	killed := filepath.Join(dir, "killed")
	for _, jobs := range []int{3, 8} {
		killAfter(t, jobs, arguments(idx, killed))
		if _, err := os.Stat(filepath.Join(killed, "results.json")); err == nil {
			t.Fatal("the killed process had written the tables already")
		}
	}
	if got := digestIn(t, compareWith(t, arguments(idx, killed)...)); got != alone {
		t.Errorf("killed twice: digest %s, left alone: %s", got, alone)
	}
	if text := compareWith(t, arguments(idx, killed, "-partial")...); !strings.Contains(text, "finetune") || strings.Contains(text, "digest") {
		t.Errorf("-partial prints\n%s", text)
	}
	a, errA := os.ReadFile(filepath.Join(dir, "alone", "results.json"))
	b, errB := os.ReadFile(filepath.Join(killed, "results.json"))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("results.json differ: %v, %v", errA, errB)
	}
}

// TestEightShards runs eight shards in folders of their own, and merges them.
func TestEightShards(t *testing.T) {
	idx, dir := writeIDX(t), t.TempDir()
	alone := digestIn(t, compareWith(t, arguments(idx, filepath.Join(dir, "alone"))...))
	var folders []string
	for i := range 8 {
		folders = append(folders, filepath.Join(dir, fmt.Sprint(i)))
		text := compareWith(t, arguments(idx, folders[i], "-shard", fmt.Sprintf("%d/8", i))...)
		if !strings.Contains(text, "this share is done") {
			t.Errorf("shard %d: %s", i, text)
		}
	}
	text := compareWith(t, arguments(idx, folders[7], "-shard", "7/8", "-merge", strings.Join(folders[:7], ","))...)
	if got := digestIn(t, text); got != alone {
		t.Errorf("8 shards merged: digest %s, one process: %s", got, alone)
	}
}

func TestWrongArguments(t *testing.T) {
	for _, c := range [][2]string{
		{"", "one of -task, -data and -idx is required"},
		{"-idx a -data b -label c", "-data and -idx are given"},
		{"-data b", "-data needs -label"},
		{"-idx a -label b", "-label is a column"},
		{"-idx a -forget all", `-forget "all"`},
		{"-idx a -share 2", "-share 2 is not between 0 and 1"},
		{"-idx a -forget class -class -2", "-class -2 is negative"},
		{"-idx a -seeds 0", "-seeds is 0"},
		{"-idx a -evaluations 0", "-evaluations is 0"},
		{"-idx a -retrains 1", "-retrains is 1"},
		{"-idx a -limit 9", "-limit is 9"},
		{"-idx a -stage 5", "-stage is 5"},
		{"-idx a -shard 8/8", "wants i/n"},
		{"-idx a -shard auto", "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX"},
		{"-idx a -shard auto/x", "wants auto/n"},
		{"-idx a -mean .1", "-mean has 1"},
		{"-idx a -retrained b", "-retrained needs -model"},
		{"-idx a -references b -retrains 4", "-retrains is for"},
		{"-idx a -references b -model m -retrained r", "-references and -retrained"},
		{"-idx a -references b -fleet", "-fleet trains"},
		{"-task drawn-faces,yaleb-light -testdata x -fleet", "-fleet is of one task"},
		{"-idx a -fleet -partial", "-partial"},
		{"-idx a more", `"more"`},
		{"-task yaleb-light -testdata x -model y", "-model is for -data and -idx"},
		{"-task yaleb-light -testdata x -forget class", "-forget is for -data and -idx"},
	} {
		var errs bytes.Buffer
		if code := command(t.Context(), strings.Fields(c[0]), io.Discard, &errs); code != 2 || !strings.Contains(errs.String(), c[1]) {
			t.Errorf("%q: code %d, %s", c[0], code, errs.String())
		}
	}
	for _, spelling := range [][2]string{{"mislabelled", "mislabeled"}, {"memorised", "memorized"}, {"memorized", "memorized"}} {
		if f, err := parse([]string{"-idx", "a", "-forget", spelling[0]}); err != nil || f.forget != spelling[1] {
			t.Errorf("-forget %s: %v", spelling[0], err)
		}
	}
}

// A class that nobody asked to forget is no setting to pass over.
func TestClassWithoutForgetClass(t *testing.T) {
	if _, err := parse([]string{"-idx", "d", "-class", "1"}); err == nil || !strings.Contains(err.Error(), "-forget class") {
		t.Errorf("error is %v", err)
	}
	if _, err := parse([]string{"-idx", "d", "-forget", "class", "-class", "1"}); err != nil {
		t.Error(err)
	}
}
