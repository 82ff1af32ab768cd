package atomicfile

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// What Windows says while another process has a file open: a reader of the old
// content, or a scanner that looks at the new one.
const (
	accessDenied     = syscall.Errno(5)
	sharingViolation = syscall.Errno(32)
	lockViolation    = syscall.Errno(33)
)

// rename tries for two seconds: neither of the files may be open at that moment.
func rename(from, to string) error {
	const pause, patience = 20 * time.Millisecond, 2 * time.Second
	for waited := time.Duration(0); ; waited += pause {
		err := os.Rename(from, to)
		busy := errors.Is(err, accessDenied) || errors.Is(err, sharingViolation) || errors.Is(err, lockViolation)
		if !busy || waited >= patience {
			return err
		}
		time.Sleep(pause)
	}
}
