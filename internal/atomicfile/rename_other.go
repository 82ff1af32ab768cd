//go:build !(windows || linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package atomicfile

import "os"

func rename(from, to string) error { return os.Rename(from, to) }
