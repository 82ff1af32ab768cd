package kernel

import (
	"math"
	"unsafe"
)

// few is the largest number of input planes whose gradient is summed up straight
// from the padded image, without packing, by the assembly for AVX-512 and NEON:
// each element of the image takes part in so few products.
const few = 4

// unpacked reports whether BackwardInput takes that way.
func (c *Conv) unpacked() bool { return hasTapRows() && c.Channels <= few }

// length returns the positions of a phase, with the gaps between its rows.
func (l *lattice) length() int { return (l.rows-1)*l.stepY + l.cols }

// directScratch returns the room for the sums of any phase.
func (c *Conv) directScratch() int {
	size := 0
	for i := range c.phases {
		size = max(size, c.Channels*c.phases[i].length())
	}
	return size
}

// directInput computes a phase of one sample's gradient.
func (c *Conv) directInput(p *phase, dx, img, packed []float32, add bool, scratch []float32) {
	n := p.length()
	tapRows(c.Channels, n, img[p.base:], p.taps, packed[p.start:], scratch)
	for ch := range c.Channels {
		c.storeRows(p, dx[ch*c.Height*c.Width+p.first:], scratch[ch*n:], add)
	}
}

// tapRows stores the sums over the taps for each of the rows of packed weights,
// n elements of dst each. img starts at the first position; taps may lie before
// it.
func tapRows(rows, n int, img []float32, taps []int32, packed, dst []float32) {
	from, offsets, a, to := unsafe.SliceData(img), unsafe.SliceData(taps), unsafe.SliceData(packed), unsafe.SliceData(dst)
	switch rows {
	case 1:
		tapRows1F32(n, from, len(taps), offsets, a, to, 4*n)
	case 2:
		tapRows2F32(n, from, len(taps), offsets, a, to, 4*n)
	case 3:
		tapRows3F32(n, from, len(taps), offsets, a, to, 4*n)
	default:
		tapRows4F32(n, from, len(taps), offsets, a, to, 4*n)
	}
}

// storeRows takes the rows of a phase to where they belong in a plane.
func (c *Conv) storeRows(p *phase, dst, src []float32, add bool) {
	switch {
	case p.rightX == 2:
		spreadF32(p.rows, p.cols, unsafe.SliceData(src), 4*p.stepY, unsafe.SliceData(dst), 4*p.downY, add)
	case p.rightX == 1 && add:
		finishRows(p.rows, p.cols, src, p.stepY, dst, p.downY, 0, float32(math.Inf(-1)), true)
	case p.rightX == 1:
		copyRows(p.rows, p.cols, src, p.stepY, dst, p.downY)
	default:
		for y := range p.rows {
			storeApart(dst[y*p.downY:], src[y*p.stepY:][:p.cols], p.rightX, add)
		}
	}
}

func storeApart(dst, src []float32, apart int, add bool) {
	for x, v := range src {
		if add {
			v += dst[x*apart]
		}
		dst[x*apart] = v
	}
}
