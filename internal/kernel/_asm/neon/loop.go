package main

import "slices"

// loop is a kernel over n elements of several slices: body receives one register
// for every input and returns one for every output. Inputs and outputs are
// parameters of the same name. The last elements, fewer than a vector, go one by
// one: one tells that only the low lane of the inputs is an element and the
// others are zero, or copies of it with repeat.
type loop struct {
	e       *elem
	unroll  int // 1 or even
	in, out []string
	repeat  bool
	body    func(u int, in []*reg, one bool) []*reg
}

func (l *loop) emit() {
	e := l.e
	n := param("n")
	ptr := map[string]*reg{}
	var all []*reg
	for _, p := range slices.Concat(l.in, l.out) {
		if ptr[p] == nil {
			ptr[p] = param(p)
			all = append(all, ptr[p])
		}
	}
	if l.unroll > 1 {
		whole("wide", n, e.lanes*l.unroll, func() {
			for u := 0; u < l.unroll; u += 2 {
				l.vectors(ptr, u, 2)
			}
			advance(all, width*l.unroll)
		})
	}
	whole("single", n, e.lanes, func() {
		l.vectors(ptr, 0, 1)
		advance(all, width)
	})
	whole("one", n, 1, func() {
		l.single(ptr)
		advance(all, e.size)
	})
}

// whole runs the body for every count of n, and leaves the rest in n.
func whole(name string, n *reg, count int, body func()) {
	start, end := fresh(name), fresh(name+"End")
	minusFlags(n, n, count)
	jump("LT", end)
	label(start)
	body()
	minusFlags(n, n, count)
	jump("GE", start)
	label(end)
	plus(n, n, count)
}

func advance(pointers []*reg, bytes int) {
	for _, p := range pointers {
		plus(p, p, bytes)
	}
}

// vectors handles count vectors side by side, from the u-th on.
func (l *loop) vectors(ptr map[string]*reg, u, count int) {
	in := make([][]*reg, count)
	for _, name := range l.in {
		for i, v := range loadMany(ptr[name], width*u, count) {
			in[i] = append(in[i], v)
		}
	}
	out := make([][]*reg, len(l.out))
	for i := range count {
		for j, v := range l.body(u+i, in[i], false) {
			out[j] = append(out[j], v)
		}
	}
	for j, name := range l.out {
		saveMany(out[j], ptr[name], width*u)
	}
}

func (l *loop) single(ptr map[string]*reg) {
	var in []*reg
	for _, name := range l.in {
		if l.repeat {
			in = append(in, l.e.loadEach(ptr[name]))
		} else {
			in = append(in, l.e.loadOne(ptr[name], 0))
		}
	}
	for j, v := range l.body(0, in, true) {
		l.e.saveOne(v, ptr[l.out[j]], 0)
	}
}
