package kernel

import "unsafe"

// Depthwise is a convolution of every plane with Multiplier small kernels of its
// own, prepared for one geometry: NewDepthwise allocates its tables, the methods
// allocate nothing and may run at the same time with scratch of their own. Planes
// of results that share an input are neighbors.
//
// Where columns are one or two apart, assembly reads the planes as they are, some
// samples at a time, by a program for the geometry. Elsewhere planes are copied
// first, see planewise.go.
//
// An element of Forward's and BackwardInput's results has the same bits however
// many samples a call takes; BackwardWeight sums over the samples of a call.
type Depthwise struct {
	planewise
	Multiplier int

	lanes          int // of the programs
	forward, input depthProgram
}

// NewDepthwise prepares a depthwise convolution of g.Channels planes.
func NewDepthwise(g Window, multiplier int) *Depthwise {
	d := &Depthwise{planewise: *newPlanewise(g), Multiplier: multiplier, lanes: depthLanes()}
	if d.lanes == 0 || g.StrideW > 2 || g.StrideW == 2 && d.lanes < 16 {
		return d
	}
	taps, outH, outW := g.KernelH*g.KernelW, g.OutHeight(), g.OutWidth()
	d.forward = newDepthProgram(outH, outW, taps, d.lanes, d.reads(even), func(row, column, tap int) int {
		y, x := g.input(row, column, tap)
		return index(y, x, g.Height, g.Width)
	})
	d.input = newDepthProgram(g.Height, g.Width, taps, d.lanes, d.reads(spread), func(row, column, tap int) int {
		y, x := row+g.Top-tap/g.KernelW*g.DilationH, column+g.Left-tap%g.KernelW*g.DilationW
		if y%g.StrideH != 0 || x%g.StrideW != 0 {
			return -1
		}
		return index(y/g.StrideH, x/g.StrideW, outH, outW)
	})
	return d
}

// reads returns how programs read at the stride: beside at 1, else as given.
func (d *Depthwise) reads(apart reading) reading {
	if d.StrideW == 1 {
		return beside
	}
	return apart
}

// input returns the row and the column, inside of the plane or not, that a tap of
// an output reads.
func (g *Window) input(row, column, tap int) (y, x int) {
	return row*g.StrideH + tap/g.KernelW*g.DilationH - g.Top, column*g.StrideW + tap%g.KernelW*g.DilationW - g.Left
}

// index returns the place of an element of a plane, or −1 for one outside.
func index(y, x, height, width int) int {
	if y < 0 || y >= height || x < 0 || x >= width {
		return -1
	}
	return y*width + x
}

// ready reports whether the programs are there, for the kernels in use.
func (d *Depthwise) ready() bool {
	return d.lanes == depthLanes() && d.forward.vectors > 0 && d.input.vectors > 0
}

// Scratch returns the number of scratch elements that the methods need.
func (d *Depthwise) Scratch() int { return max(d.room(), 16*d.KernelH*d.KernelW) }

// sizes of planes and samples.
func (d *Depthwise) sizes() (in, out, inSample, outSample int) {
	in, out = d.Height*d.Width, d.OutHeight()*d.OutWidth()
	return in, out, d.Channels * in, d.Channels * d.Multiplier * out
}

// Forward writes the convolutions of samples of the planes x with the kernels w
// into y, adds the bias, one number for each plane of y or nil, and limits the sums.
// See Stop.
func (d *Depthwise) Forward(y, x, w, bias []float32, l Limits, samples int, scratch []float32, stop Stop) {
	d.forwardChannels(d.Channels, y, x, w, bias, l, samples, scratch, stop)
}

// ForwardPiece computes those planes of one sample that are number piece of pieces.
// The bits are those of Forward.
func (d *Depthwise) ForwardPiece(piece, pieces int, y, x, w, bias []float32, l Limits, scratch []float32, stop Stop) {
	first, end := piece*d.Channels/pieces, (piece+1)*d.Channels/pieces
	in, out, _, _ := d.sizes()
	m := first * d.Multiplier
	if bias != nil {
		bias = bias[m:]
	}
	d.forwardChannels(end-first, y[m*out:], x[first*in:], w[m*d.KernelH*d.KernelW:], bias, l, 1, scratch, stop)
}

func (d *Depthwise) forwardChannels(channels int, y, x, w, bias []float32, l Limits, samples int, scratch []float32, stop Stop) {
	in, out, inSample, outSample := d.sizes()
	taps := d.KernelH * d.KernelW
	if !d.ready() {
		d.eachPlane(channels, samples, stop, func(i, m, from int) {
			var b float32
			if bias != nil {
				b = bias[m]
			}
			to := y[i*out:][:out]
			d.convolve(to, x[from*in:][:in], w[m*taps:], scratch)
			l.apply(to, to, b)
		})
		return
	}
	p := depthPass{program: &d.forward, channels: channels, xSample: inSample, ySample: outSample, xPlane: in, yPlane: d.Multiplier * out, wPlane: d.Multiplier * taps, limits: l, how: d.reads(even), stop: stop}
	for j := range d.Multiplier {
		p.x, p.y, p.w, p.bias = x, y[j*out:], w[j*taps:], zero[:]
		if bias != nil {
			p.bias, p.biasStep = bias[j:], d.Multiplier
		}
		p.run(samples)
	}
}

// zero stands for a bias that there is none of.
var zero [1]float32

// eachPlane calls f for the planes of the results of samples: i numbers them all, m
// those of a sample; from is the number of the input plane.
func (d *Depthwise) eachPlane(channels, samples int, stop Stop, f func(i, m, from int)) {
	planes := channels * d.Multiplier
	for i := range samples * planes {
		if stop.Now() {
			return
		}
		f(i, i%planes, i/d.Multiplier)
	}
}

// BackwardInput writes the gradient by the planes into dx, or adds it with add.
// See Stop.
func (d *Depthwise) BackwardInput(dx, dy, w []float32, add bool, samples int, scratch []float32, stop Stop) {
	in, out, inSample, outSample := d.sizes()
	taps := d.KernelH * d.KernelW
	if !d.ready() {
		d.eachPlane(d.Channels, samples, stop, func(i, m, from int) {
			d.inputGrad(dx[from*in:][:in], dy[i*out:][:out], w[m*taps:], add || m%d.Multiplier > 0, scratch)
		})
		return
	}
	p := depthPass{program: &d.input, channels: d.Channels, xSample: outSample, ySample: inSample, xPlane: d.Multiplier * out, yPlane: in, wPlane: d.Multiplier * taps, limits: NoLimits, how: d.reads(spread), stop: stop}
	for j := range d.Multiplier {
		p.x, p.y, p.w, p.bias, p.add = dy[j*out:], dx, w[j*taps:], zero[:], add || j > 0
		p.run(samples)
	}
}

// depthPass is a pass over all samples of a program.
type depthPass struct {
	program          *depthProgram
	channels         int
	x, y, w, bias    []float32
	xSample, ySample int
	xPlane, yPlane   int
	wPlane, biasStep int
	limits           Limits
	add              bool
	how              reading
	stop             Stop
}

// together is how many samples the assembly takes at a time.
const together = 4

// run computes the planes of all samples.
func (p *depthPass) run(samples int) {
	one, four := depth1F32, depth4F32
	switch {
	case p.how == even:
		one, four = wideDepthEven1F32, wideDepthEven4F32
	case p.how == spread:
		one, four = wideDepthSpread1F32, wideDepthSpread4F32
	case useWide:
		one, four = wideDepth1F32, wideDepth4F32
	}
	for s := 0; s < samples && !p.stop.Now(); {
		kernel, n := one, 1
		if samples-s >= together {
			kernel, n = four, together
		}
		kernel(p.channels, unsafe.SliceData(p.program.items), p.program.vectors, unsafe.SliceData(p.x[s*p.xSample:]), 4*p.xPlane, 4*p.xSample,
			unsafe.SliceData(p.y[s*p.ySample:]), 4*p.yPlane, 4*p.ySample, unsafe.SliceData(p.w), 4*p.wPlane, unsafe.SliceData(p.bias), 4*p.biasStep,
			p.limits.Low, p.limits.High, p.add)
		s += n
	}
}

// BackwardWeight adds the gradient by the kernels to dw. See Stop.
func (d *Depthwise) BackwardWeight(dw, dy, x []float32, samples int, scratch []float32, stop Stop) {
	in, out, inSample, outSample := d.sizes()
	taps := d.KernelH * d.KernelW
	if !d.ready() || d.Multiplier > 1 {
		d.eachPlane(d.Channels, samples, stop, func(i, m, from int) {
			d.weightGrad(dw[m*taps:][:taps], dy[i*out:][:out], x[from*in:][:in], scratch)
		})
		return
	}
	one, four := depthWeights1F32, depthWeights4F32
	switch {
	case d.StrideW == 2:
		one, four = wideDepthEvenWeights1F32, wideDepthEvenWeights4F32
	case useWide:
		one, four = wideDepthWeights1F32, wideDepthWeights4F32
	}
	run := func(kernel func(channels int, program *int32, vectors int, x *float32, xPlane, xSample int, y *float32, yPlane, ySample, groups, taps int, sums, w *float32), s, groups int) {
		if groups > 0 && !stop.Now() {
			kernel(d.Channels, unsafe.SliceData(d.forward.items), d.forward.vectors, unsafe.SliceData(x[s*inSample:]), 4*in, 4*inSample,
				unsafe.SliceData(dy[s*outSample:]), 4*out, 4*outSample, groups, taps, unsafe.SliceData(scratch), unsafe.SliceData(dw))
		}
	}
	run(four, 0, samples/together)
	run(one, samples/together*together, samples%together)
}
