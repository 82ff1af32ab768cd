package feature

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Kernels names the kernels that the built-in models compute with on this machine:
// "amd64/avx512", "amd64/avx2", "arm64/neon", or GOARCH and "/plain". Equal arguments
// give equal bits with the same kernels, not across them.
func Kernels() string { return kernel.Path() }

// KernelPaths returns the names that UseKernels takes on this machine, the default
// first and the plain one, which is everywhere, last.
func KernelPaths() []string { return kernel.Paths() }

// UseKernels makes the built-in models compute with the kernels of the given name,
// to repeat the bits of a run on another machine. It must be called before any
// model is made, and not while one runs. An unknown name, or one that this machine
// does not have, gives an error wrapping ErrParameter.
func UseKernels(name string) error {
	if err := kernel.Use(name); err != nil {
		return fmt.Errorf("feature: %w: %w", ErrParameter, err)
	}
	return nil
}
