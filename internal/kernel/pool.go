package kernel

import (
	"math"
	"unsafe"
)

// MaxPool is a maximum over windows, prepared for one geometry like Depthwise.
type MaxPool struct {
	d      *Depthwise
	deltas []int32 // of the taps, in the plane
}

// NewMaxPool prepares a maximum over windows; g.Channels is not used.
func NewMaxPool(g Window) *MaxPool {
	p := &MaxPool{d: NewDepthwise(g)}
	for ky := range g.KernelH {
		for kx := range g.KernelW {
			p.deltas = append(p.deltas, int32(ky*g.DilationH*g.Width+kx*g.DilationW))
		}
	}
	return p
}

// Scratch returns the number of scratch elements that Forward needs.
func (p *MaxPool) Scratch() int { return p.d.splitSize() + 2*p.d.length }

// Forward writes the largest element under each window of one plane into dst
// (OutHeight×OutWidth) and, unless arg is nil, its index within src into arg:
// the first of equal elements, and the last NaN if there is one. Where no
// element exceeds −Inf, the value is −Inf and the index −1.
func (p *MaxPool) Forward(dst []float32, arg []int32, src, scratch []float32) {
	d, g := p.d, &p.d.Window
	split, rest := scratch[:d.splitSize()], scratch[d.splitSize():]
	wide, places := rest[:d.length], rest[d.length:][:d.length]
	for i := range split {
		split[i] = float32(math.Inf(-1))
	}
	d.split(split, src)
	p.winners(wide, places, split)
	cols := g.OutWidth()
	for oy := range g.OutHeight() {
		copy(dst[oy*cols:][:cols], wide[oy*d.width:])
		if arg == nil {
			continue
		}
		start := int32((oy*g.StrideH-g.Top)*g.Width - g.Left)
		row := places[oy*d.width:][:cols]
		for ox, to := 0, arg[oy*cols:][:cols]; ox < cols; ox++ {
			if delta := int32(math.Float32bits(row[ox])); delta < 0 {
				to[ox] = -1
			} else {
				to[ox] = start + int32(ox*g.StrideW) + delta
			}
		}
	}
}

// winners stores the maxima with gaps, and the bits of the winner's delta.
func (p *MaxPool) winners(wide, places, split []float32) {
	if useAsm {
		maxTapsF32(len(wide), unsafe.SliceData(split), len(p.deltas), unsafe.SliceData(p.d.offsets), unsafe.SliceData(p.deltas),
			unsafe.SliceData(wide), unsafe.SliceData(places))
		return
	}
	for i := range wide {
		best, at := float32(math.Inf(-1)), int32(-1)
		for t, off := range p.d.offsets {
			if v := split[i+int(off)]; v > best || v != v {
				best, at = v, p.deltas[t]
			}
		}
		wide[i], places[i] = best, math.Float32frombits(uint32(at))
	}
}

// inside returns the taps [lo, hi) of a window that starts at x0 which lie in
// [0, n).
func inside(x0, taps, dilation, n int) (lo, hi int) {
	hi = taps
	if x0 < 0 {
		lo = (-x0 + dilation - 1) / dilation
	}
	if end := x0 + (taps-1)*dilation; end >= n {
		hi = taps - (end-n)/dilation - 1
	}
	return lo, max(lo, hi)
}

// MaxPoolGrad adds each element of dy to the element of dx at the index that
// MaxPool gave, and drops it where that is −1.
func MaxPoolGrad(dx, dy []float32, arg []int32) {
	for i, at := range arg {
		if at >= 0 {
			dx[at] += dy[i]
		}
	}
}

// AvgPool writes the mean under each window of one plane into dst
// (OutHeight×OutWidth). With countPad the divisor is the window's size,
// otherwise the number of its elements inside the plane; a window over nothing
// but padding yields 0.
func AvgPool(dst, src []float32, g *Window, countPad bool) {
	g.eachWindow(func(out, low, high, first, last, y0, x0 int) {
		var sum float32
		for ky := low; ky < high; ky++ {
			i := (y0+ky*g.DilationH)*g.Width + x0
			for kx := first; kx < last; kx++ {
				sum += src[i+kx*g.DilationW]
			}
		}
		dst[out] = sum * g.weight(countPad, (high-low)*(last-first))
	})
}

// AvgPoolGrad adds to dx the adjoint of AvgPool applied to dy.
func AvgPoolGrad(dx, dy []float32, g *Window, countPad bool) {
	g.eachWindow(func(out, low, high, first, last, y0, x0 int) {
		v := dy[out] * g.weight(countPad, (high-low)*(last-first))
		for ky := low; ky < high; ky++ {
			i := (y0+ky*g.DilationH)*g.Width + x0
			for kx := first; kx < last; kx++ {
				dx[i+kx*g.DilationW] += v
			}
		}
	})
}

func (g *Window) weight(countPad bool, count int) float32 {
	if countPad {
		count = g.KernelH * g.KernelW
	}
	return 1 / float32(max(1, count))
}

// eachWindow calls do with the index of every output, its taps inside the plane
// and its window's start.
func (g *Window) eachWindow(do func(out, low, high, first, last, y0, x0 int)) {
	outH, outW := g.OutHeight(), g.OutWidth()
	for oy := range outH {
		y0 := oy*g.StrideH - g.Top
		low, high := inside(y0, g.KernelH, g.DilationH, g.Height)
		for ox := range outW {
			x0 := ox*g.StrideW - g.Left
			first, last := inside(x0, g.KernelW, g.DilationW, g.Width)
			do(oy*outW+ox, low, high, first, last, y0, x0)
		}
	}
}

// AsInt32 returns the memory of x for integers.
func AsInt32(x []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
