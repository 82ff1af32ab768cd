package dataset

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// walker lists a folder. Every file is in one of its lists.
type walker struct {
	root    *os.Root
	dir     string   // as the user calls the root
	files   []string // images, below root, with forward slashes
	classes []string // the folders at the top
	ignored []Skipped
	refused []Skipped

	seen   []fs.FileInfo // the folders that are not hidden
	names  []string      // of seen
	linked bool          // whether a link to a folder has been followed
}

// walk lists the folder name, at the given depth below the root. hidden says
// that it, or a folder above it, begins with a dot.
func (w *walker) walk(name string, depth int, hidden bool) {
	entries, err := w.read(name)
	if err != nil {
		w.refuse(name, hidden, err)
		return
	}
	for _, e := range entries {
		w.entry(path.Join(name, e.Name()), depth, hidden || strings.HasPrefix(e.Name(), "."), e)
	}
}

// entry lists one entry of a folder. Links are followed as long as they stay
// below the root.
func (w *walker) entry(name string, depth int, hidden bool, e fs.DirEntry) {
	link := e.Type()&fs.ModeSymlink != 0
	info, err := statBelow(w.root, filepath.FromSlash(name))
	switch {
	case err != nil && link:
		w.refuse(name, hidden, fmt.Errorf("the link cannot be followed: %w", err))
	case err != nil:
		w.refuse(name, hidden, err)
	case hidden && info.IsDir() && !link:
		w.walk(name, depth+1, hidden)
	case hidden:
		w.ignore(name, "the name, or that of a folder above, begins with a dot")
	case info.IsDir():
		w.folder(name, depth, info, link)
	default:
		w.file(name, info)
	}
}

// folder lists a folder that is not hidden.
func (w *walker) folder(name string, depth int, info fs.FileInfo, link bool) {
	if depth == 0 {
		w.classes = append(w.classes, name)
	}
	if err := w.enter(name, info, link); err != nil {
		w.refuse(name, false, err)
		return
	}
	w.walk(name, depth+1, false)
}

// enter returns an error if a link leads to a folder twice: its images would
// count twice, or without end.
func (w *walker) enter(name string, info fs.FileInfo, link bool) error {
	w.linked = w.linked || link
	if w.linked {
		same := func(seen fs.FileInfo) bool { return os.SameFile(seen, info) }
		if k := slices.IndexFunc(w.seen, same); k >= 0 {
			return fmt.Errorf("%w: a link makes this the same folder as %s, whose images would count twice", ErrFormat, w.names[k])
		}
	}
	w.seen, w.names = append(w.seen, info), append(w.names, w.full(name))
	return nil
}

// file decides by name and content what a file is.
func (w *walker) file(name string, info fs.FileInfo) {
	if err := regular(info); err != nil {
		w.refuse(name, false, err)
		return
	}
	if hasImageName(name) {
		w.files = append(w.files, name)
		return
	}
	head, err := w.head(name)
	if err != nil {
		w.refuse(name, false, err)
		return
	}
	_, err = findCodec(head)
	switch {
	case hasForeignName(name) && (err == nil || foreignFormat(head) == ""):
		err = fmt.Errorf("%w: images with the extension %s are not read; convert it to %s", ErrFormat, path.Ext(name), formats)
		w.refuse(name, false, err)
	case err == nil:
		w.files = append(w.files, name)
	case foreignFormat(head) != "":
		w.refuse(name, false, err)
	default:
		w.ignore(name, "neither the extension nor the content is that of an image")
	}
}

// head returns the first bytes of a file.
func (w *walker) head(name string) ([]byte, error) {
	f, _, err := openBelow(w.root, filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, maxHead))
	return head, bareError(err)
}

// read returns the entries of a folder in the order of their names.
func (w *walker) read(name string) ([]fs.DirEntry, error) {
	f, err := w.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, bareError(err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, bareError(err)
}

func (w *walker) full(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *walker) ignore(name, why string) {
	w.ignored = append(w.ignored, Skipped{w.full(name), fmt.Errorf("%w: %s", ErrIgnored, why)})
}

// refuse lists what cannot be read. What is hidden would not be read anyway.
func (w *walker) refuse(name string, hidden bool, err error) {
	if hidden {
		w.ignore(name, err.Error())
		return
	}
	w.refused = append(w.refused, Skipped{w.full(name), err})
}

// checkRefused returns the first errors of the list, unless skip is set.
func (w *walker) checkRefused(skip bool) error {
	if skip {
		return nil
	}
	var errs []error
	for _, s := range w.refused {
		errs = append(errs, fmt.Errorf("dataset: %s: %w", s.Path, s.Err))
	}
	return firstErrors(errs)
}
