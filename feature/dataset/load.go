package dataset

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/par"
)

// item is a sample still to be read.
type item struct {
	path     string // below the root
	name     string // what the set and its errors call it
	where    string // the row that names it, or ""
	label    int
	identity string
}

func (it item) wrap(err error) error {
	if it.where == "" {
		return fmt.Errorf("dataset: %s: %w", it.name, err)
	}
	return fmt.Errorf("dataset: %s: image %s: %w", it.where, it.name, err)
}

// reason is wrap for a list that has the name already.
func (it item) reason(err error) error {
	if it.where == "" {
		return err
	}
	return fmt.Errorf("%s: %w", it.where, err)
}

// load reads all items below root into a Set, several at a time, each into its
// place. The first that can be read decides what the options leave open.
func load(root *os.Root, items []item, o ImageOptions) (*Set, error) {
	if o.OnDemand {
		return loadOnDemand(root, items, o)
	}
	errs := make([]error, len(items))
	shape := o.firstShape(root, items, errs)
	if shape == nil {
		return nil, noneReadable(items, errs)
	}
	total, err := o.bound(len(items), shape)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	d := &Set{shape: shape, size: total / len(items), bytes: make([]uint8, total)}
	par.Each(len(items), func(_, i int) {
		if errs[i] == nil {
			errs[i] = o.readBelow(d.bytes[i*d.size:(i+1)*d.size], root, items[i].path, shape)
		}
	})
	kept, err := d.keep(items, errs, o.SkipUnreadable)
	if err != nil {
		return nil, err
	}
	for n, i := range kept {
		copy(d.bytes[n*d.size:], d.bytes[i*d.size:(i+1)*d.size])
	}
	d.bytes = slices.Clip(d.bytes[:len(kept)*d.size])
	return d.Normalize(o.Pixels)
}

// firstShape returns the shape that the first readable image gives, or nil if
// there is none. The errors of those before it are stored.
func (o ImageOptions) firstShape(root *os.Root, items []item, errs []error) (shape []int) {
	for i, it := range items {
		if shape, errs[i] = o.shapeBelow(root, it.path); errs[i] == nil {
			return shape
		}
	}
	return nil
}

// shapeBelow returns the shape that an image gives the set if it is the first.
// Where the options leave something open, the image is decoded to the end: one
// whose header alone is sound must not decide for the others.
func (o ImageOptions) shapeBelow(root *os.Root, name string) ([]int, error) {
	f, size, err := openBelow(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := o.header(f, size)
	if err == nil {
		err = o.check(p.config, nil)
	}
	if err != nil {
		return nil, err
	}
	shape := o.fit(p.config)
	if o.Size[0] > 0 && o.Channels > 0 {
		return shape, nil
	}
	n, err := o.bound(1, shape)
	if err != nil {
		return shape, nil // the caller says so for all images
	}
	return shape, o.read(make([]uint8, n), f, size, shape)
}

// readBelow is read for a file below root.
func (o ImageOptions) readBelow(dst []uint8, root *os.Root, name string, shape []int) error {
	f, size, err := openBelow(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	return o.read(dst, f, size, shape)
}

// keep takes over the items that have been read, and returns their positions. The
// others are an error, or are listed as skipped if that is wanted and the file, not
// the options, is to blame. The items that are kept move to the front.
func (d *Set) keep(items []item, errs []error, skip bool) ([]int, error) {
	kept, skipped, err := choose(items, errs, skip)
	if err != nil {
		return nil, err
	}
	d.skipped = skipped
	for n, i := range kept {
		items[n] = items[i]
	}
	d.describe(items[:len(kept)])
	return kept, nil
}

// choose returns the positions of the items that have been read, and those that
// are skipped.
func choose(items []item, errs []error, skip bool) (kept []int, skipped []Skipped, err error) {
	var failed []error
	for i, it := range items {
		switch {
		case errs[i] == nil:
			kept = append(kept, i)
		case skip && unreadable(errs[i]):
			skipped = append(skipped, Skipped{it.name, it.reason(errs[i])})
		default:
			failed = append(failed, it.wrap(errs[i]))
		}
	}
	if len(failed) > 0 {
		return nil, nil, firstErrors(failed)
	}
	if len(kept) == 0 {
		return nil, nil, noneReadable(items, errs)
	}
	return kept, skipped, nil
}

// unreadable tells an error about a file from one about the options, such as two
// sizes without ImageOptions.Size.
func unreadable(err error) bool {
	return !errors.Is(err, feature.ErrShape)
}

// noneReadable is the error where no image can be read.
func noneReadable(items []item, errs []error) error {
	wrapped := make([]error, len(errs))
	for i, err := range errs {
		wrapped[i] = items[i].wrap(err)
	}
	return firstErrors(wrapped)
}

func (d *Set) describe(items []item) {
	identified := false
	for _, it := range items {
		d.labels = append(d.labels, it.label)
		d.paths = append(d.paths, it.name)
		d.identities = append(d.identities, it.identity)
		identified = identified || it.identity != ""
	}
	if !identified {
		d.identities = nil
	}
}

// maxErrors is how many errors of one table are told at once.
const maxErrors = 5

// firstErrors joins the first errors of a list, in its order, and counts the
// others.
func firstErrors(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if n := len(errs) - maxErrors; n > 0 {
		errs = append(errs[:maxErrors:maxErrors], fmt.Errorf("dataset: and %d errors more", n))
	}
	return errors.Join(errs...)
}
