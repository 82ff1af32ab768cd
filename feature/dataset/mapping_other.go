//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package dataset

import (
	"errors"
	"os"
)

// mapFile says that files are read here.
func mapFile(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) {}
