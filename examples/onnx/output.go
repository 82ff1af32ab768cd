package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/feature/onnx"
)

// checkFiles looks at all files and folders that the flags name, before anything
// slow is done.
func checkFiles(f *flags) error {
	for _, name := range sets {
		if dir := f.dir(name); dir != "" {
			if info, err := os.Stat(dir); err != nil {
				return fmt.Errorf("-%s %s: %w", name, dir, cause(err))
			} else if !info.IsDir() {
				return fmt.Errorf("-%s %s is a file, not a folder", name, dir)
			}
		}
	}
	if err := checkInputs(f); err != nil {
		return err
	}
	for _, path := range []string{f.out, f.receipt} {
		if err := tryWrite(path); err != nil {
			return fmt.Errorf("-out: %w", err)
		}
	}
	if err := tryAttestation(f.out, f.write); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	return f.asked.read()
}

// checkInputs looks at the models, and refuses to write over one of them.
func checkInputs(f *flags) error {
	for i, path := range append([]string{f.model}, f.references...) {
		name := "-model"
		if i > 0 {
			name = "-reference"
		}
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("%s %s: %w", name, path, cause(err))
		}
		if info.IsDir() {
			return fmt.Errorf("%s %s is a folder, not a file", name, path)
		}
		for _, to := range []string{f.out, f.receipt} {
			there, err := os.Stat(to) // through links
			switch {
			case err != nil || !os.SameFile(info, there):
			case i > 0 || to == f.receipt:
				return fmt.Errorf("%s is the file of %s %s", to, name, path)
			case !f.write:
				return fmt.Errorf("-out %s is the file of -model %s; -overwrite replaces it", f.out, f.model)
			}
		}
	}
	return nil
}

// tryWrite tells whether a file can be written where path is, by making another
// beside it.
func tryWrite(path string) error {
	target, err := target(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+".try*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, cause(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// cause is the error of a system call without the call, which says nothing to who
// gave the path.
func cause(err error) error {
	if e := new(fs.PathError); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// target is the file that path leads to through links. It need not exist, and is
// a regular file if it does.
func target(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return "", fmt.Errorf("%s is a link that leads nowhere", path)
		}
		return path, nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is there and is not a regular file", path)
	case hardLinks(info) > 1:
		return "", fmt.Errorf("%s has other names (hard links), which would keep the old content; remove it or them first", path)
	}
	return filepath.EvalSymlinks(path)
}

// replacement is a file that is complete and on disk beside the one that it is to
// replace.
type replacement struct{ temporary, target string }

// prepare writes a replacement. What stands at path keeps its permissions, and a
// link to it stays.
func prepare(path string, content []byte) (r *replacement, err error) {
	target, err := target(path)
	if err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(target); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+".tmp*")
	if err != nil {
		return nil, err
	}
	r = &replacement{f.Name(), target}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, r.discard())
	}
	return r, nil
}

func (r *replacement) commit() error  { return os.Rename(r.temporary, r.target) }
func (r *replacement) discard() error { return os.Remove(r.temporary) }

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// written is the hash of the bytes that m.Save would write, "" where the model
// keeps weights in files beside it.
func written(m *onnx.Model) (string, error) {
	h := sha256.New()
	err := m.Write(h)
	if errors.Is(err, onnx.ErrExternal) {
		return "", nil
	}
	return hex.EncodeToString(h.Sum(nil)), err
}
