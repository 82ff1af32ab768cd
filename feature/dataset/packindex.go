package dataset

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/par"
)

// readIndex returns the index of a pack and how many bytes of pixels there are.
func readIndex(f *os.File) (*packIndex, int64, error) {
	s, err := stampOf(f)
	if err != nil {
		return nil, 0, err
	}
	least := int64(len(packHeader) + packTrailer)
	if s.size < least {
		return nil, 0, fmt.Errorf("%w: it has %d bytes, a pack has %d at least", ErrPack, s.size, least)
	}
	head, tail := make([]byte, len(packHeader)), make([]byte, packTrailer)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, 0, cutOff(err)
	}
	if string(head) != packHeader {
		return nil, 0, fmt.Errorf("%w: it does not begin as a pack does", ErrPack)
	}
	if _, err := f.ReadAt(tail, s.size-int64(len(tail))); err != nil {
		return nil, 0, cutOff(err)
	}
	length := binary.LittleEndian.Uint64(tail)
	if !bytes.HasSuffix(tail, []byte(packMark)) || length > uint64(s.size-least) || length > math.MaxInt/2 {
		return nil, 0, fmt.Errorf("%w: it does not end as a pack does: it is cut off, or damaged", ErrPack)
	}
	text := make([]byte, length)
	data := s.size - least - int64(length)
	if _, err := f.ReadAt(text, int64(len(packHeader))+data); err != nil {
		return nil, 0, cutOff(err)
	}
	if !bytes.Equal(trailer(text), tail) {
		return nil, 0, fmt.Errorf("%w: the index does not have its SHA-256", ErrPack)
	}
	x := new(packIndex)
	if err := json.Unmarshal(text, x); err != nil {
		return nil, 0, fmt.Errorf("%w: the index: %w", ErrPack, err)
	}
	return x, data, nil
}

func (x *packIndex) samples() int { return len(x.Names) - len(x.Skipped) }

// checkShape returns an error unless the lists of the index fit one another and
// the bytes of pixels that there are.
func (x *packIndex) checkShape(data int64) error {
	const sum = len(digest{})
	files, samples := len(x.Names), x.samples()
	total := float64(samples) // exact as far as files are long
	for _, n := range x.Shape {
		total *= float64(n)
	}
	switch {
	case len(x.Shape) != 3 || slices.Min(x.Shape) < 1 || samples < 1 || total != float64(data):
		return fmt.Errorf("%w: %d images of %v in %d bytes", ErrPack, samples, x.Shape, data)
	case len(x.Sizes) != files || len(x.Times) != files || len(x.Files) != files*sum || len(x.Pixels) != samples*sum || len(x.Moments) != x.Shape[0]:
		return fmt.Errorf("%w: the lists of the index have different lengths", ErrPack)
	}
	return nil
}

// check returns an error unless the pack is what would be written for the items. The
// errors of items that are skipped go into errs.
func (x *packIndex) check(root *os.Root, items []item, o ImageOptions, errs []error) error {
	switch {
	case x.Go != decoders():
		return fmt.Errorf("%w: images were decoded by %s, whose decoders may give other pixels than those of %s", ErrPack, x.Go, decoders())
	case x.Options != o.forPack():
		return fmt.Errorf("%w: it was written with the options %+v, not %+v", ErrPack, x.Options, o.forPack())
	case len(x.Names) != len(items):
		return fmt.Errorf("%w: it was written for %d files, and there are %d", ErrPack, len(x.Names), len(items))
	}
	for i, it := range items {
		if name := filepath.ToSlash(it.path); x.Names[i] != name {
			return fmt.Errorf("%w: file %d was %s when it was written, and is %s", ErrPack, i, x.Names[i], name)
		}
	}
	changed := make([]error, len(items))
	par.Each(len(items), func(_, i int) { changed[i] = x.checkFile(root, items[i], i) })
	for i, err := range changed {
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrPack, items[i].name, err)
		}
	}
	return x.skip(root, items, o, errs)
}

// checkFile returns an error unless file i is what it was when the pack was
// written. One that was written again with the same content is.
func (x *packIndex) checkFile(root *os.Root, it item, i int) error {
	if _, skipped := slices.BinarySearch(x.Skipped, i); skipped {
		return nil // see skip
	}
	f, _, err := openBelow(root, it.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	defer f.Close()
	was := stamp{x.Sizes[i], x.Times[i]}
	s, err := stampOf(f)
	if err != nil || s == was {
		return err
	}
	sum, err := digestFile(f, s.size)
	if err != nil {
		return err
	}
	if s.size != was.size || !bytes.Equal(sum[:], x.Files[i*len(sum):(i+1)*len(sum)]) {
		return fmt.Errorf("%w: it was %v, and is %v", ErrChanged, was, s)
	}
	return nil
}

// skip reads the files that could not be read when the pack was written, for their
// errors.
func (x *packIndex) skip(root *os.Root, items []item, o ImageOptions, errs []error) error {
	buf := make([]uint8, feature.Size(x.Shape))
	for _, i := range x.Skipped {
		if i < 0 || i >= len(items) {
			return fmt.Errorf("%w: file %d of %d was skipped", ErrPack, i, len(items))
		}
		if errs[i] = o.readBelow(buf, root, items[i].path, x.Shape); errs[i] == nil {
			return fmt.Errorf("%w: %s could not be read when it was written, and can be now", ErrPack, items[i].name)
		}
	}
	return nil
}
