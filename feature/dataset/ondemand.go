package dataset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/par"
)

// source has the pixels of samples that are not in memory.
type source interface {
	// pixels calls use with the pixels of sample k, which use must neither modify
	// nor keep.
	pixels(k int, use func(pix []uint8)) error
	close() error
}

// loadOnDemand is load for images that stay in their files.
func loadOnDemand(root *os.Root, items []item, o ImageOptions) (*Set, error) {
	errs := make([]error, len(items))
	d := &Set{}
	var err error
	if o.Pack != "" {
		err = d.openPack(root, items, o, errs)
	} else {
		err = d.openFiles(root, items, o, errs)
	}
	if err != nil {
		return nil, err
	}
	if d, err = d.Normalize(o.Pixels); err != nil {
		return nil, err
	}
	return d, nil
}

// openFiles lists the files and looks at their headers.
func (d *Set) openFiles(root *os.Root, items []item, o ImageOptions, errs []error) error {
	shape := o.firstShape(root, items, errs)
	if shape == nil {
		return noneReadable(items, errs)
	}
	size, err := o.bound(1, shape)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	stamps := make([]stamp, len(items))
	par.Each(len(items), func(_, i int) {
		if errs[i] == nil {
			stamps[i], errs[i] = o.inspect(root, items[i].path, shape)
		}
	})
	d.shape, d.size = shape, size
	kept, err := d.keep(items, errs, o.SkipUnreadable)
	if err != nil {
		return err
	}
	own, err := root.OpenRoot(".") // the caller closes the other
	if err != nil {
		return fmt.Errorf("dataset: %s: %w", root.Name(), bareError(err))
	}
	for n, i := range kept {
		stamps[n] = stamps[i]
	}
	d.source = newFiles(own, items[:len(kept)], stamps[:len(kept)], o, shape)
	return nil
}

// inspect describes a file below root and checks what its header says.
func (o ImageOptions) inspect(root *os.Root, name string, shape []int) (stamp, error) {
	f, _, err := openBelow(root, name)
	if err != nil {
		return stamp{}, err
	}
	defer f.Close()
	s, err := stampOf(f)
	if err != nil {
		return s, err
	}
	p, err := o.header(f, s.size)
	if err != nil {
		return s, err
	}
	return s, o.check(p.config, shape)
}

// stamp tells one state of a file from another: its size, and when it was last
// written, in nanoseconds since 1970.
type stamp struct{ size, time int64 }

func (s stamp) String() string {
	return fmt.Sprintf("%d bytes, written %s", s.size, time.Unix(0, s.time).UTC().Format(time.RFC3339Nano))
}

func stampOf(f *os.File) (stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return stamp{}, bareError(err)
	}
	return stamp{info.Size(), info.ModTime().UnixNano()}, nil
}

// digest is the first half of a SHA-256.
type digest [sha256.Size / 2]byte

func digestOf(b []byte) digest {
	sum := sha256.Sum256(b)
	return digest(sum[:])
}

// fetch is readBelow, which also tells what the file is that has been read. A file
// that is written to at the same time is an error.
func (o ImageOptions) fetch(dst []uint8, root *os.Root, name string, shape []int) (s stamp, sum digest, err error) {
	f, _, err := openBelow(root, name)
	if err != nil {
		return s, sum, err
	}
	defer f.Close()
	if s, err = stampOf(f); err != nil {
		return s, sum, err
	}
	if sum, err = digestFile(f, s.size); err != nil {
		return s, sum, err
	}
	err = o.read(dst, f, s.size, shape)
	if after, e := stampOf(f); e == nil && after != s {
		err = fmt.Errorf("%w: it is being written to", ErrChanged)
	}
	return s, sum, err
}

func digestFile(f *os.File, size int64) (sum digest, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, size)); err != nil {
		return sum, bareError(err)
	}
	return digest(h.Sum(nil)), nil
}

// files is a source that decodes a file when it is asked for a sample. Pixels stay
// in memory until there are as many as the options allow, and none gives way to
// another: where a loop passes over more samples than fit, in whatever order, to
// keep the last ones keeps those that are wanted last.
type files struct {
	root    *os.Root
	items   []item
	stamps  []stamp
	o       ImageOptions
	shape   []int
	size    int
	digests []atomic.Pointer[digest]  // of files that have been decoded
	kept    []atomic.Pointer[[]uint8] // pixels
	used    atomic.Int64              // bytes of kept
	buffers sync.Pool                 // of *[]uint8, for one image
}

func newFiles(root *os.Root, items []item, stamps []stamp, o ImageOptions, shape []int) *files {
	f := &files{
		root: root, items: slices.Clip(items), stamps: stamps, o: o, shape: shape, size: feature.Size(shape),
		digests: make([]atomic.Pointer[digest], len(items)), kept: make([]atomic.Pointer[[]uint8], len(items)),
	}
	f.buffers.New = func() any { b := make([]uint8, f.size); return &b }
	return f
}

func (f *files) pixels(k int, use func([]uint8)) error {
	if pix := f.kept[k].Load(); pix != nil {
		use(*pix)
		return nil
	}
	buf := f.buffers.Get().(*[]uint8)
	defer f.buffers.Put(buf)
	if err := f.decode(*buf, k); err != nil {
		return f.items[k].wrap(err)
	}
	use(*buf)
	f.keep(k, *buf)
	return nil
}

// keep keeps a copy of the pixels of a sample if there is room.
func (f *files) keep(k int, pix []uint8) {
	n := int64(f.size)
	if f.used.Add(n) <= f.o.CacheBytes {
		own := slices.Clone(pix)
		if f.kept[k].CompareAndSwap(nil, &own) {
			return
		}
	}
	f.used.Add(-n)
}

// decode decodes the file of a sample, which must be what it was when the set was
// made and when it was decoded before.
func (f *files) decode(dst []uint8, k int) error {
	s, sum, err := f.o.fetch(dst, f.root, f.items[k].path, f.shape)
	switch {
	case errors.Is(err, fs.ErrClosed):
		return fmt.Errorf("the set: %w", err)
	case s == stamp{} && err != nil:
		return fmt.Errorf("%w: %w", ErrChanged, err)
	case s != f.stamps[k]:
		return fmt.Errorf("%w: it was %v, and is %v", ErrChanged, f.stamps[k], s)
	case !f.digests[k].CompareAndSwap(nil, &sum) && *f.digests[k].Load() != sum:
		return fmt.Errorf("%w: its content is another, although its size and its time are not", ErrChanged)
	}
	return err
}

func (f *files) close() error { return f.root.Close() }

// fetch is Read for samples that are not in memory, several at a time.
func (d *Set) fetch(ctx context.Context, index []int, x []float32, labels []int) error {
	errs := make([]error, len(index))
	par.Each(len(index), func(_, i int) {
		if errs[i] = ctx.Err(); errs[i] != nil {
			return
		}
		labels[i] = d.labels[index[i]]
		errs[i] = d.source.pixels(index[i], func(pix []uint8) { d.image(x[i*d.size:(i+1)*d.size], pix) })
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// aheadSet is a Set that is read on demand.
type aheadSet struct{ *Set }

// ReadAhead implements feature.AheadReader.
func (d aheadSet) ReadAhead(ctx context.Context, index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(d, index, x, labels); err != nil {
		return featureError{err}
	}
	return d.fetch(ctx, index, x, labels)
}

// As implements the look-through of feature.As: a Set that is read on demand is
// also a feature.AheadReader, and one with several labels a sample a
// feature.MultiLabeled.
func (d *Set) As(target any) bool {
	switch t := target.(type) {
	case *feature.AheadReader:
		*t = aheadSet{d}
		return d.source != nil
	case *feature.MultiLabeled:
		*t = targetList(d.targets)
		return d.targets != nil
	}
	return false
}

// Close releases the files of a set that is read on demand; a later read is an
// error wrapping fs.ErrClosed, except of what is in the cache. What Normalize
// returns shares the files. A set in memory has nothing to close.
func (d *Set) Close() error {
	if d.source == nil {
		return nil
	}
	return d.source.close()
}
