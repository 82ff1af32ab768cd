package dataset

import (
	"image"
	"image/color"
	stddraw "image/draw"
	"math"

	"golang.org/x/image/draw"
)

// rows gives an image row by row as red, green, blue, alpha of 8 bits, over a
// black background: the premultiplied colors, with alpha 255. One row is held
// at a time.
type rows struct {
	m    image.Image
	line *image.RGBA
}

func newRows(m image.Image) *rows {
	return &rows{m, image.NewRGBA(image.Rect(0, 0, m.Bounds().Dx(), 1))}
}

// row returns row y, which is valid until the next call.
func (r *rows) row(y int) []uint8 {
	b := r.m.Bounds()
	switch m := r.m.(type) {
	case *image.Gray, *image.YCbCr, *image.CMYK: // 8 bits, no alpha: exact
		stddraw.Draw(r.line, r.line.Rect, m, image.Pt(b.Min.X, b.Min.Y+y), stddraw.Src)
	case *image.RGBA:
		r.flatten(m.Pix[y*m.Stride:])
	case *image.NRGBA:
		if !r.copyOpaque(m.Pix[y*m.Stride:]) {
			r.fill(func(x int) color.RGBA64 { return m.RGBA64At(b.Min.X+x, b.Min.Y+y) })
		}
	case image.RGBA64Image:
		r.fill(func(x int) color.RGBA64 { return m.RGBA64At(b.Min.X+x, b.Min.Y+y) })
	default:
		r.fill(func(x int) color.RGBA64 {
			red, green, blue, alpha := m.At(b.Min.X+x, b.Min.Y+y).RGBA()
			return color.RGBA64{R: uint16(red), G: uint16(green), B: uint16(blue), A: uint16(alpha)}
		})
	}
	return r.line.Pix
}

// flatten takes over a row of premultiplied colors, without alpha.
func (r *rows) flatten(pix []uint8) {
	copy(r.line.Pix, pix)
	for x := 3; x < len(r.line.Pix); x += 4 {
		r.line.Pix[x] = 255
	}
}

// copyOpaque takes over a row of colors if it is opaque.
func (r *rows) copyOpaque(pix []uint8) bool {
	for x := 3; x < len(r.line.Pix); x += 4 {
		if pix[x] != 255 {
			return false
		}
	}
	copy(r.line.Pix, pix)
	return true
}

func (r *rows) fill(at func(x int) color.RGBA64) {
	for x := range r.line.Rect.Dx() {
		c, p := at(x), r.line.Pix[4*x:4*x+4:4*x+4]
		p[0], p[1], p[2], p[3] = to8(uint32(c.R)), to8(uint32(c.G)), to8(uint32(c.B)), 255
	}
}

// to8 rounds 16 bits to 8; 257·b goes to b.
func to8(v uint32) uint8 { return uint8((v + 128) / 257) }

// render writes m into dst as shape, which is channels×height×width.
func render(dst []uint8, m image.Image, shape []int) {
	h, w := shape[1], shape[2]
	src := newRows(m)
	if b := m.Bounds(); b.Dy() == h && b.Dx() == w {
		for y := range h {
			planes(dst, src.row(y), y, shape)
		}
		return
	}
	scale(src, h, w, func(y int, row []uint8) { planes(dst, row, y, shape) })
}

// planes writes row y into the planes of dst.
func planes(dst, row []uint8, y int, shape []int) {
	w, plane := shape[2], shape[1]*shape[2]
	to := dst[y*w:]
	for x := range w {
		p := row[4*x : 4*x+3 : 4*x+3]
		if shape[0] == 1 {
			to[x] = luma(p[0], p[1], p[2])
			continue
		}
		to[x], to[plane+x], to[2*plane+x] = p[0], p[1], p[2]
	}
}

// luma is that of ITU-R BT.601 with weights to 16 bits, which sum to 2¹⁶: gray
// stays as it is.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// scale resizes to h×w by the Catmull-Rom kernel and hands out one row after the
// other. It does the arithmetic of draw.CatmullRom in the same order, and so
// gives the same bits; but draw keeps all rows of the source, filtered, in 32
// bytes a pixel, and this about five rows of the target's width.
func scale(src *rows, h, w int, emit func(y int, row []uint8)) {
	sh, sw := src.m.Bounds().Dy(), src.m.Bounds().Dx()
	s := scaler{src: src, across: newTaps(w, sw), down: newTaps(h, sh), lines: map[int][][4]float64{}, out: make([]uint8, 4*w)}
	if sh > h {
		s.shrink(sh, emit)
	} else {
		s.enlarge(emit)
	}
}

// scaler keeps rows of the target's width: filtered ones of the source when it
// enlarges, sums for the target when it shrinks.
type scaler struct {
	src          *rows
	across, down []taps
	lines        map[int][][4]float64 // by row
	free         [][][4]float64
	out          []uint8
}

// shrink adds every source row to the few target rows that it reaches.
func (s *scaler) shrink(sh int, emit func(y int, row []uint8)) {
	line := make([][4]float64, len(s.across))
	first := 0 // the first target row that is not finished
	for y := range sh {
		filterRow(line, s.src.row(y), s.across)
		for t := first; t < len(s.down) && s.down[t].from <= y; t++ {
			if k := y - s.down[t].from; k < len(s.down[t].weight) {
				add(s.line(t), line, s.down[t].weight[k])
			}
		}
		for ; first < len(s.down) && s.down[first].end() <= y+1; first++ {
			emit(first, s.round(s.line(first), s.down[first].inverse))
			s.drop(first)
		}
	}
}

// enlarge makes every target row of the few source rows that reach it.
func (s *scaler) enlarge(emit func(y int, row []uint8)) {
	sum := make([][4]float64, len(s.across))
	first, next := 0, 0 // the source rows in s.lines
	for t, tap := range s.down {
		for ; next < tap.end(); next++ {
			filterRow(s.line(next), s.src.row(next), s.across)
		}
		for ; first < tap.from; first++ {
			s.drop(first)
		}
		clear(sum)
		for k, weight := range tap.weight {
			add(sum, s.line(tap.from+k), weight)
		}
		emit(t, s.round(sum, tap.inverse))
	}
}

// line returns the line of a row, of zeros if it is new.
func (s *scaler) line(row int) [][4]float64 {
	line, ok := s.lines[row]
	if ok {
		return line
	}
	if n := len(s.free); n > 0 {
		line, s.free = s.free[n-1], s.free[:n-1]
		clear(line)
	} else {
		line = make([][4]float64, len(s.across))
	}
	s.lines[row] = line
	return line
}

// drop lets the line of a row be used again.
func (s *scaler) drop(row int) {
	s.free = append(s.free, s.lines[row])
	delete(s.lines, row)
}

func add(sum, line [][4]float64, weight float64) {
	for x := range line {
		for c, v := range line[x] {
			sum[x][c] += float64(v * weight)
		}
	}
}

// round returns a target row with 8 bits. The kernel has negative lobes, so that
// colors are cut to alpha, and all to [0, 1]; 16 bits are rounded from there, as
// cutting off would darken images by a quarter of a unit.
func (s *scaler) round(sum [][4]float64, inverse float64) []uint8 {
	for x := range sum {
		for c := range 3 {
			s.out[4*x+c] = to8(to16(min(sum[x][c], sum[x][3]) * inverse))
		}
	}
	return s.out
}

// taps are the source pixels from a position on that make up a target pixel, and
// one over the sum of their weights.
type taps struct {
	from    int
	weight  []float64
	inverse float64
}

func (t taps) end() int { return t.from + len(t.weight) }

// newTaps spreads n source pixels over as many as are wanted. See newDistrib in
// package draw.
func newTaps(want, n int) []taps {
	ratio, kernel := float64(n)/float64(want), draw.CatmullRom
	half, argument := kernel.Support, 1.0
	if ratio > 1 { // so that every source pixel counts
		half, argument = half*ratio, 1/ratio
	}
	list := make([]taps, want)
	for i := range list {
		center := float64((float64(i)+.5)*ratio) - .5
		lo, hi := max(int(math.Floor(center-half)), 0), min(int(math.Ceil(center+half)), n)
		t, sum := taps{from: lo, weight: make([]float64, max(hi-lo, 0))}, 0.0
		for k := range t.weight {
			if a := math.Abs((center - float64(lo+k)) * argument); a < kernel.Support {
				t.weight[k] = kernel.At(a)
				sum += t.weight[k]
			}
		}
		t.inverse = 1 / sum
		list[i] = t
	}
	return list
}

// filterRow scales a row of 8-bit pixels to values in [0, 1].
func filterRow(dst [][4]float64, row []uint8, across []taps) {
	for x, t := range across {
		var r, g, b, a float64
		for k, weight := range t.weight {
			p := row[4*(t.from+k) : 4*(t.from+k)+4 : 4*(t.from+k)+4]
			r += float64(float64(uint32(p[0])*257) * weight)
			g += float64(float64(uint32(p[1])*257) * weight)
			b += float64(float64(uint32(p[2])*257) * weight)
			a += float64(float64(uint32(p[3])*257) * weight)
		}
		inverse := t.inverse / 0xffff
		dst[x] = [4]float64{r * inverse, g * inverse, b * inverse, a * inverse}
	}
}

// to16 rounds [0, 1] to 16 bits.
func to16(v float64) uint32 { return uint32(max(0, min(int32(float64(0xffff*v)+.5), 0xffff))) }
