package kernel

import "unsafe"

// Depthwise is a convolution of every plane with one small kernel of its own,
// prepared for one geometry: NewDepthwise allocates its table, the methods
// handle one plane, allocate nothing and may run at the same time with scratch
// of their own.
//
// The padded plane is split into StrideH·StrideW planes, so that every tap sees
// consecutive elements, and rows run on across the gaps between outputs.
type Depthwise struct {
	Window
	offsets       []int32 // of the taps in the split planes
	height, width int     // of a split plane
	length        int     // of the outputs with gaps
}

// NewDepthwise prepares a depthwise convolution; g.Channels is not used.
func NewDepthwise(g Window) *Depthwise {
	d := &Depthwise{Window: g}
	d.height = (g.Top + g.Height + g.Bottom + g.StrideH - 1) / g.StrideH
	d.width = (g.Left + g.Width + g.Right + g.StrideW - 1) / g.StrideW
	for ky := range g.KernelH {
		for kx := range g.KernelW {
			d.offsets = append(d.offsets, int32(d.at(ky*g.DilationH, kx*g.DilationW)))
		}
	}
	if rows := g.OutHeight(); rows > 0 {
		d.length = (rows-1)*d.width + g.OutWidth()
	}
	return d
}

// at returns the place of an element of the padded plane in the split planes.
func (d *Depthwise) at(y, x int) int {
	part := y%d.StrideH*d.StrideW + x%d.StrideW
	return (part*d.height+y/d.StrideH)*d.width + x/d.StrideW
}

func (d *Depthwise) splitSize() int { return d.StrideH * d.StrideW * d.height * d.width }

// Scratch returns the number of scratch elements that the methods need.
func (d *Depthwise) Scratch() int { return d.splitSize() + d.length }

// Forward writes the convolution of the plane x with the kernel w into y.
func (d *Depthwise) Forward(y, x, w, scratch []float32) {
	split, wide := scratch[:d.splitSize()], scratch[d.splitSize():][:d.length]
	clear(split)
	d.split(split, x)
	d.correlate(wide, split, w)
	cols := d.OutWidth()
	for oy := range d.OutHeight() {
		copy(y[oy*cols:][:cols], wide[oy*d.width:])
	}
}

func (d *Depthwise) correlate(wide, split, w []float32) {
	if useAsm {
		tapsF32(len(wide), unsafe.SliceData(split), len(d.offsets), unsafe.SliceData(d.offsets), unsafe.SliceData(w), unsafe.SliceData(wide))
		return
	}
	clear(wide)
	for t, off := range d.offsets {
		axpyPlain(w[t], split[off:][:len(wide)], wide)
	}
}

// BackwardInput writes the gradient by the plane into dx, or adds it with add.
func (d *Depthwise) BackwardInput(dx, dy, w []float32, add bool, scratch []float32) {
	split, wide := scratch[:d.splitSize()], scratch[d.splitSize():][:d.length]
	d.widen(wide, dy)
	clear(split)
	for t, off := range d.offsets {
		Axpy32(w[t], wide, split[off:])
	}
	d.join(dx, split, add)
}

// BackwardWeight adds the gradient by the kernel to dw. Its sums are taken in
// float64.
func (d *Depthwise) BackwardWeight(dw, dy, x, scratch []float32) {
	split, wide := scratch[:d.splitSize()], scratch[d.splitSize():][:d.length]
	d.widen(wide, dy)
	clear(split)
	d.split(split, x)
	for t, off := range d.offsets {
		dw[t] += float32(Dot32(wide, split[off:]))
	}
}

// widen copies the rows of dy with zeros in the gaps.
func (d *Depthwise) widen(wide, dy []float32) {
	clear(wide)
	cols := d.OutWidth()
	for oy := range d.OutHeight() {
		copy(wide[oy*d.width:], dy[oy*cols:][:cols])
	}
}

// split splits the plane; the padding is in place already.
func (d *Depthwise) split(split, x []float32) {
	for y := range d.Height {
		row := x[y*d.Width:][:d.Width]
		for part := range min(d.StrideW, d.Width) {
			to := split[d.at(y+d.Top, part+d.Left):]
			if d.StrideW == 1 {
				copy(to, row)
				continue
			}
			for i, n := part, 0; i < len(row); i, n = i+d.StrideW, n+1 {
				to[n] = row[i]
			}
		}
	}
}

// join is the adjoint of split.
func (d *Depthwise) join(x, split []float32, add bool) {
	for y := range d.Height {
		row := x[y*d.Width:][:d.Width]
		if !add {
			clear(row)
		}
		for part := range min(d.StrideW, d.Width) {
			from := split[d.at(y+d.Top, part+d.Left):]
			if d.StrideW == 1 {
				Add32(row, row, from)
				continue
			}
			for i, n := part, 0; i < len(row); i, n = i+d.StrideW, n+1 {
				row[i] += from[n]
			}
		}
	}
}
