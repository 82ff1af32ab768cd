package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature/nn"
)

func TestCasesHaveTheirOwnNames(t *testing.T) {
	var names []string
	for _, g := range slices.Concat(networkCases(), sgemmCases(), distanceCases(), dlfdCases()) {
		names = append(names, g.names...)
	}
	slices.Sort(names)
	if n := len(slices.Compact(slices.Clone(names))); n != len(names) {
		t.Errorf("%d of %d names differ: %v", n, len(names), names)
	}
	for _, want := range []string{"resnet18-torchvision-32-infer", "resnet18-cifar-32-input-grad", "resnet18-torchvision-128-train", "sinkhorn-512", "dlfd-step"} {
		if !slices.Contains(names, want) {
			t.Errorf("no case %q", want)
		}
	}
}

func TestMeasureRunsWhatIsAskedFor(t *testing.T) {
	var a, b int
	g := group{[]string{"case-a", "case-b"}, func() ([]func() error, error) {
		return []func() error{func() error { a++; return nil }, func() error { b++; return nil }}, nil
	}}
	rows, err := measure(g, flags{only: "-b", repeats: 4})
	if err != nil || a != 0 || b != 5 || len(rows) != 1 {
		t.Fatalf("%d rows, %d and %d runs, error %v; want 1 row and 5 runs of the second case", len(rows), a, b, err)
	}
	if line := rows[0].csv(2); !regexp.MustCompile(`^case-b,2(,\d+\.\d{6}){3},\d+,\d+\.\d{6}$`).MatchString(line) {
		t.Errorf("row %q", line)
	}
	fail := errors.New("broken")
	g.setUp = func() ([]func() error, error) { return nil, fail }
	if _, err := measure(g, flags{repeats: 1}); !errors.Is(err, fail) {
		t.Errorf("error %v, want that of the set-up", err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		seconds []float64
		want    string
	}{
		{[]float64{3, 1, 2}, "x,1,2.000000,1.000000,3.000000,7,0.500000"},
		{[]float64{4, 1, 2, 9}, "x,1,3.000000,1.000000,9.000000,7,0.500000"},
	} {
		allocs := make([]uint64, len(c.seconds))
		for i := range allocs {
			allocs[i] = 7
		}
		if got := (row{"x", c.seconds, []float64{.25, .75}, allocs}).csv(1); got != c.want {
			t.Errorf("%v: %q, want %q", c.seconds, got, c.want)
		}
	}
}

// TestMethodMovesSamples checks that the timed step is the real one.
func TestMethodMovesSamples(t *testing.T) {
	m, err := newMethod()
	if err != nil {
		t.Fatal(err)
	}
	m.synth.Steps = 1
	if err := m.whole(); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(m.made.Data, m.x.Data) {
		t.Error("no pixel moved")
	}
	if err := m.parts(); err != nil {
		t.Fatal(err)
	}
}

// TestModelCasesTimeAFile saves a network and times what is read back.
func TestModelCasesTimeAFile(t *testing.T) {
	b := nn.NewBuilder(1, 3, 8, 8)
	net, err := b.Build(b.Linear("fc", b.Flatten(b.ReLU(b.Conv("conv", b.Input(), nn.Conv{Out: 4, Kernel: 3}))), 5))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "small.onnx")
	if err := net.SaveONNX(path); err != nil {
		t.Fatal(err)
	}
	groups, info, err := modelCases(path, 3, nil)
	if err != nil || len(groups) != 1 || !strings.HasPrefix(info, "input [3 8 8], batch 3, 5 classes,") {
		t.Fatalf("%d groups, %q, error %v", len(groups), info, err)
	}
	rows, err := measure(groups[0], flags{repeats: 1, least: time.Millisecond})
	if err != nil || len(rows) != 3 || rows[0].name != "small-3-infer" || rows[2].name != "small-3-train" {
		t.Fatalf("rows %v, error %v", rows, err)
	}
	if _, _, err := modelCases(path, 3, []int{3, 9}); err == nil {
		t.Error("no error for an input of another shape")
	}
	if _, _, err := modelCases(path+"x", 3, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v for a file that is not there", err)
	}
}

func TestParseShape(t *testing.T) {
	if s, err := parseShape("3x224x224"); err != nil || !slices.Equal(s, []int{3, 224, 224}) {
		t.Errorf("%v, error %v", s, err)
	}
	for _, text := range []string{"3x", "x", "3,4", "0x2"} {
		if s, err := parseShape(text); err == nil {
			t.Errorf("%q: %v, want an error", text, s)
		}
	}
}
