package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"sync"

	"github.com/dlfd-go/unlearn/feature"
)

// ImageOptions says what images are turned into.
type ImageOptions struct {
	// Size is the height and the width that images are resized to, by the
	// Catmull-Rom kernel, stretched to the source's pixels when an image gets
	// smaller, so that nothing aliases; the aspect is not kept. If it is zero,
	// images keep their size, and all must have the same.
	Size [2]int

	// Channels is 1 for gray or 3 for red, green, blue. If it is zero, images
	// keep what they have, and all must have the same.
	Channels int

	// Pixels normalizes the pixels, which are in [0, 1] without. The zero value
	// leaves them there.
	Pixels feature.Pixels

	// Upright turns images as their EXIF orientation says, in JPEG and TIFF
	// files. If it is false, they are read as they are stored.
	Upright bool

	// SkipUnreadable leaves out the images that are missing, broken, of a
	// format that is not read, or beyond MaxPixels or MaxSide, and lists them
	// in Set.Skipped. If it is false, the first of them are the error.
	SkipUnreadable bool

	// MaxPixels is the largest height×width that an image is decoded with. If
	// it is zero, 1<<25 (33.5 megapixels) is used. A colored pixel of 16 bits a
	// channel counts as two. While an image is decoded, a pixel takes up to 4
	// bytes, 6 in a progressive JPEG; images of more than 1<<22 pixels are
	// decoded one at a time.
	MaxPixels int

	// MaxSide is the largest height or width that an image is decoded with. If
	// it is zero, 65535 is used, which is the largest that JPEG has.
	MaxSide int

	// MaxBytes is the largest size of the whole set in memory, or with OnDemand of
	// one image. If it is zero, 1<<32 (4 GiB) is used.
	MaxBytes int64

	// OnDemand leaves images in their files until they are asked for, so that
	// memory is set by CacheBytes and not by the number of images; see the
	// package's comment. [IDX] refuses it.
	OnDemand bool

	// CacheBytes is the most that a set read on demand keeps in memory: decoded
	// pixels, n·c·h·w bytes for n images, or the pages of a pack. If it is zero,
	// 1<<28 (256 MiB) is used. Without a pack, the garbage collector needs up to as
	// much again (GOGC).
	CacheBytes int64

	// Pack is the path of a file with the decoded pixels, n·c·h·w bytes, which is
	// written when it is not there and then used for every read. It implies
	// OnDemand. If it is empty, there is none.
	Pack string
}

// resolve returns o with its defaults filled in, or an error that says what is
// out of range.
func (o ImageOptions) resolve() (ImageOptions, error) {
	if o.MaxPixels == 0 {
		o.MaxPixels = 1 << 25
	}
	if o.MaxSide == 0 {
		o.MaxSide = 1<<16 - 1
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 32
	}
	o.OnDemand = o.OnDemand || o.Pack != ""
	if o.CacheBytes < 0 || o.CacheBytes > 0 && !o.OnDemand {
		return o, fmt.Errorf("dataset: %w: CacheBytes %d, want a positive number, or 0 for the default, with OnDemand or Pack", feature.ErrParameter, o.CacheBytes)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 1 << 28
	}
	switch h, w := o.Size[0], o.Size[1]; {
	case h < 0 || w < 0 || (h == 0) != (w == 0):
		return o, fmt.Errorf("dataset: %w: size %d×%d, want both positive or both 0", feature.ErrShape, h, w)
	case o.Channels != 0 && o.Channels != 1 && o.Channels != 3:
		return o, fmt.Errorf("dataset: %w: %d channels, want 1, 3 or 0 to keep", feature.ErrShape, o.Channels)
	case o.MaxPixels < 0 || o.MaxSide < 0 || o.MaxBytes < 0:
		return o, fmt.Errorf("dataset: %w: limits of %d pixels, %d a side and %d bytes must not be negative", ErrTooLarge, o.MaxPixels, o.MaxSide, o.MaxBytes)
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
	case max(c.Width, c.Height) > o.MaxSide:
		return fmt.Errorf("%w: image of %d×%d pixels, the limit of a side is %d", ErrTooLarge, c.Height, c.Width, o.MaxSide)
	case int64(c.Width)*int64(c.Height)*pixelCost(c) > int64(o.MaxPixels):
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

// pixelCost is 2 for 16 bits in each of four channels.
func pixelCost(c image.Config) int64 {
	if c.ColorModel == color.RGBA64Model || c.ColorModel == color.NRGBA64Model {
		return 2
	}
	return 1
}

func configChannels(c image.Config) int {
	if c.ColorModel == color.GrayModel || c.ColorModel == color.Gray16Model {
		return 1
	}
	return 3
}

// picture is an image file whose header has been read.
type picture struct {
	file        *io.SectionReader
	codec       codec
	config      image.Config // upright, if that is wanted
	orientation int          // of EXIF, or upright if it is not wanted
}

// header reads what comes before the pixels.
func (o ImageOptions) header(r io.ReaderAt, size int64) (picture, error) {
	p := picture{file: io.NewSectionReader(r, 0, size), orientation: upright}
	head := make([]byte, maxHead)
	n, err := p.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return p, bareError(err)
	}
	if p.codec, err = findCodec(head[:n]); err == nil {
		err = complete(p.codec, head[:n], size)
	}
	if err != nil {
		return p, err
	}
	if o.Upright {
		p.orientation = p.findOrientation()
	}
	config, err := guard(p.codec, p.codec.config, p.reader())
	p.config = orientedSize(config, p.orientation)
	return p, err
}

func (p *picture) findOrientation() int {
	switch p.codec.name {
	case "JPEG":
		return jpegOrientation(p.file, p.file.Size())
	case "TIFF":
		return tiffOrientation(p.file)
	}
	return upright
}

// reader returns the file from its beginning: as it is for TIFF, which is read
// here and there, and buffered for the others.
func (p *picture) reader() io.Reader {
	whole := io.NewSectionReader(p.file, 0, p.file.Size())
	if p.codec.name == "TIFF" {
		return whole
	}
	return bufio.NewReader(whole)
}

// manyPixels is from where on images are decoded one at a time, under largeImage,
// so that memory does not grow with the number of goroutines.
const manyPixels = 1 << 22

var largeImage sync.Mutex

// read decodes an image file into dst, which has the given shape.
func (o ImageOptions) read(dst []uint8, r io.ReaderAt, size int64, shape []int) error {
	p, err := o.header(r, size)
	if err != nil {
		return err
	}
	if err := o.check(p.config, shape); err != nil {
		return err
	}
	if p.config.Width*p.config.Height > manyPixels {
		largeImage.Lock()
		defer largeImage.Unlock()
	}
	m, err := guard(p.codec, p.codec.decode, p.reader())
	if err != nil {
		return err
	}
	stored := orientedSize(image.Config{Width: m.Bounds().Dx(), Height: m.Bounds().Dy()}, p.orientation)
	if stored.Width != p.config.Width || stored.Height != p.config.Height {
		return fmt.Errorf("%w: the header says %d×%d, the %s image is %d×%d",
			ErrFormat, p.config.Height, p.config.Width, p.codec.name, stored.Height, stored.Width)
	}
	p.render(dst, m, shape)
	return nil
}

// render writes m, upright if that is wanted, into dst.
func (p *picture) render(dst []uint8, m image.Image, shape []int) {
	if p.orientation == upright {
		render(dst, m, shape)
		return
	}
	c, h, w := shape[0], shape[1], shape[2]
	stored := []int{c, h, w}
	if p.orientation >= transposed {
		stored = []int{c, w, h}
	}
	turned := make([]uint8, len(dst))
	render(turned, m, stored)
	orient(dst, turned, p.orientation, h, w)
}
