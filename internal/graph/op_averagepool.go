package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

// whole reports whether the only window is the plane.
func (g *geometry) whole() bool {
	return g.oh*g.ow == 1 && g.KernelH == g.Height && g.KernelW == g.Width && g.DilationH*g.DilationW == 1 && g.Top+g.Left == 0
}

// means writes the mean of every plane.
func means(dst, src []float32) {
	n := len(src) / len(dst)
	kernel.SumRows(dst, src, n, float64(n))
}

// byRows is Forward for windows that move by one column: every tap adds a part
// of a row of the input to the row of the output.
func (op AveragePool) byRows(c *Call, g *geometry) {
	for p := range c.N * g.Channels {
		src, dst := plane(c.In[0], p, g.Height*g.Width), plane(c.Out, p, g.oh*g.ow)
		for oy := range g.oh {
			ty, row := window(oy*g.StrideH-g.Top, g.KernelH, g.DilationH, g.Height), dst[oy*g.ow:][:g.ow]
			clear(row)
			for y := ty.first; y < ty.end; y += ty.step {
				g.addTaps(row, src[y*g.Width:][:g.Width])
			}
			op.divide(g, row, oy*g.ow, ty)
		}
	}
}

// addTaps adds to every element of row the taps of its window in the row src.
func (g *geometry) addTaps(row, src []float32) {
	for k := range g.KernelW {
		shift := k*g.DilationW - g.Left
		if lo, hi := max(0, -shift), min(len(row), g.Width-shift); lo < hi {
			kernel.Add32(row[lo:hi], row[lo:hi], src[lo+shift:hi+shift])
		}
	}
}

// divide divides the sums of the row that starts at output o. Windows wholly
// inside the image's columns share one divisor.
func (op AveragePool) divide(g *geometry, row []float32, o int, ty taps) {
	divisor := func(ox int) float32 {
		return op.divisor(g, o+ox, ty, window(ox-g.Left, g.KernelW, g.DilationW, g.Width))
	}
	first := min(g.Left, len(row))
	last := max(first, min(len(row), g.Width+g.Left-(g.KernelW-1)*g.DilationW))
	for ox := range first {
		row[ox] /= divisor(ox)
	}
	if first < last {
		kernel.Scale32(row[first:last], 1/divisor(first), row[first:last])
	}
	for ox := last; ox < len(row); ox++ {
		row[ox] /= divisor(ox)
	}
}

// plane returns plane i of x, whose planes have n elements.
func plane(x []float32, i, n int) []float32 { return x[i*n : (i+1)*n] }
