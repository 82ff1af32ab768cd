package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// counts are those of a loop without loops or branches in it.
type counts struct {
	function                            string
	all, products, loads, stores, moved int // moved: vectors that are loaded
	registers                           int // vector registers
}

// innermost returns the loops of a function that only jump to their start.
func innermost(f *function) []counts {
	var found []counts
	start := -1
	for i, l := range f.lines {
		switch {
		case l.label != "":
			start = i
		case l.jump != "" && start >= 0 && f.lines[start].label == l.jump:
			found = append(found, countLines(f.name, f.lines[start+1:i+1]))
			start = -1
		case l.jump != "":
			start = -1
		}
	}
	return found
}

func countLines(name string, lines []*line) counts {
	c := counts{function: name, all: len(lines)}
	numbers := map[int]bool{}
	for _, l := range lines {
		text := l.text()
		switch {
		case strings.Contains(text, "FMLA") || strings.Contains(text, "FMLS"):
			c.products++
		case strings.Contains(text, "FLDPQ"):
			c.loads, c.moved = c.loads+1, c.moved+2
		case strings.Contains(text, "LDR ") || strings.Contains(text, "LD1R") || strings.Contains(text, "FMOV") && len(l.def) > 0 && strings.Contains(text, "("):
			c.loads, c.moved = c.loads+1, c.moved+1
		case strings.Contains(text, "FSTPQ") || strings.Contains(text, "STR ") || strings.Contains(text, "FMOV") && len(l.def) == 0:
			c.stores++
		}
		for _, r := range append(l.def, l.use...) {
			if r.vector {
				numbers[r.number] = true
			}
		}
	}
	c.registers = len(numbers)
	return c
}

// The counts of every innermost loop, with -v, and what the micro-kernels must
// keep: at least 16 multiply-adds of whole vectors a turn, and no more than one
// load for two of them.
func TestLoops(t *testing.T) {
	t.Logf("%-22s %5s %8s %6s %6s %9s", "loop of", "all", "products", "loads", "stores", "registers")
	tiles := 0
	for i := range families {
		generate(i)
		for _, f := range functions {
			for _, c := range innermost(f) {
				t.Logf("%-22s %5d %8d %6d %6d %9d", c.function, c.all, c.products, c.loads, c.stores, c.registers)
			}
			if f.name != "tile6F32" && f.name != "tile6F64" {
				continue
			}
			c := innermost(f)[0]
			if tiles++; c.products != 96 || 2*c.moved > c.products || c.all > 5*c.products/4 {
				t.Errorf("%+v", c)
			}
		}
	}
	if tiles != 2 {
		t.Errorf("%d micro-kernels", tiles)
	}
}

// The files are what the generator writes today.
func TestFilesAreCurrent(t *testing.T) {
	for i, family := range families {
		generate(i)
		if got, err := os.ReadFile("../../" + family.name + "_arm64.s"); err != nil || !bytes.Equal(got, assembly()) {
			t.Errorf("%s_arm64.s differs, %v: go generate writes it anew", family.name, err)
		}
	}
}
