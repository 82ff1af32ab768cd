package main

// eachRow writes a loop over rows, of which src and dst are the first, ld and ldd
// bytes apart: body gets pointers and a count that it may change.
func eachRow(body func(from, to, left *reg)) {
	rows, n, src, ld, dst, ldd := param("rows"), param("n"), param("src"), param("ld"), param("dst"), param("ldd")
	whole("row", rows, 1, func() {
		from, to, left := R(), R(), R()
		move(from, src)
		move(to, dst)
		move(left, n)
		body(from, to, left)
		plus(src, src, ld)
		plus(dst, dst, ldd)
	})
	ret()
}

// added adds what add, unless it is 0, says to add to v.
func added(add, v *reg, old func() *reg) {
	alone := fresh("alone")
	ifZero(add, alone)
	f32.accumulate("FADD", v, old())
	label(alone)
}

// spread writes the store of a tile to every other column. The columns between
// are read and written back, but not the one behind the last element, which may
// belong to somebody else.
func spread() {
	begin(f32, "spread", "rows, n int, src *T, ld int, dst *T, ldd int, add bool", "",
		"stores rows of n elements, ld bytes apart, in every other element of rows ldd bytes apart, or adds them with add.")
	add := param("add")
	eachRow(func(from, to, left *reg) {
		minus(left, left, 1)
		whole("four", left, 4, func() {
			v := load(from, 0)
			low, high := loadTwo(to, 0)
			added(add, v, func() *reg { return f32.three("UZP1", low, high) })
			between := f32.three("UZP2", low, high)
			saveTwo(f32.three("ZIP1", v, between), f32.three("ZIP2", v, between), to, 0)
			plus(from, from, width)
			plus(to, to, 2*width)
		})
		plus(left, left, 1)
		whole("one", left, 1, func() {
			v := f32.loadOne(from, 0)
			added(add, v, func() *reg { return f32.loadOne(to, 0) })
			f32.saveOne(v, to, 0)
			plus(from, from, 4)
			plus(to, to, 8)
		})
	})
}

// copyRows writes the copy of short rows, for which a call each is dear. The
// last vector of a row overlaps the one before it.
func copyRows() {
	begin(f32, "copyRows", "rows, n int, src *T, ld int, dst *T, ldd int", "",
		"copies rows of n elements, ld bytes apart, to rows ldd bytes apart.")
	eachRow(func(from, to, left *reg) {
		short, end := fresh("short"), fresh("end")
		compare(left, 4)
		jump("LT", short)
		for _, vectors := range []int{4, 1} {
			whole("whole", left, 4*vectors, func() {
				saveMany(loadMany(from, 0, vectors), to, 0)
				advance([]*reg{from, to}, width*vectors)
			})
		}
		ifZero(left, end)
		for _, p := range []*reg{from, to} {
			scaled(p, p, left, 2)
		}
		save(load(from, -width), to, -width)
		jump("", end)
		label(short)
		whole("one", left, 1, func() {
			f32.saveOne(f32.loadOne(from, 0), to, 0)
			advance([]*reg{from, to}, 4)
		})
		label(end)
	})
}

// finishRows writes the epilogue of short rows.
func finishRows() {
	begin(f32, "finishRows", "rows, n int, src *T, ld int, dst *T, ldd int, bias, floor T, add bool", "",
		"stores max(floor, src+bias), or max(floor, src+dst+bias) with add, of rows of n elements, ld bytes apart, in rows ldd bytes apart. NaN stays.")
	bias, floor, add := scalar(f32, "bias"), scalar(f32, "floor"), param("add")
	eachRow(func(from, to, left *reg) {
		blocks(f32, left, []int{2, 1}, func(vectors int) {
			v := loadSome(f32, from, vectors)
			alone := fresh("alone")
			ifZero(add, alone)
			for i, old := range loadSome(f32, to, vectors) {
				f32.accumulate("FADD", v[i], old)
			}
			label(alone)
			for i := range v {
				f32.accumulate("FADD", v[i], bias)
				f32.accumulate("FMAX", v[i], floor)
			}
			saveSome(f32, v, to, vectors)
			advance([]*reg{from, to}, step(f32, vectors))
		})
	})
}
