package main

import "fmt"

// set is a set of registers.
type set map[*reg]bool

// assign gives every virtual register one of the machine's, so that no two that
// hold values at the same time share one: in the order in which they are first
// written, the lowest that is free.
func (f *function) assign() {
	live := f.liveness()
	apart := map[*reg]set{}
	var order []*reg
	seen := set{}
	for i, l := range f.lines {
		for _, d := range l.def {
			if !seen[d] {
				seen[d], order = true, append(order, d)
			}
			for r := range live[i] {
				conflict(apart, d, r)
			}
			for _, other := range l.def {
				conflict(apart, d, other)
			}
		}
	}
	done := set{}
	for _, r := range order {
		taken := map[int]bool{}
		for other := range apart[r] {
			if done[other] {
				taken[other.number] = true
			}
		}
		r.number = f.free(r.vector, taken)
		done[r] = true
	}
}

func conflict(apart map[*reg]set, a, b *reg) {
	if a == b || a.vector != b.vector {
		return
	}
	for _, p := range [][2]*reg{{a, b}, {b, a}} {
		if apart[p[0]] == nil {
			apart[p[0]] = set{}
		}
		apart[p[0]][p[1]] = true
	}
}

// free returns the lowest register that is not taken: not R18, which belongs to
// the platform, and not those from R27 on, which belong to Go.
func (f *function) free(vector bool, taken map[int]bool) int {
	last := 26
	if vector {
		last = 31
	}
	for n := 0; n <= last; n++ {
		if !taken[n] && (vector || n != 18) {
			return n
		}
	}
	panic(fmt.Sprintf("%s: too few registers (vector %v)", f.name, vector))
}

// liveness returns the registers that are read later, after each line.
func (f *function) liveness() []set {
	at := map[string]int{}
	for i, l := range f.lines {
		if l.label != "" {
			at[l.label] = i
		}
	}
	before, after := make([]set, len(f.lines)), make([]set, len(f.lines))
	for i := range f.lines {
		before[i], after[i] = set{}, set{}
	}
	for changed := true; changed; {
		changed = false
		for i := len(f.lines) - 1; i >= 0; i-- {
			l := f.lines[i]
			if !l.noReturns && i+1 < len(f.lines) {
				changed = after[i].include(before[i+1], nil) || changed
			}
			if l.jump != "" {
				target, ok := at[l.jump]
				if !ok {
					panic(f.name + ": no label " + l.jump)
				}
				changed = after[i].include(before[target], nil) || changed
			}
			changed = before[i].include(after[i], l.def) || changed
			for _, r := range l.use {
				if !before[i][r] {
					before[i][r], changed = true, true
				}
			}
		}
	}
	if len(before[0]) > 0 {
		panic(f.name + ": a register is read before it is written")
	}
	return after
}

// include adds the registers of other but those of except, and reports whether
// some were new.
func (s set) include(other set, except []*reg) bool {
	grew := false
next:
	for r := range other {
		for _, e := range except {
			if r == e {
				continue next
			}
		}
		if !s[r] {
			s[r], grew = true, true
		}
	}
	return grew
}
