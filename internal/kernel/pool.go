package kernel

import "math"

// MaxPool writes the largest element under each window of one plane into dst
// (OutHeight×OutWidth) and, unless arg is nil, its index within src into arg:
// the first of equal elements, and the last NaN if there is one. A window over
// nothing but padding yields −Inf and index −1.
func MaxPool(dst []float32, arg []int32, src []float32, g *Window) {
	outH, outW := g.OutHeight(), g.OutWidth()
	for oy := range outH {
		for ox := range outW {
			v, at := maxUnder(src, g, oy*g.StrideH-g.Top, ox*g.StrideW-g.Left)
			dst[oy*outW+ox] = v
			if arg != nil {
				arg[oy*outW+ox] = int32(at)
			}
		}
	}
}

func maxUnder(src []float32, g *Window, y0, x0 int) (best float32, at int) {
	best, at = float32(math.Inf(-1)), -1
	first, last := inside(x0, g.KernelW, g.DilationW, g.Width)
	low, high := inside(y0, g.KernelH, g.DilationH, g.Height)
	for ky := low; ky < high; ky++ {
		i := (y0+ky*g.DilationH)*g.Width + x0 + first*g.DilationW
		for kx := first; kx < last; kx++ {
			if v := src[i]; v > best || v != v || at < 0 {
				best, at = v, i
			}
			i += g.DilationW
		}
	}
	return best, at
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

// MaxPoolGrad adds each element of dy to the element of dx from which MaxPool
// took the maximum.
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
