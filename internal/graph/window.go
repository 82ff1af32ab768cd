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

// bind checks the window and computes the size of the output. Where ceil is
// set, one more window counts that reaches beyond the bottom or right padding,
// as long as it starts in the image or in the padding before it: a window of
// padding alone would have no element to take the maximum of.
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
