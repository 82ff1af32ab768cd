package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/par"
)

// IDXOptions says how IDX files are read.
type IDXOptions struct {
	Image ImageOptions

	// Classes names the classes. If it is nil, there are as many as the largest
	// label asks for, and they have no names; give it where a part of the data
	// may lack the last class.
	Classes []string
}

// IDX reads a file of images and a file of labels in the format of MNIST
// (http://yann.lecun.com/exdb/mnist): unsigned bytes, n×height×width and n, plain
// or compressed by gzip, told apart by their first bytes. Images are gray; with
// three channels they are repeated. All items are read: nothing is skipped. o may
// be nil.
//
// No memory is allocated because a header says so: sizes are checked against the
// limits of o, and memory grows with the data that is really there. For a
// compressed file, MaxBytes limits the decompressed size. Errors name
// the file and the item, and wrap ErrFormat, ErrTooLarge, ErrEmpty,
// feature.ErrShape or feature.ErrLabel.
func IDX(images, labels string, o *IDXOptions) (*Set, error) {
	if o == nil {
		o = &IDXOptions{}
	}
	opt, err := o.Image.resolve()
	if err != nil {
		return nil, err
	}
	if opt.OnDemand {
		return nil, fmt.Errorf("dataset: %s: %w: OnDemand and Pack are for files of single images", images, feature.ErrParameter)
	}
	dims, pix, err := readIDX(images, 3, opt.MaxBytes)
	if err != nil {
		return nil, err
	}
	// More labels than images are wrong anyway: the limit is for what a small
	// compressed file could decompress to.
	count, lab, err := readIDX(labels, 1, max(int64(dims[0]), 1<<20))
	if err != nil {
		return nil, err
	}
	if dims[0] != count[0] {
		return nil, fmt.Errorf("dataset: %w: %s holds %d images, %s %d labels", ErrFormat, images, dims[0], labels, count[0])
	}
	d, err := fromIDX(images, dims, pix, opt)
	if err != nil {
		return nil, err
	}
	if err := d.labelIDX(labels, lab, o.Classes); err != nil {
		return nil, err
	}
	return d.Normalize(opt.Pixels)
}

// fromIDX makes images of n×h×w bytes.
func fromIDX(file string, dims []int, pix []byte, o ImageOptions) (*Set, error) {
	n, h, w := dims[0], dims[1], dims[2]
	cfg := image.Config{ColorModel: color.GrayModel, Height: h, Width: w}
	if err := o.check(cfg, nil); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", file, err)
	}
	shape := o.fit(cfg)
	total, err := o.bound(n, shape)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", file, err)
	}
	d := &Set{shape: shape, size: total / n, bytes: pix, paths: make([]string, n)}
	for i := range d.paths {
		d.paths[i] = fmt.Sprintf("%s#%d", file, i)
	}
	if slices.Equal(shape, []int{1, h, w}) {
		return d, nil
	}
	d.bytes = make([]uint8, total)
	par.For(n, 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			m := &image.Gray{Pix: pix[i*h*w : (i+1)*h*w], Stride: w, Rect: image.Rect(0, 0, w, h)}
			render(d.bytes[i*d.size:(i+1)*d.size], m, shape)
		}
	})
	return d, nil
}

func (d *Set) labelIDX(file string, labels []byte, classes []string) error {
	if err := checkClasses(classes); err != nil {
		return err
	}
	d.name(classes)
	if classes == nil {
		d.count = int(slices.Max(labels)) + 1
	}
	d.labels = make([]int, len(labels))
	for i, l := range labels {
		if int(l) >= d.count {
			return fmt.Errorf("dataset: %s: item %d: %w: label %d of %d classes", file, i, feature.ErrLabel, l, d.count)
		}
		d.labels[i] = int(l)
	}
	return nil
}

// readIDX reads a file of unsigned bytes with the given number of axes.
func readIDX(file string, axes int, limit int64) ([]int, []byte, error) {
	f, err := openFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	dims, data, err := parseIDX(f, axes, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %s: %w", file, err)
	}
	return dims, data, nil
}

// parseIDX reads the header and the items of an IDX file, which may be
// compressed. It takes at most limit bytes of items.
func parseIDX(r io.Reader, axes int, limit int64) ([]int, []byte, error) {
	br := bufio.NewReader(r)
	if head, _ := br.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: the gzip header: %w", ErrFormat, err)
		}
		br = bufio.NewReader(z)
	}
	dims, size, err := idxHeader(br, axes, limit)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(br, size+1)) // one more shows what is left over
	item := size / int64(dims[0])
	switch got := int64(len(data)); {
	case err != nil:
		return nil, nil, fmt.Errorf("%w: item %d of %d: %w", ErrFormat, got/item, dims[0], err)
	case got < size:
		return nil, nil, fmt.Errorf("%w: item %d of %d is cut off: %d of %d bytes: %w", ErrFormat, got/item, dims[0], got, size, io.ErrUnexpectedEOF)
	case got > size:
		return nil, nil, fmt.Errorf("%w: more than the %d bytes of %d items", ErrFormat, size, dims[0])
	}
	return dims, data, nil
}

// idxHeader returns the sizes of the axes and their product.
func idxHeader(r io.Reader, axes int, limit int64) ([]int, int64, error) {
	var magic [4]byte
	if n, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, 0, fmt.Errorf("%w: header: the file ends after %d bytes: %w", ErrFormat, n, err)
	}
	if want := [4]byte{0, 0, 8, byte(axes)}; magic != want {
		return nil, 0, fmt.Errorf("%w: starts with % x, want % x (unsigned bytes, %d axes)", ErrFormat, magic, want, axes)
	}
	dims, size := make([]int, axes), int64(1)
	for i := range dims {
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, 0, fmt.Errorf("%w: header: the length of axis %d is cut off: %w", ErrFormat, i, err)
		}
		v := int64(binary.BigEndian.Uint32(b[:]))
		switch {
		case v == 0 && i == 0:
			return nil, 0, ErrEmpty
		case v == 0:
			return nil, 0, fmt.Errorf("%w: axis %d is empty", ErrFormat, i)
		case v > math.MaxInt32 || size > limit/v:
			return nil, 0, fmt.Errorf("%w: axis %d has length %d, the limit for all items is %d bytes", ErrTooLarge, i, v, limit)
		}
		dims[i], size = int(v), size*v
	}
	return dims, size, nil
}
