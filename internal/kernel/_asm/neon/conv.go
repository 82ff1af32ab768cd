package main

import "fmt"

// convolution writes the packing of B straight from an image, and sums over
// the taps of one plane.
func convolution() {
	packRuns()
	packGather()
	packGatherRows()
	packQuads()
	spread()
	copyRows()
	finishRows()
	taps()
	maxTaps()
}

// eachOffset writes the loop over n offsets: body gets the next one in bytes.
func eachOffset(n, offsets *reg, body func(at *reg)) {
	whole("next", n, 1, func() { body(nextOffset(offsets)) })
	ret()
}

// nextOffset loads an offset, counted in elements, and moves on to the next.
func nextOffset(offsets *reg) *reg {
	at := R()
	ins(1, "MOVW.P 4(%[2]v), %[1]v", at, offsets)
	ins(1, "LSL $2, %[2]v, %[1]v", at, at)
	return at
}

func packRuns() {
	begin(f32, "packRun16", "n int, img *T, offsets *int32, dst *T", "", "copies to dst, for each of n offsets, the 16 elements at img+offset.")
	n, img, offsets, dst := param("n"), param("img"), param("offsets"), param("dst")
	eachOffset(n, offsets, func(at *reg) {
		plus(at, at, img)
		saveMany(loadMany(at, 0, 4), dst, 0)
		plus(dst, dst, 64)
	})

	begin(f32, "packRun8", "n int, img0, img1 *T, offsets *int32, dst *T", "", "copies to dst, for each of n offsets, the 8 elements at img0+offset and at img1+offset.")
	n, offsets, dst = param("n"), param("offsets"), param("dst")
	img0, img1 := param("img0"), param("img1")
	eachOffset(n, offsets, func(at *reg) {
		second := R()
		plus(second, at, img1)
		plus(at, at, img0)
		saveMany(append(loadMany(at, 0, 2), loadMany(second, 0, 2)...), dst, 0)
		plus(dst, dst, 64)
	})

	begin(f32, "packRun4", "n int, img0, img1, img2, img3 *T, offsets *int32, dst *T", "", "copies to dst, for each of n offsets, the 4 elements at each img+offset.")
	n, offsets, dst = param("n"), param("offsets"), param("dst")
	images := []*reg{param("img0"), param("img1"), param("img2"), param("img3")}
	eachOffset(n, offsets, func(at *reg) {
		var all []*reg
		for _, img := range images {
			all = append(all, loadAt(img, at))
		}
		saveMany(all, dst, 0)
		plus(dst, dst, 64)
	})
}

// loadAt returns the vector at base + offset, in bytes.
func loadAt(base, offset *reg) *reg {
	v := V()
	word("LDR", 0, false, v, base, offset, 0)
	return v
}

// lanesOf loads count offsets of 32 bits.
func lanesOf(name string, count int) []*reg {
	base := param(name)
	lanes := make([]*reg, count)
	for i := range lanes {
		lanes[i] = offset(base, 4*i)
	}
	return lanes
}

// gather copies the elements at base + lanes to dst, two at a time.
func gather(base *reg, lanes []*reg, dst *reg) {
	for i := 0; i < len(lanes); i += 2 {
		a, b := R(), R()
		for j, v := range []*reg{a, b} {
			ins(1, "MOVWU (%[2]v)(%[3]v<<2), %[1]v", v, base, lanes[i+j])
		}
		ins(0, "STPW (%v, %v), %v(%v)", a, b, 4*i, dst)
	}
	plus(dst, dst, 4*len(lanes))
}

func packGather() {
	begin(f32, "packGather", "n int, img *T, offsets, lanes *int32, dst *T", "", "copies to dst, for each of n offsets, the 16 elements at img+offset+lanes[0:16].")
	n, img, offsets, dst, lanes := param("n"), param("img"), param("offsets"), param("dst"), lanesOf("lanes", 16)
	eachOffset(n, offsets, func(at *reg) {
		plus(at, at, img)
		gather(at, lanes, dst)
	})
}

// packGatherRows packs mr weights for each tap.
func packGatherRows() {
	begin(f32, "packGather6", "n int, w *T, offsets, lanes *int32, dst *T", "", "copies to dst, for each of n offsets, the 6 elements at w+offset+lanes[0:6]; lanes has 8 elements.")
	n, w, offsets, dst, lanes := param("n"), param("w"), param("offsets"), param("dst"), lanesOf("lanes", mr)
	eachOffset(n, offsets, func(at *reg) {
		plus(at, at, w)
		gather(at, lanes, dst)
	})
}

// packQuads packs by transposing squares of 4×4: positions come in fours.
func packQuads() {
	begin(f32, "packQuads", "n int, img *T, from, lanes *int32, dst *T", "",
		"copies to dst, for each of 8·n positions, the 16 elements at img+from[8i+j]+lanes[0:16]; each four of from are consecutive, the first of them is read.")
	n, img, from, dst, lanes := param("n"), param("img"), param("from"), param("dst"), lanesOf("lanes", 16)
	for _, lane := range lanes {
		ins(1, "LSL $2, %[2]v, %[1]v", lane, lane)
	}
	whole("four", plusSame(n), 1, func() {
		at := offset(from, 0)
		scaled(at, img, at, 2)
		for first := 0; first < 16; first += 4 {
			var rows []*reg
			for _, lane := range lanes[first : first+4] {
				rows = append(rows, loadAt(at, lane))
			}
			f32.saveTurned(rows, dst, 64, 4*first)
		}
		plus(from, from, 16)
		plus(dst, dst, 4*64)
	})
	ret()
}

// plusSame doubles n.
func plusSame(n *reg) *reg {
	plus(n, n, n)
	return n
}

// blocks writes a body for runs of the given numbers of vectors, and, with 0,
// for single elements.
func blocks(e *elem, n *reg, vectors []int, body func(vectors int)) {
	for _, count := range append(vectors, 0) {
		whole(fmt.Sprintf("of%d", count), n, max(1, e.lanes*count), func() { body(count) })
	}
}

// loadSome returns vectors, or with 0 of them an element, from base on.
func loadSome(e *elem, base *reg, vectors int) []*reg {
	if vectors == 0 {
		return []*reg{e.loadOne(base, 0)}
	}
	return loadMany(base, 0, vectors)
}

func saveSome(e *elem, v []*reg, base *reg, vectors int) {
	if vectors == 0 {
		e.saveOne(v[0], base, 0)
	} else {
		saveMany(v, base, 0)
	}
}

// step is the size of vectors, or with 0 of them of an element.
func step(e *elem, vectors int) int { return max(e.size, width*vectors) }

// taps writes the direct convolution of one plane at stride 1.
func taps() {
	begin(f32, "taps", "n int, img *T, taps int, offsets *int32, w, dst *T", "", "stores in dst[i] the sum over the taps of w[t]·img[i+offsets[t]], for i below n.")
	n, img, dst, count, offsets, weights := param("n"), param("img"), param("dst"), param("taps"), param("offsets"), param("w")
	blocks(f32, n, []int{8, 1}, func(vectors int) {
		acc := zeros(max(1, vectors))
		left, next, w := R(), R(), R()
		move(left, count)
		move(next, offsets)
		move(w, weights)
		whole("tap", left, 1, func() {
			at, weight := nextOffset(next), V()
			plus(at, at, img)
			ins(1, "FMOVS.P 4(%[2]v), %[1]v", weight, w)
			for i, v := range loadSome(f32, at, vectors) {
				f32.fmaElement(acc[i], v, weight, 0)
			}
		})
		saveSome(f32, acc, dst, vectors)
		advance([]*reg{img, dst}, step(f32, vectors))
	})
	ret()
}

// maxTaps writes the maximum over the taps of one plane at stride 1, and where
// it came from. NaN wins, and stays.
func maxTaps() {
	begin(f32, "maxTaps", "n int, img *T, taps int, offsets, deltas *int32, dst, places *T", "",
		"stores in dst[i] the largest img[i+offsets[t]], −Inf if none is greater, and in places[i] the bits of its deltas[t], or of −1.")
	n, img, count, offsets, deltas, dst, places := param("n"), param("img"), param("taps"), param("offsets"), param("deltas"), param("dst"), param("places")
	blocks(f32, n, []int{4, 1}, func(vectors int) {
		var best, place []*reg
		for range max(1, vectors) {
			best, place = append(best, f32.bits(f32.negInf())), append(place, f32.bits(0xffffffff))
		}
		left, next, d := R(), R(), R()
		move(left, count)
		move(next, offsets)
		move(d, deltas)
		whole("tap", left, 1, func() {
			at, delta := nextOffset(next), f32.loadEach(d)
			plus(at, at, img)
			plus(d, d, 4)
			for i, v := range loadSome(f32, at, vectors) {
				number := f32.three("FCMEQ", v, v)
				wins := bitwiseOf("ORN", f32.three("FCMGT", v, best[i]), number)
				insert("BIT", best[i], v, wins)
				insert("BIT", place[i], delta, wins)
			}
		})
		saveSome(f32, best, dst, vectors)
		saveSome(f32, place, places, vectors)
		advance([]*reg{img, dst, places}, step(f32, vectors))
	})
	ret()
}
