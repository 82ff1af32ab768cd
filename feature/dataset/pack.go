package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/atomicfile"
	"github.com/dlfd-go/unlearn/internal/par"
)

// A pack is a header, the pixels of all images, one after the other, an index, and
// a trailer: the length of the index, its SHA-256, and a mark.
const (
	packHeader  = "unlearn pack 1: pixels of images, written by package dataset\r\n\x1a\n"
	packMark    = "end of pack 1\r\n\x00"
	packTrailer = 8 + sha256.Size + len(packMark)
)

// packIndex says what is in a pack.
type packIndex struct {
	Go      string // the version of the decoders
	Options packOptions
	Shape   []int

	// Of all files, in the order of the samples.
	Names        []string
	Sizes, Times []int64
	Files        []byte // digests
	Skipped      []int  // positions of files that could not be read

	// Of all samples.
	Pixels  []byte // digests
	Moments []packMoments
}

// packOptions are the options that decide over pixels.
type packOptions struct {
	Size               [2]int
	Channels           int
	Upright            bool
	MaxPixels, MaxSide int
}

func (o ImageOptions) forPack() packOptions {
	return packOptions{o.Size, o.Channels, o.Upright, o.MaxPixels, o.MaxSide}
}

// packMoments are moments of a channel, of pixels in [0, 1].
type packMoments struct{ N, Mean, Square, Min, Max float64 }

// decoders returns the version of Go without that of its patch: decoders of the
// standard library give other pixels in other versions.
func decoders() string {
	if lang := version.Lang(runtime.Version()); lang != "" {
		return lang
	}
	return runtime.Version()
}

// packer writes a pack.
type packer struct {
	o     ImageOptions
	root  *os.Root
	items []item
	errs  []error // of each item; shared with the caller
	size  int
	index packIndex
	sums  []moments
	stop  bool // an image is an error: nothing more is written
}

// errNotPacked ends the writing of a pack where an image is an error.
var errNotPacked = errors.New("an image is an error")

// writePack decodes all images into o.Pack. The errors of images go into errs; one
// that is not to be skipped leaves no pack.
func writePack(root *os.Root, items []item, o ImageOptions, errs []error) error {
	shape := o.firstShape(root, items, errs)
	if shape == nil {
		return noneReadable(items, errs)
	}
	size, err := o.bound(1, shape)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	p := &packer{o: o, root: root, items: items, errs: errs, size: size, sums: make([]moments, channels(shape))}
	p.index = packIndex{Go: decoders(), Options: o.forPack(), Shape: shape}
	err = atomicfile.Write(o.Pack, p.write)
	if err != nil && !p.stop {
		return fmt.Errorf("dataset: pack: %w", err)
	}
	return nil
}

func (p *packer) write(w io.Writer) error {
	if _, err := io.WriteString(w, packHeader); err != nil {
		return err
	}
	group := max(1, min(256, 1<<24/p.size)) // images that are decoded at once
	parts := make([]packPart, group)
	for lo := 0; lo < len(p.items); lo += group {
		some := parts[:min(group, len(p.items)-lo)]
		par.Each(len(some), func(_, i int) { some[i].read(p, lo+i) })
		for i := range some {
			if err := p.add(w, lo+i, &some[i]); err != nil {
				return err
			}
		}
	}
	if p.stop {
		return errNotPacked
	}
	for _, m := range p.sums {
		p.index.Moments = append(p.index.Moments, packMoments{m.n, m.mean, m.square, m.min, m.max})
	}
	index, err := json.Marshal(p.index)
	if err != nil {
		return err
	}
	_, err = w.Write(append(index, trailer(index)...))
	return err
}

func trailer(index []byte) []byte {
	sum := sha256.Sum256(index)
	t := binary.LittleEndian.AppendUint64(nil, uint64(len(index)))
	return append(append(t, sum[:]...), packMark...)
}

// packPart is an image that is going to be written.
type packPart struct {
	pix     []uint8
	stamp   stamp
	file    digest
	digest  digest // of pix
	moments []moments
}

func (part *packPart) read(p *packer, i int) {
	if part.pix == nil {
		part.pix, part.moments = make([]uint8, p.size), make([]moments, len(p.sums))
	}
	var err error
	part.stamp, part.file, err = p.o.fetch(part.pix, p.root, p.items[i].path, p.index.Shape)
	if p.errs[i] = err; err != nil {
		return
	}
	part.digest = digestOf(part.pix)
	plane := make([]float64, p.size/len(p.sums))
	for c := range part.moments {
		for k, v := range part.pix[c*len(plane) : (c+1)*len(plane)] {
			plane[k] = float64(float32(float64(v) / 255)) // as lookup and eachPixels have it
		}
		part.moments[c] = momentsOf(plane)
	}
}

// add writes item i.
func (p *packer) add(w io.Writer, i int, part *packPart) error {
	x := &p.index
	x.Names = append(x.Names, filepath.ToSlash(p.items[i].path))
	x.Sizes, x.Times = append(x.Sizes, part.stamp.size), append(x.Times, part.stamp.time)
	x.Files = append(x.Files, part.file[:]...)
	if err := p.errs[i]; err != nil {
		x.Skipped = append(x.Skipped, i)
		p.stop = p.stop || !p.o.SkipUnreadable || !unreadable(err)
	}
	if p.errs[i] != nil || p.stop {
		return nil
	}
	x.Pixels = append(x.Pixels, part.digest[:]...)
	for c, m := range part.moments {
		p.sums[c].merge(m)
	}
	_, err := w.Write(part.pix)
	return err
}

// packed is a source that uses the pixels of a pack where they are.
type packed struct {
	*mapping
	path    string
	size    int
	digests []byte
	sound   []atomic.Bool // of samples whose pixels have the digest
	moments []moments
}

func (p *packed) pixels(k int, use func([]uint8)) error {
	err := p.use(int64(len(packHeader))+int64(k)*int64(p.size), p.size, func(pix []byte) {
		if !p.sound[k].Load() {
			if sum := digestOf(pix); !bytes.Equal(sum[:], p.digests[k*len(sum):(k+1)*len(sum)]) {
				return
			}
			p.sound[k].Store(true)
		}
		use(pix)
	})
	if err == nil && !p.sound[k].Load() {
		err = fmt.Errorf("%w: the pixels of sample %d do not have their SHA-256", ErrPack, k)
	}
	if errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("dataset: pack %s: %w", p.path, err)
	}
	return p.wrap(err)
}

// wrap says which pack it is, and what to do about one that is not usable.
func (p *packed) wrap(err error) error {
	if errors.Is(err, ErrPack) {
		return fmt.Errorf("dataset: pack %s: %w; delete the pack to have it written anew", p.path, err)
	}
	if err != nil {
		return fmt.Errorf("dataset: pack %s: %w", p.path, err)
	}
	return nil
}

// openPack opens the pack of o, which is written first where there is none.
func (d *Set) openPack(root *os.Root, items []item, o ImageOptions, errs []error) error {
	p, index, err := readPack(o)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writePack(root, items, o, errs); err != nil {
			return err
		}
		if _, _, err := choose(items, errs, o.SkipUnreadable); err != nil {
			return err
		}
		p, index, err = readPack(o)
	}
	if err == nil { // another program may have written the pack that is there now
		err = index.check(root, items, o, errs)
	}
	if err != nil {
		if p != nil {
			err = errors.Join(p.wrap(err), p.close())
		}
		return err
	}
	d.shape, d.size, d.source = index.Shape, p.size, p
	if _, err := d.keep(items, errs, o.SkipUnreadable); err != nil {
		return errors.Join(err, p.close())
	}
	return nil
}

// readPack opens a pack and reads its index.
func readPack(o ImageOptions) (*packed, *packIndex, error) {
	f, err := openFile(o.Pack)
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: pack: %w", err)
	}
	p := &packed{path: o.Pack}
	index, data, err := readIndex(f)
	if err == nil {
		err = index.checkShape(data)
	}
	if err != nil {
		return nil, nil, errors.Join(p.wrap(err), f.Close())
	}
	p.size = feature.Size(index.Shape)
	p.digests, p.sound = index.Pixels, make([]atomic.Bool, index.samples())
	for _, m := range index.Moments {
		p.moments = append(p.moments, moments{m.N, m.Mean, m.Square, m.Min, m.Max})
	}
	p.mapping = newMapping(f, int64(len(packHeader))+data, o.CacheBytes)
	return p, index, nil
}
