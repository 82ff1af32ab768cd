package dataset

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
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
	// which "10" comes before "2".
	Classes []string

	// Label is the class of every image in a folder without class subfolders.
	// If it is empty, the class is the name of the subfolder.
	Label string

	// Identity returns whom an image shows, given its path below the folder
	// with forward slashes. If it is nil, identities are unknown.
	Identity func(path string) string
}

// Folder reads all PNG and JPEG files of a folder that has one subfolder a class,
// at any depth, in the order of their paths. With o.Label it is a flat folder of
// one class. Files with other extensions than .png, .jpg and .jpeg, and names that
// begin with a dot, are passed over; links to folders are not followed. o may be nil.
//
// Errors name the file, up to five of them in order. They wrap ErrFormat,
// ErrTooLarge, ErrEmpty, ErrIdentity, feature.ErrLabel or feature.ErrShape.
func Folder(dir string, o *FolderOptions) (*Set, error) {
	if o == nil {
		o = &FolderOptions{}
	}
	opt, err := o.Image.resolve()
	if err != nil {
		return nil, err
	}
	files, err := listImages(dir)
	if err != nil {
		return nil, err
	}
	classes, err := o.classes(dir, files)
	if err != nil {
		return nil, err
	}
	number := numbers(classes)
	items := make([]item, len(files))
	errs := make([]error, len(files))
	for i, name := range files {
		items[i], errs[i] = o.item(dir, name, number)
	}
	if err := firstErrors(errs); err != nil {
		return nil, err
	}
	return load(items, classes, opt)
}

// listImages returns the slash-separated paths of all images below dir.
func listImages(dir string) ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case !e.IsDir() && isImage(name):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("dataset: %s: %w: no .png, .jpg or .jpeg files", dir, ErrEmpty)
	}
	return files, nil
}

func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return true
	}
	return false
}

func (o *FolderOptions) classes(dir string, files []string) ([]string, error) {
	classes := slices.Clone(o.Classes)
	switch {
	case classes == nil && o.Label != "":
		return nil, fmt.Errorf("dataset: %s: %w: label %q without Classes", dir, feature.ErrLabel, o.Label)
	case classes == nil:
		for _, name := range files {
			if class, _, nested := strings.Cut(name, "/"); nested {
				classes = append(classes, class)
			}
		}
		slices.Sort(classes)
		classes = slices.Compact(classes)
	}
	return classes, checkClasses(classes)
}

func (o *FolderOptions) item(dir, name string, number map[string]int) (item, error) {
	path := filepath.Join(dir, filepath.FromSlash(name))
	label := o.Label
	if label == "" {
		class, _, nested := strings.Cut(name, "/")
		if !nested {
			return item{}, fmt.Errorf("dataset: %s: %w: the image is in no class folder; set Label", path, feature.ErrLabel)
		}
		label = class
	}
	k, known := number[label]
	if !known {
		return item{}, fmt.Errorf("dataset: %s: %w: %q is not one of the classes %q",
			path, feature.ErrLabel, label, few(slices.Sorted(maps.Keys(number))))
	}
	it := item{path: path, name: path, label: k}
	if o.Identity != nil {
		if it.identity = o.Identity(name); it.identity == "" {
			return it, fmt.Errorf("dataset: %s: %w", path, ErrIdentity)
		}
	}
	return it, nil
}
