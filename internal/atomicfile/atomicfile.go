// Package atomicfile replaces files whole: what stood under a name stays until
// the new content is complete and on disk.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrLinked is wrapped by the error of a Write to a file that has other names
// (hard links): they would go on showing the old content.
var ErrLinked = errors.New("the file has other names (hard links), which would keep the old content; remove them or copy the file first")

// suffix ends the names of temporary files.
const suffix = ".part"

// Write calls write with a buffered temporary file beside the file, syncs it,
// renames it to path, and syncs the folder. On an error, and when the process is
// killed at any moment, path is as it was.
//
// Where path is a symbolic link, the file that it leads to is replaced and the
// link stays. A file that is replaced keeps its permissions; a new one gets those
// that the umask leaves of 0666. What is not a regular file is refused, and so is
// a file with hard links (ErrLinked). Temporary files that killed processes left
// beside the file are removed.
func Write(path string, write func(io.Writer) error) (err error) {
	target, old, err := resolve(path)
	if err != nil {
		return err
	}
	removeLeftovers(target)
	f, err := create(target, old)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err == nil && old != nil {
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if err = move(f, target); err != nil {
		return err
	}
	// The new content is in place; if the folder cannot be synced, only its
	// surviving a power failure is in doubt, and path still holds one of the two.
	syncFolder(filepath.Dir(target))
	return nil
}

// Try returns the error that a Write to path would meet before it writes: a
// folder that is missing or cannot be written to, or something at path that
// cannot be replaced. It leaves nothing behind.
func Try(path string) error {
	target, old, err := resolve(path)
	if err != nil {
		return err
	}
	f, err := create(target, old)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// resolve follows symbolic links and returns the path to replace and what stands
// there, nil if nothing does.
func resolve(path string) (target string, old fs.FileInfo, err error) {
	target = path
	for range 40 { // as many links as Linux follows
		info, err := os.Lstat(target)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return target, nil, nil
		case err != nil:
			return "", nil, err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(target)
			if err != nil {
				return "", nil, err
			}
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(target), to)
			}
			target = to
		case !info.Mode().IsRegular():
			return "", nil, &fs.PathError{Op: "replace", Path: target, Err: fmt.Errorf("not a regular file but %s", info.Mode().Type())}
		case hardLinks(info) > 1:
			return "", nil, &fs.PathError{Op: "replace", Path: target, Err: ErrLinked}
		default:
			return target, info, nil
		}
	}
	return "", nil, &fs.PathError{Op: "replace", Path: path, Err: errors.New("too many symbolic links")}
}

// create makes a temporary file beside target and locks it, where the system has
// locks, until it is closed.
func create(target string, old fs.FileInfo) (*os.File, error) {
	mode := fs.FileMode(0o666)
	if old != nil {
		mode = old.Mode().Perm() & 0o600 // narrower until it is complete
	}
	for try := 0; ; try++ {
		name := fmt.Sprintf("%s%d-%d%s", prefix(target), os.Getpid(), try, suffix)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode|0o200)
		if errors.Is(err, fs.ErrExist) && try < 10000 {
			continue
		}
		if err != nil {
			return nil, err
		}
		if lock(f) && stillThere(f) {
			return f, nil
		}
		f.Close() // another process took it for a leftover before it was locked, and removes it
	}
}

// stillThere reports whether the name of f still leads to f.
func stillThere(f *os.File) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(f.Name())
	return err == nil && os.SameFile(a, b)
}

// prefix begins the names of the temporary files for target.
func prefix(target string) string {
	dir, base := filepath.Split(target)
	return dir + "." + base + "-"
}

// removeLeftovers removes temporary files for target that no process is writing.
func removeLeftovers(target string) {
	dir, start := filepath.Split(prefix(target))
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // create tells
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), start) || !strings.HasSuffix(e.Name(), suffix) || !numbered(e.Name()[len(start):len(e.Name())-len(suffix)]) {
			continue
		}
		removeAbandoned(filepath.Join(dir, e.Name()))
	}
}

// numbered reports whether s is what create puts between prefix and suffix: two
// numbers and a dash.
func numbered(s string) bool {
	pid, try, ok := strings.Cut(s, "-")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return ok && digits(pid) && digits(try)
}
