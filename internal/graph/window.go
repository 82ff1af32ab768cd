package graph

import "fmt"

// Window is the geometry of a convolution or a pooling over the last two axes,
// height and width, with ONNX's meaning.
type Window struct {
	Stride   [2]int // If an entry is zero, 1 is used.
	Dilation [2]int // If an entry is zero, 1 is used.
	Pad      [4]int // top, left, bottom, right
}

// geometry is a window bound to an image.
type geometry struct {
	c, h, w    int // input
	oh, ow     int // output
	kh, kw     int
	sh, sw     int
	dh, dw     int
	top, left  int
	bottom, rt int
}

func orOne(v int) int {
	if v == 0 {
		return 1
	}
	return v
}

// bind computes the output's size. Where ceil is set, a last window counts
// that reaches beyond the padding, as long as it starts before it.
func (w Window) bind(shape []int, kh, kw int, ceil bool) (geometry, error) {
	if len(shape) != 3 {
		return geometry{}, fmt.Errorf("samples have shape %v, want channels×height×width", shape)
	}
	g := geometry{
		c: shape[0], h: shape[1], w: shape[2], kh: kh, kw: kw,
		sh: orOne(w.Stride[0]), sw: orOne(w.Stride[1]), dh: orOne(w.Dilation[0]), dw: orOne(w.Dilation[1]),
		top: w.Pad[0], left: w.Pad[1], bottom: w.Pad[2], rt: w.Pad[3],
	}
	limit := 1 << 20
	for _, v := range []int{g.sh, g.sw, g.dh, g.dw, kh, kw} {
		if v < 1 || v > limit {
			return g, fmt.Errorf("window of %d×%d, stride %v, dilation %v", kh, kw, w.Stride, w.Dilation)
		}
	}
	for _, v := range w.Pad {
		if v < 0 || v > limit {
			return g, fmt.Errorf("padding %v", w.Pad)
		}
	}
	g.oh = outSize(g.h, g.top, g.bottom, (kh-1)*g.dh+1, g.sh, ceil)
	g.ow = outSize(g.w, g.left, g.rt, (kw-1)*g.dw+1, g.sw, ceil)
	if g.oh < 1 || g.ow < 1 {
		return g, fmt.Errorf("window of %d×%d, dilation %v, does not fit an image of %d×%d with padding %v", kh, kw, w.Dilation, g.h, g.w, w.Pad)
	}
	return g, nil
}

func outSize(n, before, after, extent, stride int, ceil bool) int {
	free := n + before + after - extent
	if free < 0 {
		return 0
	}
	out := free/stride + 1
	if ceil && free%stride != 0 && out*stride < n+before {
		out++
	}
	return out
}

// inside returns the outputs [lo, hi) among n whose tap at the given offset
// from stride·i falls into [0, size).
func inside(n, stride, offset, size int) (lo, hi int) {
	if offset < 0 {
		lo = (-offset + stride - 1) / stride
	}
	if last := size - 1 - offset; last >= 0 {
		hi = last/stride + 1
	}
	lo, hi = min(lo, n), min(hi, n)
	return lo, max(lo, hi)
}

// im2col writes the windows of output rows [r0, r1) over channels [c0, c1) of
// the image x as a matrix of (c1−c0)·kh·kw rows, ld apart, and (r1−r0)·ow
// columns.
func (g *geometry) im2col(dst []float32, ld int, x []float32, c0, c1, r0, r1 int) {
	row := 0
	for c := c0; c < c1; c++ {
		img := x[c*g.h*g.w : (c+1)*g.h*g.w]
		for ky := range g.kh {
			for kx := range g.kw {
				g.gather(dst[row*ld:], img, ky, kx, r0, r1)
				row++
			}
		}
	}
}

// gather writes one row of the matrix of windows.
func (g *geometry) gather(dst, img []float32, ky, kx, r0, r1 int) {
	offset := kx*g.dw - g.left
	lo, hi := inside(g.ow, g.sw, offset, g.w)
	for oy := r0; oy < r1; oy++ {
		out := dst[(oy-r0)*g.ow : (oy-r0+1)*g.ow]
		iy := oy*g.sh + ky*g.dh - g.top
		if iy < 0 || iy >= g.h {
			clear(out)
			continue
		}
		clear(out[:lo])
		clear(out[hi:])
		src := img[iy*g.w : (iy+1)*g.w]
		if lo == hi {
			continue
		}
		if g.sw == 1 {
			copy(out[lo:hi], src[lo+offset:])
			continue
		}
		at := lo*g.sw + offset
		for i := range out[lo:hi] {
			out[lo+i] = src[at]
			at += g.sw
		}
	}
}

// col2im adds such a matrix back into the image: the adjoint of im2col.
func (g *geometry) col2im(x []float32, src []float32, ld int, c0, c1, r0, r1 int) {
	row := 0
	for c := c0; c < c1; c++ {
		img := x[c*g.h*g.w : (c+1)*g.h*g.w]
		for ky := range g.kh {
			for kx := range g.kw {
				g.scatter(img, src[row*ld:], ky, kx, r0, r1)
				row++
			}
		}
	}
}

func (g *geometry) scatter(img, src []float32, ky, kx, r0, r1 int) {
	offset := kx*g.dw - g.left
	lo, hi := inside(g.ow, g.sw, offset, g.w)
	if lo == hi {
		return
	}
	for oy := r0; oy < r1; oy++ {
		iy := oy*g.sh + ky*g.dh - g.top
		if iy < 0 || iy >= g.h {
			continue
		}
		from := src[(oy-r0)*g.ow+lo : (oy-r0)*g.ow+hi]
		to := img[iy*g.w : (iy+1)*g.w]
		if g.sw == 1 {
			add(to[lo+offset:][:len(from)], from)
			continue
		}
		at := lo*g.sw + offset
		for _, v := range from {
			to[at] += v
			at += g.sw
		}
	}
}
