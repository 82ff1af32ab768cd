//go:build !amd64 || noasm

package kernel

// noAssembly is what the kernels panic with that this build does not have.
const noAssembly = "kernel: built without assembly"
