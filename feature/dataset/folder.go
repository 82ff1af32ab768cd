package dataset

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
)

// FolderOptions says how an image folder is read.
type FolderOptions struct {
	Image ImageOptions

	// Classes names the classes, in the order of their numbers. Give it where
	// several folders must agree although one lacks a class. If it is nil, the
	// classes are the names of the subfolders in the order of their bytes, in
	// which "10" comes before "2"; a subfolder without images is a class too.
	Classes []string

	// Label is the class of every image in a folder without class subfolders.
	// If it is empty, the class is the name of the subfolder.
	Label string

	// Identity returns whom an image shows, given its path below the folder
	// with forward slashes. If it is nil, identities are unknown.
	Identity func(path string) string
}

// Folder reads all images of a folder that has one subfolder a class, at any
// depth, in the order of their paths. With o.Label it is a folder of one class.
// o may be nil.
//
// No file is skipped silently. Files with the extension of an image, in upper or
// lower case, and files with another name and the content of an image are read,
// by their content whatever the extension says. A file that cannot be read is an
// error: broken, of an image format that is not read, without permission, a
// named pipe, a link that leads nowhere or out of the folder. With
// ImageOptions.SkipUnreadable it is listed in Set.Skipped instead. Always
// listed there, and never an error, are files that are no images (ErrIgnored):
// texts, for example, and what begins with a dot or is below such a folder.
//
// Links are followed while they stay below dir. A folder that a link reaches a
// second time is refused; a link to a file is a sample like any other.
//
// Errors name the file, up to five of them in order. They wrap ErrFormat,
// ErrTooLarge, ErrEmpty, ErrIdentity, feature.ErrLabel, feature.ErrShape or the
// file system's.
func Folder(dir string, o *FolderOptions) (*Set, error) {
	if o == nil {
		o = &FolderOptions{}
	}
	opt, err := o.Image.resolve()
	if err != nil {
		return nil, err
	}
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	w := &walker{root: root, dir: dir}
	if err := w.list(opt.SkipUnreadable); err != nil {
		return nil, err
	}
	classes, err := o.classes(w)
	if err != nil {
		return nil, err
	}
	items, err := o.items(dir, w.files, numbers(classes))
	if err != nil {
		return nil, err
	}
	d, err := load(root, items, opt)
	if err != nil {
		return nil, err
	}
	d.name(classes)
	d.skipped = sortSkipped(slices.Concat(d.skipped, w.ignored, w.refused))
	return d, nil
}

// list walks the whole folder.
func (w *walker) list(skip bool) error {
	info, err := statBelow(w.root, ".")
	if err == nil {
		err = w.enter(".", info, false)
	}
	if err != nil {
		return fmt.Errorf("dataset: %s: %w", w.dir, err)
	}
	w.walk(".", 0, false)
	if err := w.checkRefused(skip); err != nil {
		return err
	}
	if len(w.files) > 0 {
		return nil
	}
	left := slices.Concat(w.ignored, w.refused)
	if len(left) == 0 {
		return fmt.Errorf("dataset: %s: %w: there are no files", w.dir, ErrEmpty)
	}
	return fmt.Errorf("dataset: %s: %w: none of %d files is an image; %v", w.dir, ErrEmpty, len(left), left[0])
}

// classes returns the names of the classes in the order of their numbers.
func (o *FolderOptions) classes(w *walker) ([]string, error) {
	if o.Classes != nil {
		return slices.Clone(o.Classes), checkClasses(o.Classes)
	}
	if o.Label != "" {
		return nil, fmt.Errorf("dataset: %s: %w: label %q without Classes", w.dir, feature.ErrLabel, o.Label)
	}
	return w.classes, nil
}

// items returns the samples to be read.
func (o *FolderOptions) items(dir string, files []string, number map[string]int) ([]item, error) {
	items := make([]item, len(files))
	errs := make([]error, len(files))
	for i, name := range files {
		items[i], errs[i] = o.item(dir, name, number)
	}
	return items, firstErrors(errs)
}

func (o *FolderOptions) item(dir, name string, number map[string]int) (item, error) {
	local := filepath.FromSlash(name)
	full := filepath.Join(dir, local)
	label := o.Label
	if label == "" {
		class, _, nested := strings.Cut(name, "/")
		if !nested {
			return item{}, fmt.Errorf("dataset: %s: %w: the image is in no class folder; set Label", full, feature.ErrLabel)
		}
		label = class
	}
	k, known := number[label]
	if !known {
		return item{}, fmt.Errorf("dataset: %s: %w: %q is not one of the classes %q",
			full, feature.ErrLabel, label, few(slices.Sorted(maps.Keys(number))))
	}
	it := item{path: local, name: full, label: k}
	if o.Identity != nil {
		if it.identity = o.Identity(name); it.identity == "" {
			return it, fmt.Errorf("dataset: %s: %w", full, ErrIdentity)
		}
	}
	return it, nil
}
