package kernel

// winograd is a 3×3 convolution at stride 1 by F(2×2, 3×3): tiles of 4×4 input
// elements and the kernels are transformed, sixteen matrix products over the
// channels follow, and their results are transformed to tiles of 2×2 outputs.
// It takes 4 multiplications for an output instead of 9, and its error is a few
// times that of the direct sum.
//
// A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR
// 2016, section 4.1.
type winograd struct {
	channels, height, width int // of the input
	top, left               int // padding
	out, outH, outW         int
	tilesH, tilesW          int
	pitch                   int // tiles of a row and the gap after them
	columns                 int // tiles that go through the products together
}

func newWinograd(channels, height, width, top, left, out, outH, outW int) *winograd {
	w := &winograd{channels: channels, height: height, width: width, top: top, left: left, out: out, outH: outH, outW: outW}
	w.tilesH, w.tilesW = (outH+1)/2, (outW+1)/2
	w.pitch = w.tilesW + 1
	// The transformed input and the products of a block, sixteen planes of all
	// channels, are to stay in a second-level cache of 1 MiB.
	w.columns = min(256, max(96, 1<<14/(channels+out)))
	return w
}

// group returns how many rows of tiles and how many samples go together, and
// the columns that a sample takes.
func (w *winograd) group(samples int) (rows, count, each int) {
	if each = w.tilesH*w.pitch - 1; each <= w.columns {
		return w.tilesH, evenly(samples, w.columns/each), each
	}
	rows = evenly(w.tilesH, max(1, (w.columns+1)/w.pitch))
	return rows, 1, rows*w.pitch - 1
}

// evenly returns the size of parts of n, as equal as can be, of at most limit.
func evenly(n, limit int) int {
	parts := max(1, (n+limit-1)/limit)
	return (n + parts - 1) / parts
}

// stride returns the distance of the rows of the transformed matrices: whole
// panels, an odd number of them so that the rows do not share cache sets.
func (w *winograd) stride(count, each, nr int) int {
	panels := (count*each + nr - 1) / nr
	return (panels | 1) * nr
}

// step returns the distance of the sixteen matrices of a transform with the
// given rows, an odd number of cache lines as well.
func step(rows, ld int) int { return ((rows*ld+align-1)/align | 1) * align }

// phase returns the elements of one of four planes: even or odd rows and
// columns.
func (w *winograd) phase(rows int) int { return (rows + 1) * w.pitch }

// scratch returns the number of scratch elements for up to so many samples. As
// groups are of equal sizes, fewer samples may go together in a larger one: of 4 at
// most, 5 samples make groups of 3 and 2.
func (w *winograd) scratch(samples int) int {
	rows, count, each := w.group(samples)
	if rows == w.tilesH {
		count = min(samples, max(1, w.columns/each))
	}
	ld := w.stride(count, each, sgemmKernel().nr)
	return 4*w.phase(rows) + 16*(step(w.channels, ld)+step(w.out, ld)) + 4*(each+8) + 5*align
}

// packed returns the number of elements of the packed transformed weights.
func (w *winograd) packed() int { return 16 * step(roundUp(w.out, mr), w.channels) }

// pack transforms and packs the weights: output o, channel c and tap t stand at
// w[o·perOut + c·perChannel + t], in reverse order with flip.
func (w *winograd) pack(dst, weights []float32, perOut, perChannel int, flip bool) {
	kc := sgemmKernel().blockK(w.channels)
	apart := w.packed() / 16
	for k0 := 0; k0 < w.channels; k0 += kc {
		kb := min(kc, w.channels-k0)
		for o := 0; o < w.out; o += mr {
			to := dst[k0*roundUp(w.out, mr)+o*kb:]
			winogradWeights(kb, min(mr, w.out-o), weights[o*perOut+k0*perChannel:], perChannel, perOut, flip, to, apart)
		}
	}
}

// planes are the operands of one convolution.
type planes struct {
	y, x              []float32
	ySample, xSample  int // distance of samples
	packed, bias      []float32
	rows              share // of outputs
	limits            Limits
	add               bool
	stop              Stop
	split, v, m, wide []float32 // scratch
	ld                int
}

// run writes the convolution of samples into y.
func (w *winograd) run(p planes, samples int, scratch []float32) {
	g := sgemmKernel()
	rows, batch, each := w.group(samples)
	p.ld = w.stride(batch, each, g.nr)
	p.take(w, rows, each, alignSlice(scratch))
	for s := 0; s < samples; s += batch {
		for r := 0; r < w.tilesH && !p.stop.Now(); r += rows {
			count, have := min(batch, samples-s), min(rows, w.tilesH-r)
			w.input(&p, s, count, r, have, each)
			w.multiply(g, &p, roundUp((count-1)*each+have*w.pitch-1, g.nr))
			w.output(&p, s, count, r, have, each)
		}
	}
}

// take divides scratch.
func (p *planes) take(w *winograd, rows, each int, scratch []float32) {
	cut := func(n int) []float32 {
		part := scratch[:n]
		scratch = scratch[roundUp(n, align):]
		return part
	}
	p.v, p.m = cut(16*step(w.channels, p.ld)), cut(16*step(w.out, p.ld))
	p.split, p.wide = cut(4*w.phase(rows)), cut(4*(each+8))
}

// input fills the sixteen matrices v, channels×ld each, with transformed tiles.
func (w *winograd) input(p *planes, s, count, r, rows, each int) {
	apart := step(w.channels, p.ld)
	clear(p.split)
	for c := range w.channels {
		for i := range count {
			w.splitRows(p.split, p.x[(s+i)*p.xSample+c*w.height*w.width:], r, rows)
			winogradInput(rows*w.pitch-1, p.split, w.phase(rows), w.pitch, p.v[c*p.ld+i*each:], apart)
		}
	}
}

// splitRows copies the input under rows of tiles from r on to the four phases,
// whose other elements are zero.
func (w *winograd) splitRows(split, plane []float32, r, rows int) {
	size := w.phase(rows)
	first, second := w.left, w.left+1
	low, high := max(0, w.top-2*r), min(2*rows+2, w.height+w.top-2*r) // the rows that exist
	for parity := range 2 {
		i := low + (low+parity)%2
		if i >= high {
			continue
		}
		to := split[parity*2*size+i/2*w.pitch:]
		evenOddRows((high-i+1)/2, w.width, plane[(2*r+i-w.top)*w.width:], 2*w.width, to[first%2*size+first/2:], to[second%2*size+second/2:], w.pitch)
	}
}

// multiply computes the first columns, whole panels, of m = packed·v for each
// of the sixteen elements.
func (w *winograd) multiply(g *gemmKernel[float32], p *planes, columns int) {
	kc := g.blockK(w.channels)
	for e := range 16 {
		a := p.packed[e*w.packed()/16:]
		v, m := p.v[e*step(w.channels, p.ld):], p.m[e*step(w.out, p.ld):]
		for k0 := 0; k0 < w.channels; k0 += kc {
			kb := min(kc, w.channels-k0)
			g.block(a[k0*roundUp(w.out, mr)+p.rows.first*kb:], nil, v[k0*p.ld:], p.ld, kb, p.rows.count(), columns, m[p.rows.first*p.ld:], p.ld, k0 > 0, p.stop)
		}
	}
}

// output transforms the sixteen matrices m, out×ld each, and writes the rows of y.
func (w *winograd) output(p *planes, s, count, r, rows, each int) {
	half := len(p.wide) / 2
	top, bottom := p.wide[:half], p.wide[half:]
	for o := p.rows.first; o < p.rows.end; o++ {
		for i := range count {
			winogradOutput(rows*w.pitch-1, p.m[o*p.ld+i*each:], step(w.out, p.ld), top, bottom)
			plane := p.y[(s+i)*p.ySample+o*w.outH*w.outW:]
			height := min(2*rows, w.outH-2*r)
			p.finish((height+1)/2, w.outW, top, 2*w.pitch, plane[2*r*w.outW:], o)
			p.finish(height/2, w.outW, bottom, 2*w.pitch, plane[min(2*r+1, w.outH-1)*w.outW:], o)
		}
	}
}

// finish stores every other row of results, n elements each, for output o.
func (p *planes) finish(rows, n int, from []float32, ld int, dst []float32, o int) {
	if !p.add && p.limits == NoLimits && p.bias == nil {
		copyRows(rows, n, from, ld, dst, 2*n)
		return
	}
	bias := float32(0)
	if p.bias != nil {
		bias = p.bias[o]
	}
	finishRows(rows, n, from, ld, dst, 2*n, bias, p.limits.Low, p.add)
	if !p.limits.lower() {
		for r := range rows {
			row := dst[2*n*r:][:n]
			Clip(row, row, p.limits.Low, p.limits.High)
		}
	}
}
