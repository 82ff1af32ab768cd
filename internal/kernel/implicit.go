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

// scatter stores a tile whose columns are apart, in runs of columns as far apart
// unless they are short.
func (p *implicit) scatter(tmp []float32, i, rows, wide int, lanes []int32, add bool) {
	for len(lanes) > 0 {
		n, apart := run(lanes)
		out := p.out[int(lanes[0])+i*p.plane:]
		switch {
		case n < 4:
			n = len(lanes)
			scatterPlain(out, p.plane, tmp, wide, rows, lanes, add)
		case apart == 2 && useAsm:
			spreadF32(rows, n, unsafe.SliceData(tmp), 4*wide, unsafe.SliceData(out), 4*p.plane, add)
		case apart == 1 && add:
			for r := range rows {
				Add32(out[r*p.plane:], tmp[r*wide:][:n], out[r*p.plane:])
			}
		case apart == 1:
			for r := range rows {
				copy(out[r*p.plane:], tmp[r*wide:][:n])
			}
		default:
			scatterPlain(out, p.plane, tmp, wide, rows, lanes[:n], add)
		}
		lanes, tmp = lanes[n:], tmp[n:]
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

func scatterPlain(out []float32, plane int, tmp []float32, wide, rows int, lanes []int32, add bool) {
	for r := range rows {
		row, out := tmp[r*wide:], out[r*plane:]
		for j, at := range lanes {
			if at -= lanes[0]; add {
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
