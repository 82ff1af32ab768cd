package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func output(t *testing.T, args ...string) string {
	t.Helper()
	var b strings.Builder
	if err := run(t.Context(), &b, args); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The attack on the rows that went finds less afterwards, the task stays, and a second
// run prints the same.
func TestRun(t *testing.T) {
	text := output(t)
	if again := output(t); text != again {
		t.Errorf("two runs differ:\n%s\n%s", text, again)
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[1], "trained on 9") || !strings.HasPrefix(lines[3], "Align: completed") {
		t.Fatalf("output:\n%s", text)
	}
	before, after := figures(t, lines[2]), figures(t, lines[4])
	if before[1] < .95 || after[1] > before[1]-.1 || after[2] < before[2]-.03 || before[3] < .6 || after[3] > before[3]-.05 {
		t.Errorf("accuracies on retain, forget, test, and AUC: %v before, %v after", before, after)
	}
	if !strings.HasSuffix(lines[2], "under-unlearned") {
		t.Errorf("verdict in %q", lines[2])
	}
}

// figures returns the numbers of a line.
func figures(t *testing.T, line string) (v []float64) {
	t.Helper()
	for _, s := range regexp.MustCompile(`\d\.\d\d`).FindAllString(line, -1) {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		v = append(v, x)
	}
	if len(v) != 6 {
		t.Fatalf("%d numbers in %q", len(v), line)
	}
	return v
}

// A table of one's own, with persons of several rows and a column that is left out.
func TestOwnTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.csv")
	var b strings.Builder
	b.WriteString("who;a;b;note;y\n")
	for i := range 120 { // labels alternate, which must not decide who is left out
		b.WriteString("p" + strconv.Itoa(i/3) + ";" + strconv.Itoa(i) + ";" + strconv.Itoa(i*i%17) + ";1 and x;" + strconv.Itoa(i%2) + "\n")
	}
	text := strings.ReplaceAll(b.String(), ";", ",")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	got := output(t, "-data", file, "-label", "y", "-forget", "who=p7", "-ignore", "note", "-epochs", "2")
	if !strings.Contains(got, "of 4 numbers, 3 of which must go") { // a and b, each with an indicator
		t.Errorf("output:\n%s", got)
	}
}

// One row cannot be halved: what was not judged has no figure, and says why.
func TestNotJudged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "one.csv")
	var b strings.Builder
	b.WriteString("who,a,b,y\n")
	for i := range 90 {
		b.WriteString("p" + strconv.Itoa(i) + "," + strconv.Itoa(i*7%31) + "," + strconv.Itoa(i%5) + "," + strconv.Itoa(i%2) + "\n")
	}
	if err := os.WriteFile(file, []byte(strings.Replace(b.String(), ",0,", ",NA,", 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	got := output(t, "-data", file, "-label", "y", "-forget", "who=p7", "-epochs", "2", "-numeric", "a", "-categorical", "b", "-missing", "NA")
	for _, want := range []string{"– on forget", "loss attack –: not judged\n       ", "1 values of "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-forget", "churn"}, "COLUMN=VALUE"},
		{[]string{"-forget", "plam=pro"}, `"plam"`},
		{[]string{"-forget", "plan=none"}, "nothing to forget"},
		{[]string{"-label", "age2"}, `"age2"`},
		{[]string{"-data", "no such file"}, "no such file"},
	} {
		err := run(t.Context(), new(strings.Builder), c.args)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q", c.args, err, c.says)
		}
	}
}
