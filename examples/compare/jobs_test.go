package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// TestShardAuto: shares of a Slurm array and of an Indexed Job, one stage after the other,
// in one folder; the digest is that of one process, and no share counts more jobs than it has.
func TestShardAuto(t *testing.T) {
	idx, dir := writeIDX(t), t.TempDir()
	alone := digestIn(t, compareWith(t, arguments(idx, filepath.Join(dir, "alone"))...))
	for name, count := range map[string]string{"SLURM_ARRAY_TASK_ID": "auto", "JOB_COMPLETION_INDEX": "auto/3"} {
		out, text := filepath.Join(dir, name), ""
		for stage := 1; stage <= experiment.Stages; stage++ {
			for i := range 3 {
				setShare(t, name, i)
				var stdout, stderr bytes.Buffer
				if code := command(t.Context(), arguments(idx, out, "-shard", count, "-stage", fmt.Sprint(stage)), &stdout, &stderr); code != 0 {
					t.Fatal(stderr.String())
				}
				if strings.Contains(stderr.String(), "needed: ") {
					t.Errorf("stage %d does what is another's:\n%s", stage, stderr.String())
				}
				checkCounts(t, stderr.String())
				text = stdout.String()
			}
		}
		if got := digestIn(t, text); got != alone {
			t.Errorf("%s: digest %s, one process: %s", name, got, alone)
		}
	}
}

// setShare makes the environment that of share i of 3.
func setShare(t *testing.T, name string, i int) {
	for _, v := range []string{"ID", "MIN", "MAX", "STEP", "COUNT"} {
		unsetenv(t, "SLURM_ARRAY_TASK_"+v)
	}
	unsetenv(t, "JOB_COMPLETION_INDEX")
	t.Setenv(name, fmt.Sprint(i))
	if name == "SLURM_ARRAY_TASK_ID" {
		for v, value := range map[string]string{"MIN": "0", "MAX": "2", "STEP": "1", "COUNT": "3"} {
			t.Setenv("SLURM_ARRAY_TASK_"+v, value)
		}
	}
}

func unsetenv(t *testing.T, name string) {
	t.Setenv(name, "") // puts back what was there
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

// checkCounts looks at lines such as "3 of 17: …".
func checkCounts(t *testing.T, text string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^(\d+) of (\d+): `).FindAllStringSubmatch(text, -1) {
		var k, n int
		if _, err := fmt.Sscan(m[1]+" "+m[2], &k, &n); err != nil || k > n {
			t.Errorf("a line begins with %q", m[0])
		}
	}
}

// TestMergeDoesNothingAgain: what other shards have done is taken from their folders,
// and a share that needs other jobs tells of them apart.
func TestMergeDoesNothingAgain(t *testing.T) {
	idx, dir := writeIDX(t), t.TempDir()
	var folders []string
	for i := range 2 {
		folders = append(folders, filepath.Join(dir, fmt.Sprint(i)))
		var stdout, stderr bytes.Buffer
		if code := command(t.Context(), arguments(idx, folders[i], "-shard", fmt.Sprintf("%d/2", i)), &stdout, &stderr); code != 0 {
			t.Fatal(stderr.String())
		}
		checkCounts(t, stderr.String())
		if !strings.Contains(stderr.String(), "needed: ") {
			t.Errorf("share %d needs no job of the other:\n%s", i, stderr.String())
		}
	}
	var stdout, stderr bytes.Buffer
	if code := command(t.Context(), arguments(idx, filepath.Join(dir, "all"), "-merge", strings.Join(folders, ",")), &stdout, &stderr); code != 0 {
		t.Fatal(stderr.String())
	}
	if strings.Contains(stderr.String(), " of ") || !strings.Contains(stdout.String(), "digest ") {
		t.Errorf("jobs were done again:\n%s", stderr.String())
	}
	if results, err := filepath.Glob(filepath.Join(dir, "all", "results", "*")); err != nil || len(results) > 0 {
		t.Errorf("results in the new folder: %v, %v", results, err)
	}
}

// TestFleetAndReferences trains reference models alone, in two shares, and audits
// with them.
func TestFleetAndReferences(t *testing.T) {
	idx, dir := writeIDX(t), t.TempDir()
	fleet := func(i int) []string {
		return []string{"-idx", idx, "-share", ".2", "-epochs", "1", "-fleet", "-retrains", "4", "-out", filepath.Join(dir, "fleet"), "-shard", fmt.Sprintf("%d/2", i)}
	}
	if text := compareWith(t, fleet(0)...); !strings.Contains(text, "2 of 4 jobs") {
		t.Errorf("half a fleet: %s", text)
	}
	if text := compareWith(t, fleet(1)...); !strings.Contains(text, "the fleet of 4 models") {
		t.Errorf("a fleet: %s", text)
	}
	args := []string{"-idx", idx, "-share", ".2", "-epochs", "1", "-seeds", "1", "-deep", "-1", "-swap", "-1", "-methods", "finetune", "-references", filepath.Join(dir, "fleet")}
	text := compareWith(t, append(args, "-out", filepath.Join(dir, "out"))...)
	if !strings.Contains(text, "over 4 models") || strings.Contains(text, "failed") {
		t.Errorf("with references:\n%s", text)
	}
	if trained, err := filepath.Glob(filepath.Join(dir, "out", "results", "*train-retrained*")); err != nil || len(trained) > 0 {
		t.Errorf("retrained models were trained: %v, %v", trained, err)
	}
	var stderr bytes.Buffer
	if code := command(t.Context(), append(args, "-out", filepath.Join(dir, "other"), "-epochs", "2"), &bytes.Buffer{}, &stderr); code != 1 || !strings.Contains(stderr.String(), experiment.ErrForeign.Error()) {
		t.Errorf("a fleet of another recipe: code %d, %s", code, stderr.String())
	}
}

// TestPlan prints costs and runs nothing, before and after.
func TestPlan(t *testing.T) {
	idx, out := writeIDX(t), filepath.Join(t.TempDir(), "out")
	before := compareWith(t, arguments(idx, out, "-plan")...)
	for _, want := range []string{"train retrained", "method finetune", "a piece (estimate)", " 0 of them done", "an estimate", "MB"} {
		if !strings.Contains(before, want) {
			t.Errorf("no %q in\n%s", want, before)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Errorf("%s was made", out)
	}
	compareWith(t, arguments(idx, out)...)
	after := compareWith(t, arguments(idx, out, "-plan")...)
	if !strings.Contains(after, "finished jobs") || strings.Contains(after, "piece (estimate)") || !strings.Contains(after, "; 0.00 hours are left") {
		t.Errorf("of what is done:\n%s", after)
	}
}

// TestLabelsAreRefusedBeforeTraining: one label of 250 in either file, or in both.
func TestLabelsAreRefusedBeforeTraining(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  string
	}{
		{[]string{"train"}, "train-labels-idx1-ubyte: item 7 has label 250, and those of"},
		{[]string{"t10k"}, "t10k-labels-idx1-ubyte: item 7 has label 250, and those of"},
		{[]string{"train", "t10k"}, "train-labels-idx1-ubyte: item 7 has label 250, and of the classes from 0 to there only 5"},
	} {
		idx, out := writeIDX(t), filepath.Join(t.TempDir(), "out")
		for _, part := range c.parts {
			file := filepath.Join(idx, part+"-labels-idx1-ubyte")
			labels, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			labels[8+7] = 250
			if err := os.WriteFile(file, labels, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		var stderr bytes.Buffer
		code := command(t.Context(), arguments(idx, out, "-forget", "memorized"), &bytes.Buffer{}, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%v: code %d, %s", c.parts, code, stderr.String())
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%v: something was written", c.parts)
		}
	}
}
