package kernel

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// fastAsm and fastWide are what start-up found.
var fastAsm, fastWide = useAsm, useWide

// Path names the kernels in use: "amd64/avx512", "amd64/avx2", "arm64/neon", or the
// architecture and "/plain". Equal arguments give equal bits on one path, not
// across paths.
func Path() string { return path(useAsm, useWide) }

// Paths returns the paths that this build and this machine have, the default
// first and the plain one last.
func Paths() []string {
	all := []string{path(fastAsm, fastWide)}
	if fastWide {
		all = append(all, path(true, false))
	}
	if fastAsm {
		all = append(all, path(false, false))
	}
	return all
}

func path(asm, wide bool) string {
	name := "plain"
	switch {
	case asm && wide:
		name = "avx512"
	case asm && runtime.GOARCH == "arm64":
		name = "neon"
	case asm:
		name = "avx2"
	}
	return runtime.GOARCH + "/" + name
}

// Use switches to one of Paths. Packed weights and sizes of scratch belong to the
// path that they were made on: call it before all else, and not while kernels
// run. The error says which paths there are.
func Use(name string) error {
	if !slices.Contains(Paths(), name) {
		return fmt.Errorf("kernel: no path %q on this machine, only %s", name, strings.Join(Paths(), ", "))
	}
	useAsm = name != path(false, false)
	useWide = useAsm && fastWide && name == path(true, true)
	return nil
}
