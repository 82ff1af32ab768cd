package kernel

import "unsafe"

// implicit is a matrix product whose right operand is a lattice over an image
// and whose result goes to planes of samples.
type implicit struct {
	m         int // rows of the left operand
	rows      share
	packed    []float32 // left operand
	lattice   *lattice
	img       []float32
	imgSample int
	out       []float32
	outSample int
	plane     int // distance of the result's rows
	add       bool
	indirect  bool // results are gathered apart, wherever they go
	bias      []float32
	limits    Limits
	stop      Stop
}

// share is a range of rows, whose first is a multiple of a tile's height.
type share struct{ first, end int }

func (s share) count() int { return s.end - s.first }

// maxColumns bounds the columns of a block for arrays on the stack.
const maxColumns = 256

// run computes the product for samples of the image.
func (p *implicit) run(g *gemmKernel[float32], samples int, scratch []float32) {
	l := p.lattice
	var from, to [maxColumns]int32
	total, taps := samples*l.rows*l.cols, len(l.taps)
	kc := g.blockK(taps)
	pb, apart := scratch[:g.kc*g.nc], scratch[g.kc*g.nc:]
	packed := p.packed
	if taps == 0 {
		packed = pb
	}
	for n0 := 0; n0 < total && !p.stop.Now(); n0 += g.nc {
		nb := min(g.nc, total-n0)
		l.positions(n0, from[:nb], l.base, p.imgSample, l.stepY, l.stepX)
		l.positions(n0, to[:nb], l.first, p.outSample, l.downY, l.rightX)
		for k0 := 0; k0 == 0 || k0 < taps; k0 += kc { // once without taps: zeros
			kb := min(kc, taps-k0)
			for j := 0; j < nb; j += g.nr {
				packLattice(p.img, l.taps[k0:k0+kb], from[j:min(nb, j+g.nr)], pb[j*kb:])
			}
			p.tiles(g, packed[k0*roundUp(p.m, mr):], pb, apart, to[:nb], kb, k0 > 0)
		}
		p.epilogue(g, apart, to[:nb])
		p.scatter(g, apart, to[:nb])
		if p.add {
			p.afterwards(to[:nb])
		}
	}
}

// positions fills dst with the offsets of the positions n0, n0+1, …
func (l *lattice) positions(n0 int, dst []int32, base, sample, stepY, stepX int) {
	s, rest := n0/(l.rows*l.cols), n0%(l.rows*l.cols)
	y, x := rest/l.cols, rest%l.cols
	for i := range dst {
		dst[i] = int32(base + s*sample + y*stepY + x*stepX)
		if x++; x == l.cols {
			x = 0
			if y++; y == l.rows {
				y = 0
				s++
			}
		}
	}
}

// tiles multiplies the packed left operand by the packed panels; columns that
// are apart in the result are gathered in apart, g.nc for each row.
func (p *implicit) tiles(g *gemmKernel[float32], pa, pb, apart []float32, to []int32, kb int, more bool) {
	for top := p.rows.first; top < p.rows.end && !p.stop.Now(); top += g.l2 {
		end := min(p.rows.end, top+g.l2)
		for j := 0; j < len(to); j += g.wide {
			lanes := to[j:min(len(to), j+g.wide)]
			step, beside := p.columns(g, lanes)
			ldc, add := p.plane, more || p.add
			var out []float32
			if beside {
				out = p.out[lanes[0]:]
			} else {
				out, ldc, add = apart[j:], g.nc, more
			}
			if fewColumns(kb, pa[top*kb:], pb[j*kb:], out[top*ldc:], ldc, end-top, len(lanes), add) {
				continue
			}
			for i := top; i < end; i += g.high {
				g.tile(kb, pa[i*kb:], pb[j*kb:], g.nr, kb*g.nr, out[i*ldc:], ldc, step, min(g.high, end-i), len(lanes), add)
			}
		}
	}
}

// columns returns the distance of a tile's panels and whether the columns of
// each lie side by side in the result.
func (p *implicit) columns(g *gemmKernel[float32], lanes []int32) (step int, beside bool) {
	first, second := lanes[:min(g.nr, len(lanes))], lanes[min(g.nr, len(lanes)):]
	if p.indirect || !direct(first) || !direct(second) {
		return g.nr, false
	}
	if len(second) > 0 {
		step = int(second[0] - first[0])
	}
	return step, true
}

// direct reports whether the columns lie side by side in the result.
func direct(lanes []int32) bool {
	for i, v := range lanes {
		if v != lanes[0]+int32(i) {
			return false
		}
	}
	return true
}

// scatter stores the columns that are apart.
func (p *implicit) scatter(g *gemmKernel[float32], apart []float32, to []int32) {
	for j := 0; j < len(to); j += g.wide {
		lanes := to[j:min(len(to), j+g.wide)]
		if _, beside := p.columns(g, lanes); !beside {
			p.scatterTile(apart[p.rows.first*g.nc+j:], g.nc, lanes)
		}
	}
}

// scatterTile stores columns in runs of some that are as far apart, unless these
// are short.
func (p *implicit) scatterTile(from []float32, ld int, lanes []int32) {
	for len(lanes) > 0 {
		n, step := run(lanes)
		out := p.out[p.rows.first*p.plane+int(lanes[0]):]
		switch {
		case n < 4:
			n = len(lanes)
			p.scatterPlain(out, from, ld, lanes)
		case step == 2 && useAsm:
			spreadF32(p.rows.count(), n, unsafe.SliceData(from), 4*ld, unsafe.SliceData(out), 4*p.plane, p.add)
		case step == 1 && !p.add:
			copyRows(p.rows.count(), n, from, ld, out, p.plane)
		default:
			p.scatterPlain(out, from, ld, lanes[:n])
		}
		if lanes = lanes[n:]; len(lanes) > 0 {
			from = from[n:]
		}
	}
}

// run returns how many lanes from the first on are apart as the first two.
func run(lanes []int32) (n, apart int) {
	if len(lanes) == 1 {
		return 1, 1
	}
	step := lanes[1] - lanes[0]
	for n = 2; n < len(lanes) && lanes[n] == lanes[n-1]+step; n++ {
	}
	return n, int(step)
}

func (p *implicit) scatterPlain(out, from []float32, ld int, lanes []int32) {
	for r := range p.rows.count() {
		row, to := from[r*ld:][:len(lanes)], out[r*p.plane:]
		for j, at := range lanes {
			if at -= lanes[0]; p.add {
				to[at] += row[j]
			} else {
				to[at] = row[j]
			}
		}
	}
}

// finished reports whether products are results.
func (p *implicit) finished() bool { return p.bias == nil && p.limits == NoLimits }

// epilogue adds the bias to the block, which is still in the cache, and limits it,
// before columns that are apart are scattered. What is added to results waits.
func (p *implicit) epilogue(g *gemmKernel[float32], apart []float32, to []int32) {
	if p.finished() || p.add {
		return
	}
	for j := 0; j < len(to); j += g.wide {
		lanes := to[j:min(len(to), j+g.wide)]
		step, beside := p.columns(g, lanes)
		first := min(g.nr, len(lanes))
		switch {
		case !beside:
			p.limit(len(lanes), apart[j:], g.nc)
		case step == g.nr || len(lanes) == first:
			p.limit(len(lanes), p.out[lanes[0]:], p.plane)
		default:
			p.limit(first, p.out[lanes[0]:], p.plane)
			p.limit(len(lanes)-first, p.out[lanes[first]:], p.plane)
		}
	}
}

// limit finishes n columns of all rows.
func (p *implicit) limit(n int, x []float32, ld int) {
	bias := p.bias
	if bias != nil {
		bias = bias[p.rows.first:]
	}
	p.limits.rows(p.rows.count(), n, x[p.rows.first*ld:], ld, bias)
}

// afterwards is epilogue for results that the products have been added to.
func (p *implicit) afterwards(to []int32) {
	for start := 0; start < len(to) && !p.finished(); {
		end := start + 1
		for end < len(to) && to[end] == to[end-1]+1 {
			end++
		}
		p.limit(end-start, p.out[to[start]:], p.plane)
		start = end
	}
}
