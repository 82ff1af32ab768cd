//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package atomicfile

import (
	"io/fs"
	"os"
	"time"
)

// lock does nothing here: see removeAbandoned.
func lock(*os.File) bool { return true }

// removeAbandoned removes a file to which nothing has been written for an hour:
// these systems have no lock that ends with the process. The file must not be
// open: Windows removes none that is, and so keeps what a process still writes.
func removeAbandoned(name string) {
	if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > time.Hour {
		os.Remove(name)
	}
}

// move closes f and renames it, in this order: Windows renames no open file.
func move(f *os.File, to string) error {
	if err := f.Close(); err != nil {
		return err
	}
	return rename(f.Name(), to)
}

// hardLinks is 1: the count is not at hand here.
func hardLinks(fs.FileInfo) int { return 1 }

// syncFolder does nothing: a rename is on disk, or folders cannot be opened.
func syncFolder(string) {}
