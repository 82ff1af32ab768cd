package onnx

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// location returns the file, offset and length (-1: to the end) that external
// data names.
func (t *tensor) location() (name string, offset, length int64, err error) {
	name, length = t.external["location"], -1
	// The standard wants slashes and a path relative to the model's folder.
	if name == "" || !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", 0, 0, fmt.Errorf("onnx: %w: %s: path %q leaves the model's folder", ErrExternal, t.where, name)
	}
	for key, dst := range map[string]*int64{"offset": &offset, "length": &length} {
		text, ok := t.external[key]
		if !ok {
			continue
		}
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v < 0 {
			return "", 0, 0, fmt.Errorf("onnx: %w: %s: %s %q", ErrExternal, t.where, key, text)
		}
		*dst = v
	}
	return name, offset, length, nil
}

// load reads external data from the folder. The file is opened so that links
// cannot lead outside either.
func (t *tensor) load(folder string) error {
	if t.external == nil || t.outside != nil {
		return nil
	}
	name, offset, length, err := t.location()
	if err != nil {
		return err
	}
	if folder == "" {
		return fmt.Errorf("onnx: %w: %s is in file %q, and a stream has no folder", ErrExternal, t.where, name)
	}
	want := int64(t.size) * int64(width[t.typ])
	if length >= 0 && length != want {
		return fmt.Errorf("onnx: %w: %s of shape %v needs %d bytes, has length %d", ErrExternal, t.where, t.dims, want, length)
	}
	data, err := readPart(folder, name, offset, want)
	if err != nil {
		return fmt.Errorf("onnx: %w: %s: %w", ErrExternal, t.where, err)
	}
	t.outside, t.offset = data, offset
	return nil
}

// readPart reads size bytes at offset; it allocates after it has seen that they
// are there.
func readPart(folder, name string, offset, size int64) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(filepath.FromSlash(name)) // opening a pipe would wait
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || size > info.Size() || offset > info.Size()-size || size > math.MaxInt {
		return nil, fmt.Errorf("file %q of %d bytes has no %d bytes at %d", name, info.Size(), size, offset)
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, offset, size), data)
	return data, err
}
