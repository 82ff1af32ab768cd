package main

import "fmt"

// packRows writes the packing of a panel whose elements lie side by side in
// memory: dst[p][0:w] = alpha·src[p·ld : p·ld+w].
func packRows(e *elem, w int, which string) {
	begin(e, "pack"+which+"Rows", "kc int, src *T, ld int, dst *T, alpha T", "",
		fmt.Sprintf("copies kc rows of %d elements, ld bytes apart, times alpha to dst.", w))
	kc, src, ld, dst, alpha := param("kc"), param("src"), param("ld"), param("dst"), scalar(e, "alpha")
	row := func() {
		rows := loadMany(src, 0, w/e.lanes)
		for _, v := range rows {
			e.accumulate("FMUL", v, alpha)
		}
		saveMany(rows, dst, 0)
		if done := w / e.lanes * e.lanes; done < w { // two of four
			v := V()
			ins(1, "FMOVD %[3]v(%[2]v), %[1]v", v, src, done*e.size)
			e.accumulate("FMUL", v, alpha)
			ins(0, "FMOVD %v, %v(%v)", v, done*e.size, dst)
		}
		plus(src, src, ld)
		plus(dst, dst, w*e.size)
	}
	whole("four", kc, 4, func() {
		for range 4 {
			row()
		}
	})
	whole("row", kc, 1, row)
	ret()
}

// packCols writes the packing of a panel whose elements are ld bytes apart:
// dst[p][i] = alpha·src[i·ld + p], by transposing squares of lanes×lanes.
func packCols(e *elem, w int, which string) {
	begin(e, "pack"+which+"Cols", "kc int, src *T, ld int, dst *T, alpha T", "",
		fmt.Sprintf("transposes %d rows of kc elements, ld bytes apart, times alpha into dst, %d elements for each of kc; kc is a multiple of %d.", w, w, 2*e.lanes))
	kc, src, ld, dst, alpha := param("kc"), param("src"), param("ld"), param("dst"), scalar(e, "alpha")
	whole("square", kc, e.lanes, func() {
		at := R()
		move(at, src)
		for first := 0; first < w; first += e.lanes {
			count := min(e.lanes, w-first)
			var rows []*reg
			for range count {
				v := load(at, 0)
				e.accumulate("FMUL", v, alpha)
				rows = append(rows, v)
				plus(at, at, ld)
			}
			e.saveTurned(rows, dst, w*e.size, first*e.size)
		}
		plus(src, src, width)
		plus(dst, dst, e.lanes*w*e.size)
	})
	ret()
}

// saveTurned stores the columns of lanes, or of two, rows step bytes apart.
func (e *elem) saveTurned(rows []*reg, dst *reg, step, at int) {
	if len(rows) < e.lanes {
		low, high := e.three("ZIP1", rows[0], rows[1]), e.three("ZIP2", rows[0], rows[1])
		upper := R()
		for i, v := range []*reg{low, high} {
			ins(0, "FMOVD %v, %v(%v)", v, 2*i*step+at, dst)
			plus(upper, dst, (2*i+1)*step+at)
			store("ST1", v, upper, nil)
		}
		return
	}
	for i, v := range e.transpose(rows) {
		save(v, dst, i*step+at)
	}
}

// transpose exchanges rows and columns of a square of registers.
func (e *elem) transpose(r []*reg) []*reg {
	if e == f64 {
		return []*reg{e.three("ZIP1", r[0], r[1]), e.three("ZIP2", r[0], r[1])}
	}
	a, b := f32.three("ZIP1", r[0], r[2]), f32.three("ZIP2", r[0], r[2])
	c, d := f32.three("ZIP1", r[1], r[3]), f32.three("ZIP2", r[1], r[3])
	return []*reg{f32.three("ZIP1", a, c), f32.three("ZIP2", a, c), f32.three("ZIP1", b, d), f32.three("ZIP2", b, d)}
}
