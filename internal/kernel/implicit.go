package kernel

import "unsafe"

// implicit is a matrix product whose right operand is a lattice over an image
// and whose result goes to planes of samples.
type implicit struct {
	m         int
	packed    []float32 // left operand
	lattice   *lattice
	img       []float32
	imgSample int
	out       []float32
	outSample int
	plane     int // distance of the result's rows
	add       bool
	bias      []float32
	relu      bool
}

// maxColumns bounds the columns of a block for arrays on the stack.
const maxColumns = 256

// run computes the product for samples of the image.
func (p *implicit) run(g *gemmKernel[float32], samples int, scratch []float32) {
	l := p.lattice
	var from, to [maxColumns]int32
	total, taps := samples*l.rows*l.cols, len(l.taps)
	kc := g.blockK(taps)
	tmp, pb := scratch[:g.high*g.wide], scratch[roundUp(g.high*g.wide, align):]
	packed := p.packed
	if taps == 0 {
		packed = tmp
	}
	for n0 := 0; n0 < total; n0 += g.nc {
		nb := min(g.nc, total-n0)
		l.positions(n0, from[:nb], l.base, p.imgSample, l.stepY, l.stepX)
		l.positions(n0, to[:nb], l.first, p.outSample, l.downY, l.rightX)
		for k0 := 0; k0 == 0 || k0 < taps; k0 += kc { // once without taps: zeros
			kb := min(kc, taps-k0)
			for j := 0; j < nb; j += g.nr {
				packLattice(p.img, l.taps[k0:k0+kb], from[j:min(nb, j+g.nr)], pb[j*kb:])
			}
			p.tiles(g, packed[k0*roundUp(p.m, mr):], pb, tmp, to[:nb], kb, p.add || k0 > 0)
		}
		p.epilogue(to[:nb])
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

// packLattice packs one panel, lanes wide: dst[16p+j] = img[rows[p]+lanes[j]].
func packLattice(img []float32, rows, lanes []int32, dst []float32) {
	if !useAsm {
		packLatticePlain(img, rows, lanes, dst)
		return
	}
	n, off, to := len(rows), unsafe.SliceData(rows), unsafe.SliceData(dst)
	at := func(i int) *float32 {
		return (*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(img)), 4*int(lanes[i])))
	}
	switch {
	case consecutive(lanes, 16):
		packRun16F32(n, at(0), off, to)
	case consecutive(lanes, 8):
		packRun8F32(n, at(0), at(8), off, to)
	case consecutive(lanes, 4):
		packRun4F32(n, at(0), at(4), at(8), at(12), off, to)
	default:
		var all [16]int32
		for i := copy(all[:], lanes); i < 16; i++ {
			all[i] = lanes[len(lanes)-1] // read, never stored
		}
		packGatherF32(n, unsafe.SliceData(img), off, &all[0], to)
	}
}

// consecutive reports whether there are 16 lanes in runs of the given length.
func consecutive(lanes []int32, run int) bool {
	if len(lanes) != 16 {
		return false
	}
	for i, v := range lanes {
		if v != lanes[i/run*run]+int32(i%run) {
			return false
		}
	}
	return true
}

func packLatticePlain(img []float32, rows, lanes []int32, dst []float32) {
	for p, off := range rows {
		row := dst[16*p:][:16]
		for j, lane := range lanes {
			row[j] = img[off+lane]
		}
		clear(row[len(lanes):])
	}
}

// tiles multiplies the packed left operand by the packed panels.
func (p *implicit) tiles(g *gemmKernel[float32], pa, pb, tmp []float32, to []int32, kb int, add bool) {
	for top := 0; top < p.m; top += g.l2 {
		end := min(p.m, top+g.l2)
		for j := 0; j < len(to); j += g.wide {
			lanes := to[j:min(len(to), j+g.wide)]
			out, ldc, step, beside := p.destination(g, tmp, lanes)
			for i := top; i < end; i += g.high {
				rows := min(g.high, end-i)
				if beside {
					g.tile(kb, pa[i*kb:], pb[j*kb:], g.nr, kb*g.nr, out[i*ldc:], ldc, step, rows, len(lanes), add)
					continue
				}
				g.tile(kb, pa[i*kb:], pb[j*kb:], g.nr, kb*g.nr, tmp, ldc, step, rows, len(lanes), false)
				p.scatter(tmp, i, rows, ldc, lanes, add)
			}
		}
	}
}

// destination returns where a tile goes: to the result, if the columns of each
// panel lie side by side there, or else to tmp.
func (p *implicit) destination(g *gemmKernel[float32], tmp []float32, lanes []int32) (out []float32, ldc, step int, beside bool) {
	first, second := lanes[:min(g.nr, len(lanes))], lanes[min(g.nr, len(lanes)):]
	if !direct(first) || !direct(second) {
		return tmp, g.wide, g.nr, false
	}
	if len(second) > 0 {
		step = int(second[0] - first[0])
	}
	return p.out[first[0]:], p.plane, step, true
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

// scatter stores a tile whose columns are apart.
func (p *implicit) scatter(tmp []float32, i, rows, nr int, lanes []int32, add bool) {
	for r := range rows {
		row, out := tmp[r*nr:], p.out[(i+r)*p.plane:]
		for j, at := range lanes {
			if add {
				out[at] += row[j]
			} else {
				out[at] = row[j]
			}
		}
	}
}

// epilogue adds the bias and rectifies the block, which is still in the cache.
func (p *implicit) epilogue(to []int32) {
	if p.bias == nil && !p.relu {
		return
	}
	for start := 0; start < len(to); {
		end := start + 1
		for end < len(to) && to[end] == to[end-1]+1 {
			end++
		}
		for i := range p.m {
			seg := p.out[int(to[start])+i*p.plane:][:end-start]
			var b float32
			if p.bias != nil {
				b = p.bias[i]
			}
			if p.relu {
				ScaleShiftReLU(seg, seg, 1, b)
			} else {
				ScaleShift(seg, seg, 1, b)
			}
		}
		start = end
	}
}
