package kernel

// phase is the part of the input's gradient whose positions are congruent
// modulo the strides: only every StrideH-th row and StrideW-th column of taps
// reaches them, at stride 1.
type phase struct {
	lattice
	weights []int32 // for each tap, the offset of its weight for channel 0
	start   int     // of its packed weights
}

// axis holds, for one phase of one axis, the positions stride·q + r − pad for q
// from q0 on, and the taps k with k·dilation = stride·shift + r that connect some
// of them to an output, which is q − shift.
type axis struct {
	taps, shifts []int
	q0, count    int
	first        int // position of q0
}

func newAxis(n, out, taps, stride, dilation, pad, r int) axis {
	var a axis
	for a.q0 = 0; stride*a.q0+r < pad; a.q0++ {
	}
	a.first = stride*a.q0 + r - pad
	if a.first < n {
		a.count = (n-1-a.first)/stride + 1
	}
	for k := range taps {
		shift := k * dilation / stride
		reaches := a.q0+a.count > shift && a.q0-shift < out
		if k*dilation%stride == r && reaches {
			a.taps, a.shifts = append(a.taps, k), append(a.shifts, shift)
		}
	}
	return a
}

// reach returns the padding of n outputs that the axis reads.
func (a *axis) reach(n int) (before, after int) {
	if len(a.shifts) == 0 || a.count == 0 {
		return 0, 0
	}
	low, high := a.shifts[0], a.shifts[len(a.shifts)-1]
	return max(0, high-a.q0), max(0, a.q0+a.count-1-low-(n-1))
}

func (c *Conv) prepareInput() {
	g := &c.Window
	var ys, xs []axis
	for r := range g.StrideH {
		ys = append(ys, newAxis(g.Height, g.OutHeight(), g.KernelH, g.StrideH, g.DilationH, g.Top, r))
	}
	for r := range g.StrideW {
		xs = append(xs, newAxis(g.Width, g.OutWidth(), g.KernelW, g.StrideW, g.DilationW, g.Left, r))
	}
	c.dy = padding{planes: c.Out, height: g.OutHeight(), width: g.OutWidth(), parts: 1}
	for _, a := range ys {
		before, after := a.reach(c.dy.height)
		c.dy.top, c.dy.bottom = max(c.dy.top, before), max(c.dy.bottom, after)
	}
	for _, a := range xs {
		before, after := a.reach(c.dy.width)
		c.dy.left, c.dy.right = max(c.dy.left, before), max(c.dy.right, after)
	}
	start := 0
	for _, y := range ys {
		for _, x := range xs {
			start = c.addPhase(&y, &x, start)
		}
	}
}

func (c *Conv) addPhase(y, x *axis, start int) int {
	g, width := &c.Window, c.dy.stride()
	if y.count == 0 || x.count == 0 {
		return start
	}
	if len(y.taps) == 0 || len(x.taps) == 0 {
		c.partial = true
		return start
	}
	// Shifts ascend: the first tap's output is inside of the padded image at the
	// first position, which itself may lie behind its end.
	low := y.shifts[0]*width + x.shifts[0]
	p := phase{start: start, lattice: lattice{rows: y.count, cols: x.count, stepY: width, stepX: 1,
		base:  (y.q0+c.dy.top)*width + x.q0 + c.dy.left - low,
		first: y.first*g.Width + x.first, downY: g.StrideH * g.Width, rightX: g.StrideW}}
	for o := range c.Out {
		for i, ky := range y.taps {
			for j, kx := range x.taps {
				p.taps = append(p.taps, int32(o*c.dy.plane()-y.shifts[i]*width-x.shifts[j]+low))
				p.weights = append(p.weights, int32((o*g.Channels*g.KernelH+ky)*g.KernelW+kx))
			}
		}
	}
	c.phases = append(c.phases, p)
	return start + roundUp(g.Channels, mr)*len(p.taps)
}

// PackedInput returns the number of elements of PackInput's result.
func (c *Conv) PackedInput() int {
	if c.fastInput != nil {
		return c.fastInput.packed()
	}
	size := 0
	for i := range c.phases {
		size += roundUp(c.Channels, mr) * len(c.phases[i].taps)
	}
	return size
}

// PackInput brings the weights into the order that BackwardInput reads.
func (c *Conv) PackInput(dst, w []float32) {
	if c.fastInput != nil {
		c.fastInput.pack(dst, w, 9, c.Taps(), true)
		return
	}
	g := sgemmKernel()
	for i := range c.phases {
		c.phases[i].pack(g, dst[c.phases[i].start:], w, c.Channels, c.KernelH*c.KernelW)
	}
}

// pack transposes the weights of a phase.
func (p *phase) pack(g *gemmKernel[float32], dst, w []float32, channels, kernel int) {
	kc := g.blockK(len(p.taps))
	for k0 := 0; k0 < len(p.taps); k0 += kc {
		packTaps(channels, kernel, w, p.weights[k0:min(len(p.taps), k0+kc)], dst[k0*roundUp(channels, mr):])
	}
}

// BackwardInput writes the gradient by the input into dx, or adds it with add.
// See Stop.
func (c *Conv) BackwardInput(dx, dy, packed []float32, add bool, samples int, scratch []float32, stop Stop) {
	k := sgemmKernel()
	plane := c.Height * c.Width
	inSample, outSample := c.Groups*c.Channels*plane, c.Groups*c.Out*c.forward.rows*c.forward.cols
	if c.fastInput != nil {
		c.fastInput.run(planes{rows: share{0, c.Channels}, y: dx, x: dy, ySample: inSample, xSample: outSample, packed: packed, limits: NoLimits, add: add, stop: stop}, samples, scratch)
		return
	}
	if c.partial && !add {
		for s := range samples {
			clear(dx[s*inSample:][:c.Channels*plane])
		}
	}
	batch := c.batch(k, samples)
	image, free := c.dy.buffer(batch, scratch)
	for s := 0; s < samples && !stop.Now(); s += batch {
		count := min(batch, samples-s)
		img, imgSample := c.dy.fill(image, dy[s*outSample:], outSample, count)
		if c.unpacked() {
			for j := range count {
				for i := range c.phases {
					c.directInput(&c.phases[i], dx[(s+j)*inSample:], img[j*imgSample:], packed, add, free)
				}
			}
			continue
		}
		p := implicit{m: c.Channels, rows: share{0, c.Channels}, img: img, imgSample: imgSample, out: dx[s*inSample:], outSample: inSample, plane: plane, add: add, indirect: add && !c.beside(k), limits: NoLimits, stop: stop}
		for i := range c.phases {
			p.lattice, p.packed = &c.phases[i].lattice, packed[c.phases[i].start:]
			p.run(k, count, free)
		}
	}
}

// BackwardWeight adds the gradient by the weights to dw. See Stop.
func (c *Conv) BackwardWeight(dw, dy, x []float32, samples int, scratch []float32, stop Stop) {
	k := sgemmKernel()
	inSample, outSample := c.Groups*c.Channels*c.Height*c.Width, c.Groups*c.Out*c.forward.rows*c.forward.cols
	batch := c.batch(k, samples)
	image, free := c.x.buffer(batch, scratch)
	sums := dw
	if !c.dense() {
		size := c.Out * len(c.live)
		sums, free = free[:size], free[roundUp(size, align):]
		clear(sums)
	}
	for s := 0; s < samples; s += batch {
		count := min(batch, samples-s)
		img, imgSample := c.x.fill(image, x[s*inSample:], inSample, count)
		c.weightBatch(k, sums, dy[s*outSample:], outSample, img, imgSample, count, free, stop)
	}
	if !c.dense() {
		c.spread(dw, sums)
	}
}

// spread adds the sums of the live taps to their weights.
func (c *Conv) spread(dw, sums []float32) {
	for o := range c.Out {
		row := dw[o*c.Taps():]
		for k, at := range c.live {
			row[at] += sums[o*len(c.live)+k]
		}
	}
}

// weightBatch adds to sums, Out rows of live taps, a product over the positions
// of count samples.
func (c *Conv) weightBatch(g *gemmKernel[float32], sums, dy []float32, outSample int, img []float32, imgSample, count int, scratch []float32, stop Stop) {
	l := &c.forward
	var from [maxPositions]int32
	var fours [maxPositions / 8]bool
	total, taps := count*l.rows*l.cols, len(l.taps)
	kc := g.blockK(total)
	pa, pb := scratch[:roundUp(c.Out, mr)*kc], scratch[roundUp(roundUp(c.Out, mr)*kc, align):]
	for n0 := 0; n0 < total; n0 += kc {
		nb := min(kc, total-n0)
		l.positions(n0, from[:nb], l.base, imgSample, l.stepY, l.stepX)
		foursOf(from[:nb], fours[:(nb+7)/8])
		c.packGradient(g, pa, dy, outSample, n0, nb)
		for j0 := 0; j0 < taps && !stop.Now(); j0 += g.nc {
			jb := min(g.nc, taps-j0)
			for j := 0; j < jb; j += g.nr {
				packTurned(img, from[:nb], l.taps[j0+j:j0+min(jb, j+g.nr)], fours[:(nb+7)/8], pb[j*nb:])
			}
			g.block(pa, pb, nil, 0, nb, c.Out, jb, sums[j0:], taps, true, stop)
		}
	}
}

// maxPositions bounds the positions of a block for arrays on the stack.
const maxPositions = 384

// packGradient packs the positions [n0, n0+nb) of the output's gradient.
func (c *Conv) packGradient(g *gemmKernel[float32], pa, dy []float32, outSample, n0, nb int) {
	plane := c.forward.rows * c.forward.cols
	for done := 0; done < nb; {
		s, at := (n0+done)/plane, (n0+done)%plane
		run := min(plane-at, nb-done)
		for i := 0; i < c.Out; i += mr {
			packPanel(g, false, mr, min(mr, c.Out-i), run, dy[s*outSample+i*plane+at:], plane, pa[i*nb+done*mr:], 1)
		}
		done += run
	}
}
