package kernel

import (
	"math"
	"unsafe"
)

// MaxPool is a maximum over windows, prepared for one geometry: NewMaxPool allocates its
// tables, Forward handles one plane, allocates nothing and may run at the same time
// with scratch of its own.
type MaxPool struct {
	d      *planewise
	deltas []int32 // of the taps, in the plane
}

// NewMaxPool prepares a maximum over windows; g.Channels is not used.
func NewMaxPool(g Window) *MaxPool {
	p := &MaxPool{d: newPlanewise(g)}
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

// MaxPoolGrad adds each element of dy to the element of dx at the index that
// MaxPool gave, and drops it where that is −1.
func MaxPoolGrad(dx, dy []float32, arg []int32) {
	for i, at := range arg {
		if at >= 0 {
			dx[at] += dy[i]
		}
	}
}

// AsInt32 returns the memory of x for integers.
func AsInt32(x []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
