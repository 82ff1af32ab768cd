package main

// fourRows are the registers of a kernel that walks along four rows of a and
// one vector.
type fourRows struct {
	e      *elem
	n      *reg
	row    [4]*reg
	vector *reg
}

func loadFourRows(e *elem, vector string) *fourRows {
	f := &fourRows{e: e, n: param("n"), vector: param(vector)}
	ld := param("ld")
	f.row[0] = param("a")
	for i := 1; i < 4; i++ {
		f.row[i] = R()
		plus(f.row[i], f.row[i-1], ld)
	}
	return f
}

// run emits body for pairs of vectors, single vectors and single elements: it
// gets how many vectors there are, 0 for an element, and what loads them.
func (f *fourRows) run(body func(vectors int, load func(base *reg) []*reg)) {
	all := append([]*reg{f.vector}, f.row[:]...)
	for _, vectors := range []int{2, 1} {
		whole("whole", f.n, f.e.lanes*vectors, func() {
			body(vectors, func(base *reg) []*reg { return loadMany(base, 0, vectors) })
			advance(all, width*vectors)
		})
	}
	whole("one", f.n, 1, func() {
		body(0, func(base *reg) []*reg { return []*reg{f.e.loadOne(base, 0)} })
		advance(all, f.e.size)
	})
}

// dot4 writes four dot products with one vector.
func dot4(e *elem) {
	begin(e, "dot4", "n int, a *T, ld int, x, out *T", "", "stores in out[0:4] the products of x with four rows of a, ld bytes apart.")
	f := loadFourRows(e, "x")
	acc := zeros(8)
	f.run(func(_ int, load func(base *reg) []*reg) {
		x := load(f.vector)
		for r, row := range f.row {
			for u, v := range load(row) {
				e.fma(acc[2*r+u], x[u], v)
			}
		}
	})
	out := param("out")
	for i := range 4 {
		e.saveOne(sum(e, acc[2*i:2*i+2]), out, e.size*i)
	}
	ret()
}

// axpy4 writes y += Σ coef[i]·row i of a.
func axpy4(e *elem) {
	begin(e, "axpy4", "n int, a *T, ld int, coef, y *T", "", "adds to y the sum of four rows of a, ld bytes apart, times coef[0:4].")
	f := loadFourRows(e, "y")
	c := loadMany(param("coef"), 0, 4/e.lanes)
	f.run(func(vectors int, load func(base *reg) []*reg) {
		y := load(f.vector)
		for r, row := range f.row {
			for u, v := range load(row) {
				e.fmaElement(y[u], v, c[r/e.lanes], r%e.lanes)
			}
		}
		if vectors == 0 {
			e.saveOne(y[0], f.vector, 0)
		} else {
			saveMany(y, f.vector, 0)
		}
	})
	ret()
}
