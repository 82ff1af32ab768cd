package dataset

import (
	"cmp"
	"fmt"
	"slices"
)

// Skipped is a file that a loader found, or that a table names, and that is not
// in the Set, with the reason. The reason wraps ErrIgnored for files that are
// not images, and otherwise is the error that reading the file gave, which only
// ImageOptions.SkipUnreadable turns into this. A folder that cannot be opened is
// one entry.
type Skipped struct {
	Path string // as Set.Path calls files
	Err  error
}

// String returns path and reason.
func (s Skipped) String() string { return fmt.Sprintf("%s: %v", s.Path, s.Err) }

// Skipped returns the files that are not in d although the loader met them, in
// the order of their paths: Len samples and these are all that is there. Rows
// that CSVOptions.Where and Keep leave out are not among them.
func (d *Set) Skipped() []Skipped { return slices.Clone(d.skipped) }

func sortSkipped(list []Skipped) []Skipped {
	slices.SortStableFunc(list, func(a, b Skipped) int { return cmp.Compare(a.Path, b.Path) })
	return list
}
