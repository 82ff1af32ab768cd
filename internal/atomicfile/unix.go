//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lock locks f against removeAbandoned. Where the file system has no locks, it
// succeeds.
func lock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK
}

// removeAbandoned removes a file if the process that made it is gone: if its lock
// can be had, which is held meanwhile.
func removeAbandoned(name string) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	// In between it may have been renamed, and the name used for another.
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && stillThere(f) {
		os.Remove(name)
	}
}

// move renames f and closes it, in this order: closed, it has no lock, and another
// process could remove it as a leftover.
func move(f *os.File, to string) error {
	return errors.Join(os.Rename(f.Name(), to), f.Close())
}

// hardLinks returns how many names a file has.
func hardLinks(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Nlink)
	}
	return 1
}

// syncFolder makes a rename in a folder survive a power failure.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync() // some file systems cannot
		d.Close()
	}
}
