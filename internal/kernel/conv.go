package kernel

import "unsafe"

// Conv is a convolution of NCHW tensors prepared for one geometry: NewConv
// allocates its tables, the methods allocate nothing and may run at the same
// time with scratch of their own.
//
// A group is handled alone: x and y start at the first sample's planes of the
// group, Groups tells how far the samples are apart. Weights are those of the
// group, Out×Channels×KernelH×KernelW.
//
// The product runs without an im2col matrix in memory: panels of it are packed
// straight from the padded image, of a few samples at a time, and planes
// smaller than a panel share one with those of the next samples. Taps that only
// ever meet padding, as eight of nine do for a 3×3 kernel on 1×1 planes, take no
// part. At stride 1, 3×3 kernels between enough channels go through Winograd's
// transforms, see winograd.go; an infinity then makes NaN of the outputs of its
// tiles, where the direct sum would make an infinity of some.
//
// An element of Forward's and BackwardInput's results has the same bits however
// many samples a call takes; BackwardWeight sums over the samples of a call.
// Offsets are int32: the padded images of a block of samples, and their results,
// have fewer than 2³¹ elements.
type Conv struct {
	Window
	Out    int // output planes of the group
	Groups int

	forward lattice // of the taps that reach the input from some position
	live    []int32 // their indices within a row of weights
	x       padding // of the input, for forward and the weights' gradient
	phases  []phase // of the input's gradient
	dy      padding // of the output's gradient
	partial bool    // some inputs lie under no tap

	fast, fastInput *winograd // nil where it does not apply
}

// NewConv prepares a convolution.
func NewConv(g Window, out, groups int) *Conv {
	c := &Conv{Window: g, Out: out, Groups: groups}
	c.prepareForward()
	c.prepareInput()
	if c.suitsWinograd() {
		outH, outW := g.OutHeight(), g.OutWidth()
		c.fast = newWinograd(g.Channels, g.Height, g.Width, g.Top, g.Left, out, outH, outW)
		if g.Top <= 2 && g.Left <= 2 {
			c.fastInput = newWinograd(out, outH, outW, 2-g.Top, 2-g.Left, g.Channels, g.Height, g.Width)
		}
	}
	return c
}

// suitsWinograd reports whether the transforms apply and are worth their cost,
// which is shared by the channels of the other side, and for the weights by the
// tiles; a single tile of 2×2 outputs in a plane is not worth it.
func (c *Conv) suitsWinograd() bool {
	const fewest, tile = 24, 4
	unit := c.StrideH == 1 && c.StrideW == 1 && c.DilationH == 1 && c.DilationW == 1
	large := min(c.Channels, c.Out) >= fewest && c.OutHeight()*c.OutWidth() > tile
	return unit && c.KernelH == 3 && c.KernelW == 3 && c.dense() && large
}

// padding tells how planes are laid out in a padded image. Each row is split
// into parts columns, by the remainder of their numbers, so that positions as far
// apart see elements that lie side by side.
type padding struct {
	planes, height, width    int
	top, left, bottom, right int
	parts                    int
}

func (p *padding) part() int   { return (p.left + p.width + p.right + p.parts - 1) / p.parts }
func (p *padding) stride() int { return p.parts * p.part() }
func (p *padding) plane() int  { return (p.top + p.height + p.bottom) * p.stride() }
func (p *padding) sample() int { return p.planes * p.plane() }
func (p *padding) none() bool  { return p.top|p.left|p.bottom|p.right == 0 && p.parts == 1 }

// column returns the place of a column of the padded plane in its row.
func (p *padding) column(x int) int { return x%p.parts*p.part() + x/p.parts }

// lattice describes the matrix that im2col would make: the element of row k and
// column n lies at taps[k] plus the offset of the n-th position in the image.
type lattice struct {
	taps          []int32
	rows, cols    int // positions of a sample
	base          int // image offset of the first position
	stepY, stepX  int // image offset from a position to the next row and column
	first         int // offset of the first position in the result's plane
	downY, rightX int // and from one to the next row and column
}

func (c *Conv) prepareForward() {
	g := &c.Window
	c.x = padding{g.Channels, g.Height, g.Width, g.Top, g.Left, g.Bottom, g.Right, 1}
	if g.KernelH*g.KernelW > g.StrideH { // elements are read often enough to be moved first
		c.x.parts = g.StrideW
	}
	width := c.x.stride()
	c.forward = lattice{rows: g.OutHeight(), cols: g.OutWidth(), stepY: g.StrideH * width, stepX: g.StrideW / c.x.parts, downY: g.OutWidth(), rightX: 1}
	for t := range g.Taps() {
		ch, ky, kx := t/(g.KernelH*g.KernelW), t/g.KernelW%g.KernelH*g.DilationH, t%g.KernelW*g.DilationW
		low, high := span(g.Height, c.forward.rows, ky, g.StrideH, g.Top)
		first, last := span(g.Width, c.forward.cols, kx, g.StrideW, g.Left)
		if low < high && first < last {
			c.forward.taps = append(c.forward.taps, int32(ch*c.x.plane()+ky*width+c.x.column(kx)))
			c.live = append(c.live, int32(t))
		}
	}
}

// dense reports whether every tap reaches the input.
func (c *Conv) dense() bool { return len(c.live) == c.Taps() }

// batch returns how many samples go together: enough positions to fill the
// columns of a block.
func (c *Conv) batch(k *gemmKernel[float32], samples int) int {
	positions := max(1, c.forward.rows*c.forward.cols)
	return min(samples, (k.nc+positions-1)/positions)
}

// beside reports whether the columns of every tile lie side by side in the
// results. Where only some do, as the number of samples has it, all are added to
// a result in the same way.
func (c *Conv) beside(k *gemmKernel[float32]) bool {
	return c.StrideH == 1 && c.StrideW == 1 && c.forward.rows*c.forward.cols%k.nr == 0 && c.Height*c.Width%k.nr == 0
}

// Scratch returns the number of scratch elements that the methods need for the
// given number of samples.
func (c *Conv) Scratch(samples int) int {
	k := sgemmKernel()
	batch := c.batch(k, samples)
	image := max(c.x.sample(), c.dy.sample()) * batch
	weights := 0
	if !c.dense() {
		weights = c.Out * len(c.live)
	}
	direct := image + k.kc*(k.nc+roundUp(c.Out, mr)) + weights + 5*align
	if !c.beside(k) {
		direct += k.nc * max(c.Out, c.Channels)
	}
	if c.unpacked() {
		direct = max(direct, image+c.directScratch()+2*align)
	}
	for _, w := range []*winograd{c.fast, c.fastInput} {
		if w != nil {
			direct = max(direct, w.scratch(samples))
		}
	}
	return direct
}

// PackedForward returns the number of elements of PackForward's result.
func (c *Conv) PackedForward() int {
	if c.fast != nil {
		return c.fast.packed()
	}
	return roundUp(c.Out, mr) * len(c.live)
}

// PackForward brings the weights into the order that Forward reads.
func (c *Conv) PackForward(dst, w []float32) {
	if c.fast != nil {
		c.fast.pack(dst, w, c.Taps(), 9, false)
		return
	}
	g, m, k := sgemmKernel(), c.Out, c.Taps()
	kc := g.blockK(len(c.live))
	for k0 := 0; k0 < len(c.live); k0 += kc {
		kb := min(kc, len(c.live)-k0)
		block := dst[k0*roundUp(m, mr):]
		if c.dense() {
			packA(g, false, w, k, 1, k0, kb, 0, m, block)
		} else {
			packTaps(m, k, w, c.live[k0:k0+kb], block)
		}
	}
}

// packTaps packs m rows of weights, stride apart, whose columns are at the
// given offsets.
func packTaps(m, stride int, w []float32, offsets []int32, dst []float32) {
	for i := 0; i < m; i += mr {
		packTapsPanel(min(mr, m-i), stride, w[i*stride:], offsets, dst[i*len(offsets):][:mr*len(offsets)])
	}
}

func packTapsPanel(have, stride int, w []float32, offsets []int32, dst []float32) {
	if have == mr && useAsm {
		s := int32(stride)
		lanes := [8]int32{0, s, 2 * s, 3 * s, 4 * s, 5 * s}
		packGather6F32(len(offsets), unsafe.SliceData(w), unsafe.SliceData(offsets), &lanes[0], unsafe.SliceData(dst))
		return
	}
	for k, at := range offsets {
		to, from := dst[k*mr:][:mr], w[at:]
		for r := range have {
			to[r] = from[r*stride]
		}
		clear(to[have:])
	}
}

// Forward writes the convolution of samples into y, or adds it with add. bias
// has Out elements or is nil; the sums are limited. See Stop.
func (c *Conv) Forward(y, x, packed, bias []float32, limits Limits, add bool, samples int, scratch []float32, stop Stop) {
	c.forwardShare(share{0, c.Out}, y, x, packed, bias, limits, add, samples, scratch, stop)
}

// ForwardPiece computes those output channels of Forward without add that are
// number piece of pieces. The bits are the same.
func (c *Conv) ForwardPiece(piece, pieces int, y, x, packed, bias []float32, limits Limits, samples int, scratch []float32, stop Stop) {
	high := sgemmKernel().high
	tiles := (c.Out + high - 1) / high
	rows := share{piece * tiles / pieces * high, min(c.Out, (piece+1)*tiles/pieces*high)}
	if rows.count() > 0 {
		c.forwardShare(rows, y, x, packed, bias, limits, false, samples, scratch, stop)
	}
}

func (c *Conv) forwardShare(rows share, y, x, packed, bias []float32, limits Limits, add bool, samples int, scratch []float32, stop Stop) {
	k := sgemmKernel()
	l := &c.forward
	inSample, outSample := c.Groups*c.Channels*c.Height*c.Width, c.Groups*c.Out*l.rows*l.cols
	if c.fast != nil {
		c.fast.run(planes{rows: rows, y: y, x: x, ySample: outSample, xSample: inSample, packed: packed, bias: bias, limits: limits, add: add, stop: stop}, samples, scratch)
		return
	}
	p := implicit{m: c.Out, rows: rows, packed: packed, lattice: l, plane: l.rows * l.cols, outSample: outSample, add: add, indirect: add && !c.beside(k), bias: bias, limits: limits, stop: stop}
	batch := c.batch(k, samples)
	image, free := c.x.buffer(batch, scratch)
	for s := 0; s < samples && !stop.Now(); s += batch {
		count := min(batch, samples-s)
		p.img, p.imgSample = c.x.fill(image, x[s*inSample:], inSample, count)
		p.out = y[s*outSample:]
		p.run(k, count, free)
	}
}

// buffer returns the part of scratch for the padded images of batch samples,
// cleared, and the rest.
func (p *padding) buffer(batch int, scratch []float32) (image, free []float32) {
	if p.none() {
		return nil, alignSlice(scratch)
	}
	size := batch * p.sample()
	clear(scratch[:size])
	return scratch[:size], alignSlice(scratch[size:])
}

// fill copies the planes of count samples into the image, whose padding is
// clear, and returns it with the distance of its samples; without padding it
// returns the planes themselves.
func (p *padding) fill(image, src []float32, srcSample, count int) (img []float32, sample int) {
	if p.none() {
		return src, srcSample
	}
	for s := range count {
		for c := range p.planes {
			p.place(image[s*p.sample()+c*p.plane()+p.top*p.stride():], src[s*srcSample+c*p.height*p.width:])
		}
	}
	return image, p.sample()
}

// place copies a plane to its rows of the image.
func (p *padding) place(to, from []float32) {
	width := p.stride()
	switch p.parts {
	case 1:
		copyRows(p.height, p.width, from, p.width, to[p.left:], width)
	case 2:
		evenOddRows(p.height, p.width, from, p.width, to[p.column(p.left):], to[p.column(p.left+1):], width)
	default:
		for y := range p.height {
			for x, v := range from[y*p.width:][:p.width] {
				to[y*width+p.column(p.left+x)] = v
			}
		}
	}
}
