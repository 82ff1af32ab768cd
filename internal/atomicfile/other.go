//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package atomicfile

import (
	"io/fs"
	"os"
	"time"
)

// lock does nothing here: see abandoned.
func lock(*os.File) bool { return true }

// abandoned reports whether nothing has been written to f for an hour: these
// systems have no lock that ends with the process.
func abandoned(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && time.Since(info.ModTime()) > time.Hour
}

// hardLinks is 1: the count is not at hand here.
func hardLinks(fs.FileInfo) int { return 1 }

// syncFolder does nothing: a rename is on disk, or folders cannot be opened.
func syncFolder(string) {}
