package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"os"

	"github.com/dlfd-go/unlearn/feature"
	"golang.org/x/image/draw"
)

// ImageOptions says what images are turned into.
type ImageOptions struct {
	// Size is the height and the width that images are resized to, by the
	// Catmull-Rom kernel, stretched to the source's pixels when an image gets
	// smaller, so that nothing aliases; the aspect is not kept. If it is zero,
	// images keep their size, and all must have the same.
	Size [2]int

	// Channels is 1 for grey or 3 for red, green, blue. If it is zero, images
	// keep what they have, and all must have the same.
	Channels int

	// Pixels normalises the pixels, which are in [0, 1] without. The zero value
	// leaves them there.
	Pixels feature.Pixels

	// MaxPixels is the largest height×width that an image is decoded with. If
	// it is zero, 1<<25 (33.5 megapixels) is used.
	MaxPixels int

	// MaxBytes is the largest size of the whole set in memory. If it is zero,
	// 1<<32 (4 GiB) is used.
	MaxBytes int64
}

// resolve returns o with its defaults filled in, or an error that says what is
// out of range.
func (o ImageOptions) resolve() (ImageOptions, error) {
	if o.MaxPixels == 0 {
		o.MaxPixels = 1 << 25
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 32
	}
	switch h, w := o.Size[0], o.Size[1]; {
	case h < 0 || w < 0 || (h == 0) != (w == 0):
		return o, fmt.Errorf("dataset: %w: size %d×%d, want both positive or both 0", feature.ErrShape, h, w)
	case o.Channels != 0 && o.Channels != 1 && o.Channels != 3:
		return o, fmt.Errorf("dataset: %w: %d channels, want 1, 3 or 0 to keep", feature.ErrShape, o.Channels)
	case o.MaxPixels < 0 || o.MaxBytes < 0:
		return o, fmt.Errorf("dataset: %w: limits of %d pixels and %d bytes must not be negative", ErrTooLarge, o.MaxPixels, o.MaxBytes)
	case h > 0 && int64(w) > math.MaxInt64/int64(h)/3 || int64(h)*int64(w) > o.MaxBytes:
		return o, fmt.Errorf("dataset: %w: size %d×%d is more than %d bytes", ErrTooLarge, h, w, o.MaxBytes)
	}
	return o, nil
}

// fit returns the shape of images read by o, given the size and the channels of
// the first.
func (o ImageOptions) fit(first image.Config) []int {
	shape := []int{o.Channels, o.Size[0], o.Size[1]}
	if shape[0] == 0 {
		shape[0] = configChannels(first)
	}
	if shape[1] == 0 {
		shape[1], shape[2] = first.Height, first.Width
	}
	return shape
}

// bound returns n×size of shape, or an error if that is beyond the limit.
func (o ImageOptions) bound(n int, shape []int) (int, error) {
	total := float64(n) * float64(shape[0]) * float64(shape[1]) * float64(shape[2])
	if total > float64(o.MaxBytes) || total > math.MaxInt/2 {
		return 0, fmt.Errorf("%w: %d images of %v are %.3g bytes, the limit is %d", ErrTooLarge, n, shape, total, o.MaxBytes)
	}
	return n * feature.Size(shape), nil
}

// check returns an error unless an image may be decoded and made into shape.
func (o ImageOptions) check(c image.Config, shape []int) error {
	switch {
	case c.Width < 1 || c.Height < 1:
		return fmt.Errorf("%w: image is %d×%d", ErrFormat, c.Height, c.Width)
	case int64(c.Width)*int64(c.Height) > int64(o.MaxPixels):
		return fmt.Errorf("%w: image of %d×%d pixels, the limit is %d", ErrTooLarge, c.Height, c.Width, o.MaxPixels)
	case shape == nil:
		return nil
	case o.Size[0] == 0 && (c.Height != shape[1] || c.Width != shape[2]):
		return fmt.Errorf("%w: image is %d×%d, the first is %d×%d: set Size to resize", feature.ErrShape, c.Height, c.Width, shape[1], shape[2])
	case o.Channels == 0 && configChannels(c) != shape[0]:
		return fmt.Errorf("%w: image has %d channels, the first has %d: set Channels to convert", feature.ErrShape, configChannels(c), shape[0])
	}
	return nil
}

func configChannels(c image.Config) int {
	if c.ColorModel == color.GrayModel || c.ColorModel == color.Gray16Model {
		return 1
	}
	return 3
}

// A codec is one of the formats that are read. They are not looked up in
// package image's registry: what other packages register there must not change
// what this one accepts.
type codec struct {
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var codecs = [...]codec{
	{"\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode},
}

func sniff(r *bufio.Reader) (codec, error) {
	head, err := r.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return codec{}, err
	}
	for _, c := range codecs {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return c, nil
		}
	}
	return codec{}, fmt.Errorf("%w: neither PNG nor JPEG: starts with % x", ErrFormat, head)
}

// readConfig returns the size and the colours of an image file.
func readConfig(path string) (image.Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return image.Config{}, err
	}
	defer f.Close()
	c, err := sniff(bufio.NewReader(io.NewSectionReader(f, 0, 8)))
	if err != nil {
		return image.Config{}, err
	}
	cfg, err := c.config(bufio.NewReader(f))
	if err != nil {
		return image.Config{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return cfg, nil
}

// readImage decodes an image file into dst, which has the given shape.
func (o ImageOptions) readImage(dst []uint8, path string, shape []int) error {
	cfg, err := readConfig(path)
	if err != nil {
		return err
	}
	if err := o.check(cfg, shape); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	c, err := sniff(r)
	if err != nil {
		return err
	}
	m, err := c.decode(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	planes(dst, scale(opaque(m), shape[1], shape[2]), shape[0])
	return nil
}

// opaque returns m with 8 bits a channel over a black background: the
// premultiplied colours, with alpha left out.
func opaque(m image.Image) *image.RGBA {
	b := m.Bounds()
	dst := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	switch m.(type) {
	case *image.Gray, *image.YCbCr, *image.CMYK:
		stddraw.Draw(dst, dst.Rect, m, b.Min, stddraw.Src) // 8 bits, no alpha: exact
		return dst
	}
	for y := range b.Dy() {
		row := dst.Pix[y*dst.Stride:]
		for x := range b.Dx() {
			red, green, blue, _ := m.At(b.Min.X+x, b.Min.Y+y).RGBA()
			row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = to8(red), to8(green), to8(blue), 255
		}
	}
	return dst
}

// to8 rounds 16 bits to 8; 257·b goes to b.
func to8(v uint32) uint8 { return uint8((v + 128) / 257) }

func scale(m *image.RGBA, h, w int) *image.RGBA {
	if m.Rect.Dy() == h && m.Rect.Dx() == w {
		return m
	}
	// The scaler cuts off what does not fit into its target, which with 8 bits
	// would darken images by a quarter of a unit: take 16, then round.
	deep := image.NewRGBA64(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(deep, deep.Rect, m, m.Rect, draw.Src, nil)
	dst := image.NewRGBA(deep.Rect)
	for i := range dst.Pix {
		dst.Pix[i] = to8(uint32(deep.Pix[2*i])<<8 | uint32(deep.Pix[2*i+1]))
	}
	return dst
}

// planes writes m into dst as channels×height×width.
func planes(dst []uint8, m *image.RGBA, channels int) {
	n := m.Rect.Dx() * m.Rect.Dy()
	for i := range n {
		p := m.Pix[4*i : 4*i+3 : 4*i+3] // NewRGBA leaves no gap between rows
		if channels == 1 {
			dst[i] = luma(p[0], p[1], p[2])
			continue
		}
		dst[i], dst[n+i], dst[2*n+i] = p[0], p[1], p[2]
	}
}

// luma is that of ITU-R BT.601 with weights to 16 bits, which sum to 2¹⁶: grey
// stays as it is.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}
