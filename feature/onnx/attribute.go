package onnx

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// int returns an integer attribute, or otherwise if it is absent.
func (n *node) int(name string, otherwise int64) int64 {
	if a, ok := n.attrs[name]; ok {
		return a.i
	}
	return otherwise
}

// float returns a number attribute, or otherwise if it is absent.
func (n *node) float(name string, otherwise float64) float64 {
	if a, ok := n.attrs[name]; ok {
		return float64(a.f)
	}
	return otherwise
}

// text returns a string attribute, or otherwise if it is absent.
func (n *node) text(name, otherwise string) string {
	if a, ok := n.attrs[name]; ok {
		return a.s
	}
	return otherwise
}

// ints returns a list attribute, or nil.
func (n *node) ints(name string) []int64 {
	if a, ok := n.attrs[name]; ok {
		return a.ints
	}
	return nil
}

// small returns a list attribute whose numbers lie in [0, 2²⁰], filled up with
// otherwise if it is absent; it must have count entries.
func (n *node) small(name string, count, otherwise int) ([]int, error) {
	list := n.ints(name)
	out := slices.Repeat([]int{otherwise}, count)
	if list == nil {
		return out, nil
	}
	if len(list) != count {
		return nil, fmt.Errorf("%w: %s %v, want %d numbers", ErrUnsupported, name, list, count)
	}
	for i, v := range list {
		if v < 0 || v > 1<<20 {
			return nil, fmt.Errorf("%w: %s %v", ErrUnsupported, name, list)
		}
		out[i] = int(v)
	}
	return out, nil
}

// flags are attributes that are 0 or 1. Runtimes disagree about other numbers.
var flags = []string{"keepdims", "noop_with_empty_axes", "ceil_mode", "count_include_pad", "transA", "transB", "allowzero", "exclude_outside", "antialias", "fmod", "spatial"}

// checkFlags returns an error for another number than 0 and 1. The standard says
// that any number but 0 is true, onnxruntime that only 1 is: a file with a 2 would
// mean something else here than there.
func (n *node) checkFlags() error {
	for _, name := range flags {
		if v := n.int(name, 0); v != 0 && v != 1 {
			return fmt.Errorf("%w: %s is %d, want 0 or 1", ErrFormat, name, v)
		}
	}
	return nil
}

// axis returns an attribute that counts axes, made non-negative.
func (n *node) axis(name string, otherwise int64, rank int) (int, error) {
	return wrapAxis(n.int(name, otherwise), rank)
}

// wrapAxis returns an axis counted from the front. ONNX counts negative axes from
// the end, as numpy does.
func wrapAxis(a int64, rank int) (int, error) {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(rank) {
		return 0, fmt.Errorf("%w: axis %d of %d", ErrFormat, a, rank)
	}
	return int(a), nil
}

// perm returns the attribute of Transpose: by default the reverse.
func (n *node) perm(rank int) ([]int, error) {
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = rank - 1 - i
	}
	list := n.ints("perm")
	if list == nil {
		return perm, nil
	}
	seen := make([]bool, rank)
	if len(list) != rank {
		return nil, fmt.Errorf("%w: permutation %v of %d axes", ErrFormat, list, rank)
	}
	for i, v := range list {
		if v < 0 || v >= int64(rank) || seen[v] {
			return nil, fmt.Errorf("%w: permutation %v", ErrFormat, list)
		}
		seen[v] = true
		perm[i] = int(v)
	}
	return perm, nil
}

// has tells whether input i is there.
func (n *node) has(i int) bool { return i < len(n.in) && n.in[i] != "" }

// checkFinite returns an error if a number is not finite.
func checkFinite(v ...float64) error {
	if i := finite.First(v); i >= 0 {
		return fmt.Errorf("%w: attribute %v", ErrFormat, v[i])
	}
	return nil
}
