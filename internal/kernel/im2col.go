package kernel

// Im2col writes the matrix whose product with the weights is the convolution
// of one sample: row (c, ky, kx), in this order, holds for each output position
// the input element under that tap, or 0 in the padding. src is
// Channels×Height×Width, dst Taps×(OutHeight·OutWidth), overwritten.
func Im2col(dst, src []float32, g *Window) {
	outH, outW := g.OutHeight(), g.OutWidth()
	g.eachTap(func(row, plane, ky, kx int) {
		im2colPlane(dst[row*outH*outW:][:outH*outW], src[plane:][:g.Height*g.Width], g, outW, ky, kx)
	})
}

// Col2im adds to dst, which is Channels×Height×Width, what Im2col's adjoint
// makes of the matrix src: every element goes back to where Im2col took it.
func Col2im(dst, src []float32, g *Window) {
	outH, outW := g.OutHeight(), g.OutWidth()
	g.eachTap(func(row, plane, ky, kx int) {
		col2imPlane(dst[plane:][:g.Height*g.Width], src[row*outH*outW:][:outH*outW], g, outW, ky, kx)
	})
}

// eachTap calls do for every row of the matrix, with the start of its plane and
// the tap's distance from the window's start.
func (g *Window) eachTap(do func(row, plane, ky, kx int)) {
	row := 0
	for c := range g.Channels {
		for ky := range g.KernelH {
			for kx := range g.KernelW {
				do(row, c*g.Height*g.Width, ky*g.DilationH, kx*g.DilationW)
				row++
			}
		}
	}
}

func im2colPlane(dst, src []float32, g *Window, outW, ky, kx int) {
	outH := len(dst) / max(1, outW)
	top, bottom := span(g.Height, outH, ky, g.StrideH, g.Top)
	left, right := span(g.Width, outW, kx, g.StrideW, g.Left)
	clear(dst[:top*outW])
	clear(dst[bottom*outW:])
	for oy := top; oy < bottom; oy++ {
		row := dst[oy*outW:][:outW]
		clear(row[:left])
		clear(row[right:])
		if left == right {
			continue
		}
		from := src[(oy*g.StrideH+ky-g.Top)*g.Width+left*g.StrideW+kx-g.Left:]
		if row = row[left:right]; g.StrideW == 1 {
			copy(row, from)
			continue
		}
		for i := range row {
			row[i] = from[i*g.StrideW]
		}
	}
}

func col2imPlane(dst, src []float32, g *Window, outW, ky, kx int) {
	outH := len(src) / max(1, outW)
	top, bottom := span(g.Height, outH, ky, g.StrideH, g.Top)
	left, right := span(g.Width, outW, kx, g.StrideW, g.Left)
	if left == right {
		return
	}
	for oy := top; oy < bottom; oy++ {
		row := src[oy*outW:][left:right]
		to := dst[(oy*g.StrideH+ky-g.Top)*g.Width+left*g.StrideW+kx-g.Left:]
		if g.StrideW == 1 {
			Add32(to, row, to)
			continue
		}
		for i, v := range row {
			to[i*g.StrideW] += v
		}
	}
}
