package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
	"strings"

	"golang.org/x/image/webp"
)

// guard turns a panic of a decoder, which is made for files that it knows, into
// an error.
func guard[T any](c codec, f func(io.Reader) (T, error), r io.Reader) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the %s decoder failed: %v", ErrFormat, c.name, p)
		}
	}()
	v, err = f(r)
	switch {
	case err == nil:
	case strings.HasSuffix(err.Error(), "EOF"): // package gif does not wrap it
		err = fmt.Errorf("%w: the %s file is cut off: %w", ErrFormat, c.name, err)
	default:
		err = fmt.Errorf("%w: broken or unsupported %s: %w", ErrFormat, c.name, err)
	}
	return v, err
}

// decodeGIF reads the first frame and puts it where it belongs on the logical
// screen, which may be larger.
func decodeGIF(r io.Reader) (image.Image, error) {
	var head [10]byte // signature, width and height
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	m, err := gif.Decode(io.MultiReader(bytes.NewReader(head[:]), r))
	if err != nil {
		return nil, err
	}
	w, h := binary.LittleEndian.Uint16(head[6:]), binary.LittleEndian.Uint16(head[8:])
	return &onScreen{m, image.Rect(0, 0, int(w), int(h))}, nil
}

// onScreen is a frame on a larger screen, which is transparent elsewhere.
type onScreen struct {
	image.Image
	screen image.Rectangle
}

func (m *onScreen) Bounds() image.Rectangle { return m.screen }

func (m *onScreen) At(x, y int) color.Color {
	if !image.Pt(x, y).In(m.Image.Bounds()) {
		return color.RGBA{}
	}
	return m.Image.At(x, y)
}

// decodeWebP reads a WebP. Its lossy format has the video range of BT.601, which
// package webp returns as if it were the full range of JPEG.
func decodeWebP(r io.Reader) (image.Image, error) {
	m, err := webp.Decode(r)
	switch m := m.(type) {
	case *image.YCbCr:
		return &video{&image.NYCbCrA{YCbCr: *m}}, err
	case *image.NYCbCrA:
		return &video{m}, err
	}
	return m, err
}

// video is an image in the video range: luma from 16 to 235, chroma from 16 to
// 240. Without A it is opaque.
type video struct{ *image.NYCbCrA }

// RGBA64At converts as libwebp does (src/dsp/yuv.h), in fixed point with 14 bits.
func (m *video) RGBA64At(x, y int) color.RGBA64 {
	i, k := m.YOffset(x, y), m.COffset(x, y)
	luma, cb, cr := int(m.Y[i]), int(m.Cb[k]), int(m.Cr[k])
	high := func(v, factor int) int { return v * factor >> 8 }
	rgb := [3]int{
		high(luma, 19077) + high(cr, 26149) - 14234,
		high(luma, 19077) - high(cb, 6419) - high(cr, 13320) + 8708,
		high(luma, 19077) + high(cb, 33050) - 17685,
	}
	alpha := uint32(255)
	if m.A != nil {
		alpha = uint32(m.A[m.AOffset(x, y)])
	}
	part := func(v int) uint16 { return uint16(uint32(max(0, min(v>>6, 255))) * 257 * alpha / 255) }
	return color.RGBA64{R: part(rgb[0]), G: part(rgb[1]), B: part(rgb[2]), A: uint16(alpha * 257)}
}
