package kernel

// Window is the geometry of a two-dimensional sliding window over planes of
// Height×Width elements: of a convolution (Channels planes at once) or of
// pooling (one plane at a time). Padding elements count as zero, and never win a
// maximum. Strides and dilations are at least 1.
type Window struct {
	Channels                 int // planes of the input, of one group
	Height, Width            int // of an input plane
	KernelH, KernelW         int
	StrideH, StrideW         int
	DilationH, DilationW     int
	Top, Left, Bottom, Right int // padding
}

// OutHeight returns the rows of an output plane.
func (g *Window) OutHeight() int {
	return outSize(g.Height+g.Top+g.Bottom, g.KernelH, g.StrideH, g.DilationH)
}

// OutWidth returns the columns of an output plane.
func (g *Window) OutWidth() int {
	return outSize(g.Width+g.Left+g.Right, g.KernelW, g.StrideW, g.DilationW)
}

func outSize(padded, kernel, stride, dilation int) int {
	return max(0, (padded-(kernel-1)*dilation-1+stride)/stride)
}

// Taps returns how many elements a window has over all channels.
func (g *Window) Taps() int { return g.Channels * g.KernelH * g.KernelW }

// span returns the outputs [lo, hi) whose element at distance tap from the
// window's start lies inside a line of n elements behind pad padding.
func span(n, out, tap, stride, pad int) (lo, hi int) {
	if tap < pad {
		lo = (pad - tap + stride - 1) / stride
	}
	if last := n - 1 + pad - tap; last >= 0 {
		hi = min(out, last/stride+1)
	}
	return min(lo, hi), hi
}
