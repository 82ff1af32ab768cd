package main

import "fmt"

// tapRows writes direct convolutions with few outputs, for which packing costs
// more than it saves.
func tapRows() {
	for rows := 1; rows <= 4; rows++ {
		tapRowsOf(rows)
	}
}

// tapRowsOf writes the direct convolution of one plane with some outputs: the
// weights of a tap stand in one vector.
func tapRowsOf(rows int) {
	begin(f32, fmt.Sprintf("tapRows%d", rows), "n int, img *T, taps int, offsets *int32, a, dst *T, ldd int", "",
		fmt.Sprintf("stores in element i of row r of dst, rows ldd bytes apart, the sum over the taps of a[%d·t+r]·img[i+offsets[t]], for i below n and %d rows.", mr, rows))
	n, img, dst, ldd, count, offsets, weights := param("n"), param("img"), param("dst"), param("ldd"), param("taps"), param("offsets"), param("a")
	blocks(f32, n, []int{4, 1}, func(vectors int) {
		each := max(1, vectors)
		acc := zeros(rows * each)
		left, next, w := R(), R(), R()
		move(left, count)
		move(next, offsets)
		move(w, weights)
		whole("tap", left, 1, func() {
			at, weight := nextOffset(next), load(w, 0)
			plus(at, at, img)
			plus(w, w, 4*mr)
			for j, v := range loadSome(f32, at, vectors) {
				for r := range rows {
					f32.fmaElement(acc[r*each+j], v, weight, r)
				}
			}
		})
		row := R()
		move(row, dst)
		for r := range rows {
			saveSome(f32, acc[r*each:(r+1)*each], row, vectors)
			plus(row, row, ldd)
		}
		advance([]*reg{img, dst}, step(f32, vectors))
	})
	ret()
}
