package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// openFile opens a regular file. A named pipe, a device or a socket is refused
// before it is opened, which could block.
func openFile(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := regular(info); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.Open(path)
}

// regular returns an error that tells what info is, unless it is a file.
func regular(info fs.FileInfo) error {
	what := "neither a file nor a folder"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a folder, not a file"
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe, not a file"
	case mode&fs.ModeSocket != 0:
		what = "a socket, not a file"
	case mode&fs.ModeDevice != 0:
		what = "a device, not a file"
	}
	return fmt.Errorf("%w: this is %s", ErrFormat, what)
}

// openBelow is openFile for a name below root. Links that lead out of root are
// refused. Errors do not repeat the name.
func openBelow(root *os.Root, name string) (*os.File, int64, error) {
	info, err := statBelow(root, name)
	if err != nil {
		return nil, 0, err
	}
	if err := regular(info); err != nil {
		return nil, 0, err
	}
	f, err := root.Open(name)
	return f, info.Size(), bareError(err)
}

// statBelow describes what stands at a name below root, behind its links.
func statBelow(root *os.Root, name string) (fs.FileInfo, error) {
	info, err := root.Stat(name)
	return info, bareError(err)
}

// bareError takes operation and path off an error of the file system, for
// callers that name the file themselves, and explains the one of os.Root that
// says little.
func bareError(err error) error {
	var p *fs.PathError
	if !errors.As(err, &p) {
		return err
	}
	if strings.Contains(p.Err.Error(), "escapes from parent") { // os does not export this error
		return fmt.Errorf("%w: a link leads out of the folder, or is absolute; give the file itself", ErrFormat)
	}
	return p.Err
}

// openRoot opens the folder that files are read below.
func openRoot(dir string) (*os.Root, error) {
	if dir == "" {
		return nil, fmt.Errorf("dataset: %w: the name of the folder is empty", fs.ErrNotExist)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", dir, bareError(err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("dataset: %s: %w: this is a file, not a folder", dir, ErrFormat)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", dir, bareError(err))
	}
	return root, nil
}

// featureError is an error of package feature in a text of this one, with one
// prefix.
type featureError struct{ error }

func (e featureError) Error() string {
	return "dataset: " + strings.TrimPrefix(e.error.Error(), "feature: ")
}

func (e featureError) Unwrap() error { return e.error }
