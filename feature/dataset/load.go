package dataset

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/par"
)

// item is a sample still to be read.
type item struct {
	path     string // to open
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

// load reads all items into a Set, several at a time, each into its place.
func load(items []item, classes []string, o ImageOptions) (*Set, error) {
	cfg, err := readConfig(items[0].path)
	if err == nil {
		err = o.check(cfg, nil)
	}
	if err != nil {
		return nil, items[0].wrap(err)
	}
	shape := o.fit(cfg)
	total, err := o.bound(len(items), shape)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	d := &Set{shape: shape, size: total / len(items), bytes: make([]uint8, total), classes: classes}
	errs := make([]error, len(items))
	par.Each(len(items), func(_, i int) {
		if err := o.readImage(d.bytes[i*d.size:(i+1)*d.size], items[i].path, shape); err != nil {
			errs[i] = items[i].wrap(err)
		}
	})
	if err := firstErrors(errs); err != nil {
		return nil, err
	}
	d.describe(items)
	return d.Normalize(o.Pixels)
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
