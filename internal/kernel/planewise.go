package kernel

import "unsafe"

// planewise is a window over single planes that are copied first, for
// convolutions by plain Go and by geometries without a program (see depthwise.go),
// and for MaxPool. Its methods handle one plane.
//
// The padded plane is split into StrideH·StrideW planes, so that every tap sees
// consecutive elements, and rows run on across the gaps between outputs.
type planewise struct {
	Window
	offsets       []int32 // of the taps in the split planes
	height, width int     // of a split plane
	length        int     // of the outputs with gaps
}

// newPlanewise prepares a window; g.Channels is not used.
func newPlanewise(g Window) *planewise {
	d := &planewise{Window: g}
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
func (d *planewise) at(y, x int) int {
	part := y%d.StrideH*d.StrideW + x%d.StrideW
	return (part*d.height+y/d.StrideH)*d.width + x/d.StrideW
}

func (d *planewise) splitSize() int { return d.StrideH * d.StrideW * d.height * d.width }

// room returns the number of scratch elements that the methods need.
func (d *planewise) room() int { return d.splitSize() + d.length }

// convolve writes the convolution of the plane x with the kernel w into y.
func (d *planewise) convolve(y, x, w, scratch []float32) {
	split, wide := scratch[:d.splitSize()], scratch[d.splitSize():][:d.length]
	clear(split)
	d.split(split, x)
	d.correlate(wide, split, w)
	cols := d.OutWidth()
	for oy := range d.OutHeight() {
		copy(y[oy*cols:][:cols], wide[oy*d.width:])
	}
}

func (d *planewise) correlate(wide, split, w []float32) {
	if useAsm {
		tapsF32(len(wide), unsafe.SliceData(split), len(d.offsets), unsafe.SliceData(d.offsets), unsafe.SliceData(w), unsafe.SliceData(wide))
		return
	}
	clear(wide)
	for t, off := range d.offsets {
		axpyPlain(w[t], split[off:][:len(wide)], wide)
	}
}

// inputGrad writes the gradient by the plane into dx, or adds it with add.
func (d *planewise) inputGrad(dx, dy, w []float32, add bool, scratch []float32) {
	split, wide := scratch[:d.splitSize()], scratch[d.splitSize():][:d.length]
	d.widen(wide, dy)
	clear(split)
	for t, off := range d.offsets {
		Axpy32(w[t], wide, split[off:])
	}
	d.join(dx, split, add)
}

// weightGrad adds the gradient by the kernel to dw. Its sums are taken in
// float64.
func (d *planewise) weightGrad(dw, dy, x, scratch []float32) {
	split, wide := scratch[:d.splitSize()], scratch[d.splitSize():][:d.length]
	d.widen(wide, dy)
	clear(split)
	d.split(split, x)
	for t, off := range d.offsets {
		dw[t] += float32(Dot32(wide, split[off:]))
	}
}

// widen copies the rows of dy with zeros in the gaps.
func (d *planewise) widen(wide, dy []float32) {
	clear(wide)
	cols := d.OutWidth()
	for oy := range d.OutHeight() {
		copy(wide[oy*d.width:], dy[oy*cols:][:cols])
	}
}

// split splits the plane; the padding is in place already.
func (d *planewise) split(split, x []float32) {
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
func (d *planewise) join(x, split []float32, add bool) {
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
