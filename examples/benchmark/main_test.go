package main

import (
	"errors"
	"regexp"
	"slices"
	"testing"
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
	rows, err := measure(g, "-b", 4)
	if err != nil || a != 0 || b != 5 || len(rows) != 1 {
		t.Fatalf("%d rows, %d and %d runs, error %v; want 1 row and 5 runs of the second case", len(rows), a, b, err)
	}
	if line := rows[0].csv(2); !regexp.MustCompile(`^case-b,2(,\d+\.\d{6}){3},\d+$`).MatchString(line) {
		t.Errorf("row %q", line)
	}
	fail := errors.New("broken")
	g.setUp = func() ([]func() error, error) { return nil, fail }
	if _, err := measure(g, "case", 1); !errors.Is(err, fail) {
		t.Errorf("error %v, want that of the set-up", err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		seconds []float64
		want    string
	}{
		{[]float64{3, 1, 2}, "x,1,2.000000,1.000000,3.000000,7"},
		{[]float64{4, 1, 2, 9}, "x,1,3.000000,1.000000,9.000000,7"},
	} {
		allocs := make([]uint64, len(c.seconds))
		for i := range allocs {
			allocs[i] = 7
		}
		if got := (row{"x", c.seconds, allocs}).csv(1); got != c.want {
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
