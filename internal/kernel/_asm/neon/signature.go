package main

import (
	"fmt"
	"strings"
)

// parameter is a parameter or a result with its place in the frame.
type parameter struct {
	name, kind string
	size, at   int
}

// signature is a Go function's, laid out as the assembly's calling convention
// has it.
type signature struct {
	text           string
	params, result []parameter
	size           int // of parameters and results
}

func parseSignature(params, result string) *signature {
	s := &signature{text: strings.TrimSpace("(" + params + ") " + result)}
	at := 0
	s.params, at = layout(params, at)
	if result != "" {
		at = align(at, 8)
		if !strings.HasPrefix(result, "(") {
			result = "ret " + result
		}
		s.result, at = layout(strings.Trim(result, "()"), at)
	}
	s.size = at
	return s
}

// layout places parameters that are declared like "n int, x, y *float32".
func layout(list string, at int) ([]parameter, int) {
	var placed []parameter
	parts := strings.Split(list, ", ")
	for i := len(parts) - 1; i >= 0; i-- { // a name without a type has that of the next
		if !strings.Contains(parts[i], " ") {
			_, kind, _ := strings.Cut(parts[i+1], " ")
			parts[i] += " " + kind
		}
	}
	for _, p := range parts {
		name, kind, _ := strings.Cut(p, " ")
		size := 8
		switch kind {
		case "bool":
			size = 1
		case "float32":
			size = 4
		}
		at = align(at, size)
		placed = append(placed, parameter{name, kind, size, at})
		at += size
	}
	return placed, at
}

func align(at, unit int) int { return (at + unit - 1) / unit * unit }

func (s *signature) find(name string) parameter {
	for _, p := range append(s.params, s.result...) {
		if p.name == name {
			return p
		}
	}
	panic(fmt.Sprintf("no parameter %s in %s", name, s.text))
}
