package graph

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Window is the geometry of a convolution or a pooling over the last two axes,
// height and width, with ONNX's meaning.
type Window struct {
	Stride   [2]int // If an entry is zero, 1 is used.
	Dilation [2]int // If an entry is zero, 1 is used.
	Pad      [4]int // top, left, bottom, right
}

// geometry is a window bound to an image. The size of the output is its own: a
// pooling may count a window that reaches beyond the padding.
type geometry struct {
	kernel.Window
	oh, ow int
}

func orOne(v int) int {
	if v == 0 {
		return 1
	}
	return v
}

// bind checks the window and computes the size of the output. Where ceil is
// set, one more window counts that reaches beyond the bottom or right padding,
// as long as it starts in the image or in the padding before it: a window of
// padding alone would have no element to take the maximum of.
func (w Window) bind(shape []int, kh, kw int, ceil bool) (geometry, error) {
	if len(shape) != 3 {
		return geometry{}, fmt.Errorf("samples have shape %v, want channels×height×width", shape)
	}
	g := geometry{Window: kernel.Window{
		Channels: shape[0], Height: shape[1], Width: shape[2], KernelH: kh, KernelW: kw,
		StrideH: orOne(w.Stride[0]), StrideW: orOne(w.Stride[1]), DilationH: orOne(w.Dilation[0]), DilationW: orOne(w.Dilation[1]),
		Top: w.Pad[0], Left: w.Pad[1], Bottom: w.Pad[2], Right: w.Pad[3],
	}}
	limit := 1 << 20
	for _, v := range []int{g.StrideH, g.StrideW, g.DilationH, g.DilationW, kh, kw} {
		if v < 1 || v > limit {
			return g, fmt.Errorf("window of %d×%d, stride %v, dilation %v", kh, kw, w.Stride, w.Dilation)
		}
	}
	for _, v := range w.Pad {
		if v < 0 || v > limit {
			return g, fmt.Errorf("padding %v", w.Pad)
		}
	}
	g.oh = outSize(g.Height, g.Top, g.Bottom, (kh-1)*g.DilationH+1, g.StrideH, ceil)
	g.ow = outSize(g.Width, g.Left, g.Right, (kw-1)*g.DilationW+1, g.StrideW, ceil)
	if g.oh < 1 || g.ow < 1 {
		return g, fmt.Errorf("window of %d×%d, dilation %v, does not fit an image of %d×%d with padding %v", kh, kw, w.Dilation, g.Height, g.Width, w.Pad)
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
